"""Backpressure: one transport's reading, held for any of several reasons.

Every side that cannot take more holds the other side's gate for its own reason; reading goes on
when the last reason is gone. Holding costs nothing where it is held already.
"""

from __future__ import annotations

import asyncio
from enum import IntFlag


class Hold(IntFlag):
    """Why reading is held."""

    BACKLOG = 1  # pipelined requests wait for their turn
    PEER = 2  # the other side of the exchange does not take more
    DISK = 4  # the recorder is behind
    DIALLING = 8  # there is no connection to write to yet


class Gate:
    """Whether a transport reads."""

    __slots__ = ("_reasons", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._reasons = 0

    @property
    def held(self) -> bool:
        """Whether reading is held for any reason."""
        return self._reasons != 0

    def hold(self, reason: Hold) -> None:
        """Stop reading until ``reason`` is released."""
        if not self._reasons and not self.transport.is_closing():
            self.transport.pause_reading()
        self._reasons |= reason

    def release(self, reason: Hold) -> None:
        """Take ``reason`` away; read on when none is left."""
        if self._reasons & reason:
            self._reasons &= ~reason
            if not self._reasons and not self.transport.is_closing():
                self.transport.resume_reading()
