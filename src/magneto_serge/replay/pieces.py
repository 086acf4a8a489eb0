"""A recorded body in the pieces in which it is replayed over time.

Pieces are what arrived together, and a network splits where it likes. A replay that keeps time must
not make an event wait for its own second half: where the type of the body says what belongs
together (an event of an event stream, a line of NDJSON), a piece ends where one of those ends, and
goes out at the moment at which its last byte had come. Other bodies, encoded ones among them, go
out in the pieces that came. Nothing is looked at twice, and a unit of more than ``LONGEST`` bytes
is let go in parts, so a stream of any size costs a bounded amount of memory and linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from magneto_serge.messages import Response

LONGEST = 1_048_576  # bytes of an event or a line that are held for its end

Piece = tuple[float, bytes]
"""The moment at which bytes came, in ms, and the bytes."""

# The blank line that ends an event; a CR at the very end may be half of a CRLF still to come
# (WHATWG HTML, "Server-sent events", parsing).
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")
_LINE_END = re.compile(rb"\n")
_REACH = 3  # bytes before the news in which the end of a unit may begin

EVENT_STREAM = "text/event-stream"
LINES = frozenset(
    (
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/json-lines",
        "application/stream+json",
        "application/json-seq",
    )
)


def media_type(content_type: str) -> str:
    """Return the media type that a Content-Type names, lower-case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_stream(content_type: str) -> bool:
    """Tell whether a body of this type is one event, or line, after the other."""
    kind = media_type(content_type)
    return kind == EVENT_STREAM or kind in LINES


def unit_end(response: Response) -> re.Pattern[bytes] | None:
    """Return what ends a unit of this body; None where it has no units, or they cannot be seen."""
    coding = (response.headers.get("content-encoding") or "identity").strip().lower()
    kind = media_type(response.headers.get("content-type") or "")
    if coding not in ("", "identity"):
        return None
    if kind == EVENT_STREAM:
        return _EVENT_END
    return _LINE_END if kind in LINES else None


def whole_units(pieces: Iterable[Piece], end: re.Pattern[bytes]) -> Iterator[Piece]:
    """Yield the same bytes so that no piece begins or ends inside a unit, but the last one may."""
    held: list[bytes] = []
    size, at, tail = 0, 0.0, b""
    for at, data in pieces:
        cut = _last_end(tail, data, end)
        if cut > 0:
            yield at, b"".join((*held, data[:cut]))
            held, size = [], 0
        elif cut == 0 and held:  # the unit had ended with what is held
            yield at, b"".join(held)
            held, size = [], 0
        rest = data[max(cut, 0) :]
        if rest:
            held.append(rest)
            size += len(rest)
        tail = (tail + data)[-_REACH:] if len(data) < _REACH else data[-_REACH:]
        if size > LONGEST:
            yield at, b"".join(held)
            held, size = [], 0
    if held:
        yield at, b"".join(held)


def _last_end(tail: bytes, data: bytes, end: re.Pattern[bytes]) -> int:
    """Return where in ``data`` the last unit that ends there has its end; -1: none does."""
    before = len(tail)
    found = -1
    for match in end.finditer(tail + data):
        if match.end() > before:
            found = match.end() - before
        elif match.end() == before and data[:1] != b"\n":
            found = 0
    return found
