"""A session decides, for each request: replay, forward or refuse.

``decide`` is a plain function call: no await, no I/O. A session owns a cassette, a mode, the play
cursor, the misses and the counters. The mode can be switched while traffic flows and holds from
the next request on. What a session records itself is never replayed in that session: the
recorder's end is not the cassette's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Protocol

from magneto_serge.config import is_loopback
from magneto_serge.errors import CassetteError, MatcherError
from magneto_serge.messages import (
    FieldLine,
    FileBody,
    Frame,
    Interaction,
    Request,
    WebSocketMessage,
)
from magneto_serge.replay.conversation import Conversing
from magneto_serge.replay.decisions import FORWARD, FORWARD_AND_KEEP, Decision, Unanswered
from magneto_serge.replay.faults import Faults
from magneto_serge.replay.misses import Miss, Unplayed, find_miss, find_unplayed, unreadable
from magneto_serge.replay.modes import Mode, policy_for
from magneto_serge.replay.shaping import Shaping
from magneto_serge.replay.shelf import Recording, Repeats
from magneto_serge.replay.shelves import Shelves
from magneto_serge.replay.timing import Pace

MISSES_KEPT = 1000
_HOSTS_KEPT = 4096


class BodySink(Protocol):
    """Where a body goes that is too large for memory (``storage`` provides it)."""

    def write(self, data: bytes) -> None:
        """Queue a piece for the disk; never blocks."""

    def close(self) -> FileBody:
        """End the body and return the reference to it."""

    def discard(self) -> None:
        """Forget the body."""


class ConversationSink(Protocol):
    """Where what is said over one WebSocket goes; times are in ms since its handshake."""

    def heard(self, sender: str, at_ms: float, frames: list[Frame], size: int) -> None:
        """Take the frames that ``size`` bytes of ``sender`` were; never blocks."""

    def said(self, message: WebSocketMessage) -> None:
        """Take a message instead of the frames that it was; never blocks."""

    def ended(self, by: str, at_ms: float, *, abnormal: bool) -> None:
        """Note whose connection ended first; not ``abnormal``: it was us who ended it."""


class InteractionSink(Protocol):
    """Where finished interactions go (``storage`` provides it)."""

    @property
    def congested(self) -> bool:
        """Whether the disk is behind by so much that senders must wait."""

    def record(self, interaction: Interaction) -> None:
        """Queue an interaction for the disk; never blocks."""

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back once, from another thread, when the congestion is over."""

    def open_body(self, fields: tuple[FieldLine, ...] = ()) -> BodySink:
        """Begin a body that is too large for memory, below these fields."""


class RecordingSink(InteractionSink, Protocol):
    """Where everything goes that a session keeps."""

    def open_conversation(self, interaction: Interaction) -> ConversationSink | None:
        """Begin a WebSocket's conversation; ``interaction`` is its handshake. None: it is not to
        be recorded."""


def _expected(recording: Recording) -> bool:
    """Whether a request was recorded that announced a body and waited in vain to send it."""
    return "expect" in recording.interaction.request.headers


def _unbracketed(pattern: str) -> str:
    """Take the brackets off an IPv6 literal: to a shell pattern they would be a set of characters.

    ``[::1]:80`` becomes ``::1:80``, which is how `Session.ignores` writes it.
    """
    literal, bracket, port = pattern.removeprefix("[").partition("]")
    return literal + port if bracket and pattern[0] == "[" and ":" in literal else pattern


