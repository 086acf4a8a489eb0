"""The seam between protocol and socket: a transport with the peer's end in the test's hands.

It behaves as asyncio's own where a protocol can tell: ``pause_writing`` comes out of ``write``
when more than the limit is unsent, ``close`` sends what is unsent first, ``abort`` drops it,
``connection_lost`` comes in a later turn and only once, and nothing is delivered while reading is
paused or after a close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from .mock_loop import MockLoop

HIGH_WATER = 65_536  # bytes, as asyncio's


class MockTransport(asyncio.Transport):
    """One connection, seen from both ends. ``peer`` is its address."""

    def __init__(
        self,
        loop: MockLoop,
        protocol: asyncio.BaseProtocol,
        peer: tuple[Any, ...] | None = ("192.0.2.1", 80),
        *,
        half_close: bool = True,
    ) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: Any = protocol
        self._peer = peer
        self._half_close = half_close
        self._high = HIGH_WATER
        self._unsent = bytearray()
        self._choked = False
        self._paused = False
        self._lost = False
        self._inbox: list[bytes | None] = []
        self.arrived = bytearray()
        self.reading = True
        self.closing = False
        self.aborted = False
        self.ended = False  # write_eof, or closed with everything sent

    # --- what the protocol sees ----------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Know the peer's address, and no socket."""
        return self._peer if name == "peername" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand over to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol in charge."""
        return self._protocol

    def is_closing(self) -> bool:
        """Tell whether close or abort was called, or the connection lost."""
        return self.closing

    def write(self, data: bytes) -> None:
        """Send, or keep what the peer does not take; after a close nothing is sent."""
        assert data, "an empty write does nothing but cost time"
        assert not self.ended or self.closing, "written after write_eof"
        if self.closing:
            return
        if self._choked:
            self._unsent += data
            self._pause_if_full()
        else:
            self.arrived += data

    def writelines(self, list_of_data: Iterable[bytes]) -> None:
        """Send the pieces."""
        self.write(b"".join(list_of_data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limit at which the protocol is paused."""
        assert high is not None
        self._high = high
        self._pause_if_full()

    def get_write_buffer_size(self) -> int:
        """Return how much the peer has not taken, in bytes."""
        return len(self._unsent)

    def _pause_if_full(self) -> None:
        if len(self._unsent) > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def pause_reading(self) -> None:
        """Deliver nothing for now."""
        self.reading = False

    def resume_reading(self) -> None:
        """Deliver what has come meanwhile, in later turns."""
        if not self.reading:
            self.reading = True
            self._loop.call_soon(self._deliver)

    def can_write_eof(self) -> bool:
        """Tell whether there is a half-close: TCP has it, TLS has not."""
        return self._half_close

    def write_eof(self) -> None:
        """End our half."""
        self.ended = True

    def close(self) -> None:
        """End the connection when everything is sent."""
        if not self.closing:
            self.closing = True
            if not self._unsent:
                self._lose(None)

    def abort(self) -> None:
        """End the connection at once; one that has ended is left as it is."""
        if self._lost:
            return
        self.aborted = True
        self.closing = True
        self._unsent.clear()
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        self.closing = self.ended = True
        if not self._lost:
            self._lost = True
            self._loop.call_soon(lambda: self._protocol.connection_lost(error))

    def _deliver(self) -> None:
        while self._inbox and self.reading and not self.closing:
            data = self._inbox.pop(0)
            if data is not None:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()

    # --- what the peer does --------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Have one segment arrive."""
        self._inbox.append(data)
        self._loop.call_soon(self._deliver)
        self._loop.run()

    def half_close(self) -> None:
        """End the peer's half."""
        self._inbox.append(None)
        self._loop.call_soon(self._deliver)
        self._loop.run()

    def hang_up(self, error: Exception | None = None) -> None:
        """Have the connection lost: in order, or with an error."""
        self._lose(error)
        self._loop.run()

    def choke(self) -> None:
        """Take nothing more."""
        self._choked = True

    def drain(self) -> None:
        """Take what is unsent, and everything from now on."""
        self._choked = False
        self.sip()

    def sip(self) -> None:
        """Take what is unsent, and nothing more where the peer is choked."""
        self.arrived += self._unsent
        self._unsent.clear()
        if self.closing:
            self._lose(None)
        elif self._paused:
            self._paused = False
            self._protocol.resume_writing()
        self._loop.run()

    def take(self) -> bytes:
        """Return what has arrived since the last time."""
        data = bytes(self.arrived)
        self.arrived.clear()
        return data

    @property
    def open(self) -> bool:
        """Whether the connection stands."""
        return not self.closing
