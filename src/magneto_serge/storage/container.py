"""The binary container, byte for byte: what docs/cassette-format.md says, as structs.

A container is a magic, frames, an index and a footer; every number is big-endian. It is written by
appending only, so a file that was cut anywhere is whole up to its last whole frame. It is opened by
reading the footer only: the index is looked into where it lies, in entries of fixed width, however
many there are. Everything has a checksum: each frame, each run of the index's entries, the list of
side files, the footer. This module knows the layout and checks it; it reads no file itself.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from magneto_serge.errors import CassetteError

from .faults import damaged, upgrade

MAGIC = b"magneto\x03"
FAMILY = MAGIC[:-1]  # what every version begins with
JOURNAL_VERSION = 2  # the older kind of journal has the same family

FRAME = struct.Struct(">IIBB")  # payload's length, CRC-32 of what follows it, kind, coding
CHECKED = struct.Struct(">BB")
HEAD, INTERACTION, BODY, DICTIONARY, SAID, TALK = range(1, 7)  # kinds
PLAIN, ZLIB, ZSTD, SHARED = 0, 1, 2, 0x80  # codings; SHARED is added where the dictionary is used
CODINGS = {"": PLAIN, "gz": ZLIB, "zst": ZSTD}

PLACE = struct.Struct(">QI")  # order table: a frame's offset, and its length with its header
ENTRY = struct.Struct(">8s8sI")  # sorted table: head's digest, key's digest, number from 0
DIGEST_BYTES = 16  # of both digests in an entry
SUM = struct.Struct(">I")
RUN = 128  # entries under one checksum
DIGEST = 32  # bytes of a SHA-256
FOOTER = struct.Struct(">QQIIIII8s")

HEAD_LIMIT = 65_536  # bytes of the first frame; it has names and numbers
FRAME_LIMIT = 64 * 1024 * 1024  # bytes of a compressed frame's content; larger ones are plain

REMEDY = (
    "Restore it from version control, or bring back what is whole with `magneto recover NAME`,"
    " or record the cassette again."
)


class Footer(NamedTuple):
    """What the end of a container says: offsets in bytes, counts, and how keys were digested."""

    start: int  # of the index
    dictionary: int  # 0: none
    interactions: int
    files: int
    files_sum: int
    keys: int

    def pack(self) -> bytes:
        """Return the footer's bytes; its checksum is of all that precedes it in the footer."""
        start = FOOTER.pack(*self, 0, MAGIC)[: -SUM.size - len(MAGIC)]
        return start + SUM.pack(zlib.crc32(start)) + MAGIC

    @property
    def sorted_table(self) -> int:
        """Where the sorted table begins."""
        return self.start + self.interactions * PLACE.size

    @property
    def sums(self) -> int:
        """Where the checksums of both tables' runs begin."""
        return self.sorted_table + self.interactions * ENTRY.size

    @property
    def file_list(self) -> int:
        """Where the digests of side files begin."""
        return self.sums + 2 * runs(self.interactions) * SUM.size

    @property
    def end(self) -> int:
        """The size of the whole file."""
        return self.file_list + self.files * DIGEST + FOOTER.size


def runs(entries: int) -> int:
    """Return into how many runs so many entries fall."""
    return -(-entries // RUN)


def frame(kind: int, coding: int, payload: bytes | bytearray | memoryview) -> bytes:
    """Return a frame's header; the payload follows it."""
    return FRAME.pack(len(payload), zlib.crc32(payload, _seed(kind, coding)), kind, coding)


@cache
def _seed(kind: int, coding: int) -> int:
    return zlib.crc32(CHECKED.pack(kind, coding))  # the few there are, for every frame


def check_magic(path: Path, start: bytes, by: str = "") -> None:
    """Raise CassetteError unless a file that starts so is a container of this version.

    ``by`` is what the file says wrote it.
    """
    if start == MAGIC:
        return
    if start[: len(FAMILY)] != FAMILY or len(start) < len(MAGIC):
        raise damaged(path, "byte 0", "this is no cassette: it does not start as one", REMEDY)
    if start[-1] == JOURNAL_VERSION:
        raise damaged(
            path,
            "byte 7",
            "this is the journal of a recording, not a cassette",
            "To make a cassette of it: magneto recover NAME",
        )
    raise damaged(
        path,
        "byte 7",
        f"version {start[-1]} of the container is not one that this program reads (it reads"
        f" {MAGIC[-1]})",
        upgrade(by),
    )


class _Written(msgspec.Struct):
    by: str = ""


def written_by(buffer: memoryview) -> str:
    """Return which program wrote a container of whatever version; empty where it does not say.

    The first frame's header, and ``by`` in its payload, are where they are in every version.
    """
    start = len(MAGIC) + FRAME.size
    if len(buffer) < start:
        return ""
    length = min(FRAME.unpack_from(buffer, len(MAGIC))[0], HEAD_LIMIT)
    try:
        return msgspec.msgpack.decode(buffer[start : start + length], type=_Written).by
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def read_footer(path: Path, buffer: memoryview) -> Footer:
    """Return the footer at the end of a container; its cost does not depend on the size.

    Raises CassetteError where there is none, or it does not fit the file.
    """
    start = bytes(buffer[: len(MAGIC)])
    if start != MAGIC:
        check_magic(path, start, written_by(buffer))
    size = len(buffer)
    if size < len(MAGIC) + FOOTER.size or buffer[-len(MAGIC) :] != MAGIC:
        raise _truncated(path, size)
    *fields, checksum, _ = FOOTER.unpack_from(buffer, size - FOOTER.size)
    place = size - FOOTER.size
    covered = buffer[place : size - SUM.size - len(MAGIC)]
    if zlib.crc32(covered) != checksum:
        raise damaged(path, f"byte {place}", "the footer's checksum is wrong", REMEDY)
    footer = Footer(*fields)
    if footer.end != size or footer.start < len(MAGIC):
        reason = f"the footer is of a file with {footer.end} bytes, this one has {size}"
        raise damaged(path, f"byte {place}", reason, REMEDY)
    return footer


def _truncated(path: Path, size: int) -> CassetteError:
    return damaged(path, f"byte {size}", "the file is truncated: it has no footer", REMEDY)


def payload_of(
    path: Path, buffer: memoryview, offset: int, end: int
) -> tuple[int, int, memoryview]:
    """Return kind, coding and payload (as it is stored) of the frame at ``offset``.

    The frame has to end by ``end``. Raises CassetteError where it does not, or its checksum is
    wrong. Nothing is copied.
    """
    start = offset + FRAME.size
    if offset < len(MAGIC) or start > end:
        raise damaged(path, f"byte {offset}", "there is no frame", REMEDY)
    length, checksum, kind, coding = FRAME.unpack_from(buffer, offset)
    if start + length > end:
        reason = f"a frame of {length} bytes does not fit into the file"
        raise damaged(path, f"byte {offset}", reason, REMEDY)
    payload = buffer[start : start + length]
    if zlib.crc32(payload, zlib.crc32(buffer[start - CHECKED.size : start])) != checksum:
        raise damaged(path, f"byte {offset}", "the frame's checksum is wrong", REMEDY)
    return kind, coding, payload
