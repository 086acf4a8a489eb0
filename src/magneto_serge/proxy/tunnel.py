"""Bytes both ways, unread: after 101 Switching Protocols, and CONNECT to a host we leave alone.

Each side is the protocol of its own transport and holds the other's reading when it cannot take
more. A half-close is passed on; the end of one side is the end of both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from magneto_serge.proxy.gate import Gate, Hold

if TYPE_CHECKING:
    from magneto_serge.proxy.server import ProxyServer

IDLE_SECONDS = 3600.0  # neither side said anything: HAProxy's usual `timeout tunnel`


class TunnelSide(asyncio.Protocol):
    """One end of a tunnel; :func:`join` makes both. The client's end is in the server's books."""

    idle_seconds = IDLE_SECONDS
    busy = False  # a tunnel has no end to wait for
    user: str | None = None  # and belongs to no session: nothing of it is recorded

    def __init__(self, server: ProxyServer, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.gate = Gate(transport)
        self.other: TunnelSide | None = None
        self.ended = False  # nothing more comes from this end
        self.ticks = 0
        self._server = server

    def sweep(self, interval: float) -> None:
        """Close a tunnel in which neither side says anything."""
        self.ticks += 1
        other = self.other
        idle = self.ticks if other is None else min(self.ticks, other.ticks)
        if other is not None:
            other.ticks += 1
        if idle * interval > self.idle_seconds:
            self.time_out()

    def time_out(self) -> None:
        """Close: nothing was said for too long."""
        self.transport.close()

    def close_when_idle(self) -> None:
        """Close."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        self.ticks = 0
        if self.other is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the half-close on where the other side can have one; the second one is the end."""
        self.ended = True
        other = self.other
        if other is None or not other.transport.can_write_eof():
            return False
        if not other.transport.is_closing():
            other.transport.write_eof()
        # TLS has no half-close: returning True there has no effect and is warned about.
        return not other.ended and self.transport.can_write_eof()

    def pause_writing(self) -> None:
        """Make the other side wait."""
        if self.other is not None:
            self.other.gate.hold(Hold.PEER)

    def resume_writing(self) -> None:
        """Let the other side go on."""
        if self.other is not None:
            self.other.gate.release(Hold.PEER)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side too."""
        self._server.dismiss(self)
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.transport.close()


def join(
    server: ProxyServer,
    client: asyncio.Transport,
    upstream: asyncio.Transport,
    *,
    to_upstream: bytes,
    to_client: bytes,
) -> None:
    """Tunnel between two transports, after delivering what has already been read."""
    one, two = TunnelSide(server, client), TunnelSide(server, upstream)
    one.other, two.other = two, one
    client.set_protocol(one)
    upstream.set_protocol(two)
    server.admit(one)
    if to_upstream:
        upstream.write(to_upstream)
    if to_client:
        client.write(to_client)
    if upstream.is_closing():  # it may have told its former protocol so, and tells nobody again
        client.close()
