"""Answers that come out wrong because a fault says so: slowly, or not to their end.

`DistortedTransport` stands between a client's connection and its transport for the rest of the
connection, whoever writes: a recording or an exchange. The connection ends with the answer. What
the origin says is not touched by any of it: where an answer is being recorded and its client is
cut off, or gives up, an `Absentee` takes the client's place until the origin has said everything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from magneto_serge.messages import Failure, FailureKind
from magneto_serge.proxy.exchange import Exchange
from magneto_serge.replay.faults import Fault
from magneto_serge.wire.events import RequestReceived

if TYPE_CHECKING:
    from magneto_serge.proxy.answering import Answering
    from magneto_serge.proxy.client import ClientConnection

_SHORTEST = 0.02  # seconds between two writes of a drip
_FULL = 65_536  # bytes that the transport may hold unsent before a drip waits


class DistortedTransport(asyncio.Transport):
    """Writes an answer to ``inner`` as ``fault`` says; ``client`` is told when it is broken off."""

    def __init__(self, client: Answering, inner: asyncio.Transport, fault: Fault) -> None:
        super().__init__()
        self.inner = inner
        self._client = client
        self._loop = client.server.loop
        self._left = fault.cut  # bytes of the body until the cut; None: there is none
        self._reset = fault.reset
        self._in_body = False
        self._last = b""  # the last byte of the body: it never goes out, so no cut looks whole
        self._over = False
        self._closing = False
        self._held = bytearray()
        self._interval = max(_SHORTEST, 1 / fault.rate) if fault.rate else 0.0
        self._portion = max(1, round(fault.rate * self._interval))
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: Any) -> None:
        """Let pass what the fault lets pass."""
        if self._over or self._closing:
            return
        data = bytes(data)
        if self._left is not None:
            data = self._until_cut(data)
        if self._interval:
            self._hold(data)
        elif data:
            self.inner.write(data)
        if not self._held:
            self._finish()

    def close(self) -> None:
        """End the connection when everything has gone out; with a cut, wrongly."""
        if self._last:
            self._over = True
        self._closing = True
        if not self._held:
            self._finish()

    def _finish(self) -> None:
        """End what is to be ended, now that everything has gone out."""
        if self._over:
            self._client.break_off(reset=self._reset)
        elif self._closing:
            self.inner.close()

    # --- cut ---------------------------------------------------------------------------------

    def _until_cut(self, data: bytes) -> bytes:
        """Return what goes out before the cut."""
        begins = 0 if self._in_body else _body_begins(data)
        if begins is None or self._left is None:
            return data
        self._in_body = True
        body = self._last + data[begins:]
        if len(body) > self._left:
            self._over, self._last = True, b""
            return data[:begins] + body[: self._left]
        self._last = body[-1:]
        self._left -= max(0, len(body) - 1)
        return data[:begins] + body[:-1]

    # --- drip --------------------------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        self._held += data
        if self._held and self._client.writable:
            self._client.pause_writing()
        if self._held and self._timer is None:
            self._drip(self._loop.time())

    def _drip(self, due: float) -> None:
        """Write a portion, and set the timer for the next; ``due`` is when this one was."""
        self._timer = None
        if self.inner.is_closing():
            self._held.clear()
            return
        self._client.alive()
        if self.inner.get_write_buffer_size() < _FULL:
            self.inner.write(bytes(self._held[: self._portion]))
            del self._held[: self._portion]
        if self._held:
            due += self._interval
            self._timer = self._loop.call_at(due, self._drip, due)
        elif self._over or self._closing:
            self._finish()
        else:
            self._client.resume_writing()

    # --- the rest is the transport's -----------------------------------------------------------

    def abort(self) -> None:
        """End the connection at once."""
        if self._timer is not None:
            self._timer.cancel()
        self.inner.abort()

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self._closing or self.inner.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that have not gone out."""
        return len(self._held) + self.inner.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when writing pauses."""
        self.inner.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        """Whether there is a half-close."""
        return self.inner.can_write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows."""
        return self.inner.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the client's connection."""
        return self.inner.get_protocol()


def _body_begins(data: bytes) -> int | None:
    """Return where the body begins behind the final head; heads are always written whole."""
    at = 0
    while (end := data.find(b"\r\n\r\n", at)) >= 0:
        status = data[at + 9 : at + 10]
        at = end + 4
        if status != b"1":  # an interim response has another head behind it
            return at
    return None


class Absentee:
    """In the place of a client that is gone, for an exchange that is to be recorded to its end.

    It stands in the server's books, so that timeouts hold and a stop waits for it.
    """

    busy = True

    def __init__(self, client: ClientConnection, exchange: Exchange) -> None:
        self.server = client.server
        self.user = client.user
        self.addressing = client.addressing
        self.gate = client.gate
        self.transport: Any = self  # what the books ask of a transport is below
        self._exchange = exchange
        self.server.take_in(self)
        exchange.client = self
        exchange.client_writable(True)

    # --- what an exchange asks of its client ---------------------------------------------------

    def write(self, pieces: list[bytes]) -> None:
        """Drop what comes."""

    def connection_field(self, head: RequestReceived) -> bytes:
        """Return a value for a head that nobody reads."""
        return b"close"

    def close_after_this(self) -> None:
        """Do nothing: there is no connection."""

    def exchange_over(self, *, request_ended: bool) -> None:
        """Leave."""
        self.server.dismiss(self)

    def exchange_failed(self, failure: Failure, *, request_ended: bool) -> None:
        """Leave."""
        self.server.dismiss(self)

    def cut(self, kind: FailureKind) -> None:
        """Leave."""
        self.server.dismiss(self)

    # --- what the books ask of a connection ------------------------------------------------------

    def sweep(self, interval: float) -> None:
        """End an exchange that has stalled."""
        exchange = self._exchange
        exchange.ticks += 1
        if exchange.ticks * interval > self.server.settings.idle_timeout:
            exchange.timed_out(self.server.settings.idle_timeout)

    def close_when_idle(self) -> None:
        """Do nothing: it closes by itself."""

    def abort(self) -> None:
        """Give the exchange up, and what was recorded of it."""
        self.server.dismiss(self)
        self._exchange.forget()

    def get_write_buffer_size(self) -> int:
        """Return 0: nothing is written."""
        return 0
