"""What a body says, once its content coding is undone: nothing, JSON, text or binary.

A body is what it *is*, not what its fields claim: a body that claims to be JSON and is not is text,
and text in no charset that we can read is binary. Decoding is bounded, so that a bomb is merely a
binary body. Nothing here raises for what a body holds.

A stream of JSON texts, one to a line (NDJSON) or in the events of an event stream, has a view as
one JSON list, so that it can be compared member by member like any other JSON.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Raw

from magneto_serge.codings import CodingName, coding_of, decode
from magneto_serge.messages import Body, FileBody, Headers

LARGEST = 64 * 1024 * 1024  # bytes of decoded content that are looked at; a bomb ends here

_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)
_BINARY = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_RECORD_SEPARATOR = "\x1e"  # RFC 7464 §2.1
_LINES_OF_JSON = frozenset(
    (
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/json-seq",
        "application/stream+json",
    )
)
_EVENT_STREAM = "text/event-stream"

Kind = Literal["empty", "json", "text", "binary", "file"]


class Content(msgspec.Struct, frozen=True):
    """``data`` is the decoded content: the body's own bytes where it could not be decoded.

    ``text`` is that of JSON and text. ``coding`` is the content coding declared, ``decoded`` tells
    whether it could be undone. A body in a side file is a ``file`` and is not read.
    """

    kind: Kind
    data: bytes = b""
    text: str = ""
    coding: CodingName | None = None
    decoded: bool = False


def content_of(headers: Headers, body: Body) -> Content:
    """Return what a message's body says."""
    if isinstance(body, FileBody):
        return Content("file")
    if not body:
        return Content("empty")
    coding = coding_of(headers)
    undone = None if coding is None else decode(coding, body, LARGEST)
    data = body if undone is None else undone
    text = _text(headers, data)
    if text is None:
        return Content("binary", data, "", coding, undone is not None)
    kind: Kind = "json" if _is_json(headers, data) else "text"
    return Content(kind, data, text, coding, undone is not None)


def media_type(headers: Headers) -> str:
    """Return the media type without its parameters, in lower case; empty where there is none."""
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()


def _text(headers: Headers, data: bytes) -> str | None:
    """Return the content as text; None where it is not text in the charset it declares."""
    declared = _CHARSET.search(headers.get("content-type") or "")
    for charset in (declared[1] if declared else "utf-8", "utf-8"):
        try:
            text = data.decode(charset)
        except (UnicodeError, LookupError):
            continue
        plain = text.replace(_RECORD_SEPARATOR, "\n") if _is_sequence(headers) else text
        return None if _BINARY.search(plain) else text
    return None


def _is_sequence(headers: Headers) -> bool:
    return media_type(headers) == "application/json-seq"


def _is_json(headers: Headers, data: bytes) -> bool:
    if "json" not in media_type(headers) and data[:1] not in (b"{", b"["):
        return False
    try:
        msgspec.json.format(data, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def json_view(headers: Headers, content: Content) -> bytes | None:
    """Return content as one JSON text: its own, or the list that a stream of them is.

    None where it is neither.
    """
    kind = media_type(headers)
    if content.kind in ("json", "text"):
        if kind == _EVENT_STREAM:
            return _events(content.text)
        if kind in _LINES_OF_JSON:
            return _lines(content.text)
    return content.data if content.kind == "json" else None


def _lines(text: str) -> bytes | None:
    lines = (line.strip(" \t\r" + _RECORD_SEPARATOR) for line in text.split("\n"))
    values = [_raw_json(line) for line in lines if line]
    if None in values:
        return None
    return msgspec.json.encode(values)


def _raw_json(text: str) -> Raw | None:
    try:
        return Raw(msgspec.json.format(text.encode(), indent=-1))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


_LINE_END = re.compile(r"\r\n|\n|\r")


def _events(text: str) -> bytes:
    """Return an event stream as a list of its events (WHATWG HTML §9.2.6).

    Each has the fields that were sent; ``data`` is JSON where it is an object or a list. Comments,
    which keep a connection alive, are no part of what was said.
    """
    events: list[dict[str, object]] = []
    fields: dict[str, list[str]] = {}
    for line in (*_LINE_END.split(text.removeprefix("\ufeff")), ""):
        name, _, value = line.partition(":")
        if name:
            fields.setdefault(name, []).append(value.removeprefix(" "))
        elif not line and fields:
            events.append({each: _field(each, values) for each, values in fields.items()})
            fields = {}
    return msgspec.json.encode(events)


def _field(name: str, values: list[str]) -> object:
    if name != "data":
        return values[-1]
    data = "\n".join(values)
    raw = _raw_json(data) if data[:1] in ("{", "[") else None
    return data if raw is None else raw
