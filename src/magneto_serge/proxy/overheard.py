"""A conversation put together where it is heard, for whoever compares it instead of writing it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from magneto_serge.messages import (
    Conversation,
    Frame,
    Interaction,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.proxy.tee import Spool
from magneto_serge.wire.websocket import CloseCode
from magneto_serge.wire.websocket_handshake import extensions_of
from magneto_serge.wire.websocket_messages import Assembler


class Overheard:
    """A ``ConversationSink`` that hands the whole interaction to ``record`` when it is over.

    It holds the conversation in memory until then; a message above ``limit`` bytes is in a file.
    """

    def __init__(
        self, interaction: Interaction, record: Callable[[Interaction], None], limit: int
    ) -> None:
        self._interaction = interaction
        self._record = record
        self._messages: list[WebSocketMessage] = []
        response = interaction.response
        compression = extensions_of(response.headers.raw if response else ()).compression
        self._sides = {
            sender: Assembler(sender, compression, lambda: Spool(limit), limit=2**63)
            for sender in ("client", "server")
        }

    def heard(self, sender: str, at_ms: float, frames: list[Frame], size: int) -> None:
        """Take frames."""
        self._messages += self._sides[sender].take(frames, at_ms)

    def said(self, message: WebSocketMessage) -> None:
        """Take a message."""
        self._messages.append(message)

    def ended(self, by: str, at_ms: float, *, abnormal: bool) -> None:
        """Hand it over."""
        closes = [side.close for side in self._sides.values() if side.close is not None]
        lost = WebSocketClose(CloseCode.ABNORMAL.value, "", by, at_ms) if abnormal else None
        close = min(closes, key=lambda close: close.at_ms, default=lost)
        for side in self._sides.values():
            side.discard()
        conversation = Conversation(tuple(self._messages), close)
        self._record(
            msgspec.structs.replace(self._interaction, total_ms=at_ms, websocket=conversation)
        )
