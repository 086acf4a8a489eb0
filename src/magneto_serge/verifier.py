"""The sink of mode ``verify``: what is forwarded is compared with its recording, and not kept.

It stands where a recorder would: an exchange hands it each interaction when it is complete. The
recording is looked up there and then, in the thread that carries the traffic, as replay would;
comparing, which may mean to decode and align megabytes, is done in a thread of its own. When
:meth:`Verifier.settle` returns, all that was handed over has been judged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from magneto_serge.errors import CassetteError, MatcherError
from magneto_serge.messages import FieldLine, Interaction, Request, body_size
from magneto_serge.proxy.overheard import Limits, Overheard
from magneto_serge.proxy.tee import Spooled, forget
from magneto_serge.replay.conversation_comparison import beginning_of
from magneto_serge.replay.drift import DriftRules, Outcome, Verdict, judge
from magneto_serge.replay.misses import masked_url
from magneto_serge.replay.shelves import Recording
from magneto_serge.replay.verdicts import Verdicts

log = logging.getLogger("magneto_serge")

CONGESTED = 32 * 1024 * 1024  # bytes waiting to be compared above which traffic should pause
DRAINED = 8 * 1024 * 1024  # bytes waiting below which it may go on
_MESSAGE_IN_MEMORY = 4 * 1024 * 1024  # bytes of a WebSocket message
CONVERSATION = 16 * 1024 * 1024  # bytes of a WebSocket conversation that are compared
_INTERACTION = 1024  # bytes assumed for an interaction without its bodies

Match = Callable[[Request], Recording | None]
_Job = Callable[[], None]


class Verifier:
    """Compares what is handed to it; an ``InteractionSink``.

    ``match`` returns the recording that replay would play, None where there is none, and raises
    CassetteError where it is damaged. ``taken`` is called for each exchange in the caller's thread,
    because it was counted as recorded. ``on_drift`` is called with what is not as it was recorded,
    in our thread. ``prepare`` is what happens to an interaction before it is recorded; where it
    returns None, it would not be recorded, and is not compared either.
    """

    prepare: Callable[[Interaction], Interaction | None] | None = None

    def __init__(
        self,
        match: Match,
        rules: DriftRules,
        on_drift: Callable[[Verdict], None] = lambda _: None,
        taken: Callable[[], None] = lambda: None,
    ) -> None:
        self.verdicts = Verdicts()
        self._match = match
        self._rules = rules
        self._on_drift = on_drift
        self._taken = taken
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._waiting_size = 0
        self._waiting: list[Callable[[], None]] = []
        self._under_way: set[Overheard] = set()

    # --- what an exchange asks for ------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """Whether so much waits to be compared that traffic must wait."""
        return self._waiting_size > CONGESTED

    def record(self, interaction: Interaction) -> None:
        """Take a complete exchange; never blocks, never raises. Nothing is taken after the end."""
        self._taken()
        self._take(interaction, None if self._closed else self._found(interaction.request))

    def open_conversation(self, interaction: Interaction) -> Overheard:
        """Begin a WebSocket's conversation, which is compared when it is over.

        It is held against the recording that replay would play now, to this client.
        """
        self._taken()
        found = None if self._closed else self._found(interaction.request)

        def take(said: Interaction, whole: bool) -> None:
            self._under_way.discard(talk)
            self._take(said, found, whole=whole)

        talk = Overheard(interaction, take, Limits(_MESSAGE_IN_MEMORY, CONVERSATION))
        self._under_way.add(talk)
        return talk

    def _found(self, request: Request) -> Recording | Verdict | None:
        try:
            return self._match(request)
        except (CassetteError, MatcherError) as error:
            reason = f"Its recording cannot be found. {error}"
            return Verdict(Outcome.NEW, *_named(request), reason=reason)

    def _take(
        self, interaction: Interaction, found: Recording | Verdict | None, *, whole: bool = True
    ) -> None:
        if self._closed:
            _forget(interaction)
            return
        size = _INTERACTION + body_size(interaction.request.body)
        if interaction.response is not None:
            size += body_size(interaction.response.body)
        with self._lock:
            self._waiting_size += size
        if isinstance(found, Verdict):
            self._do(lambda: self._done(interaction, size, found))
        else:
            self._do(lambda: self._compare(interaction, size, found, whole))

    def open_body(self, fields: tuple[FieldLine, ...] = ()) -> Spooled:
        """Begin a body that is too large for memory."""
        return Spooled()

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back once, from our thread, when little waits to be compared."""
        with self._lock:
            if self._waiting_size >= DRAINED:
                self._waiting.append(callback)
                return
        callback()

    # --- what a session asks for --------------------------------------------------------------

    def settle(self) -> None:
        """Wait until all that was handed over has been compared."""
        if self._thread is not None:
            settled = threading.Event()
            self._queue.put(settled.set)
            settled.wait()

    def conclude(self) -> None:
        """Take the conversations that have not ended for what they are by now."""
        for talk in (*self._under_way,):
            talk.conclude()

    def add_unplayed(self, play_counts: Iterable[int], request: Callable[[int], Request]) -> None:
        """Add the recordings that nobody asked for; ``request`` returns that of a number."""
        self.settle()
        for number, played in enumerate(play_counts, 1):
            if played:
                continue
            try:
                named = _named(request(number))
            except CassetteError as error:
                named = ("?", str(error))
            reason = "It was recorded, and nobody asked for it."
            self.verdicts.add(Verdict(Outcome.UNPLAYED, *named, number, reason=reason))

    def close(self) -> None:
        """Compare what is left, and end. Calling it again does nothing."""
        self.conclude()
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    # --- our thread ---------------------------------------------------------------------------

    def _do(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="verifier", daemon=True)
            self._thread.start()
        self._queue.put(job)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job()

    def _compare(
        self, interaction: Interaction, size: int, recording: Recording | None, whole: bool
    ) -> None:
        number = 0 if recording is None else recording.number
        recorded = None if recording is None else recording.interaction
        try:
            if recorded is not None and not whole:
                recorded, interaction = beginning_of(recorded, interaction)
            live = interaction if self.prepare is None else self.prepare(interaction)
            verdict = None if live is None else judge(recorded, number, live, self._rules)
        except Exception as error:
            log.exception("comparing %s fails", masked_url(interaction.request))
            reason = f"It could not be compared: {error!r}"
            verdict = Verdict(Outcome.CHANGED, *_named(interaction.request), number, reason=reason)
        self._done(interaction, size, verdict)

    def _done(self, interaction: Interaction, size: int, verdict: Verdict | None) -> None:
        _forget(interaction)
        if verdict is not None:
            self.verdicts.add(verdict)
            if verdict.outcome is not Outcome.SAME:
                self._on_drift(verdict)
        with self._lock:
            self._waiting_size -= size
            if self._waiting_size >= DRAINED:
                return
            callbacks, self._waiting = self._waiting, []
        for callback in callbacks:
            callback()


def _forget(interaction: Interaction) -> None:
    forget(interaction.request.body)
    if interaction.response is not None:
        forget(interaction.response.body)


def _named(request: Request) -> tuple[str, str]:
    return request.method, masked_url(request)
