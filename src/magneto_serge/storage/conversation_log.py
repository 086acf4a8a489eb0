"""What is said over WebSockets, kept in a file while it is being said.

One file for all conversations of a recording, among its side files, so that it goes when they go.
It is appended to in frames: a number that names the conversation, and an opening (the interaction
without its messages), or some messages, one by one or by columns, or its end. Where the messages of
a conversation lie is all that is kept in memory, 8 bytes a frame: a conversation may last for ever.

A frame is length and CRC-32 and a payload of MessagePack, as in ``frames``; a file that was cut is
whole up to its last whole frame. So what was said when a crash came can be had from here
(:func:`unfinished`), though the journal knows nothing of it yet.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import msgspec

from magneto_serge.messages import (
    Conversation,
    Headers,
    Interaction,
    WebSocketClose,
    WebSocketMessage,
)

from .frames import FRAME

if TYPE_CHECKING:
    from .conversation_columns import Columns

_HEADER = bytes(FRAME.size)
LOG = "conversations"  # its name among the side files of a recording


class End(msgspec.Struct, array_like=True):
    """How a conversation ended, and its length in ms; ``close`` None: it had not."""

    close: WebSocketClose | None
    total_ms: float


class _Opening(msgspec.Struct, array_like=True, tag=0):
    number: int
    interaction: Interaction


class _Said(msgspec.Struct, array_like=True, tag=1):
    number: int
    messages: list[WebSocketMessage]


class _Ended(msgspec.Struct, array_like=True, tag=2):
    number: int
    end: End


class _Columns(msgspec.Struct, array_like=True, tag=3):
    number: int
    heads: bytes
    runs: list[tuple[str, float, int]]
    payloads: list[bytes]


_Frame = _Opening | _Said | _Ended | _Columns


class ConversationLog:
    """The file while it is written, in the folder ``home``; for one thread at a time.

    What is added reaches the file with :meth:`flush`, which raises OSError.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._descriptor = -1
        self._size = 0
        self._waiting = bytearray()
        self._encode_into = msgspec.msgpack.Encoder(enc_hook=self._plain).encode_into

    def opened(self, number: int, interaction: Interaction) -> None:
        """Add the beginning of a conversation."""
        self._add(_Opening(number, interaction))

    def said(self, number: int, messages: list[WebSocketMessage]) -> int:
        """Add messages; return the offset of their frame."""
        return self._add(_Said(number, messages))

    def whole(self, number: int, columns: Columns) -> int:
        """Add messages by columns; return the offset of their frame."""
        return self._add(_Columns(number, columns.heads, columns.runs, columns.payloads))

    def ended(self, number: int, end: End) -> None:
        """Add the end of a conversation."""
        self._add(_Ended(number, end))

    def messages(self, offsets: array[int], count: int) -> LoggedMessages:
        """Return the ``count`` messages in the frames at ``offsets``."""
        return LoggedMessages(self._home / LOG, offsets, count)

    @property
    def waiting(self) -> int:
        """Bytes that are not in the file yet."""
        return len(self._waiting)

    def _add(self, value: _Frame) -> int:
        waiting = self._waiting
        start = len(waiting)
        waiting += _HEADER
        try:
            self._encode_into(value, waiting, start + FRAME.size)
        except BaseException:
            del waiting[start:]
            raise
        with memoryview(waiting) as view, view[start + FRAME.size :] as payload:
            checksum = zlib.crc32(payload)
        FRAME.pack_into(waiting, start, len(waiting) - start - FRAME.size, checksum)
        return self._size + start

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        if self._descriptor < 0:
            self._home.mkdir(exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._descriptor = os.open(self._home / LOG, flags, 0o666)
        with memoryview(self._waiting) as view:
            written = 0
            while written < len(view):
                written += os.write(self._descriptor, view[written:])
        self._size += written
        del self._waiting[:]

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _plain(self, value: object) -> object:
        if isinstance(value, Headers):
            return value.raw
        if isinstance(value, Path):
            return value.name if value.parent == self._home else str(value.absolute())
        raise TypeError(f"{type(value).__name__} has no place in a log")


class LoggedMessages(Sequence[WebSocketMessage]):
    """The messages of one conversation, read from the log each time they are asked for.

    Iteration raises OSError, and ValueError where the log is damaged.
    """

    def __init__(self, path: Path, offsets: array[int], count: int) -> None:
        self.path = path
        self.offsets = offsets
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[WebSocketMessage]:
        if not self._count:
            return
        reader = _reader(self.path.parent)
        with self.path.open("rb") as file:
            for offset in self.offsets:
                file.seek(offset)
                value = reader(_payload(file) or b"")
                yield from _messages(value)

    @overload
    def __getitem__(self, index: int) -> WebSocketMessage: ...

    @overload
    def __getitem__(self, index: slice) -> list[WebSocketMessage]: ...

    def __getitem__(self, index: int | slice) -> WebSocketMessage | list[WebSocketMessage]:
        return list(self)[index]


def unfinished(home: Path) -> Iterator[Interaction]:
    """Yield all conversations in the log of the folder ``home``, in the order of their openings.

    A torn end is left out. Nothing is yielded where there is no log. Raises OSError.
    """
    path = home / LOG
    if not path.exists():
        return
    found: dict[int, tuple[Interaction, array[int], list[int]]] = {}
    reader = _reader(home)
    with path.open("rb") as file:
        offset = file.tell()
        while (payload := _payload(file)) is not None:
            value = reader(payload)
            if isinstance(value, _Opening):
                found[value.number] = (value.interaction, array("Q"), [0])
            elif value.number in found:
                interaction, offsets, count = found[value.number]
                if isinstance(value, _Ended):
                    interaction.websocket = Conversation((), value.end.close)
                    interaction.total_ms = value.end.total_ms
                else:
                    offsets.append(offset)
                    count[0] += len(value.messages if isinstance(value, _Said) else value.heads)
            offset = file.tell()
    for interaction, offsets, count in found.values():
        close = None if interaction.websocket is None else interaction.websocket.close
        interaction.websocket = Conversation(LoggedMessages(path, offsets, count[0]), close)
        yield interaction


def _messages(frame: _Frame) -> list[WebSocketMessage]:
    if isinstance(frame, _Columns):
        from .conversation_columns import Columns

        return Columns(frame.heads, frame.runs, frame.payloads).messages()
    return frame.messages if isinstance(frame, _Said) else []


def _reader(home: Path) -> Any:
    def rich(kind: type, value: Any) -> object:
        if kind is Headers:
            return Headers(map(tuple, value))
        return home / value  # an absolute path replaces the folder

    return msgspec.msgpack.Decoder(_Frame, dec_hook=rich).decode


def _payload(file: BinaryIO) -> bytes | None:
    start = file.read(FRAME.size)
    if len(start) < FRAME.size:
        return None
    size, checksum = FRAME.unpack(start)
    left = os.fstat(file.fileno()).st_size - file.tell()
    if size > left:
        return None
    payload = file.read(size)
    return payload if zlib.crc32(payload) == checksum else None
