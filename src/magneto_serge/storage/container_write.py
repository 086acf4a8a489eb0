"""Write a container: interactions as frames, and the index that makes them quick to find.

Frames are appended as they come, to a journal while a recording goes on or to a new file: the same
bytes. What the index needs is kept meanwhile, 32 bytes an interaction, dealt by its first byte as
it comes, so that the end of a recording has only small heaps to sort.

A body from ``BODY_FRAME`` bytes on is a frame of its own, so that replay can send it from where it
lies; it is compressed only where that saves something.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from magneto_serge.messages import (
    Body,
    Conversation,
    FileBody,
    Headers,
    Interaction,
    WebSocketMessage,
    body_size,
)
from magneto_serge.replay.matching import KEY_SCHEME, body_key, both_digests, head_key
from magneto_serge.replay.secrets.neutral import neutral_of

from .container import (
    BODY,
    CODINGS,
    DICTIONARY,
    ENTRY,
    FRAME,
    HEAD,
    INTERACTION,
    MAGIC,
    PLACE,
    PLAIN,
    RUN,
    SAID,
    SUM,
    TALK,
    Footer,
    frame,
)
from .entry_order import in_order
from .framed_messages import Talk
from .frames import PROGRAM, Head
from .side_files import SideFiles
from .squeeze import DICTIONARY as DICTIONARY_SIZE
from .squeeze import Squeezer

if TYPE_CHECKING:
    from .container_read import Container

BODY_FRAME = 64 * 1024  # bytes of a body from which on it has a frame of its own
_SQUEEZED = 16 * 1024 * 1024  # bytes of a body above which it is not compressed
SAID_FRAME = 64 * 1024  # bytes of messages in one frame; what is less stays with its interaction
_MESSAGE = 50  # bytes assumed for a message without its payload
_DRAINED = 256 * 1024  # bytes of a conversation that wait to be written
_PIECE = 256 * 1024  # bytes of the index written at a time
FRAME_REFERENCE = "frame:"  # what stands, with an offset, where a side file's name would


class Index:
    """What is known of the interactions written so far."""

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._lengths = array("I")
        self._heaps = [bytearray() for _ in range(256)]

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, digests: bytes, offset: int, length: int) -> None:
        """Take the next interaction: both its digests, and where its frame is."""
        number = len(self._offsets)
        self._offsets.append(offset)
        self._lengths.append(length)
        self._heaps[digests[0]] += digests + number.to_bytes(4, "big")

    def load(self, places: Iterable[tuple[int, int]], entries: Iterable[bytes]) -> None:
        """Take what another index knows: offsets and lengths in order, and sorted entries."""
        for offset, length in places:
            self._offsets.append(offset)
            self._lengths.append(length)
        for entry in entries:
            self._heaps[entry[0]] += entry

    def tables(self) -> Iterator[bytes]:
        """Yield both tables and the checksums of their runs, in pieces."""
        sums = bytearray()
        for table in (self._places(), self._entries()):
            for run in table:
                sums += SUM.pack(zlib.crc32(run))
                yield run
        yield bytes(sums)

    def _places(self) -> Iterator[bytes]:
        for start in range(0, len(self), RUN):
            places = zip(
                self._offsets[start : start + RUN], self._lengths[start : start + RUN], strict=True
            )
            yield b"".join(PLACE.pack(*place) for place in places)

    def _entries(self) -> Iterator[bytes]:
        full = RUN * ENTRY.size
        waiting = bytearray()
        for entries in chain.from_iterable(map(in_order, self._heaps)):
            waiting += entries
            while len(waiting) >= full:
                yield bytes(waiting[:full])
                del waiting[:full]
        if waiting:
            yield bytes(waiting)


class ContainerFrames:
    """Frames waiting to be written: ``data``, which whoever writes it empties.

    ``coding`` is that of the format; side files are noted in ``files``. ``begin`` first.
    """

    def __init__(self, coding: str, files: SideFiles) -> None:
        self.data = bytearray()
        self.drain: Callable[[], None] = lambda: None  # set by whoever writes ``data``
        self.index = Index()
        self.dictionary = 0
        self._added = 0  # bytes appended to ``data`` so far: the offset of the next frame
        self._files = files
        self._squeezer = Squeezer(CODINGS[coding])
        self._samples = bytearray()
        self._payload = bytearray()
        self._encode_into = msgspec.msgpack.Encoder(enc_hook=plain).encode_into

    def begin(self, head: Head) -> None:
        """Append the magic and the head."""
        self.data += MAGIC
        self._added += len(MAGIC)
        self._frame(HEAD, PLAIN, msgspec.msgpack.encode(head))

    def go_on(self, older: Container) -> None:
        """Continue another container, whose frames have been copied."""
        self._added = older.footer.start
        self.dictionary = older.footer.dictionary
        self.index = Index()
        self.index.load(older.places(), older.entries())
        if self.dictionary:
            self._squeezer.share(older.unsqueezer.dictionary)

    def add(self, interaction: Interaction) -> None:
        """Append one interaction. Where it cannot be encoded nothing is noted of it; what msgspec
        raised (TypeError, UnicodeEncodeError, OverflowError) is passed on."""
        request = neutral_of(interaction.request)
        sent = request.body
        key = body_key(request.headers, sent) if sent else b""
        digests = both_digests(head_key(request), key)
        referring = self._with_references(interaction)
        kind, value = INTERACTION, cast("Interaction | Talk", referring)
        if interaction.websocket is not None:
            kind, value = self._with_messages(referring, interaction.websocket)
        self._encode_into(value, self._payload)
        offset = self._added
        coding, payload = self._squeezer.squeeze(self._payload)
        self._frame(kind, coding, payload)
        self.index.add(digests, offset, FRAME.size + len(payload))
        if self._squeezer.wants_dictionary:
            self._sample()

    def _sample(self) -> None:
        self._samples += self._payload
        if len(self._samples) < DICTIONARY_SIZE:
            return
        shared = bytes(self._samples[-2 * DICTIONARY_SIZE :])
        coding, payload = self._squeezer.squeeze(shared)
        self.dictionary = self._added
        self._frame(DICTIONARY, coding, payload)
        self._squeezer.share(shared)
        self._samples.clear()

    def _with_messages(
        self, interaction: Interaction, conversation: Conversation
    ) -> tuple[int, Interaction | Talk]:
        """Write the messages of a long conversation to frames of their own."""
        offsets: list[int] = []
        waiting: list[WebSocketMessage] = []
        count = size = 0
        for message in conversation.messages:
            data = message.data
            large = isinstance(data, FileBody)
            waiting.append(
                msgspec.structs.replace(message, data=self._reference(data)) if large else message
            )
            count += 1
            size += _MESSAGE + (0 if large else body_size(data))
            if size > SAID_FRAME:
                offsets.append(self._said(waiting))
                waiting, size = [], 0
        if not offsets:
            whole = Conversation(tuple(waiting), conversation.close)
            return INTERACTION, msgspec.structs.replace(interaction, websocket=whole)
        if waiting:
            offsets.append(self._said(waiting))
        bare = msgspec.structs.replace(interaction, websocket=Conversation((), conversation.close))
        return TALK, Talk(bare, count, offsets)

    def _said(self, messages: list[WebSocketMessage]) -> int:
        self._encode_into(messages, self._payload)
        offset = self._added
        self._frame(SAID, *self._squeezer.squeeze(self._payload))
        if len(self.data) > _DRAINED:
            self.drain()
        return offset

    def _with_references(self, interaction: Interaction) -> Interaction:
        """Write large bodies to frames; refer to them, and to side files, in their place."""
        if _is_small(interaction):
            return interaction
        request, response = interaction.request, interaction.response
        sent = self._reference(request.body)
        received = b"" if response is None else self._reference(response.body)
        if sent is request.body and (response is None or received is response.body):
            return interaction
        changed = msgspec.structs.replace(
            interaction, request=msgspec.structs.replace(request, body=sent)
        )
        if response is not None:
            changed.response = msgspec.structs.replace(response, body=received)
        return changed

    def _reference(self, body: Body) -> Body:
        if isinstance(body, FileBody):
            reference = self._files.reference(body)
            return FileBody(Path(reference), body.size, body.sha256)
        if len(body) < BODY_FRAME:
            return body
        offset = self._added
        coding: int = PLAIN
        payload: bytes | bytearray = body
        if len(body) <= _SQUEEZED:
            coding, payload = self._squeezer.squeeze(body, shared=False)
        self._frame(BODY, coding, payload)
        return FileBody(Path(f"{FRAME_REFERENCE}{offset}"), len(body), "")

    def _frame(self, kind: int, coding: int, payload: bytes | bytearray) -> None:
        data = self.data
        data += frame(kind, coding, payload)
        data += payload
        self._added += FRAME.size + len(payload)

    def ending(self) -> Iterator[bytes]:
        """Yield the index and the footer, in pieces, to be written after all of ``data``."""
        waiting = bytearray()
        for run in self.index.tables():
            waiting += run
            if len(waiting) > _PIECE:
                yield bytes(waiting)
                waiting.clear()
        mentioned = self._files.mentioned()
        listed = b"".join(map(bytes.fromhex, mentioned))
        footer = Footer(
            self._added,
            self.dictionary,
            len(self.index),
            len(mentioned),
            zlib.crc32(listed),
            KEY_SCHEME,
        )
        yield bytes(waiting) + listed + footer.pack()


def _is_small(interaction: Interaction) -> bool:
    """Tell whether all bodies stay with their interaction."""
    body, response = interaction.request.body, interaction.response
    if type(body) is not bytes or len(body) >= BODY_FRAME:
        return False
    body = b"" if response is None else response.body
    return type(body) is bytes and len(body) < BODY_FRAME


def plain(value: object) -> object:
    """Return what stands in a container for a value that MessagePack does not know."""
    if isinstance(value, Headers):
        return value.raw
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no place in a cassette")


class ContainerWriter:
    """Writes a container to ``out``: :meth:`add` each interaction, then :meth:`close`.

    All raise OSError as ``out`` does.
    """

    def __init__(
        self, out: BinaryIO, *, coding: str, name: str, recorded_at: float, files: SideFiles
    ) -> None:
        self._out = out
        self._files = files
        self._frames = ContainerFrames(coding, files)
        self._frames.drain = self._write
        self._frames.begin(Head(name, 0, recorded_at, "", PROGRAM))

    def copy(self, older: Container) -> None:
        """Take over a container of the same coding, frame by frame as it is; before all else."""
        footer = older.footer
        self._out.write(older.buffer[: footer.start])
        self._frames.data.clear()
        self._frames.go_on(older)
        self._files.mention(older.side_files())

    def add(self, interaction: Interaction) -> None:
        """Write one interaction."""
        self._frames.add(interaction)
        self._write()

    def close(self) -> None:
        """Write the end of the file; ``out`` stays open."""
        self._write()
        for piece in self._frames.ending():
            self._out.write(piece)

    def _write(self) -> None:
        self._out.write(self._frames.data)
        self._frames.data.clear()
