"""docs/cassette-format.md is enough to read a container: this reader follows it, and nothing else.

It knows no module of the program's; MessagePack, zlib, zstd and CRC-32 are what any language has.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

import msgspec
import pytest
import zstandard

from magneto_serge import __version__
from magneto_serge.messages import Headers, Interaction, Request

from .containers import contained, some
from .interactions import exchange

FOOTER = struct.Struct(">QQIIIIIQ")


class Reader:
    """A container, as the document describes it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        assert data[:8] == data[-8:] == b"magneto\x03"
        footer = data[-44:]
        self.start, dictionary, self.count, files, files_crc, keys, crc, _ = FOOTER.unpack(footer)
        assert zlib.crc32(footer[:32]) == crc
        assert keys == 2
        self.sorted = self.start + 12 * self.count
        self.sums = self.sorted + 20 * self.count
        self.files = self.sums + 2 * 4 * -(-self.count // 128)
        assert self.files + 32 * files + 44 == len(data)
        assert zlib.crc32(data[self.files : self.files + 32 * files]) == files_crc
        self.check_tables()
        self.dictionary = b""
        if dictionary:
            kind, self.dictionary = self.frame(dictionary)
            assert kind == 4

    def check_tables(self) -> None:
        """Compare the checksum of each run of both tables."""
        at = self.sums
        for start, stop, size in ((self.start, self.sorted, 12), (self.sorted, self.sums, 20)):
            for run in range(start, stop, 128 * size):
                assert zlib.crc32(self.data[run : min(run + 128 * size, stop)]) == int.from_bytes(
                    self.data[at : at + 4], "big"
                )
                at += 4

    def frame(self, offset: int) -> tuple[int, bytes]:
        """Return kind and content of the frame at an offset."""
        length, crc, kind, coding = struct.unpack_from(">IIBB", self.data, offset)
        payload = self.data[offset + 10 : offset + 10 + length]
        assert zlib.crc32(self.data[offset + 8 : offset + 10 + length]) == crc
        dictionary = self.dictionary if coding & 128 else b""
        if coding & 127 == 1:
            payload = zlib.decompressobj(zdict=dictionary).decompress(payload)
        elif coding & 127 == 2:
            raw = zstandard.ZstdCompressionDict(dictionary, zstandard.DICT_TYPE_RAWCONTENT)
            payload = zstandard.ZstdDecompressor(dict_data=raw).decompress(payload)
        return kind, payload

    def interaction(self, number: int) -> Any:
        """Return an interaction as plain maps and lists."""
        offset, length = struct.unpack_from(">QI", self.data, self.start + 12 * number)
        kind, payload = self.frame(offset)
        assert kind == 2
        assert int.from_bytes(self.data[offset : offset + 4], "big") + 10 == length
        return msgspec.msgpack.decode(payload)

    def body(self, message: Any) -> bytes:
        """Return the bytes of a message's body."""
        body = message.get("body", b"")
        if isinstance(body, bytes):
            return body
        word, _, offset = body["path"].partition(":")
        assert word == "frame"
        kind, payload = self.frame(int(offset))
        assert (kind, len(payload), body["sha256"]) == (3, body["size"], "")
        return payload

    def find(self, request: Request) -> list[int]:
        """Return the numbers of the recordings of a request without content."""
        path, _, query = request.target.partition("?")
        parts = sorted(query.split("&")) if "&" in query else query
        head = [request.method, request.scheme, request.host, request.port, path, parts]
        folder = path.rpartition("/")[0]
        wanted = b"".join(
            hashlib.blake2b(msgspec.msgpack.encode(value), digest_size=size).digest()
            for value, size in ((folder, 2), (path, 2), (head, 4), ([head, b""], 8))
        )
        entries = [
            self.data[at : at + 20] for at in range(self.sorted, self.sorted + 20 * self.count, 20)
        ]
        assert entries == sorted(entries)
        return [int.from_bytes(each[16:], "big") for each in entries if each.startswith(wanted)]


def same(read: Any, recorded: Any, reader: Reader) -> None:
    """Compare a message that was read with the one that was recorded."""
    for name in ("method", "scheme", "host", "port", "target", "status"):
        assert read.get(name) == getattr(recorded, name, None)
    assert read.get("reason", "") == getattr(recorded, "reason", "")
    assert read.get("version", "HTTP/1.1") == recorded.version
    for name in ("headers", "trailers"):
        assert tuple(map(tuple, read.get(name, []))) == getattr(recorded, name).raw
    assert reader.body(read) == recorded.body


@pytest.mark.parametrize("coding", ["", "gz", "zst"])
def test_the_document_is_enough(coding: str) -> None:
    """Everything that was recorded is read, in order, and found by its key."""
    said: list[Interaction] = [
        *some(300),
        exchange("/large", bytes(range(256)) * 300, sent=b"text" * 20_000),
        exchange("/search?b=2&a=1", b"found", fields=Headers([(b"X-Latin", b"caf\xe9")])),
    ]
    reader = Reader(contained(*said, coding=coding))
    assert bool(reader.dictionary) == bool(coding)
    assert reader.count == len(said)
    kind, head = reader.frame(8)
    assert kind == 1
    assert msgspec.msgpack.decode(head) == {
        "name": "tape",
        "pid": 0,
        "recorded_at": 7.5,
        "bodies": "",
        "by": f"magneto-serge {__version__}",
    }
    for number, recorded in enumerate(said):
        read = reader.interaction(number)
        same(read["request"], recorded.request, reader)
        same(read["response"], recorded.response, reader)
        for name in ("started", "first_byte_ms", "total_ms", "peer"):
            assert read[name] == getattr(recorded, name)
        assert not {"failure", "informational", "chunks"} & read.keys()
    assert reader.find(said[4].request) == [4, 5]
    assert reader.find(exchange("/search?a=1&b=2").request) == [301]
    assert reader.find(exchange("/unknown").request) == []
