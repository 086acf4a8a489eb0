"""Connections of this very process that were meant for somewhere else and led here.

Clients in the process under test need not know of the proxy: ``testing.capture`` connects their
sockets to us and says beforehand which source port stands for which destination. Such a connection
begins where a CONNECT would have been answered, with one difference: nobody has promised that HTTP
will be spoken. The first bytes tell: TLS or an HTTP request line is ours, anything else goes to its
destination unread. A client that was told of a proxy, ours or another's, speaks to
that: we take its place. One that waits for its server to speak first (MySQL, SMTP) is joined to it
when the server does.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple, cast

from magneto_serge.config import is_loopback
from magneto_serge.proxy.connect import ESTABLISHED, TLS_HANDSHAKE, ConnectedClient, Listener
from magneto_serge.proxy.dial import DialError, Origin
from magneto_serge.proxy.tunnel import join
from magneto_serge.wire.events import RequestReceived
from magneto_serge.wire.targets import parse_authority

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.server import ProxyServer

# RFC 9112 §3, §3.2: a request line, whole or as far as it has come.
_REQUEST_LINE = re.compile(rb"[A-Z]{1,24} (?:[^\r\n]+|[^\r\n]+ HTTP/1\.[01]\r?\n.*)", re.S)
_METHOD = re.compile(rb"[A-Z]{1,24} ?")  # and no target yet
_TO_A_PROXY = re.compile(rb"CONNECT |[A-Z]{1,24} [Hh][Tt][Tt][Pp][Ss]?://")
SILENCE = 0.1  # seconds after which the client may be one that waits for its server


class Caught(NamedTuple):
    """Where a connection was going, and the session (``user``) that it belongs to."""

    host: str
    port: int
    user: str | None


# What a child of this process, which cannot tell us of its source ports, adds to its CONNECT.
CAUGHT_FIELD = b"magneto-caught"


class CaughtClient(ConnectedClient):
    """A caught connection before its first byte."""

    _established = b""  # nobody has asked for anything

    @classmethod
    def take_over(cls, client: ClientConnection, head: RequestReceived, user: str | None) -> None:
        """Answer the CONNECT of a forked child; raises ClientProtocolError for a bad target."""
        authority = parse_authority(head.target, None)
        caught = cls(client.server, authority.host, authority.port, user)
        client.server.dismiss(client)
        client.transport.set_protocol(caught)
        client.transport.write(ESTABLISHED)
        caught.connection_made(client.transport)

    def __init__(self, server: ProxyServer, host: str, port: int, user: str | None) -> None:
        super().__init__(server, host, port, user)
        self._waiting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the books, and see to it that nobody waits for ever."""
        super().connection_made(transport)
        session = self.server.session_for(self.user)
        if session is not None and session.ignores(self._host, self._port):
            self.leave_alone()
        elif self._host == self.server.host and self._port == self.server.port:
            pass
        elif session is None or session.may_forward or is_loopback(self._host):
            self._waiting = self.server.spawn(self._await_the_server())

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the books."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See whether this is for us."""
        self._stop_waiting()
        if self._securing:
            super().data_received(data)
            return
        said = bytes(self._early) + data
        self._early.clear()
        if _METHOD.fullmatch(said):
            self._early += said
        elif said[0] == TLS_HANDSHAKE:
            super().data_received(said)
        elif not _REQUEST_LINE.fullmatch(said):
            self._early += said
            self.leave_alone()
        elif _TO_A_PROXY.match(said):
            self._continue_as(self.server.client_for(None, self.user), said)
        else:
            super().data_received(said)

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    async def _await_the_server(self) -> None:
        """Join the two if the destination speaks before the client does."""
        await asyncio.sleep(SILENCE)
        origin = Origin("http", self._host, self._port)
        try:
            upstream, listener = await self.server.pool.dialer.open(origin, Listener, tunnel=True)
        except DialError:
            return  # it will be said when the client speaks
        listener = cast(Listener, listener)
        try:
            await listener.spoke.wait()
        except asyncio.CancelledError:
            upstream.abort()
            raise
        self._waiting = None
        self.server.dismiss(self)
        heard = bytes(listener.heard)
        join(self.server, self.transport, upstream, to_upstream=b"", to_client=heard)
