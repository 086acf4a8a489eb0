"""A session of the application: one cassette in use, from its opening to its saving.

It gives the rules (:class:`~magneto_serge.replay.engine.Session`) what a mode needs: recordings to
play, a recorder to keep. A proxy has one session that serves everybody, and any number that
clients choose by the user name in the proxy's URL; each has a cassette, a mode, settings, a play
cursor and misses of its own, so tests that run at the same time do not see each other.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from magneto_serge.config import Settings
from magneto_serge.errors import CassetteError, ConfigError, MagnetoError
from magneto_serge.messages import Headers, Interaction, Request
from magneto_serge.replay.conversation import Conversing
from magneto_serge.replay.engine import InteractionSink, Session
from magneto_serge.replay.faults import faults_of
from magneto_serge.replay.misses import Miss, Unplayed
from magneto_serge.replay.modes import Mode, policy_for
from magneto_serge.replay.rules import compile_rules
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.timing import pace_of
from magneto_serge.shaping import SessionShaping

if TYPE_CHECKING:
    from magneto_serge.replay.drift import Verdict
    from magneto_serge.replay.hooks import Hooks
    from magneto_serge.replay.json_paths import Without
    from magneto_serge.replay.shelf import Repeats
    from magneto_serge.replay.shelves import Shelves
    from magneto_serge.replay.verdicts import Verdicts
    from magneto_serge.storage.recorder import Recorder
    from magneto_serge.storage.store import CassetteStore
    from magneto_serge.verifier import Verifier

F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger("magneto_serge")

_AS_JSON = Headers.of(("Content-Type", "application/json"))
_REQUESTS_KEPT = 100_000


class Door(Protocol):
    """The proxy, as a session with a key sees it."""

    def url_for(self, key: str | None) -> str:
        """Return the proxy's URL, with the credentials that choose this session."""

    def env_for(self, key: str | None, environ: Mapping[str, str] | None) -> dict[str, str]:
        """Return the variables that send a child to this session."""

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to: host and port."""

    @property
    def ca_path(self) -> Path:
        """The certificate that clients must trust."""

    def port_for(self, key: str) -> int:
        """Return a port whose clients belong to the session ``key`` without saying so."""

    def expect(self, source_port: int, host: str, port: int, key: str | None) -> None:
        """Take the connection from ``source_port`` for one of the session ``key`` to ``host``."""

    def tell_unplayed(self, found: Unplayed) -> None:
        """Take note of what a session that ends had to play and did not."""

    def hooks_for(self, settings: Settings) -> Hooks:
        """Return the hooks that a session with these settings has, besides its own."""

    def shelves(self, *arguments: Any, **options: Any) -> Shelves:
        """Return `Shelves` of this proxy's kind, made of these arguments."""

    def uncount(self, recorded: int) -> None:
        """Take interactions off the count that were left out of the recording after all."""

    def settle(self, sink: InteractionSink) -> None:
        """Wait a moment for exchanges that are recorded into ``sink`` and about to end."""

    def forget(self, session: CassetteSession) -> None:
        """Serve the session no more; whoever asks for it is refused."""


