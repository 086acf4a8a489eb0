"""mitmproxy's flow files, of its versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.interop.tnetstring import dump
from magneto_serge.messages import Conversation, FailureKind, WebSocketClose, WebSocketMessage

from .files import take

REQUEST: dict[str, Any] = {
    "method": b"GET", "scheme": b"https", "host": "h.example", "port": 443, "path": b"/p",
    "authority": b"", "http_version": b"HTTP/2.0", "headers": [[b"accept", b"*/*"]],
    "content": b"", "trailers": None, "timestamp_start": 10.0, "timestamp_end": 10.1,
}  # fmt: skip
RESPONSE: dict[str, Any] = {
    "status_code": 200, "reason": b"OK", "http_version": b"HTTP/1.1", "content": b"\xff",
    "headers": [[b"A", b"1"], [b"a", b"2"]], "trailers": [[b"T", b"1"]],
    "timestamp_start": 10.25, "timestamp_end": 10.5,
}  # fmt: skip


def flow(**parts: Any) -> dict[str, Any]:
    """Return a flow of today's version with these parts changed."""
    server = {"peername": ["192.0.2.1", 443]}
    return {
        "type": "http", "version": 21, "request": REQUEST, "response": RESPONSE, "error": None,
        "websocket": None, "server_conn": server, "client_conn": {}, **parts,
    }  # fmt: skip


def test_a_flow(tmp_path: Path) -> None:
    """Exact bytes, fields and times."""
    found = take(tmp_path, dump(flow()))
    assert found.kind == "mitmproxy"
    only = found.only
    assert only.request.url == "https://h.example/p"
    assert (only.started, only.first_byte_ms, only.total_ms) == (10.0, 250.0, 500.0)
    assert only.peer == "192.0.2.1:443"
    assert only.response is not None
    assert only.response.body == b"\xff"
    assert only.response.headers.raw[:2] == ((b"A", b"1"), (b"a", b"2"))
    assert list(only.response.trailers) == [("T", "1")]


def test_several_flows(tmp_path: Path) -> None:
    """Only those of HTTP count."""
    data = dump(flow()) + dump({"type": "tcp", "version": 21}) + dump(flow())
    found = take(tmp_path, data)
    assert len(found.interactions) == 2
    assert found.remarks["NOT_HTTP"] == 1


def test_a_failure(tmp_path: Path) -> None:
    """With when it happened."""
    error = {"msg": "[Errno 111] Connect call failed", "timestamp": 12.0}
    only = take(tmp_path, dump(flow(response=None, error=error))).only
    assert only.response is None
    assert only.failure is not None
    assert (only.failure.kind, only.total_ms) == (FailureKind.REFUSED, 2000.0)


def test_nothing_came(tmp_path: Path) -> None:
    """It replays as a failure, with a remark."""
    found = take(tmp_path, dump(flow(response=None)))
    assert found.only.failure is not None
    assert found.remarks["NO_ANSWER"] == 1


def test_a_websocket(tmp_path: Path) -> None:
    """Messages, and whose end it was."""
    held = {
        "messages": [[1, True, b"hi", 10.35, False, False], [2, False, b"\xff", 10.45, False, 0]],
        "closed_by_client": False, "close_code": 1001, "close_reason": "bye",
        "timestamp_end": 11.25,
    }  # fmt: skip
    only = take(
        tmp_path, dump(flow(websocket=held, response={**RESPONSE, "status_code": 101}))
    ).only
    assert only.websocket == Conversation(
        (
            WebSocketMessage("client", "text", b"hi", 100.0),
            WebSocketMessage("server", "binary", b"\xff", 200.0),
        ),
        WebSocketClose(1001, "bye", "server", 1000.0),
    )


def test_an_older_websocket(tmp_path: Path) -> None:
    """It was a flow of its own, around its handshake."""
    held = {
        "type": "websocket", "version": 9, "handshake_flow": flow(), "close_sender": "client",
        "close_code": 1000, "close_reason": "", "messages": [[1, False, "text", 10.25]],
    }  # fmt: skip
    only = take(tmp_path, dump(held)).only
    assert only.websocket is not None
    assert only.websocket.messages[0].data == b"text"
    assert only.websocket.close is not None
    assert only.websocket.close.by == "client"
    alone = take(tmp_path, dump({"type": "websocket", "version": 9}))
    assert alone.remarks == {"LEFT_OUT": 1}


def test_the_oldest_flows(tmp_path: Path) -> None:
    """Keys are bytes, versions lists, and a response has code, msg and content."""
    request = {
        b"method": b"POST", b"scheme": b"http", b"host": b"h", b"port": 81, b"path": b"/",
        b"httpversion": [1, 1], b"headers": [], b"content": b"a", b"timestamp_start": 1.0,
    }  # fmt: skip
    response = {
        b"code": 404, b"msg": b"Gone", b"httpversion": [1, 0], b"headers": [], b"content": b"b",
        b"timestamp_start": 1.0, b"timestamp_end": 1.0,
    }  # fmt: skip
    server = {b"peer_address": {b"address": [b"192.0.2.1", 81], b"use_ipv6": False}}
    held = {
        b"type": b"http", b"version": [0, 13], b"request": request, b"response": response,
        b"error": None, b"server_conn": server,
    }  # fmt: skip
    only = take(tmp_path, dump(held)).only
    assert (only.request.url, only.request.body) == ("http://h:81/", b"a")
    assert only.response is not None
    assert (only.response.status, only.response.reason) == (404, "Gone")
    assert only.response.version == "HTTP/1.0"
    assert only.peer == "192.0.2.1:81"


def test_bodies_that_were_not_kept(tmp_path: Path) -> None:
    """Streamed ones are not."""
    sent = {**REQUEST, "content": None, "headers": [[b"Content-Length", b"9"]]}
    found = take(tmp_path, dump(flow(request=sent, response={**RESPONSE, "content": None})))
    assert found.remarks["BODY_MISSING"] == 2


@pytest.mark.parametrize(
    ("path", "method", "url"),
    [(b"*", b"OPTIONS", "https://[::1]:443"), (b"http://o/p", b"GET", "http://o/p")],
)
def test_targets(path: bytes, method: bytes, url: str, tmp_path: Path) -> None:
    """In asterisk-form and, before 0.18, in absolute-form."""
    sent = {**REQUEST, "path": path, "method": method, "host": "::1"}
    request = take(tmp_path, dump(flow(request=sent))).only.request
    assert request.url == url.replace(":443", "")


def test_a_torn_file(tmp_path: Path) -> None:
    """What comes before counts; a file of nothing whole is refused."""
    whole = dump(flow())
    found = take(tmp_path, whole + whole[:-9])
    assert len(found.interactions) == 1
    assert found.remarks["TORN"] == 1
    with pytest.raises(CassetteError, match="damaged"):
        take(tmp_path, whole[:-9])
