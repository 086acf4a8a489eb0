"""Read the JSON cassettes of Magnéto-Serge 1.0 (``"version": "1.0"``); nothing writes them.

The original kept decoded message bodies beside the fields of the encoded ones, in a map without
order, and no reason phrase. So the framing is computed again from what is there (RFC 9112 §6):
``Transfer-Encoding`` goes, ``Content-Length`` is the body's, and a ``Content-Encoding`` that the
body does not have goes too. Every other field stays. Its reader ignored names that it did not
know, and so does this one. Of a WebSocket it kept what was said, and nothing of the handshake: that
becomes the least that one can be.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from magneto_serge.codings import coding_of, decode
from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.wire.websocket_handshake import SCHEMES

from .faults import FieldError, decode_json, field_damaged
from .json_read import seconds, split_url
from .json_shapes import EPOCH

_KINDS = {
    "DnsResolutionFailed": FailureKind.DNS,
    "ConnectionRefused": FailureKind.REFUSED,
    "Timeout": FailureKind.TIMEOUT,
    "TlsError": FailureKind.TLS,
    "ConnectionReset": FailureKind.RESET,
    # The original's client followed redirects itself; the nearest that an origin can do is this.
    "TooManyRedirects": FailureKind.BAD_RESPONSE,
    "Other": FailureKind.UNREACHABLE,
}
_UPGRADE = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
_ASKED = Headers.of(*_UPGRADE, ("Sec-WebSocket-Version", "13"))
_ACCEPTED = Headers.of(*_UPGRADE)
_EPOCH_MS = 1e11  # moments from here on are since 1970, not since the handshake
_DECODED_LIMIT = 64 * 1024 * 1024  # bytes; more than this is not decoded to see whether it can be


class _Message(msgspec.Struct, frozen=True):
    headers: dict[str, str | list[str]] = {}
    body: list[int] | str | None = None


class _Request(_Message, frozen=True, kw_only=True):
    method: str
    url: str


class _Response(_Message, frozen=True, kw_only=True):
    status: int


class _Exchange(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    recorded_at: datetime = EPOCH


class _Http(_Exchange, frozen=True, tag="Http", kw_only=True):
    request: _Request
    response: _Response
    response_time_ms: float | None = None


class _HttpError(_Exchange, frozen=True, tag="HttpError", kw_only=True):
    request: _Request
    error: dict[str, object]
    response_time_ms: float | None = None


class _Said(msgspec.Struct, frozen=True):
    direction: Literal["Sent", "Received"]
    msg_type: Literal["Text", "Binary", "Ping", "Pong", "Close"]
    data: list[int] | str | None = None
    timestamp_ms: float = 0.0


class _CloseFrame(msgspec.Struct, frozen=True):
    code: int = 1005
    reason: str = ""


class _WebSocket(_Exchange, frozen=True, tag="WebSocket", kw_only=True):
    url: str
    messages: list[_Said] = []
    close_frame: _CloseFrame | None = None


class _Cassette(msgspec.Struct, frozen=True):
    version: str
    interactions: list[_Http | _HttpError | _WebSocket]
    cookies: msgspec.Raw | UnsetType = UNSET


_decoder = msgspec.json.Decoder(_Cassette)


def read(path: Path, data: bytes) -> list[Interaction]:
    """Return the interactions of ``path``.

    Raises CassetteError naming the file, the place, the reason and the remedy.
    """
    interactions = []
    stored = decode_json(path, data, _decoder).interactions
    for index, each in enumerate(stored):
        try:
            interactions.append(_interaction(each))
        except FieldError as error:
            raise field_damaged(path, index, error) from error
    return interactions


def _interaction(stored: _Http | _HttpError | _WebSocket) -> Interaction:
    if isinstance(stored, _WebSocket):
        return _conversation(stored)
    request = _request(stored.request)
    started = seconds(stored.recorded_at)
    elapsed = stored.response_time_ms or 0.0
    if isinstance(stored, _HttpError):
        timeout = stored.error.get("timeout_ms")
        elapsed = float(timeout) if isinstance(timeout, int | float) else elapsed
        failure = _failure(stored.error)
        return Interaction(request, failure=failure, started=started, total_ms=elapsed)
    response = _response(stored.response, request.method)
    return Interaction(request, response, started=started, first_byte_ms=elapsed, total_ms=elapsed)


def _conversation(stored: _WebSocket) -> Interaction:
    try:
        scheme, host, port, target = split_url(stored.url.partition("#")[0])
    except ValueError as error:
        raise FieldError("url", f"{stored.url!r} {error}") from error
    scheme = SCHEMES.get(scheme, scheme)
    began = next((each.timestamp_ms for each in stored.messages), 0.0)
    began = began if began > _EPOCH_MS else 0.0
    messages = tuple(
        WebSocketMessage(
            "client" if each.direction == "Sent" else "server",
            each.msg_type.lower(),
            _body(each.data, f"messages[{index}].data"),
            each.timestamp_ms - began,
        )
        for index, each in enumerate(stored.messages)
        if each.msg_type != "Close"
    )
    last = messages[-1].at_ms if messages else 0.0
    close = stored.close_frame
    return Interaction(
        Request("GET", scheme, host.lower(), port, target or "/", _ASKED),
        Response(101, "Switching Protocols", _ACCEPTED),
        started=seconds(stored.recorded_at),
        total_ms=last,
        websocket=Conversation(
            messages,
            None if close is None else WebSocketClose(close.code, close.reason, "server", last),
        ),
    )


def _failure(error: dict[str, object]) -> Failure:
    """Map the original's NetworkError; a type that it did not have is an Other."""
    kind = _KINDS.get(str(error.get("error_type")), FailureKind.UNREACHABLE)
    detail = error.get("message") or error.get("error_type") or ""
    return Failure(kind, str(detail))