class Session:
    """One cassette in use, in one mode.

    ``cassette`` None means that none exists yet; ``sink`` None that nothing can be recorded.
    ``ignore_hosts`` (``host``, ``host:port`` or shell patterns) are forwarded and never recorded,
    in every mode: the user has named them as not part of the recording; so is what goes to this
    machine itself, with ``ignore_localhost``. ``repeats`` says what is played after the last
    recording of a request, unless the mode plays each once.
    """

    conversing: Conversing = Conversing()  # how WebSockets are replayed

    def __init__(
        self,
        name: str | None,
        mode: Mode,
        *,
        cassette: Shelves | None = None,
        sink: RecordingSink | None = None,
        ignore_hosts: tuple[str, ...] = (),
        ignore_localhost: bool = False,
        repeats: Repeats = "last",
    ) -> None:
        self.name = name
        self.cassette = cassette
        self.sink = sink
        self.pace: Pace | None = None  # when recordings are played; None: at once
        self.faults: Faults | None = None
        self.shaping: Shaping | None = None  # what the user has said about exchanges
        self.left_alone: Callable[[Request], bool] | None = None  # forwarded, never recorded
        self.misses: deque[Miss] = deque(maxlen=MISSES_KEPT)
        self.seen: deque[Request] | None = None
        self._ignore_hosts = tuple(_unbracketed(pattern.lower()) for pattern in ignore_hosts)
        self._ignore_localhost = ignore_localhost
        self._ignoring = bool(ignore_hosts) or ignore_localhost
        self._ignored: dict[tuple[str, int], bool] = {}
        self._repeats = repeats
        self.mode = mode

    @property
    def mode(self) -> Mode:
        """The mode; setting it takes effect with the next request."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._policy = policy_for(mode, cassette_exists=self.cassette is not None)
        if self.cassette is not None:
            self.cassette.repeats = "refuse" if self._policy.once else self._repeats

    @property
    def may_forward(self) -> bool:
        """Whether anything may reach the network in this mode."""
        return self._policy.forwards

    def ignores(self, host: str, port: int) -> bool:
        """Whether the user asked to leave this host alone."""
        known = self._ignored.get((host, port))
        if known is None:
            if len(self._ignored) >= _HOSTS_KEPT:
                self._ignored.clear()
            known = self._ignored[host, port] = self._is_ignored(host, port)
        return known

    def _is_ignored(self, host: str, port: int) -> bool:
        if self._ignore_localhost and (is_loopback(host) or host.endswith(".localhost")):
            return True
        authority = f"{host}:{port}"
        return any(
            fnmatchcase(host, pattern) or fnmatchcase(authority, pattern)
            for pattern in self._ignore_hosts
        )

    def foresee(self, request: Request) -> Decision | None:
        """Decide from the head alone; None means that the body must be read first."""
        if self.shaping is not None and self._shaping_reads(self.shaping, request):
            return None
        if self.left_alone is not None:
            return None  # it may want to see the body
        if self._ignoring and self.ignores(request.host, request.port):
            return FORWARD
        cassette = self.cassette
        if self._policy.replays and cassette is not None:
            try:
                if not cassette.reads_content(request):
                    return self.decide(request)
                if cassette.knows_head(request):
                    return self._refused_expectation(request)
            except (CassetteError, MatcherError) as error:
                return self._unreadable(request, error)
        return self._without_match(request)

    def _refused_expectation(self, request: Request) -> Recording | None:
        """RFC 9110 §10.1.1: a client that was refused without 100 (Continue) sent no body.

        It would send one now if it were told to continue.
        """
        if "expect" in request.headers and self.cassette is not None:
            refused = self.cassette.without_body(request)
            first = None if refused is None else refused.first()
            if refused is not None and first is not None and _expected(first):
                return refused.play(self.cassette.repeats)
        return None

    def answered_early(self, request: Request) -> list[bytes]:
        """Return the bodies that a request can have whose answer may begin before it has ended."""
        if self.cassette is None or not self._policy.replays or self.shaping is not None:
            return []
        try:
            return self.cassette.answered_early(request)
        except (CassetteError, MatcherError):
            return []  # it is an error when the request is complete

    def decide(self, request: Request) -> Decision:
        """Decide for a complete request; a Recording is counted as played."""
        if self.left_alone is not None and self.left_alone(request):
            return FORWARD
        if self._ignoring and self.ignores(request.host, request.port):
            return FORWARD
        if self._policy.replays and self.cassette is not None:
            try:
                recording = self.cassette.play(request)
            except (CassetteError, MatcherError) as error:
                return self._unreadable(request, error)
            if recording is not None:
                return recording
        return self._without_match(request)

    def _unreadable(self, request: Request, error: CassetteError | MatcherError) -> Miss:
        """Refuse: what was recorded is damaged, and in no mode to be passed over in silence."""
        miss = unreadable(request, error)
        self.misses.append(miss)
        return miss

    def _shaping_reads(self, shaping: Shaping, request: Request) -> bool:
        """Whether hooks, templates or rules want a request's body before it is answered."""
        answers = self._policy.replays or not self._policy.forwards
        return (answers and shaping.asks_for_bodies) or shaping.wants_body(request)

    def refuse(self, request: Request) -> Miss:
        """Return why a request has no answer; it counts as missed."""
        miss = find_miss(request, self.cassette, self.name, strict=self._policy.once)
        self.misses.append(miss)
        return miss

    def _without_match(self, request: Request) -> Decision:
        policy, shaping = self._policy, self.shaping
        if not policy.forwards or (policy.keeps and self.sink is None):
            if shaping is not None and shaping.hooks.at_miss:
                return Unanswered(request)
            return self.refuse(request)
        if policy.keeps and (shaping is None or shaping.may_keep(request)):
            return FORWARD_AND_KEEP
        return FORWARD

    def match(self, request: Request) -> Recording | None:
        """Return the recording that replay would play for a complete request; counts it as played.

        Raises CassetteError where it is damaged, MatcherError where a user's matcher fails.
        """
        return None if self.cassette is None else self.cassette.play(request)

    # --- what was played -----------------------------------------------------------------------

    @property
    def play_counts(self) -> list[int]:
        """How often each recording was played, in recorded order; empty without a cassette."""
        return [] if self.cassette is None else self.cassette.play_counts

    @property
    def all_played(self) -> bool:
        """Whether every recording was played at least once."""
        return 0 not in self.play_counts

    def rewind(self) -> None:
        """Start over: forget what was played."""
        if self.cassette is not None:
            self.cassette.rewind()

    def unplayed(self, among: int | None = None) -> Unplayed | None:
        """Return what was not played so far; None where nothing is to be said of it.

        That is where the mode neither replays nor compares, or everything was played; ``among`` is
        how many of the recordings, from the first on, count.
        """
        asked_for = self._policy.replays or self._policy.compares
        if self.cassette is None or not asked_for or self.name is None:
            return None
        return find_unplayed(self.cassette, self.name, among)

    @property
    def plays_once(self) -> bool:
        """Whether the mode plays each recording once, so that one not played is a failure."""
        return self._policy.once
