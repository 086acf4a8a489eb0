"""Reading HTTP/1 off a socket, byte by byte, for both ends of a test.

The origin and the raw client share this reader and nothing with the proxy: it is the second
opinion. It is deliberately dumb. It reports what it saw (field lines as raw pairs, chunk sizes,
extensions, trailers) and repairs nothing; whoever reads a malformed message gets a
:class:`Malformed`, whoever meets the end too early a :class:`StreamEnded` with what had come.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

FieldLines = list[tuple[bytes, bytes]]

# RFC 9110 §7.6.1, and the one that RFC 9112 Appendix C.2.2 advises against.
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding"}


class Malformed(AssertionError):
    """The bytes are not the HTTP/1 message that the test expected."""


class StreamEnded(EOFError):
    """The peer closed before the message was whole; ``partial`` is what had arrived of it."""

    def __init__(self, partial: bytes) -> None:
        super().__init__(f"closed after {len(partial)} bytes: {partial[-80:]!r}")
        self.partial = partial


class ByteStream:
    """A buffered reader over a connected (plain or TLS) socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.buffer = bytearray()

    def fill(self) -> None:
        """Receive once; raises :class:`StreamEnded` at the end, ``OSError`` as the socket does."""
        data = self.socket.recv(262_144)
        if not data:
            raise StreamEnded(bytes(self.buffer))
        self.buffer += data

    def take(self, size: int) -> bytes:
        """Remove and return the first ``size`` buffered bytes."""
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def exactly(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        while len(self.buffer) < size:
            self.fill()
        return self.take(size)

    def until(self, delimiter: bytes) -> bytes:
        """Read up to and including ``delimiter``."""
        searched = 0
        while (found := self.buffer.find(delimiter, searched)) < 0:
            searched = max(0, len(self.buffer) - len(delimiter) + 1)
            self.fill()
        return self.take(found + len(delimiter))

    def line(self) -> bytes:
        """Read one line and return it without its CRLF."""
        return self.until(b"\r\n")[:-2]

    def to_end(self) -> bytes:
        """Read until the peer closes; a reset raises ``ConnectionResetError``."""
        try:
            while True:
                self.fill()
        except StreamEnded:
            return self.take(len(self.buffer))


class ChunkedBody(NamedTuple):
    """A chunked body taken apart (RFC 9112 §7.1); ``raw`` is every byte of it."""

    data: bytes
    sizes: list[int]
    trailers: FieldLines
    raw: bytes


def parse_field_lines(block: bytes) -> FieldLines:
    """Split ``name: value CRLF`` lines; optional whitespace around the value goes."""
    pairs = []
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed(f"no colon in field line {line!r}")
        pairs.append((name, value.strip(b" \t")))
    return pairs


def read_section(stream: ByteStream) -> tuple[FieldLines, bytes]:
    """Read field lines up to the empty line: the pairs and the raw bytes."""
    raw = b""
    while (line := stream.until(b"\r\n")) != b"\r\n":
        raw += line
    return (parse_field_lines(raw[:-2]) if raw else [], raw + b"\r\n")


def read_chunk(stream: ByteStream) -> tuple[bytes, bytes]:
    """Read one chunk: its data (empty for the last one) and its raw bytes."""
    line = stream.until(b"\r\n")
    size = int(line.split(b";")[0].strip(), 16)
    if size == 0:
        return b"", line
    data = stream.exactly(size)
    if (end := stream.exactly(2)) != b"\r\n":
        raise Malformed(f"chunk data ends in {end!r}")
    return data, line + data + end


def read_chunked(stream: ByteStream) -> ChunkedBody:
    """Read a chunked body and its trailer section."""
    pieces: list[bytes] = []
    raws: list[bytes] = []
    while True:
        data, raw = read_chunk(stream)
        raws.append(raw)
        if not data:
            break
        pieces.append(data)
    trailers, raw = read_section(stream)
    return ChunkedBody(b"".join(pieces), [len(p) for p in pieces], trailers, b"".join([*raws, raw]))


def values(lines: FieldLines, name: bytes) -> list[bytes]:
    """Return every value of ``name`` in order, names compared without case."""
    return [value for key, value in lines if key.lower() == name.lower()]


def end_to_end(lines: FieldLines) -> FieldLines:
    """Return the field lines that are not about one connection only."""
    return [(name, value) for name, value in lines if name.lower() not in HOP_BY_HOP]
