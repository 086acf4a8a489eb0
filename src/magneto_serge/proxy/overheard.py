"""A conversation put together where it is heard, for whoever compares it instead of writing it.

It is in memory until it is over, and therefore bounded: what is said beyond a limit is not
kept, and the conversation is handed over as one of which only the beginning is known. Of a message
that is too large for memory, what remains is its size and its digest.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from magneto_serge.messages import (
    Body,
    Conversation,
    FileBody,
    Frame,
    Interaction,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.wire.websocket import CloseCode
from magneto_serge.wire.websocket_handshake import extensions_of
from magneto_serge.wire.websocket_messages import Assembler

_MESSAGE = 200  # bytes assumed for a message without its payload


class Limits(NamedTuple):
    """In bytes: a larger message is kept as its digest, and of a ``conversation`` so much."""

    message: int
    conversation: int


Record = Callable[[Interaction, bool], None]


class Overheard:
    """A ``ConversationSink`` that hands the interaction to ``record`` when it is over.

    ``record`` is told whether that is the whole of what was said. Where nobody will tell it that
    the connections have ended, :meth:`conclude` is called instead, in any thread.
    """

    def __init__(self, interaction: Interaction, record: Record, limits: Limits) -> None:
        self._interaction = interaction
        self._record = record
        self._messages: list[WebSocketMessage] = []
        self._message_limit = limits.message
        self._left = limits.conversation
        self._last_ms = 0.0
        self._over = False
        self._lock = threading.Lock()
        response = interaction.response
        compression = extensions_of(response.headers.raw if response else ()).compression
        self._sides = {
            sender: Assembler(sender, compression, self._collector, limit=2**63)
            for sender in ("client", "server")
        }

    def _collector(self) -> _Digested:
        return _Digested(self._message_limit)

    def heard(self, sender: str, at_ms: float, frames: list[Frame], size: int) -> None:
        """Take frames."""
        with self._lock:
            if not self._over:
                for message in self._sides[sender].take(frames, at_ms):
                    self._keep(message)

    def said(self, message: WebSocketMessage) -> None:
        """Take a message."""
        data = message.data
        if isinstance(data, bytes) and len(data) > self._message_limit:
            collector = self._collector()
            collector.add(data)
            message = msgspec.structs.replace(message, data=collector.close())
        with self._lock:
            if not self._over:
                self._keep(message)

    def _keep(self, message: WebSocketMessage) -> None:
        self._last_ms = message.at_ms
        data = message.data
        if self._left > 0:
            self._messages.append(message)
        self._left -= _MESSAGE + (len(data) if isinstance(data, bytes) else 0)

    def ended(self, by: str, at_ms: float, *, abnormal: bool) -> None:
        """Hand it over."""
        lost = WebSocketClose(CloseCode.ABNORMAL.value, "", by, at_ms) if abnormal else None
        self._hand_over(lost, at_ms)

    def conclude(self) -> None:
        """Hand over what was said so far, of a conversation that has not ended."""
        self._hand_over(None, self._last_ms)

    def _hand_over(self, lost: WebSocketClose | None, at_ms: float) -> None:
        with self._lock:
            if self._over:
                return
            self._over = True
            for side in self._sides.values():
                side.discard()
        closes = [side.close for side in self._sides.values() if side.close is not None]
        close = min(closes, key=lambda close: close.at_ms, default=lost)
        conversation = Conversation(tuple(self._messages), close)
        whole = self._left > 0 or not self._messages
        handshake = self._interaction
        total_ms = (handshake.first_byte_ms or 0.0) + at_ms
        self._record(
            msgspec.structs.replace(handshake, total_ms=total_ms, websocket=conversation), whole
        )


class _Digested:
    """A message: itself, or if it is larger than ``limit`` its size and its digest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._digest = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Take a piece."""
        self._size += len(data)
        self._pieces.append(data)
        if self._size > self._limit:
            for piece in self._pieces:
                self._digest.update(piece)
            self._pieces.clear()

    def close(self) -> Body:
        """Return the whole."""
        if self._size <= self._limit:
            return b"".join(self._pieces)
        return FileBody(Path("not-kept"), self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Forget it."""
        self._pieces.clear()
