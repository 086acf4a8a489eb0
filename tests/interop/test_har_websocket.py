"""Conversations in HAR."""

from __future__ import annotations

from magneto_serge.interop.har_websocket import conversation_of
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.messages import Conversation, WebSocketClose, WebSocketMessage


def test_messages() -> None:
    """Text as text, the rest from base64, times since the 101."""
    held = [
        {"type": "send", "time": 10.1, "opcode": 1, "data": "é"},
        {"type": "receive", "time": 10.25, "opcode": 2, "data": "/w=="},
        {"type": "receive", "time": 9.0, "opcode": 9, "data": ""},
        {"type": "error", "time": 10.3, "opcode": 1, "data": "x"},
        {"type": "receive", "time": 11, "opcode": 8, "data": "A+hieWU="},
    ]
    assert conversation_of(held, 10.0, Remarks()) == Conversation(
        (
            WebSocketMessage("client", "text", "é".encode(), 100.0),
            WebSocketMessage("server", "binary", b"\xff", 250.0),
            WebSocketMessage("server", "ping", b"", 0.0),
        ),
        WebSocketClose(1000, "bye", "server", 1000.0),
    )


def test_an_end_without_a_code() -> None:
    """RFC 6455 §7.1.5: it is 1005 then."""
    held = [{"type": "send", "time": 0, "opcode": 8, "data": ""}]
    found = conversation_of(held, 0.0, Remarks())
    assert found is not None
    assert found.close == WebSocketClose(1005, "", "client", 0.0)


def test_no_messages() -> None:
    """Nothing recorded is no conversation; an empty one is."""
    assert conversation_of(None, 0.0, Remarks()) is None
    assert conversation_of([], 0.0, Remarks()) == Conversation()


def test_unknown_opcodes() -> None:
    """They are left out, with a remark."""
    remarks = Remarks()
    held = [{"type": "send", "time": 0, "opcode": 5, "data": "x"}]
    assert conversation_of(held, 0.0, remarks) == Conversation()
    assert remarks.counts[Remark.LEFT_OUT] == 1
