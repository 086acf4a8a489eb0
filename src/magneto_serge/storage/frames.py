"""Interactions as binary frames: the encoding behind the journal of a JSON cassette.

A file is the magic, then frames. A frame is the payload's length and CRC-32, four bytes each and
little-endian, then the payload in MessagePack. The first payload is the :class:`Head`, each other
one an :class:`~magneto_serge.messages.Interaction`: a map by field name, field sections as lists of
pairs of binary strings. Frames are only ever appended, so a file that was cut anywhere is whole up
to its last whole frame; whoever reads it stops there and says so.

A side file that lies in the recording's own folder is written as its bare name, so that the journal
and that folder can be moved together.
"""

from __future__ import annotations

import os
import re
import struct
from array import array
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

import msgspec

from magneto_serge._version import __version__
from magneto_serge.messages import Conversation, Headers, Interaction, Moment

from . import container

PROGRAM = f"magneto-serge {__version__}"
MAGIC = b"magneto\x02"
FRAME = struct.Struct("<II")
_OWN_FOLDER = re.compile(r"\.[^/\\\x00]+\.bodies")
_frame = FRAME.pack


class Head(msgspec.Struct, frozen=True):
    """Who records what: the cassette's ``name``, the process ``pid``, ``recorded_at`` in seconds
    since the epoch, the name of the folder beside the journal that holds large ``bodies``, and
    what program it is written ``by``."""

    name: str
    pid: int
    recorded_at: Moment
    bodies: str
    by: str = ""


class Opening(NamedTuple):
    """``head`` of a journal of either kind, None without one; ``whole``: where it ends."""

    head: Head | None
    whole: int


def read_opening(file: BinaryIO) -> Opening:
    """Return what a journal begins with, whichever kind it is."""
    magic = file.read(len(MAGIC))
    if magic not in (MAGIC, container.MAGIC):
        return Opening(None, 0)
    binary = magic == container.MAGIC
    layout = container.FRAME if binary else FRAME
    start = file.read(layout.size)
    cut = Opening(None, len(MAGIC))
    if len(start) < layout.size:
        return cut
    size, checksum = layout.unpack(start)[:2]
    payload = file.read(min(size, container.HEAD_LIMIT))
    covered = start[FRAME.size :] + payload  # a container's checksum is of kind and coding too
    if len(payload) < size or crc32(covered) != checksum:
        return cut
    try:
        head = msgspec.msgpack.decode(payload, type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return cut
    return Opening(head, len(MAGIC) + layout.size + size)


def own_folder(journal: Path, head: Head | None) -> Path:
    """Return the folder of a recording's side files, which need not exist.

    It is read, and removed, for what a file says that somebody may have sent us: a head can name a
    hidden folder of bodies beside its journal, and nothing else.
    """
    name = head.bodies if head else ""
    return journal.with_name(name if _OWN_FOLDER.fullmatch(name) else ".no.bodies")


class FrameBuffer:
    """Frames waiting to be written; ``data`` is reused from batch to batch, the buffer for one
    payload from frame to frame.

    ``home`` is the folder of the recording's own side files.
    """

    def __init__(self, home: Path) -> None:
        self.data = bytearray()
        self.drain: Callable[[], None] = lambda: None  # nothing here is so large
        self._payload = bytearray()
        self._home = home

        def plain(value: object) -> object:
            return value.raw if type(value) is Headers else self._plain(value)

        self._encode_into = msgspec.msgpack.Encoder(enc_hook=plain).encode_into

    def begin(self, head: Head) -> None:
        """Append the magic and the head."""
        self.data += MAGIC
        self.add(head)

    def add(self, value: Interaction | Head) -> None:
        """Append one frame. Where ``value`` cannot be encoded nothing is appended; what msgspec
        raised (TypeError, UnicodeEncodeError, OverflowError) is passed on."""
        payload, data = self._payload, self.data
        if type(value) is Interaction and value.websocket is not None:
            self._encode_into(self._logged(value, value.websocket), payload)
        else:
            self._encode_into(value, payload)
        data += _frame(len(payload), crc32(payload))
        data += payload

    def _logged(self, interaction: Interaction, conversation: Conversation) -> object:
        """Leave the messages of a conversation where they are, in the log among the side files."""
        from .conversation_log import LoggedMessages

        messages = conversation.messages
        if not isinstance(messages, LoggedMessages) or messages.path.parent != self._home:
            whole = Conversation(tuple(messages), conversation.close)
            return msgspec.structs.replace(interaction, websocket=whole)
        bare = msgspec.structs.replace(interaction, websocket=Conversation((), conversation.close))
        return bare, len(messages), messages.offsets.tobytes()

    def _plain(self, value: object) -> object:
        if isinstance(value, Path):
            return value.name if value.parent == self._home else str(value.absolute())
        raise TypeError(f"{type(value).__name__} has no place in a journal")


class FrameReader:
    """Reads a file of frames from its beginning; ``path`` is where its folder of bodies is beside.

    ``head`` is None where the file is no journal, or was cut before its first frame was whole.
    After :meth:`interactions` is exhausted ``whole`` is the number of bytes in whole frames, and
    ``torn`` the number after them, which a crash left behind.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.head, self.whole = read_opening(file)
        self.home = own_folder(path, self.head)
        self._decode = msgspec.msgpack.Decoder(
            Interaction | tuple[Interaction, int, bytes], dec_hook=self._rich
        ).decode

    @property
    def torn(self) -> int:
        """Bytes after the last whole frame read so far."""
        return self._size - self.whole

    def look_again(self) -> None:
        """Notice what has been appended since, behind the last whole frame read so far."""
        self._size = os.fstat(self._file.fileno()).st_size
        self._file.seek(self.whole)

    def go_on_from(self, whole: int) -> None:
        """Continue behind the first ``whole`` bytes, which are whole frames."""
        self.whole = whole
        self._file.seek(whole)

    def interactions(self) -> Iterator[Interaction]:
        """Yield the interactions of whole frames in order.

        Raises msgspec.DecodeError where a whole frame is not an interaction of this version.
        """
        while (payload := self._payload()) is not None:
            value = self._decode(payload)
            yield value if type(value) is Interaction else self._conversation(*value)

    def unfinished(self, seen: Set[float]) -> Iterator[Interaction]:
        """Yield the conversations that were under way when the journal was left: those that did
        not begin at one of the times ``seen``. Raises OSError."""
        from .conversation_log import unfinished

        return (each for each in unfinished(self.home) if each.started not in seen)

    def _conversation(self, interaction: Interaction, count: int, offsets: bytes) -> Interaction:
        from .conversation_log import LOG, LoggedMessages

        close = None if interaction.websocket is None else interaction.websocket.close
        messages = LoggedMessages(self.home / LOG, array("Q", offsets), count)
        interaction.websocket = Conversation(messages, close)
        return interaction

    def _payload(self) -> bytes | None:
        start = self._file.read(FRAME.size)
        if len(start) < FRAME.size:
            return None
        size, checksum = FRAME.unpack(start)
        if size > self.torn - FRAME.size:
            return None
        payload = self._file.read(size)
        if len(payload) < size or crc32(payload) != checksum:
            return None
        self.whole += FRAME.size + size
        return payload

    def _rich(self, kind: type, value: Any) -> object:
        if kind is Headers:
            return Headers(map(tuple, value))
        return self.home / value  # an absolute path replaces the folder