class CassetteSession:
    """One cassette in use; from :meth:`MagnetoProxy.session`, or a proxy's own.

    ``key`` is the user name in the proxy's URL that chooses it, None for the proxy's own.
    ``cassette`` None means none in use: only passthrough lets anything by then. What the cassettes
    named in ``more`` hold is replayed as if it stood at the end of it. In ``with`` a session is
    finished at the end. Raises as :meth:`MagnetoProxy.use` does.
    """

    def __init__(
        self,
        cassette: str | None,
        mode: Mode,
        settings: Settings,
        store: CassetteStore,
        door: Door,
        key: str | None = None,
        more: tuple[str, ...] = (),
    ) -> None:
        self.settings = settings
        self.key = key
        self._more = more
        self._stored = 0  # interactions of the cassette itself
        self._source: Path | None = None  # what they were read from, while nothing is recorded
        self.stale = ""  # how old the cassette is, where it is too old and used all the same
        self._finished = False
        self._store = store
        self._door = door
        self._recorder: Recorder | None = None
        self._replace = False
        self._renewing = False
        self._verifier: Verifier | None = None
        self._reported = False
        hooks = door.hooks_for(settings)  # first: a script can register what settings name
        self._rules = compile_rules(settings)
        self._secrets = SecretRules.of(settings)
        self.replay = Session(
            cassette,
            mode,
            ignore_hosts=settings.ignore_hosts,
            ignore_localhost=settings.ignore_localhost,
            repeats=cast("Repeats", settings.repeats),
        )
        self.replay.conversing = Conversing(
            settings.websocket_policy, self._ignored_in_messages, self._neutral_message
        )
        self.replay.pace = pace_of(settings.latency, settings.latency_seed)
        self.replay.faults = faults_of(settings.faults, settings.fault_seed)
        self._shaping = SessionShaping(settings, self.replay, hooks)
        try:
            self._equip(self._fresh(mode))
        except BaseException:
            self.abort()
            raise

    # --- what it is ------------------------------------------------------------------------

    @property
    def cassette_name(self) -> str | None:
        """The name of the cassette in use."""
        return self.replay.name

    @property
    def cassette_path(self) -> Path | None:
        """Where the cassette is, or will be."""
        name = self.replay.name
        return None if name is None else self._source or self._store.path(name)

    @property
    def mode(self) -> Mode:
        """The mode; setting it takes effect with the next request."""
        return self.replay.mode

    @mode.setter
    def mode(self, mode: Mode | str) -> None:
        chosen = mode_of(mode)
        self._equip(chosen)
        self.replay.mode = chosen

    @property
    def misses(self) -> list[Miss]:
        """The requests that were refused, oldest first; the last thousand."""
        return list(self.replay.misses)

    @property
    def recorded(self) -> int:
        """The number of interactions recorded."""
        return 0 if self._recorder is None else self._recorder.count

    @property
    def play_counts(self) -> list[int]:
        """How often each interaction of the cassette was replayed, in recorded order.

        Empty where nothing is to be replayed.
        """
        shelves = self.replay.cassette
        return [] if shelves is None else shelves.play_counts[: self._stored]

    @property
    def replayed(self) -> int:
        """The number of answers that came from the cassette."""
        return sum(self.play_counts)

    @property
    def all_played(self) -> bool:
        """Whether every interaction of the cassette was replayed at least once."""
        return all(self.play_counts)

    @property
    def unplayed(self) -> Unplayed | None:
        """What has not been replayed so far; None where nothing is to be said of it."""
        return self.replay.unplayed(self._stored)

    @property
    def has_to_play_all(self) -> bool:
        """Whether a recording that was not played is a failure."""
        return self.replay.plays_once or self.settings.unplayed == "fail"

    def rewind(self) -> None:
        """Start over: the next request gets the first of its recordings."""
        self.replay.rewind()

    def watch(self) -> None:
        """Keep the requests that come from now on, for :attr:`requests`."""
        if self.replay.seen is None:
            self.replay.seen = deque(maxlen=_REQUESTS_KEPT)

    @property
    def requests(self) -> list[Request]:
        """The requests that came since :meth:`watch`, whatever became of them; the last 100,000.

        A session that this process is led to is watched.
        """
        return list(self.replay.seen or ())

    def stored_interactions(self) -> list[Interaction]:
        """Return what the cassette held when it was opened for replay."""
        shelves = self.replay.cassette
        numbers = range(1, self._stored + 1)
        return [] if shelves is None else [shelves.at(each).interaction for each in numbers]

    def recorded_request(self, number: int) -> Request:
        """Return the request of an interaction of the cassette, numbered from 1."""
        shelves = self.replay.cassette
        if shelves is None:
            raise CassetteError("no cassette is being replayed")
        return shelves.at(number).interaction.request

    # --- what verifying found --------------------------------------------------------------

    @property
    def verdicts(self) -> Verdicts:
        """What verifying has found, in all that has been answered by now."""
        if self._verifier is None:
            from magneto_serge.replay.verdicts import Verdicts

            return Verdicts()
        self._verifier.settle()
        return self._verifier.verdicts

    @property
    def drifts(self) -> list[Verdict]:
        """What is not as it was recorded, and what was never recorded, as it was found."""
        return self.verdicts.drifts

    @property
    def verifies(self) -> bool:
        """Whether anything has been compared, or will be."""
        return self._verifier is not None

    # --- hooks -----------------------------------------------------------------------------

    def before_record(self, function: F) -> F:
        """Register a hook of this session alone; see :func:`magneto_serge.before_record`."""
        return self._shaping.hooks.before_record(function)

    def before_replay(self, function: F) -> F:
        """Register a hook of this session alone; see :func:`magneto_serge.before_replay`."""
        return self._shaping.hooks.before_replay(function)

    def on_miss(self, function: F) -> F:
        """Register a hook of this session alone; see :func:`magneto_serge.on_miss`."""
        return self._shaping.hooks.on_miss(function)

    def on_message(self, function: F) -> F:
        """Register a hook of this session alone; see :func:`magneto_serge.on_message`."""
        return self._shaping.hooks.on_message(function)

    # --- how to reach it -------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The URL to use as proxy."""
        return self._door.url_for(self.key)

    def env(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables that send a child to this session; see :meth:`MagnetoProxy.env`."""
        return self._door.env_for(self.key, environ)

    @property
    def address(self) -> tuple[str, int]:
        """Where the proxy is reached: host and port."""
        return self._door.address

    @property
    def ca_path(self) -> Path:
        """The PEM file of the certificate authority that clients must trust."""
        return self._door.ca_path

    @property
    def own_port(self) -> int:
        """A port of this session alone, for clients that send no credentials unasked: browsers.

        It is opened when first asked for. The proxy's own session has the proxy's.
        """
        return self.address[1] if self.key is None else self._door.port_for(self.key)

    def expect(self, source_port: int, host: str, port: int) -> None:
        """Take the connection that comes from ``source_port`` for one to ``host:port``.

        Called before it is made, by this process.
        """
        self._door.expect(source_port, host, port, self.key)

    # --- its end ---------------------------------------------------------------------------

    def finish(self) -> Path | None:
        """Serve no more and save; return the cassette's path, None where nothing was recorded.

        Calling it again does nothing. Raises CassetteError where saving fails; the journal is kept
        then, and the error says where. What was not played and should have been is logged, or noted
        as a failure of the proxy's (`MagnetoProxy.unplayed`).
        """
        if self._recorder is not None:
            self._door.settle(self._recorder)
        if self._verifier is not None:
            self._verifier.conclude()
        self._door.forget(self)
        self._tell_unplayed()
        recorder, self._recorder = self._recorder, None
        saved = self._end(recorder)
        if self.settings.play_report is not None and not self._reported:
            self._reported = True
            self._report_plays(0 if recorder is None or saved is None else recorder.count)
        return saved

    def _tell_unplayed(self) -> None:
        severity = "fail" if self.has_to_play_all else self.settings.unplayed
        found = None if severity == "ignore" or self._finished else self.unplayed
        self._finished = True
        if found is not None and severity == "fail":
            self._door.tell_unplayed(found)
        elif found is not None:
            log.warning("Unplayed: %s", found.explain())
        if found is not None and self._verifier is not None:
            self._verifier.add_unplayed(self.play_counts, self.recorded_request)

    def abort(self) -> None:
        """Serve no more, and forget what was recorded; an older cassette stays as it was."""
        self._door.forget(self)
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.abort()
        if self._verifier is not None:
            self._verifier.close()
        self._shaping.close()

    def _end(self, recorder: Recorder | None) -> Path | None:
        """Save what was recorded, and say how much of it was left out on the way to the disk."""
        try:
            if recorder is not None and self._renewing and not recorder.answered:
                log.warning("Nobody answered: cassette %r stays as it is", self.replay.name)
                recorder.abort()
                self._door.uncount(recorder.count)
                return None
            return None if recorder is None else recorder.finish(replace=self._replace)
        finally:
            if self._verifier is not None:
                self._verifier.close()
            self._shaping.close()
            if recorder is not None and recorder.left_out:
                self._door.uncount(recorder.left_out)

    def _report_plays(self, recorded: int) -> None:
        """Add to the play report; what was recorded counts as played."""
        file, path = self.settings.play_report, self.cassette_path
        if file is None or path is None or (self.replay.cassette is None and not recorded):
            return
        from magneto_serge.storage.play_report import add

        counts = [] if recorded and self._replace else self.play_counts
        add(file, path, counts + [1] * recorded)

    def leave(self, error: BaseException | None) -> None:
        """Finish; an error already on its way is not covered up by one of ours."""
        count = self.recorded
        try:
            self.finish()
        except MagnetoError as trouble:
            if error is None:
                raise
            log.error("%s", trouble)
        else:
            if error is not None and count:
                log.warning(
                    "The block ended with %s: saved the %d interactions recorded so far in %r",
                    type(error).__name__,
                    count,
                    self.replay.name,
                )

    def __enter__(self) -> CassetteSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave(error)

    def _fresh(self, mode: Mode) -> Mode:
        """Return the mode in which to use the cassette, which may be too old for another."""
        name = self.replay.name
        if self.settings.max_age is None or name is None or not self._store.exists(name):
            return mode
        from magneto_serge.freshness import fresh_mode

        path = self._store.path(name)
        chosen = fresh_mode(name, path, mode, self.settings, tell=self._note_age)
        self._renewing = chosen is not mode
        return chosen

    def _note_age(self, age: str) -> None:
        self.stale = age

    def _equip(self, mode: Mode) -> None:
        """Fetch what a mode needs: recordings to play, a recorder to keep."""
        session, name = self.replay, self.replay.name
        if name is None:
            return
        path = self._store.path(name)  # looked for once: a run of tests opens one for each
        exists = path.is_file()
        policy = policy_for(mode, cassette_exists=exists)
        plays = policy.replays or policy.compares
        if plays and session.cassette is None and (exists or policy.needs_cassette):
            session.cassette = self._shelves(name, path)
        if policy.compares:
            if self._verifier is None:
                self._verifier = self._new_verifier()
            self._shaping.attend(self._verifier)
            session.sink = self._verifier
        elif policy.keeps:
            if self._recorder is None:
                self._recorder = self._new_recorder(name, adds=exists and not policy.replaces)
                self._shaping.attend(self._recorder)
            session.sink = self._recorder
            self._replace = self._replace or policy.replaces
        session.mode = mode

    def _ignored_in_messages(self, handshake: Request) -> Without | None:
        """Return what takes out of a message's JSON what is ignored in bodies too."""
        return self._rules.of(handshake).without

    def _neutral_message(self, data: bytes) -> bytes:
        """Return what a message has in common with what it is when it is redacted."""
        if not self.settings.redact:
            return data
        told = Request("POST", "ws", "", 80, "/", headers=_AS_JSON, body=data)
        body = self._secrets.scan(told).neutral.body
        return body if isinstance(body, bytes) else data

    def _new_verifier(self) -> Verifier:
        from magneto_serge.replay.drift import rules_of
        from magneto_serge.verifier import Verifier

        return Verifier(
            self.replay.match,
            rules_of(self.settings, self._secrets),
            lambda drift: log.info("Drift: %s", drift.explain()),
            lambda: self._door.uncount(1),
        )

    def _new_recorder(self, name: str, *, adds: bool) -> Recorder:
        from magneto_serge.redacting import redaction_for

        self._source = None  # what is saved may be in another format
        shelves = self.replay.cassette
        redaction = redaction_for(
            self.settings,
            self._secrets,
            name,
            older=(lambda: self._store.open(name)) if adds else None,
            bound=None if shelves is None else shelves.placeholder_for,
        )
        return self._store.recorder(
            name,
            redact=redaction.redact,
            bodies=redaction.bodies,
            clean=redaction.clean,
            glance=redaction.glance,
        )

    def _shelves(self, name: str, path: Path) -> Shelves:
        cassette = self._store.open(name, path=path)
        self._shaping.check(cassette, str(cassette.path))
        shelves = cassette.shelves(
            rules=self._rules,
            secrets=self._secrets if self.settings.redact else None,
            make=self._door.shelves,
        )
        self._stored, self._source = len(shelves), cassette.path
        for other in self._more:
            interactions = self._store.load(other)
            self._shaping.check(interactions, self._store.place(other))
            for interaction in interactions:
                shelves.add(interaction)
        return shelves


def mode_of(value: Mode | str) -> Mode:
    """Return the mode of that name; raises ConfigError where there is none."""
    try:
        return Mode(value)
    except ValueError:
        accepted = ", ".join(Mode)
        raise ConfigError(f"There is no mode {str(value)!r}: choose among {accepted}") from None
