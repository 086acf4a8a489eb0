"""Requests and responses as bytes, recordings of them, and h11 to read what came back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

import h11
import msgspec

from magneto_serge.messages import (
    Body,
    Failure,
    Headers,
    Interaction,
    Request,
    Response,
    body_size,
)
from magneto_serge.proxy.dial import Origin

URL = "http://origin.test"


def ask(
    target: str = f"{URL}/",
    *fields: str,
    method: str = "GET",
    body: bytes = b"",
    version: str = "HTTP/1.1",
    host: str | None = "origin.test",
) -> bytes:
    """Return a request: with a Content-Length where it has a body."""
    lines = [f"{method} {target} {version}", *([f"Host: {host}"] if host else []), *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(
    body: bytes = b"", *fields: str, status: str = "200 OK", version: str = "HTTP/1.1"
) -> bytes:
    """Return a response with a Content-Length."""
    lines = [f"{version} {status}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """Return a chunked body."""
    return (
        b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\n"
        + trailers
        + b"\r\n"
    )


def recorded(
    url: str = f"{URL}/",
    body: Body = b"",
    *fields: str,
    method: str = "GET",
    sent: Body = b"",
    status: int = 200,
    reason: str = "OK",
    trailers: Iterable[str] = (),
    failure: Failure | None = None,
    chunks: tuple[tuple[int, float], ...] = (),
    informational: tuple[Response, ...] = (),
    responded: bool = True,
    until_close: bool = False,
) -> Interaction:
    """Return an interaction; ``fields`` are the response's, ``sent`` is the request's body.

    A Content-Length is added, unless the body was chunked or ``until_close``.
    """
    parts = urlsplit(url)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port or 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not until_close and not any(line.lower().startswith("transfer-") for line in fields):
        fields += (f"Content-Length: {body_size(body)}",)
    response = Response(status, reason, field_lines(*fields), body, trailers=field_lines(*trailers))
    return Interaction(
        Request(method, *origin, target, body=sent),
        response if responded else None,
        failure,
        informational,
        chunks=chunks,
    )


def field_lines(*lines: str) -> Headers:
    """Return ``Name: value`` lines as a section."""
    pairs = [line.partition(": ") for line in lines]
    return Headers.of(*((name, value) for name, _, value in pairs))


class Answer(NamedTuple):
    """A response as h11 understands it; ``interim`` are the statuses that came before it."""

    status: int
    headers: dict[str, str]
    body: bytes
    interim: tuple[int, ...] = ()
    trailers: dict[str, str] = {}  # noqa: RUF012  # never changed

    @property
    def problem(self) -> dict[str, object]:
        """The problem document that the body is."""
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, object] = msgspec.json.decode(self.body)
        return found

    @property
    def kind(self) -> str:
        """The last part of the problem's type."""
        return str(self.problem["type"]).rpartition("/")[2]


def read_answers(data: bytes, methods: Iterable[str], *, closed: bool = False) -> list[Answer]:
    """Read one response per method out of ``data``, and nothing else; ``closed``: with its end."""
    answers: list[Answer] = []
    for method in methods:
        answer, data = _read_answer(data, method, closed)
        answers.append(answer)
    assert data == b"", f"bytes that belong to no response: {data[:200]!r}"
    return answers


def _read_answer(data: bytes, method: str, closed: bool) -> tuple[Answer, bytes]:
    assert data, "no response"
    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=10**6)
    reader.send(h11.Request(method=method, target="/", headers=[("Host", "origin.test")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(data)
    if closed:
        reader.receive_data(b"")
    interim: list[int] = []
    head: h11.Response | None = None
    body = b""
    while True:
        event = reader.next_event()
        assert event is not h11.NEED_DATA, f"an incomplete response: {data[:200]!r}"
        if isinstance(event, h11.InformationalResponse):
            interim.append(event.status_code)
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
    assert head is not None
    rest, _ = reader.trailing_data
    return (
        Answer(head.status_code, _texts(head.headers), body, tuple(interim), _texts(event.headers)),
        rest,
    )


def _texts(fields: h11._headers.Headers) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in fields}
