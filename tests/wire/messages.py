"""Messages made up by Hypothesis: anything that the grammar of RFC 9112 allows, within reason."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from magneto_serge.wire.events import Framing
from magneto_serge.wire.fields import KNOWN
from magneto_serge.wire.serialize import chunk, last_chunk, request_head, response_head

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
VISIBLE = [*range(0x21, 0x7F), *range(0x80, 0x100)]

FieldLines = list[tuple[bytes, bytes]]

names = st.text(TOKEN, min_size=1, max_size=12).map(str.encode)
end_to_end_names = names.filter(lambda name: name.lower() not in KNOWN)
octets = st.lists(st.sampled_from([*VISIBLE, 0x20, 0x09]), max_size=20).map(bytes)
values = octets.map(lambda value: value.strip(b" \t"))
fields = st.lists(st.tuples(end_to_end_names, values), max_size=6)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "QUERY"])
targets = st.text("/abc?&=;:@%20~.-_!$'()*+,", max_size=20).map(lambda text: "/" + text)
reasons = octets.map(lambda value: value.strip(b" \t"))
chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=4)
statuses = st.integers(200, 599).filter(lambda status: status not in (204, 304))


class Made(NamedTuple):
    """A message, and what has to be read from it."""

    data: bytes
    fields: FieldLines
    framing: Framing
    content: bytes
    trailers: FieldLines
    method: str = ""
    target: str = ""
    status: int = 0
    reason: bytes = b""


def _body(draw: st.DrawFn, framing: Framing) -> tuple[list[bytes], FieldLines, bytes]:
    """Return the pieces of some content, its trailers, and how it goes over the wire."""
    pieces = draw(chunks)
    if framing is Framing.CHUNKED:
        trailers = draw(fields)
        return pieces, trailers, b"".join(map(chunk, pieces)) + last_chunk(trailers)
    if framing is Framing.NONE:
        pieces = []
    return pieces, [], b"".join(pieces)


@st.composite
def requests(draw: st.DrawFn) -> Made:
    """A request of the serializer's, with Host first and the framing anywhere among the fields."""
    framing = draw(st.sampled_from([Framing.NONE, Framing.LENGTH, Framing.CHUNKED]))
    pieces, trailers, body = _body(draw, framing)
    lines = draw(fields)
    line = _framing_line(draw, framing, len(body))
    if line:
        lines.insert(draw(st.integers(0, len(lines))), line)
    method, target = draw(methods), draw(targets)
    head = request_head(method, target, lines, host=b"a.example")
    content = b"".join(pieces)
    if framing is Framing.LENGTH and not content:
        framing = Framing.NONE
    told = [(b"Host", b"a.example"), *lines]
    return Made(head + body, told, framing, content, trailers, method=method, target=target)


def _framing_line(draw: st.DrawFn, framing: Framing, size: int) -> tuple[bytes, bytes] | None:
    if framing is Framing.LENGTH:
        return (draw(st.sampled_from([b"Content-Length", b"content-length"])), b"%d" % size)
    if framing is Framing.CHUNKED:
        return (b"Transfer-Encoding", b"chunked")
    return None


@st.composite
def responses(draw: st.DrawFn) -> Made:
    """A response of the serializer's, framed anew; with CLOSE, the connection's end is its own."""
    framing = draw(st.sampled_from([Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE]))
    pieces, trailers, body = _body(draw, framing)
    lines, status, reason = draw(fields), draw(statuses), draw(reasons)
    head = response_head(status, reason, lines, framing=framing, length=len(body))
    if framing is Framing.LENGTH:
        told = [*lines, (b"Content-Length", b"%d" % len(body))]
    elif framing is Framing.CHUNKED:
        told = [*lines, (b"Transfer-Encoding", b"chunked")]
    else:
        told = lines
    content = b"".join(pieces)
    return Made(head + body, told, framing, content, trailers, status=status, reason=reason)
