"""Backpressure: one transport's reading, held for any of several reasons.

Every side that cannot take more holds the other side's gate for its own reason; reading goes on
when the last reason is gone. Holding costs nothing where it is held already. The reasons are bits,
and plain integers: `enum.Flag` arithmetic was 8% of a forwarded exchange.
"""

from __future__ import annotations

import asyncio
from typing import Final


class Hold:
    """Why reading is held."""

    BACKLOG: Final = 1  # pipelined requests wait for their turn
    PEER: Final = 2  # the other side of the exchange does not take more
    DISK: Final = 4  # the recorder is behind
    DIALLING: Final = 8  # there is no connection to write to yet


class Gate:
    """Whether a transport reads; ``reasons`` holds the bits of `Hold` for which it does not."""

    __slots__ = ("reasons", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.reasons = 0

    def hold(self, reason: int) -> None:
        """Stop reading until ``reason`` is released."""
        if not self.reasons and not self.transport.is_closing():
            self.transport.pause_reading()
        self.reasons |= reason

    def release(self, reason: int) -> None:
        """Take ``reason`` away; read on when none is left."""
        if self.reasons & reason:
            self.reasons &= ~reason
            if not self.reasons and not self.transport.is_closing():
                self.transport.resume_reading()
