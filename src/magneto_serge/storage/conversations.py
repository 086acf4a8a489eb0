"""Recording WebSockets: what was heard on the wire becomes messages, in the recorder's thread.

Two halves, as with bodies. :class:`ConversationWriter` is what the proxy holds: its methods only
enqueue. :class:`Conversations` is the writer thread's: it unmasks, inflates and puts together what
was heard, has it redacted, and adds it to the log (``conversation_log``), where a crash leaves it.
When a conversation is over it becomes an interaction like any other, whose messages are read from
the log. Of several to the same URL the one that was opened first comes first, even if it ends last:
that is the order in which replay needs them.

A message larger than ``memory_limit`` goes to a side file while it arrives.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from magneto_serge.messages import (
    Body,
    Conversation,
    Frame,
    Interaction,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.wire.websocket import CloseCode
from magneto_serge.wire.websocket_handshake import extensions_of
from magneto_serge.wire.websocket_messages import Assembler, Mender, whole

from .body_writer import BodySink, Enqueue
from .conversation_columns import Columns
from .conversation_log import ConversationLog, End

if TYPE_CHECKING:
    from .scribe import IsClean, Scribe

log = logging.getLogger("magneto_serge")

_BUFFERED = 64 * 1024  # bytes of messages that make a frame of the log
_WRITTEN = 256 * 1024  # bytes of the log that are written at once
_GATHERED = 1024 * 1024  # bytes of messages of all conversations that may wait for it
_LAG = 0.1  # seconds for which they may; half of what a recording may lag behind
_MENDED = 256 * 1024  # bytes of a frame up to which it waits until it is whole
_MESSAGE = 100  # bytes assumed for a message without its payload


class Limits(NamedTuple):
    """``memory``: bytes of a message above which it goes to a side file; ``message``: of any."""

    memory: int = 4 * 1024 * 1024
    message: int = 2**31


class Heard(NamedTuple):
    """The frames that ``size`` bytes of one side were, and when they were read: ms since the
    handshake."""

    talk: Talk
    sender: str
    at_ms: float
    frames: list[Frame]
    size: int


class Conversations:
    """The conversations of one recording that are not over; for the writer thread alone.

    ``home`` is the folder of the recording's side files, in which ``new_body`` begins one. The
    ``scribe`` writes those that are over; its redaction is applied to what was heard before it is
    written anywhere, but to messages that are ``clean`` together, a line feed between them.
    """

    def __init__(
        self,
        home: Path,
        scribe: Scribe,
        new_body: Callable[[], BodySink],
        limits: Limits,
        clean: IsClean | None = None,
    ) -> None:
        self.log = ConversationLog(home)
        self._write = scribe.conclude
        self._redact = scribe.redact
        self._clean = clean
        self._new_body = new_body
        self._limits = limits
        self._talks: dict[str, deque[Talk]] = {}
        self._stirred: dict[int, Talk] = {}  # those with messages that are not in the log
        self._opened = 0
        self._buffered = 0  # bytes of messages, at most, that are not in the log
        self._flushed = 0.0

    def open(self, talk: Talk) -> None:
        """Begin a conversation."""
        self._opened += 1
        interaction = talk.interaction
        if self._redact is not None:
            interaction = self._redact(interaction)
        talk.begin(self._opened, interaction, self._collector, self._limits)
        self._talks.setdefault(interaction.request.url, deque()).append(talk)
        self.log.opened(talk.number, interaction)

    def hear(self, heard: Heard) -> None:
        """Take frames of a conversation; one that could not be opened is lost as a whole."""
        talk = heard.talk
        if not talk.number:
            return
        talk.hear(heard)
        talk.buffered += heard.size
        self._buffered += heard.size
        self._stirred[talk.number] = talk
        if talk.buffered > _BUFFERED:
            self._log_messages(talk)
            if self.log.waiting > _WRITTEN:
                self.log.flush()

    def say(self, said: tuple[Talk, WebSocketMessage]) -> None:
        """Take a message that was put together elsewhere."""
        talk, message = said
        if talk.number:
            if type(message.data) is bytes and len(message.data) > self._limits.memory:
                message = msgspec.structs.replace(message, data=self._filed(message.data))
            talk.keep((message,))
            size = _MESSAGE + (len(message.data) if type(message.data) is bytes else 0)
            talk.buffered += size
            self._buffered += size
            self._stirred[talk.number] = talk

    def end(self, ended: tuple[Talk, WebSocketClose, float]) -> None:
        """End a conversation: how its connections ended, and the time that it took in ms."""
        talk, close, total_ms = ended
        if talk.number:
            talk.end(close, total_ms)
            talk.close = self._redacted(talk)
            self._conclude(talk)

    def _redacted(self, talk: Talk) -> WebSocketClose | None:
        close = talk.close
        if self._redact is None or close is None or not close.reason:
            return close
        said = msgspec.structs.replace(
            talk.interaction, response=None, websocket=Conversation((), close)
        )
        redacted = self._redact(said).websocket
        return close if redacted is None else redacted.close

    def flush_some(self) -> None:
        """Flush if that has to be: the more messages of a conversation there are, the less each
        costs. To be called while messages come, and :meth:`flush` when none do."""
        if self._buffered > _GATHERED or time.monotonic() - self._flushed > _LAG:
            self.flush()

    def flush(self) -> None:
        """Bring what was heard into the log; raises OSError."""
        self._buffered, self._flushed = 0, time.monotonic()
        stirred, self._stirred = self._stirred, {}
        for talk in stirred.values():
            self._log_messages(talk)
            if self.log.waiting > _BUFFERED:
                self.log.flush()  # gives the interpreter lock back, too
        self.log.flush()

    def finish(self) -> None:
        """End all conversations that are still under way: their recording is over, they are not.

        What goes wrong with one is raised when the others are written.
        """
        trouble: Exception | None = None
        under_way = [talk for talks in self._talks.values() for talk in talks if not talk.over]
        for talk in under_way:
            talk.end(None, None)
            try:
                self._conclude(talk)
            except Exception as error:  # noqa: BLE001 - raised below
                trouble = error
        self.log.flush()
        self.log.close()
        if trouble is not None:
            raise trouble

    def _log_messages(self, talk: Talk) -> None:
        for portion in talk.taken():
            talk.offsets.append(self._logged(talk, portion))
            talk.count += len(portion)

    def _logged(self, talk: Talk, portion: Columns | list[WebSocketMessage]) -> int:
        if isinstance(portion, Columns):
            clean = self._clean
            if self._redact is None or (clean and clean(b"\n".join(portion.payloads))):
                return self.log.whole(talk.number, portion)
            portion = portion.messages()
        if self._redact is not None:
            batch = msgspec.structs.replace(
                talk.interaction, response=None, websocket=Conversation(portion)
            )
            redacted = self._redact(batch).websocket
            portion = portion if redacted is None else [*redacted.messages]
        return self.log.said(talk.number, portion)

    def _conclude(self, talk: Talk) -> None:
        """Write a conversation that is over, and those to its URL that have waited for it."""
        self._log_messages(talk)
        self._stirred.pop(talk.number, None)
        self.log.ended(talk.number, End(talk.close, talk.total_ms))
        url = talk.interaction.request.url
        talks = self._talks[url]
        if talks[0].over:
            self.log.flush()  # it is read from there
        while talks and talks[0].over:
            first = talks.popleft()
            messages = self.log.messages(first.offsets, first.count)
            self._write(
                msgspec.structs.replace(
                    first.interaction,
                    total_ms=first.total_ms,
                    websocket=Conversation(messages, first.close),
                )
            )
        if not talks:
            del self._talks[url]

    def _filed(self, data: bytes) -> Body:
        collected = self._collector()
        collected.add(data)
        return collected.close()

    def _collector(self) -> _Collected:
        return _Collected(self._new_body, self._limits.memory)


class Talk:
    """One conversation, from its handshake on. Filled in by the writer thread."""

    def __init__(self, interaction: Interaction) -> None:
        self.interaction = interaction
        self.number = 0
        self.offsets = array("Q")
        self.count = 0
        self.buffered = 0
        self.over = False
        self.close: WebSocketClose | None = None
        self.total_ms = 0.0
        self.last_ms = 0.0
        self._heard: list[Heard] = []
        self._portions: list[Columns | list[WebSocketMessage]] = []

    def begin(
        self,
        number: int,
        interaction: Interaction,
        collector: Callable[[], _Collected],
        limits: Limits,
    ) -> None:
        """Get ready to hear."""
        self.number, self.interaction = number, interaction
        response = interaction.response
        compression = extensions_of(response.headers.raw if response else ()).compression
        self._sides = {
            sender: Assembler(sender, compression, collector, limit=limits.message)
            for sender in ("client", "server")
        }
        limit = min(limits.memory, _MENDED)
        self._menders = {sender: Mender(limit) for sender in self._sides}

    def hear(self, heard: Heard) -> None:
        """Take the frames of a read, which may begin inside of one, and end inside of one."""
        if self.over:
            return
        frames = heard.frames
        if not (frames[0].first and frames[-1].last):
            frames = self._menders[heard.sender].mend(frames)
            if not frames:
                return
            heard = heard._replace(frames=frames)
        self._heard.append(heard)

    def keep(self, messages: Iterable[WebSocketMessage]) -> None:
        """Take messages that are complete."""
        self._understand()
        self._add(messages)

    def taken(self) -> list[Columns | list[WebSocketMessage]]:
        """Return the messages since it was last called."""
        self._understand()
        portions, self._portions, self.buffered = self._portions, [], 0
        return portions

    def _understand(self) -> None:
        """Turn what was heard into messages: together, where each frame is one."""
        heard, self._heard = self._heard, []
        if heard and not self._whole(heard):
            for each in heard:
                self._take(each)

    def _whole(self, heard: list[Heard]) -> bool:
        if not all(side.begins for side in self._sides.values()):
            return False
        found = whole([frame for each in heard for frame in each.frames])
        if found is not None:
            heads, payloads = found
            runs = [(each.sender, each.at_ms, len(each.frames)) for each in heard]
            self._portions.append(Columns(heads, runs, payloads))
            self.last_ms = heard[-1].at_ms
        return found is not None

    def _take(self, heard: Heard) -> None:
        side = self._sides[heard.sender]
        broken = side.violation
        self._add(side.take(heard.frames, heard.at_ms))
        if side.violation is not None and broken is None:
            log.warning(
                "%s: nothing more that the %s says is recorded: %s",
                self.interaction.request.url,
                heard.sender,
                side.violation.reason,
            )

    def _add(self, messages: Iterable[WebSocketMessage]) -> None:
        for message in messages:
            self.last_ms = message.at_ms
            if self._portions and isinstance(last := self._portions[-1], list):
                last.append(message)
            else:
                self._portions.append([message])

    def end(self, lost: WebSocketClose | None, total_ms: float | None) -> None:
        """Note how it ended: with the first Close frame, if there was one; and how long it was.

        That is in ms since the 101, None: until the last message. The interaction's own time
        begins with its request.
        """
        self._understand()
        closes = [side.close for side in self._sides.values() if side.close is not None]
        self.close = min(closes, key=lambda close: close.at_ms, default=lost)
        spoken_ms = self.last_ms if total_ms is None else total_ms
        self.total_ms = (self.interaction.first_byte_ms or 0.0) + spoken_ms
        self.over = True
        for side in self._sides.values():
            side.discard()
        self._sides = {}  # with what they have for inflating; an older one may be waited for


class _Collected:
    """A message on its way to memory or, when it has become too large, to a side file."""

    def __init__(self, new_body: Callable[[], BodySink], limit: int) -> None:
        self._new_body = new_body
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._sink: BodySink | None = None

    def add(self, data: bytes) -> None:
        """Keep a piece; raises OSError."""
        self._size += len(data)
        if self._sink is None:
            self._pieces.append(data)
            if self._size <= self._limit:
                return
            self._sink = self._new_body()
            data = b"".join(self._pieces)
            self._pieces = []
        self._sink.append(data)

    def close(self) -> Body:
        """Return the whole."""
        if self._sink is None:
            return b"".join(self._pieces)
        self._sink.body.size = self._size
        self._sink.finish(b"")
        return self._sink.body

    def discard(self) -> None:
        """Forget it."""
        if self._sink is not None:
            self._sink.discard(b"")


class ConversationWriter:
    """The proxy's half; from ``Recorder.open_conversation``. Its methods never block or raise."""

    __slots__ = ("_conversations", "_enqueue", "_talk")

    def __init__(
        self,
        conversations: Conversations,
        interaction: Interaction,
        enqueue: Enqueue,
    ) -> None:
        self._conversations = conversations
        self._enqueue = enqueue
        self._talk = Talk(interaction)
        enqueue((conversations.open, self._talk), _MESSAGE)

    def heard(self, sender: str, at_ms: float, frames: list[Frame], size: int) -> None:
        """Take the frames that ``size`` bytes of ``sender`` were, and when they were read."""
        step = (self._conversations.hear, Heard(self._talk, sender, at_ms, frames, size))
        self._enqueue(step, size + _MESSAGE)

    def said(self, message: WebSocketMessage) -> None:
        """Take a message instead of the frames that it was."""
        size = len(message.data) if isinstance(message.data, bytes) else 0
        self._enqueue((self._conversations.say, (self._talk, message)), size + _MESSAGE)

    def ended(self, by: str, at_ms: float, *, abnormal: bool = True) -> None:
        """Note which side's connection ended first; what a Close frame said counts for more.

        Not ``abnormal``: it was us who ended it, and neither side.
        """
        close = WebSocketClose(CloseCode.ABNORMAL.value, "", by, at_ms) if abnormal else None
        self._enqueue((self._conversations.end, (self._talk, close, at_ms)), _MESSAGE)
