"""Any message at all: what Hypothesis can think of passes unchanged, and comes back from disk.

The examples of the other files are what people have met. These are what the grammar allows (RFC
9110 §5, RFC 9112 §4 to §7): any field names and values, reasons, bodies, framings and cuts between
segments; text that is not what its Content-Type says; encodings that are not what they claim.
"""

from __future__ import annotations

import gzip
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import MakeOrigin, MakeProxy
from .doors import Door
from .wire_client import Answer, WireClient

Lines = list[tuple[bytes, bytes]]

TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
VISIBLE = bytes([*range(0x21, 0x7F), *range(0x80, 0x100)])

names = st.lists(st.sampled_from(TOKEN), min_size=1, max_size=12).map(lambda x: b"X" + bytes(x))
values = st.lists(st.sampled_from(VISIBLE + b" \t"), max_size=30).map(lambda x: bytes(x).strip())
lines = st.lists(st.tuples(names, values), max_size=6)
reasons = st.lists(st.sampled_from(VISIBLE + b" "), max_size=20).map(lambda x: bytes(x).strip())
texts = st.text(max_size=60).map(str.encode)
jsons = st.sampled_from(
    [b'{"a":1}', b'{"a": 1}', b'{"a":1,"a":2}', b"[1.0, 1e2]", b'"\\u00e9"', b"{}\n", b"null", b"{"]
)
BOM = b"\xef\xbb\xbf"
plain = st.one_of(
    st.binary(max_size=80),
    texts,
    jsons,
    st.sampled_from([b"", b"\n", b"\r\n", b"a\nb\n", b"a\r\nb", b"a\rb", BOM + b"text", b"\x00"]),
    st.integers(1, 5).map(lambda n: b"line\n" * n),
    st.integers(60_000, 140_000).map(lambda n: b"0123456789" * (n // 10)),
)
types = st.sampled_from(
    [
        b"text/plain",
        b"text/plain; charset=utf-8",
        b"text/html; charset=iso-8859-1",
        b"application/json",
        b"application/problem+json; charset=utf-8",
        b"application/octet-stream",
        b"image/png",
        b"nonsense",
        b"",
    ]
)
Coder = Callable[[bytes], bytes]
codings: dict[bytes, tuple[Coder, Coder]] = {
    b"gzip": (lambda body: gzip.compress(body, mtime=0), gzip.decompress),
    b"GZIP": (gzip.compress, gzip.decompress),
    b"deflate": (zlib.compress, zlib.decompress),
    b"br": (brotli.compress, brotli.decompress),
    b"zstd": (zstandard.compress, zstandard.decompress),
    b"identity": (bytes, bytes),
    b"gzip, br": (lambda body: brotli.compress(gzip.compress(body)), bytes),
    b"unknown": (bytes, bytes),
}


@dataclass
class Message:
    """The parts of a message that must survive."""

    lines: Lines
    body: bytes
    trailers: Lines = field(default_factory=list)
    chunks: list[int] | None = None  # None: Content-Length
    coding: bytes | None = None  # where Content-Encoding is not a lie

    def same_content(self, body: bytes) -> bool:
        """Whether ``body`` is this message's, perhaps encoded anew."""
        if body == self.body:
            return True
        decode = codings[self.coding][1] if self.coding else bytes
        return decode(body) == decode(self.body)

    def written(self, start_line: bytes) -> bytes:
        """Write it out."""
        out = [start_line, *(b"%b: %b" % line for line in self.lines)]
        if self.chunks is None:
            return b"\r\n".join([*out, b"Content-Length: %d" % len(self.body), b"", self.body])
        framed, rest = [], self.body
        for size in self.chunks:
            piece, rest = rest[:size], rest[size:]
            if piece:
                framed.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        if rest:
            framed.append(b"%X\r\n%b\r\n" % (len(rest), rest))
        tail = b"".join(b"%b: %b\r\n" % line for line in self.trailers)
        head = b"\r\n".join([*out, b"Transfer-Encoding: chunked", b"", b""])
        return head + b"".join(framed) + b"0\r\n" + tail + b"\r\n"


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message with content."""
    body = draw(plain)
    fields = draw(lines)
    if content_type := draw(types):
        fields.insert(draw(st.integers(0, len(fields))), (b"Content-Type", content_type))
    coding = draw(st.sampled_from([None, *codings]))
    if coding is not None:
        fields.append((b"Content-Encoding", coding))
        if draw(st.booleans()):
            body = codings[coding][0](body)
        else:
            coding = None
    if draw(st.booleans()):
        return Message(fields, body, coding=coding)
    chunks = draw(st.lists(st.integers(1, 50), max_size=4))
    return Message(fields, body, draw(lines), chunks, coding)


cuts = st.lists(st.integers(1, 400), max_size=4)
thorough = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def cut_up(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut ``data`` into segments."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in [*pieces, data] if piece]


@pytest.mark.parametrize("exact", [True, False])
def test_any_response_passes_and_replays(
    exact: bool, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """Through the proxy and from the cassette a response is what the origin wrote.

    Without `exact_bodies` a compressed body may come back from disk compressed otherwise.
    """
    origin, proxy = make_origin(), make_proxy(exact_bodies=exact)
    door = Door("absolute", proxy, origin)

    @thorough
    @given(messages(), st.sampled_from([200, 201, 404, 418, 599]), reasons, cuts)
    def check(message: Message, status: int, reason: bytes, sizes: list[int]) -> None:
        written = message.written(b"HTTP/1.1 %d %b" % (status, reason))
        origin.on("/any", *cut_up(written, sizes))
        proxy.start_recording("any")
        recorded = door.ask("/any")
        proxy.stop_recording()
        proxy.replay("any")
        replayed = door.ask("/any")
        for answer in (recorded, replayed):
            assert (answer.status, answer.reason) == (status, reason)
            assert without_framing(answer) == message.lines
            assert answer.trailers == message.trailers
        assert recorded.body == message.body
        assert replayed.body == message.body if exact else message.same_content(replayed.body)

    check()
    assert not proxy.misses


def without_framing(answer: Answer) -> Lines:
    """Return the field lines but Content-Length."""
    return [line for line in answer.end_to_end if line[0] != b"Content-Length"]


def test_any_request_passes_and_matches(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """The origin receives what the client wrote, and the same request finds its recording."""
    origin, proxy = make_origin(), make_proxy()

    @thorough
    @given(messages(), st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]), cuts)
    def check(message: Message, method: str, sizes: list[int]) -> None:
        start = f"{method} {origin.url('/upload')} HTTP/1.1\r\nHost: {origin.authority}"
        written = message.written(start.encode())
        origin.on("/upload", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        def ask() -> Answer:
            with WireClient((proxy.host, proxy.port)) as client:
                for piece in cut_up(written, sizes):
                    client.send(piece)
                return client.answer()

        proxy.start_recording("any")
        assert ask().body == b"ok"
        received = origin.last
        assert received.method == method
        kept = [line for line in received.end_to_end if line[0] not in (b"Host", b"Content-Length")]
        assert kept == message.lines
        assert (received.body, received.trailers) == (message.body, message.trailers)
        proxy.stop_recording()
        proxy.replay("any")
        assert ask().body == b"ok"

    check()
    assert not proxy.misses
