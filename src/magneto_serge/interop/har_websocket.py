"""WebSocket conversations in HAR: ``_webSocketMessages``, which Chrome brought and others took up.

``{type: send | receive | error, time: seconds since the epoch, opcode, data}``; the data of binary
messages, pings and pongs is base64. A Close frame is a message with opcode 8, in what mitmproxy and
we write; Chrome has none, and how the conversation ended is then unknown.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from magneto_serge.messages import Conversation, WebSocketClose, WebSocketMessage

from .remarks import Remark, Remarks
from .values import integer, mapping, number, sequence, text, utf8

KINDS = {1: "text", 2: "binary", 9: "ping", 10: "pong"}  # RFC 6455 §11.8
CLOSE = 8


def conversation_of(value: Any, opened: float, remarks: Remarks) -> Conversation | None:
    """Return the conversation; None where nothing of one was recorded.

    ``opened`` is when the 101 came, in seconds since the epoch. Raises UnusableError.
    """
    if value is None:
        return None
    messages = []
    close = None
    for item in sequence(value, "_webSocketMessages"):
        message = mapping(item, "a message")
        if text(message.get("type")) not in ("send", "receive"):
            continue  # Chrome notes errors among them
        at_ms = max(0.0, (number(message.get("time"), opened) - opened) * 1000)
        sender = "client" if message.get("type") == "send" else "server"
        opcode = integer(message.get("opcode"), 1)
        data = _data(message, opcode)
        if opcode == CLOSE:
            close = _close(data, sender, at_ms)
        elif opcode in KINDS:
            messages.append(WebSocketMessage(sender, KINDS[opcode], data, round(at_ms, 3)))
        else:
            remarks.add(Remark.LEFT_OUT, f"WebSocket opcode {opcode}")
    return Conversation(tuple(messages), close)


def _data(message: dict[str, Any], opcode: int) -> bytes:
    held = text(message.get("data"))
    if opcode == 1:
        return utf8(held)
    try:
        return b64decode("".join(held.split()), validate=True)
    except ValueError:
        return utf8(held)


def _close(data: bytes, sender: str, at_ms: float) -> WebSocketClose:
    """RFC 6455 §5.5.1: two bytes of code, then the reason; neither is needed."""
    if len(data) < 2:
        return WebSocketClose(1005, "", sender, round(at_ms, 3))
    reason = data[2:].decode("utf-8", "replace")
    return WebSocketClose(int.from_bytes(data[:2], "big"), reason, sender, round(at_ms, 3))
