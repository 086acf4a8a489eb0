"""A recorded WebSocket conversation as a script, played to one client. Pure: no clock, no socket.

What the server said follows what it followed in the recording: the n-th message of the client, or,
where the client had said nothing, the moment. The policies differ in what they ask of the client:

* ``ordered``: each of its messages must be the next one recorded;
* ``any-order``: each must be one recorded that has not come yet, and brings what followed it;
* ``lenient``: what it says is not compared; its n-th message stands for the n-th recorded;
* ``timed``: what it says makes no difference; only the clock does.

Control frames are no part of the script where they belong to the connection: the client's pings
and pongs are not waited for, and what merely answered one of its pings is not said again, because
whoever plays the script answers pings itself. Pings of the server are said.

Moments are in ms since the handshake. With a ``factor`` the gaps are those of the recording times
it; without one what is due is due at once, except under ``timed``, which would have nothing left.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import msgspec

from magneto_serge.messages import (
    Conversation,
    FileBody,
    Interaction,
    Request,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.replay.json_paths import Without
from magneto_serge.replay.matching import bytes_key
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.timing import Pace, Scaled

_PREVIEW = 120  # characters of a message in an explanation

POLICIES = ("ordered", "any-order", "lenient", "timed")

Key = Callable[[WebSocketMessage], Hashable]


class Mismatch(NamedTuple):
    """What the client said instead of what it should have.

    ``position``: it was the client's n-th message, from 1. ``expected`` None: nothing more.
    """

    position: int
    expected: WebSocketMessage | None
    got: WebSocketMessage


class Wait(NamedTuple):
    """Nothing to say before ``until``, in ms since the handshake."""

    until: float


class Awaiting(NamedTuple):
    """Nothing to say before the client has said something, or has closed."""


AWAITING = Awaiting()
Step = WebSocketMessage | WebSocketClose | Wait | Awaiting


def message_key(
    without: Without | None = None, neutral: Callable[[bytes], bytes] | None = None
) -> Key:
    """Return what messages are compared by: text that is JSON by its value, all else by its bytes.

    ``without`` takes what is to be ignored out of a JSON value; ``neutral`` makes the same of a
    secret and of its placeholder.
    """

    def key(message: WebSocketMessage) -> Hashable:
        data = message.data
        if isinstance(data, FileBody):
            return message.kind, ("sha256", data.sha256)
        if neutral is not None and message.kind == "text":
            data = neutral(data)
        if message.kind == "text" and data[:1] in b'{["-0123456789tfn \t\r\n':
            value = _json_value(data, without)
            if value is not None:
                return message.kind, ("json", bytes_key(value))
        return message.kind, bytes_key(data)

    return key


def _json_value(data: bytes, without: Without | None) -> bytes | None:
    try:
        value = msgspec.json.decode(data)
        if without is not None:
            value = without(value)
        return msgspec.json.encode(value, order="deterministic")
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


class Play(ABC):
    """One client's run through a script; from :func:`play`. Asked with the time, in ms."""

    def __init__(self, conversation: Conversation, factor: float) -> None:
        self._script = _spoken(conversation)
        self._close = conversation.close
        self._factor = factor
        self._heard = 0

    @abstractmethod
    def said(self, message: WebSocketMessage, now: float) -> Mismatch | None:
        """Take a data message of the client; returns how it differs from what is in the script."""

    @abstractmethod
    def next(self, now: float) -> Step:
        """Return what is to be said now, or what is waited for; a close is the last."""

    def _end(self, now: float, moment: float) -> Step:
        """Return the server's close when it is due at ``moment``; the client's is its own."""
        close = self._close
        if close is None or close.by != "server":
            return AWAITING
        return close if moment <= now else Wait(moment)


class _Ordered(Play):
    """``ordered`` and, without ``compare``, ``lenient``."""

    def __init__(self, conversation: Conversation, factor: float, key: Key | None) -> None:
        super().__init__(conversation, factor)
        self._key = key
        self._due: deque[tuple[float, WebSocketMessage]] = deque()
        self._awaited: WebSocketMessage | None = None
        self._ended = False
        self._anchor = self._anchored = self._last = 0.0

    def said(self, message: WebSocketMessage, now: float) -> Mismatch | None:
        self._heard += 1
        expected = self._awaited or self._read_on(to_client=True)
        key = self._key
        if key is not None and (expected is None or not _same(expected, message, key)):
            return Mismatch(self._heard, expected, message)
        if expected is not None:
            self._awaited = None
            self._anchor, self._anchored = now, expected.at_ms
        return None

    def next(self, now: float) -> Step:
        due = self._due
        if not due and self._awaited is None:
            self._read_on(to_client=False)
        if due:
            moment, message = due[0]
            if moment > now:
                return Wait(moment)
            due.popleft()
            return message
        if self._ended and self._awaited is None and self._close is not None:
            return self._end(now, self._moment(self._close.at_ms))
        return AWAITING

    def _moment(self, at_ms: float) -> float:
        """Return when what was said at ``at_ms`` is due; never before what is due already."""
        gap = (at_ms - self._anchored) * self._factor
        self._last = max(self._last, self._anchor + gap)
        return self._last

    def _read_on(self, *, to_client: bool) -> WebSocketMessage | None:
        """Read to the next message of the server, or ``to_client``: to the next of the client."""
        for message in self._script:
            if message.sender == "client":
                self._awaited = message
                return message
            self._due.append((self._moment(message.at_ms), message))
            if not to_client:
                return None
        self._ended = True
        return None


