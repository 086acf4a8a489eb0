"""A WebSocket conversation in a JSON cassette: a line for each message, where it is short.

::

    {"from": "client", "ms": 3.1, "json": {"subscribe": "ticks"}}
    {"from": "server", "ms": 5, "text": "ok"}
    {"from": "server", "ms": 105.2, "base64": "AAEC"}
    {"from": "server", "kind": "ping", "ms": 200, "text": ""}

The forms are those of bodies. What a form implies is not said: text and JSON are of text messages,
base64 and files of binary ones; and a message was compressed where compression was negotiated.
Messages are written one by one: a conversation may be longer than memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from magneto_serge.messages import (
    NO_HEADERS,
    Body,
    Conversation,
    FileBody,
    Interaction,
    WebSocketClose,
    WebSocketMessage,
)

from .body_forms import BodyForm, Member, base64_form, form_text, readable_form

_json = msgspec.json.Encoder().encode

_INDENT = b"        "
_DATA = ("text", "binary")


class StoredMessage(BodyForm, frozen=True, kw_only=True):
    """A body's form, and who said it when."""

    sender: Literal["client", "server"] = field(name="from")
    kind: Literal["text", "binary", "ping", "pong"] | UnsetType = UNSET
    ms: float = 0.0
    fragments: tuple[int, ...] = ()
    compressed: bool | UnsetType = UNSET


class StoredClose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it ended."""

    code: int
    by: Literal["client", "server"]
    reason: str = ""
    ms: float = 0.0


def is_compressed(interaction: Interaction) -> bool:
    """Tell whether a WebSocket's handshake has settled on compression (RFC 7692 §5)."""
    response = interaction.response
    return response is not None and any(
        "permessage-deflate" in value
        for value in response.headers.get_all("sec-websocket-extensions")
    )


class MessageWriter:
    """Renders the messages of one conversation. ``large`` gives the form of a side file.

    ``timed``: with the moments. ``compressed``: compression was negotiated.
    """

    def __init__(
        self, large: Callable[[Body], list[Member] | None], *, timed: bool, compressed: bool
    ) -> None:
        self._large = large
        self._timed = timed
        self._compressed = compressed

    def texts(self, conversation: Conversation) -> Iterator[bytes]:
        """Yield the array of messages, in pieces."""
        separator = b"[\n" + _INDENT
        for message in conversation.messages:
            yield separator
            yield self._text(message)
            separator = b",\n" + _INDENT
        yield b"[]" if separator[:1] == b"[" else b"\n      ]"

    def _text(self, message: WebSocketMessage) -> bytes:
        form = self._form(message)
        implied = "binary" if form[0][0] in (b"base64", b"file") else "text"
        members = [(b"from", _json(message.sender))]
        if message.kind != implied:
            members.append((b"kind", _json(message.kind)))
        if self._timed:
            members.append((b"ms", _milliseconds(message.at_ms)))
        members += form
        if message.fragments:
            members.append((b"fragments", msgspec.json.format(_json(message.fragments), indent=0)))
        if message.compressed != (self._compressed and message.kind in _DATA):
            members.append((b"compressed", _json(message.compressed)))
        return form_text(members, _INDENT)

    def _form(self, message: WebSocketMessage) -> list[Member]:
        large = self._large(message.data)
        if large is not None or isinstance(message.data, FileBody):
            return large or []
        return readable_form(message.data, NO_HEADERS) or base64_form(message.data)


def close_text(close: WebSocketClose, *, timed: bool) -> bytes:
    """Return the JSON of how a conversation ended."""
    shown: dict[str, object] = {"code": close.code, "by": close.by}
    if close.reason:
        shown["reason"] = close.reason
    text = msgspec.json.format(_json(shown), indent=0)
    return text[:-1] + b', "ms": ' + _milliseconds(close.at_ms) + b"}" if timed else text


def _milliseconds(value: float) -> bytes:
    rounded = round(float(value), 3)
    return b"%d" % rounded if rounded.is_integer() else repr(rounded).encode()


def conversation_of(
    messages: list[StoredMessage],
    close: StoredClose | UnsetType,
    body: Callable[[StoredMessage, str], Body],
    *,
    compressed: bool,
) -> Conversation:
    """Return what was stored; ``body`` reads a form, and is told where it stands."""
    said = []
    for index, stored in enumerate(messages):
        kind = stored.kind
        if kind is UNSET:
            binary = stored.base64 is not UNSET or stored.file is not UNSET
            kind = "binary" if binary else "text"
        packed = stored.compressed
        if packed is UNSET:
            packed = compressed and kind in _DATA
        data = body(stored, f"messages[{index}]")
        said.append(
            WebSocketMessage(stored.sender, kind, data, stored.ms, stored.fragments, packed)
        )
    end = None if close is UNSET else WebSocketClose(close.code, close.reason, close.by, close.ms)
    return Conversation(tuple(said), end)
