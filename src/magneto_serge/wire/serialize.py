"""Heads and chunks as bytes (RFC 9112 §3, §4, §7.1).

Field lines go out in the order and case in which they came in; only what belongs to one hop is
taken off, and only what belongs to ours is put on. Nothing here decides; the callers say which
framing a message gets and the lines are edited to be true.
"""

from __future__ import annotations

from collections.abc import Iterable

from magneto_serge.messages import FieldLine
from magneto_serge.wire.events import Framing
from magneto_serge.wire.fields import HOP_BY_HOP

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_FRAMING_FIELDS = frozenset((b"content-length", b"transfer-encoding"))
_KEEP_FRAMING = HOP_BY_HOP
_NEW_FRAMING = HOP_BY_HOP | _FRAMING_FIELDS


def request_head(
    method: str,
    target: str,
    fields: Iterable[FieldLine],
    *,
    host: bytes,
    nominated: frozenset[bytes] = frozenset(),
    upgrade: bytes = b"",
    expect_continue: bool = True,
    extra: bytes = b"",
) -> bytes:
    """Return the head of a request towards an origin, in HTTP/1.1.

    ``host`` replaces the value of Host in its place, or goes first where there was none.
    ``upgrade`` is offered onwards when not empty. ``expect_continue`` False takes ``Expect`` off.
    ``extra`` is ready field lines to append. The framing fields stay as received.
    """
    dropped = HOP_BY_HOP | nominated if nominated else HOP_BY_HOP
    lines = [f"{method} {target} HTTP/1.1\r\n".encode("ascii")]
    seen_host = False
    trailers_wanted = False
    for name, value in fields:
        lower = name.lower()
        if lower in dropped:
            if lower == b"te" and b"trailers" in value.lower():
                trailers_wanted = True
        elif lower == b"host":
            seen_host = True
            lines.append(b"%b: %b\r\n" % (name, host))
        elif lower != b"expect" or expect_continue:
            lines.append(b"%b: %b\r\n" % (name, value))
    if not seen_host:
        lines.insert(1, b"Host: %b\r\n" % host)
    if upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade)
    elif trailers_wanted:  # RFC 9110 §10.1.4: TE is hop-by-hop, and we do pass trailers on
        lines.append(b"Connection: TE\r\nTE: trailers\r\n")
    lines.append(extra)
    lines.append(b"\r\n")
    return b"".join(lines)


def response_head(
    status: int,
    reason: bytes,
    fields: Iterable[FieldLine],
    *,
    nominated: frozenset[bytes] = frozenset(),
    framing: Framing | None = None,
    length: int = 0,
    connection: bytes = b"",
) -> bytes:
    """Return the head of a response towards a client, in HTTP/1.1.

    ``framing`` None keeps the framing fields as they are; otherwise they are replaced, in the
    place of the first of them, by what ``framing`` (and ``length``, in bytes) says.
    ``connection`` is the value of our own Connection field, empty for none.
    """
    dropped = _KEEP_FRAMING if framing is None else _NEW_FRAMING
    if nominated:
        dropped = dropped | nominated
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    framing_line = _framing_line(framing, length)
    for name, value in fields:
        lower = name.lower()
        if lower not in dropped:
            lines.append(b"%b: %b\r\n" % (name, value))
        elif framing_line and lower in _FRAMING_FIELDS:
            # The name as the origin wrote it, where it is the same field.
            if framing is Framing.LENGTH and lower == b"content-length":
                framing_line = b"%b: %d\r\n" % (name, length)
            lines.append(framing_line)
            framing_line = b""
    lines.append(framing_line)
    if connection:
        lines.append(b"Connection: %b\r\n" % connection)
    lines.append(b"\r\n")
    return b"".join(lines)


def _framing_line(framing: Framing | None, length: int) -> bytes:
    if framing is Framing.LENGTH:
        return b"Content-Length: %d\r\n" % length
    if framing is Framing.CHUNKED:
        return b"Transfer-Encoding: chunked\r\n"
    return b""


def chunk(data: bytes | memoryview) -> bytes:
    """Return ``data`` (not empty) as one chunk (RFC 9112 §7.1)."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))


def last_chunk(trailers: Iterable[FieldLine]) -> bytes:
    """Return the last chunk and the trailer section."""
    lines = [b"%b: %b\r\n" % line for line in trailers]
    return b"0\r\n%b\r\n" % b"".join(lines)


def upgrade_head(status: int, reason: bytes, fields: Iterable[FieldLine]) -> bytes:
    """Return a 101 head: its Connection and Upgrade are what the client has asked for."""
    lines = [b"%b: %b\r\n" % line for line in fields]
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, b"".join(lines))
