"""One connection to an origin: at most one exchange at a time, then back to the pool.

Requests are never pipelined upstream, so every byte that comes belongs to the exchange in hand or
to nobody; bytes for nobody close the connection (RFC 9112 §9.2).

A response whose head comes alone is acknowledged at once. Servers that write head and content apart
(Python's ``http.server``, most development servers) hold the content back until then, by Nagle's
algorithm, and a kernel acknowledges what comes over a kept connection after 40 ms (RFC 1122
§4.2.3.2). A client that opens a connection for each request never waits so; neither does it when we
keep the connection for it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol, cast

from magneto_serge.proxy.dial import Origin, UpstreamProxy
from magneto_serge.proxy.gate import Gate
from magneto_serge.wire.events import Event, ResponseReceived
from magneto_serge.wire.http1 import ResponseParser

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


class Asking(Protocol):
    """Who has a request under way on a connection, and waits for its answer."""

    def upstream_said(self, events: list[Event], size: int) -> None:
        """Take what the origin sent; ``size`` in bytes."""

    def upstream_lost(self, last_events: list[Event], exc: Exception | None) -> None:
        """The connection is gone; ``last_events`` is what its end completes."""

    def upstream_writable(self, writable: bool) -> None:
        """Whether the connection takes more."""


class UpstreamConnection(asyncio.Protocol):
    """A connection to ``origin``, perhaps through ``proxy``.

    ``reused``: it has carried an exchange before, so the origin may have closed it meanwhile.
    ``ticks`` counts sweeps since it went idle.
    """

    __slots__ = (
        "_parser",
        "exchange",
        "gate",
        "origin",
        "peer",
        "proxy",
        "reused",
        "ticks",
        "transport",
        "when_lost",
        "writable",
    )

    def __init__(self, origin: Origin, proxy: UpstreamProxy | None, max_header_size: int) -> None:
        self.origin = origin
        self.proxy = proxy
        self.exchange: Asking | None = None
        self.reused = False
        self.ticks = 0
        self.writable = True
        self.peer = ""
        self.when_lost: Callable[[UpstreamConnection], None] | None = None
        self._parser = ResponseParser(max_header_size)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the peer's address."""
        # uvloop's transports are asyncio.Transport by shape, not by class.
        self.transport = cast(asyncio.Transport, transport)
        self.gate = Gate(self.transport)
        peer = transport.get_extra_info("peername")
        if peer:
            host, port = peer[:2]
            self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def usable(self) -> bool:
        """Whether a request can be sent on it now."""
        return self.exchange is None and not self._parser.broken and not self.transport.is_closing()

    def begin(self, exchange: Asking, method: str) -> None:
        """Give the connection to an exchange until :meth:`finish`."""
        self.exchange = exchange
        self._parser.expect(method)

    def finish(self) -> None:
        """Take the connection back from its exchange."""
        self.exchange = None
        self.reused = True
        self.ticks = 0

    def data_received(self, data: bytes) -> None:
        """Hand the events on."""
        exchange = self.exchange
        if exchange is None:
            self.transport.abort()
            return
        events = self._parser.feed(data)
        if len(events) == 1 and type(head := events[0]) is ResponseReceived and not head.ended:
            self._acknowledge()
        exchange.upstream_said(events, len(data))

    def _acknowledge(self) -> None:
        """Have the kernel acknowledge now what has come; other systems do when they do."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None and _QUICKACK is not None:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:  # closed meanwhile, or no TCP
                pass

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the pool, and the exchange in hand, whose response may end by this."""
        if self.when_lost is not None:
            self.when_lost(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.upstream_lost(self._parser.feed_eof() if exc is None else [], exc)

    def pause_writing(self) -> None:
        """Make the client wait."""
        self.writable = False
        if self.exchange is not None:
            self.exchange.upstream_writable(False)

    def resume_writing(self) -> None:
        """Let the client go on."""
        self.writable = True
        if self.exchange is not None:
            self.exchange.upstream_writable(True)