def _request(stored: _Request) -> Request:
    try:
        scheme, host, port, target = split_url(stored.url.partition("#")[0])
    except ValueError as error:
        raise FieldError("request.url", f"{stored.url!r} {error}") from error
    body = _body(stored.body, "request.body")
    headers = _framed(_headers(stored.headers), body, has_length=True)
    host = host.rpartition("@")[2].lower()  # RFC 9110 §4.2.4: userinfo is not part of the origin
    return Request(stored.method, scheme, host, port, target or "/", headers, body)


def _response(stored: _Response, method: str) -> Response:
    body = _body(stored.body, "response.body")
    # RFC 9110 §8.6: to HEAD, and in a 304, Content-Length speaks of another response's body.
    has_length = method != "HEAD" and stored.status not in (204, 304)
    headers = _framed(_headers(stored.headers), body, has_length=has_length)
    return Response(stored.status, _phrase(stored.status), headers, body)


def _phrase(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _headers(stored: dict[str, str | list[str]]) -> Headers:
    return Headers(
        (name.encode(), value.encode())
        for name, values in stored.items()
        for value in ([values] if isinstance(values, str) else values)
    )


def _framed(headers: Headers, body: bytes, *, has_length: bool) -> Headers:
    gone = {b"transfer-encoding"}
    coding = coding_of(headers)
    if coding and body and decode(coding, body, _DECODED_LIMIT) is None:
        gone.add(b"content-encoding")
    length = str(len(body)).encode() if has_length else None
    return Headers(
        (name, length if length is not None and name.lower() == b"content-length" else value)
        for name, value in headers.raw
        if name.lower() not in gone
    )


def _body(stored: list[int] | str | None, where: str) -> bytes:
    if stored is None or isinstance(stored, str):
        return (stored or "").encode()
    try:
        return bytes(stored)
    except ValueError as error:
        raise FieldError(where, "is a list with numbers that are not bytes (0 to 255)") from error