class _AnyOrder(Play):
    """Each message of the client, whenever it comes, brings what followed it."""

    def __init__(self, conversation: Conversation, factor: float, key: Key) -> None:
        super().__init__(conversation, factor)
        self._key = key
        self._due: list[tuple[float, int, WebSocketMessage]] = []
        self._number = 0
        self._turns: dict[Hashable, deque[_Turn]] = {}
        self._last = 0.0
        turn = _Turn(None, [])
        self._anchored = 0.0  # of the last turn
        first = turn
        for message in self._script:
            if message.sender == "client":
                turn = _Turn(message, [])
                self._anchored = message.at_ms
                self._turns.setdefault(key(message), deque()).append(turn)
            else:
                turn.answers.append(message)
        self._release(first, 0.0)

    def said(self, message: WebSocketMessage, now: float) -> Mismatch | None:
        self._heard += 1
        key = self._key(message)
        turns = self._turns.get(key)
        if not turns:
            return Mismatch(self._heard, self._missing(), message)
        self._release(turns.popleft(), now)
        if not turns:
            del self._turns[key]
        return None

    def _missing(self) -> WebSocketMessage | None:
        turns = (each[0] for each in self._turns.values())
        earliest = min(turns, key=lambda turn: turn.asked.at_ms if turn.asked else 0, default=None)
        return None if earliest is None else earliest.asked

    def _release(self, turn: _Turn, now: float) -> None:
        anchored = 0.0 if turn.asked is None else turn.asked.at_ms
        self._last = now
        for message in turn.answers:
            moment = now + (message.at_ms - anchored) * self._factor
            self._number += 1
            heapq.heappush(self._due, (moment, self._number, message))

    def next(self, now: float) -> Step:
        due = self._due
        if due:
            moment, _, message = due[0]
            if moment > now:
                return Wait(moment)
            heapq.heappop(due)
            return message
        if self._turns or self._close is None:
            return AWAITING
        return self._end(now, self._last + (self._close.at_ms - self._anchored) * self._factor)


class _Turn(NamedTuple):
    """A message of the client, None for the beginning, and what followed it."""

    asked: WebSocketMessage | None
    answers: list[WebSocketMessage]


class _Timed(Play):
    """Only the clock."""

    def __init__(self, conversation: Conversation, factor: float) -> None:
        super().__init__(conversation, factor)
        self._script = (each for each in self._script if each.sender == "server")
        self._waiting = next(self._script, None)

    def said(self, message: WebSocketMessage, now: float) -> Mismatch | None:
        return None

    def next(self, now: float) -> Step:
        message = self._waiting
        if message is None:
            close = self._close
            return AWAITING if close is None else self._end(now, close.at_ms * self._factor)
        moment = message.at_ms * self._factor
        if moment > now:
            return Wait(moment)
        self._waiting = next(self._script, None)
        return message


def play(conversation: Conversation, policy: str, factor: float | None, key: Key) -> Play:
    """Return a run through ``conversation`` by one of ``POLICIES``.

    ``factor`` None: at once; under ``timed``: as recorded. ``key`` is what messages are compared
    by. Under ``any-order`` the whole conversation is held in memory.
    """
    if policy == "timed":
        return _Timed(conversation, 1.0 if factor is None else factor)
    if policy == "any-order":
        return _AnyOrder(conversation, factor or 0.0, key)
    return _Ordered(conversation, factor or 0.0, None if policy == "lenient" else key)


class Conversing(NamedTuple):
    """How a session replays conversations: the policy, and what messages are compared without.

    ``without`` returns, for a handshake, what takes the ignored parts out of a JSON value;
    ``neutral`` is what data has in common with what it is once its secrets are replaced.
    """

    policy: str = "ordered"
    without: Callable[[Request], Without | None] | None = None
    neutral: Callable[[bytes], bytes] | None = None

    def play(self, interaction: Interaction, pace: Pace | None) -> Play:
        """Begin a run through an interaction's conversation."""
        request = interaction.request
        latency = None if pace is None else pace.latency_for(request)
        factor = latency.factor if isinstance(latency, Scaled) else None
        without = None if self.without is None else self.without(request)
        key = message_key(without, self.neutral)
        return play(interaction.websocket or Conversation(), self.policy, factor, key)


def miss_of(request: Request, url: str, mismatch: Mismatch, name: str | None) -> Miss:
    """Explain what a client said that was not recorded."""
    expected = "nothing more" if mismatch.expected is None else _preview(mismatch.expected)
    return Miss(
        request.method,
        url,
        f"Message {mismatch.position} of the client is not as recorded: expected {expected},"
        f" got {_preview(mismatch.got)}.",
        f"To record it again: `magneto record {name}`. To compare less: --websocket-policy"
        " any-order or lenient, or --ignore-json-path.",
        request=request,
    )


def _preview(message: WebSocketMessage) -> str:
    data = message.data
    if isinstance(data, FileBody):
        return f"{message.kind} of {data.size} bytes, sha256 {data.sha256[:12]}…"
    if message.kind == "binary":
        return f"{len(data)} bytes: {data[:20].hex()}{'…' if len(data) > 20 else ''}"
    text = data.decode(errors="replace")
    return repr(text if len(text) <= _PREVIEW else text[:_PREVIEW] + "…")


def _spoken(conversation: Conversation) -> Iterator[WebSocketMessage]:
    """Yield what is part of the script, in order."""
    pings: Counter[bytes] = Counter()
    for message in conversation.messages:
        kind = message.kind
        if kind == "text" or kind == "binary":
            yield message
        elif isinstance(message.data, FileBody):
            continue
        elif message.sender == "client":
            if kind == "ping":
                pings[bytes(message.data)] += 1
        elif kind == "pong" and pings[bytes(message.data)]:
            pings[bytes(message.data)] -= 1
        else:
            yield message


def _same(recorded: WebSocketMessage, got: WebSocketMessage, key: Key) -> bool:
    if recorded.kind != got.kind:
        return False
    return recorded.data == got.data or key(recorded) == key(got)
