"""One interaction in full, as lines for a person or as a value for ``--json``.

The lines follow curl's ``-v``: ``>`` before what was sent, ``<`` before what came back, bodies
without either so that they can be copied. Both forms hide secrets unless asked to reveal them. In
the lines, control characters come out as escapes: what was recorded must not talk to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from magneto_serge.messages import Body, Headers, Interaction, Request, Response, body_size
from magneto_serge.replay.masking import mask_field, mask_query
from magneto_serge.units import count, milliseconds

from . import timeline
from .bodies import shown_body

_ESCAPES = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"
}


def escape_controls(text: str) -> str:
    """Return text with control characters other than tab and newline as ``\\x1b``."""
    return text.translate(_ESCAPES)


class Line(NamedTuple):
    """A line (or several) to print; ``role`` is start, field, body, json, note, failure, or in a
    conversation client or server."""

    role: str
    text: str


def iso_time(seconds: float) -> str | None:
    """Return a time since the epoch in RFC 3339, UTC, to the ms; None where it is unknown."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def lines(
    number: int, interaction: Interaction, *, reveal: bool, width: int = timeline.WIDTH
) -> Iterator[Line]:
    """Yield the transcript of interaction ``number``; ``width``: of the screen, in characters."""
    request, response = interaction.request, interaction.response
    yield Line("note", f"#{number}  {_circumstances(interaction)}")
    yield Line("note", shown_url(request, reveal=reveal))
    yield from _message(">", _request_line(request, reveal=reveal), request, reveal=reveal)
    for early in interaction.informational:
        yield from _message("<", _status_line(early), early, reveal=reveal)
    if response is not None:
        yield from _message("<", _status_line(response), response, reveal=reveal)
    if interaction.chunks:
        pieces = count(len(interaction.chunks), "piece")
        span = interaction.chunks[-1][1] - interaction.chunks[0][1]
        yield Line("note", f"The body arrived in {pieces} over {milliseconds(span)} ms.")
    if interaction.websocket is not None:
        shown = timeline.timeline(interaction.websocket, reveal=reveal, width=width)
        yield from (Line(*each) for each in shown)
    if (failure := interaction.failure) is not None:
        yield Line("failure", f"failed ({failure.kind}): {escape_controls(failure.detail)}")


def shown_url(request: Request, *, reveal: bool) -> str:
    """Return the request's URL as it may be shown."""
    return escape_controls(request.url if reveal else mask_query(request.url))


def _circumstances(interaction: Interaction) -> str:
    parts = [iso_time(interaction.started) or "at an unknown time"]
    if interaction.first_byte_ms is not None:
        parts.append(f"first byte after {milliseconds(interaction.first_byte_ms)} ms")
    parts.append(f"{milliseconds(interaction.total_ms)} ms in all")
    if interaction.peer:
        parts.append(f"from {interaction.peer}")
    if interaction.template:
        parts.append("a template")
    return ", ".join(parts)


def _request_line(request: Request, *, reveal: bool) -> str:
    target = request.target if reveal else mask_query(request.target)
    return f"{request.method} {target} {request.version}"


def _status_line(response: Response) -> str:
    return f"{response.version} {response.status} {response.reason}".rstrip()


def _message(mark: str, start: str, message: Request | Response, *, reveal: bool) -> Iterator[Line]:
    yield Line("start", f"\n{mark} {escape_controls(start)}")
    yield from _fields(mark, message.headers, reveal=reveal)
    body = shown_body(message.headers, message.body, reveal=reveal)
    if body.kind != "empty":
        yield Line("note", f"{mark} [{body.note}]")
    if body.text:
        text = escape_controls(body.text.replace("\r\n", "\n"))
        yield Line("json" if body.kind == "json" else "body", f"\n{text}")
    if len(message.trailers):
        yield Line("note", f"\n{mark} [trailers]")
        yield from _fields(mark, message.trailers, reveal=reveal)


def _fields(mark: str, headers: Headers, *, reveal: bool) -> Iterator[Line]:
    for name, value in _shown_fields(headers, reveal=reveal):
        yield Line("field", f"{mark} {escape_controls(f'{name}: {value}')}")


def _shown_fields(headers: Headers, *, reveal: bool) -> list[tuple[str, str]]:
    return [(name, value if reveal else mask_field(name, value)) for name, value in headers]


def as_value(number: int, interaction: Interaction, *, reveal: bool) -> dict[str, Any]:
    """Return the interaction as a value that JSON can hold; times in ms, sizes in bytes."""
    request, response, failure = interaction.request, interaction.response, interaction.failure
    return {
        "number": number,
        "started": iso_time(interaction.started),
        "first_byte_ms": interaction.first_byte_ms,
        "total_ms": interaction.total_ms,
        "peer": interaction.peer or None,
        "template": interaction.template,
        "request": {
            "method": request.method,
            "url": request.url if reveal else mask_query(request.url),
            **_message_value(request, reveal=reveal),
        },
        "informational": [
            _response_value(each, reveal=reveal) for each in interaction.informational
        ],
        "response": None if response is None else _response_value(response, reveal=reveal),
        "chunks": interaction.chunks,
        "websocket": None
        if interaction.websocket is None
        else timeline.as_value(interaction.websocket, reveal=reveal),
        "failure": None if failure is None else {"kind": failure.kind, "detail": failure.detail},
    }


def _response_value(response: Response, *, reveal: bool) -> dict[str, Any]:
    return {
        "status": response.status,
        "reason": response.reason,
        **_message_value(response, reveal=reveal),
    }


def _message_value(message: Request | Response, *, reveal: bool) -> dict[str, Any]:
    return {
        "version": message.version,
        "headers": _shown_fields(message.headers, reveal=reveal),
        "body": _body_value(message.headers, message.body, reveal=reveal),
        "trailers": _shown_fields(message.trailers, reveal=reveal),
    }


def _body_value(headers: Headers, body: Body, *, reveal: bool) -> dict[str, Any]:
    """Return ``size`` as stored, ``shown`` (the kind), and the decoded content in a member."""
    shown = shown_body(headers, body, reveal=reveal)
    value: dict[str, Any] = {"size": body_size(body), "kind": shown.kind}
    if shown.kind == "json":
        value["json"] = msgspec.Raw(shown.text.encode())
    elif shown.kind == "text":
        value["text"] = shown.text
    elif shown.kind == "binary":
        value["base64"] = shown.content
    elif not isinstance(body, bytes):
        value |= {"file": str(body.path), "sha256": body.sha256}
    return value
