"""Cassettes of Magnéto-Serge 1.0 load, with their framing computed again."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from magneto_serge.errors import CassetteError
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
from magneto_serge.storage.json_v1 import read

from .interactions import PLACE

AT = "2025-10-10T14:30:00.123456789Z"
STARTED = 1_760_106_600.123457


def cassette(*interactions: dict[str, Any], **extra: object) -> bytes:
    """Return the text of a 1.0 cassette."""
    head = {"version": "1.0", "name": "x", "recorded_at": AT}
    return json.dumps(head | extra | {"interactions": interactions}).encode()


def http(
    *,
    method: str = "GET",
    url: str = "http://h/p",
    sent: object = None,
    status: int = 200,
    headers: object = None,
    body: object = None,
    **extra: object,
) -> dict[str, Any]:
    """Return an Http interaction."""
    request = {"method": method, "url": url, "headers": {"accept": "*/*"}, "body": sent}
    response = {"status": status, "headers": headers or {}, "body": body}
    return {"type": "Http", "request": request, "response": response, "recorded_at": AT} | extra


def only(*interactions: dict[str, Any]) -> Interaction:
    """Read a cassette of one interaction."""
    [interaction] = read(PLACE, cassette(*interactions))
    return interaction


def response_of(interaction: dict[str, Any]) -> Response:
    """Read a cassette of one interaction and return its response."""
    response = only(interaction).response
    assert response is not None
    return response


def test_http() -> None:
    """Method, URL, fields, body as a list of numbers, status and times are taken over."""
    stored = http(
        method="POST",
        url="https://user@API.example.com:8443/v1/a?b=c#d",
        sent=[97, 61, 49],
        headers={"content-type": "application/json"},
        body=[123, 125],
        response_time_ms=12,
    )
    assert only(stored) == Interaction(
        Request(
            "POST",
            "https",
            "api.example.com",
            8443,
            "/v1/a?b=c",
            Headers.of(("accept", "*/*")),
            b"a=1",
        ),
        Response(200, "OK", Headers.of(("content-type", "application/json")), b"{}"),
        started=STARTED,
        first_byte_ms=12.0,
        total_ms=12.0,
    )


def test_optional_parts() -> None:
    """Times, fields and bodies may be absent or null; cookies of the jar do not matter."""
    bare = {
        "type": "Http",
        "request": {"method": "GET", "url": "http://h"},
        "response": {"status": 299},
        "response_time_ms": None,
    }
    jar = [{"name": "s", "value": "v", "domain": None, "same_site": "Lax"}]
    [interaction] = read(PLACE, cassette(bare, cookies=jar, made_by="somebody"))
    assert interaction == Interaction(
        Request("GET", "http", "h", 80, "/"), Response(299), first_byte_ms=0.0
    )


def test_repeated_fields_and_text_bodies() -> None:
    """A value may be a list of values, a body a text."""
    response = response_of(http(headers={"set-cookie": ["a", "b"], "x": "é"}, body="é"))
    assert response.headers == Headers.of(("set-cookie", "a"), ("set-cookie", "b"), ("x", "é"))
    assert response.body == "é".encode()


@pytest.mark.parametrize(
    ("stored", "fields"),
    [
        (http(headers={"Content-Length": "99"}, body=[1, 2]), [("Content-Length", "2")]),
        (http(headers={"content-length": "99"}), [("content-length", "0")]),
        (http(headers={"transfer-encoding": "chunked"}, body=[1]), []),
        (http(headers={"content-encoding": "gzip"}, body=[1]), []),
        (
            http(headers={"content-encoding": "gzip"}, body=list(gzip.compress(b"x"))),
            [("content-encoding", "gzip")],
        ),
        (http(headers={"content-encoding": "gzip"}), [("content-encoding", "gzip")]),
        (http(method="HEAD", headers={"content-length": "99"}), [("content-length", "99")]),
        (http(status=304, headers={"content-length": "99"}), [("content-length", "99")]),
    ],
)
def test_framing_is_computed_again(stored: dict[str, Any], fields: list[tuple[str, str]]) -> None:
    """Fields that speak of a framing which the file does not have are corrected or dropped."""
    assert response_of(stored).headers == Headers.of(*fields)


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("DnsResolutionFailed", FailureKind.DNS),
        ("ConnectionRefused", FailureKind.REFUSED),
        ("Timeout", FailureKind.TIMEOUT),
        ("TlsError", FailureKind.TLS),
        ("ConnectionReset", FailureKind.RESET),
        ("TooManyRedirects", FailureKind.BAD_RESPONSE),
        ("Other", FailureKind.UNREACHABLE),
        ("Unheard", FailureKind.UNREACHABLE),
    ],
)
def test_errors_become_failures(error_type: str, kind: FailureKind) -> None:
    """Each of the original's errors is a failure of ours, with its message."""
    stored = {
        "type": "HttpError",
        "request": {"method": "GET", "url": "http://h/", "headers": {}, "body": None},
        "error": {"error_type": error_type, "message": "it went wrong", "redirect_count": 10},
        "recorded_at": AT,
    }
    interaction = only(stored)
    assert interaction.response is None
    assert interaction.failure == Failure(kind, "it went wrong")
    assert interaction.started == STARTED


def test_timeouts_keep_their_length() -> None:
    """A timeout took as long as it says; an error without a message has its type."""
    request = {"method": "GET", "url": "http://h/"}
    error = {"error_type": "Timeout", "timeout_ms": 5000}
    interaction = only({"type": "HttpError", "request": request, "error": error})
    assert interaction.total_ms == 5000.0
    assert interaction.failure == Failure(FailureKind.TIMEOUT, "Timeout")


@pytest.mark.parametrize("began", [0, 1_760_000_000_000])
def test_websockets(began: int) -> None:
    """A conversation is what was said, since its beginning, behind the least of a handshake."""
    conversation = {
        "type": "WebSocket",
        "url": "wss://h/chat",
        "messages": [
            {"direction": "Sent", "timestamp_ms": began, "msg_type": "Text", "data": "x"},
            {
                "direction": "Received",
                "timestamp_ms": began + 5,
                "msg_type": "Binary",
                "data": [1],
            },
        ],
        "close_frame": {"code": 1000, "reason": "bye"},
        "recorded_at": AT,
    }
    interaction = only(conversation)
    assert interaction.request.url == "wss://h/chat"
    assert interaction.response is not None
    assert interaction.response.status == 101
    assert interaction.websocket == Conversation(
        (
            WebSocketMessage("client", "text", b"x", 0.0),
            WebSocketMessage("server", "binary", b"\x01", 5.0),
        ),
        WebSocketClose(1000, "bye", "server", 5.0),
    )


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (http(body=[256]), "interaction 2, response.body: .*0 to 255"),
        (http(body=[-1]), "interaction 2, response.body: .*0 to 255"),
        (http(sent=["a"]), r"interaction 2, request.body\[0\]: expected a whole number"),
        (http(url="ftp://h"), "interaction 2, request.url: 'ftp://h'"),
        ({"type": "Ftp"}, "interaction 2, type: invalid value 'Ftp'"),
        ({"type": "Http"}, "interaction 2: object missing required field 'request'"),
    ],
)
def test_damage_is_located(stored: dict[str, Any], message: str) -> None:
    """A mistake names the file, the interaction and the field."""
    with pytest.raises(CassetteError, match=f"^cassettes/tape.json: {message}"):
        read(PLACE, cassette(http(), stored))
