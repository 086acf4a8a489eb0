"""A WebSocket conversation for a person: two sides, the client's on the left, time going down.

Each message is a line, cut to its side of the screen; ``--json`` has all of it. Secrets in JSON are
hidden unless they are to be revealed, control characters shown and not obeyed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from magneto_serge.messages import Conversation, FileBody, WebSocketClose, WebSocketMessage
from magneto_serge.replay.masking import mask_json
from magneto_serge.units import count, milliseconds, size

WIDTH = 100  # characters, where the screen does not say
_TIME = 10  # characters
_ARROWS = {"client": "──▶", "server": "◀──"}
_SHOWN = 200  # characters of a message that are looked at


def timeline(
    conversation: Conversation, *, reveal: bool, width: int = WIDTH
) -> Iterator[tuple[str, str]]:
    """Yield a role (client, server or note) and a line for each message, and for the end."""
    side = max(16, (width - _TIME - 8) // 2)
    messages = conversation.messages
    yield "note", f"\n{count(len(messages), 'message')}:"
    yield "note", f"{'ms':>{_TIME}}  {'client':<{side}}     server"
    for message in messages:
        said = said_text(message, reveal=reveal)
        yield message.sender, _line(message.sender, message.at_ms, said, side)
    close = conversation.close
    if close is None:
        yield "note", f"{'':{_TIME}}  still open when the recording ended"
    else:
        yield close.by, _line(close.by, close.at_ms, _end_text(close), side)


def _line(sender: str, at_ms: float, text: str, side: int) -> str:
    text = _fitted(text, side)
    left, right = (text, "") if sender == "client" else (" " * side, text)
    return f"{milliseconds(at_ms):>{_TIME}}  {left} {_ARROWS[sender]} {right}".rstrip()


def _fitted(text: str, side: int) -> str:
    """Return text cut, or filled, to so many columns of a screen: 世 takes two."""
    if text.isascii():
        return (text if len(text) <= side else text[: side - 1] + "…").ljust(side)
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) > side:
        text = set_cell_size(text, side - 1) + "…"
    return set_cell_size(text, side)


def _end_text(close: WebSocketClose) -> str:
    if close.code == 1006:
        return "(connection lost)"
    return f"(closes with {close.code}{': ' + _one_line(close.reason) if close.reason else ''})"


def said_text(message: WebSocketMessage, *, reveal: bool) -> str:
    """Return a message on one line."""
    data = message.data
    if isinstance(data, FileBody):
        return f"[{size(data.size)} in {data.path.name[:12]}…]"
    if message.kind in ("ping", "pong"):
        return f"[{message.kind}{' ' + _one_line(_text(data)) if data else ''}]"
    if message.kind == "binary":
        return f"[{size(len(data))}] {data[:16].hex(' ')}{'…' if len(data) > 16 else ''}"
    return _one_line(_text(data, reveal=reveal))


def _text(data: bytes, *, reveal: bool = True) -> str:
    text = data.decode(errors="replace")
    if reveal or text[:1] not in "{[":
        return text
    try:
        return mask_json(msgspec.json.format(data, indent=0).decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text


def _one_line(text: str) -> str:
    shown = text[:_SHOWN]
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in shown)


def as_value(conversation: Conversation, *, reveal: bool) -> dict[str, Any]:
    """Return a conversation as a value that JSON can hold; times in ms."""
    close = conversation.close
    return {
        "messages": [_message_value(each, reveal=reveal) for each in conversation.messages],
        "close": None
        if close is None
        else {"code": close.code, "reason": close.reason, "by": close.by, "ms": close.at_ms},
    }


def _message_value(message: WebSocketMessage, *, reveal: bool) -> dict[str, Any]:
    value: dict[str, Any] = {
        "from": message.sender,
        "kind": message.kind,
        "ms": message.at_ms,
        "fragments": message.fragments,
        "compressed": message.compressed,
    }
    data = message.data
    if isinstance(data, FileBody):
        return {**value, "size": data.size, "file": str(data.path), "sha256": data.sha256}
    value["size"] = len(data)
    try:
        data.decode()
    except UnicodeDecodeError:
        return {**value, "base64": data}
    return {**value, "text": _text(data, reveal=reveal)}
