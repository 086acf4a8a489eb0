"""CONNECT: what comes through the tunnel is read as the traffic of the host that was named.

The first byte tells (RFC 8446 §5.1: a TLS handshake record starts with 0x16): TLS is ended here
with a certificate of ours for the name in the SNI, anything else is taken for plain HTTP. Hosts
that the user has asked to leave alone get a blind tunnel.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import partial
from typing import TYPE_CHECKING, cast

from magneto_serge.errors import CertificateError
from magneto_serge.proxy import answers
from magneto_serge.proxy.dial import DialError, Origin
from magneto_serge.proxy.tunnel import join
from magneto_serge.wire.events import RequestReceived
from magneto_serge.wire.targets import parse_authority

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.server import ProxyServer

log = logging.getLogger("magneto_serge.proxy")

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
TLS_HANDSHAKE = 0x16
_HTTPS = 443
_TLS_INTERNAL_ERROR = b"\x15\x03\x03\x00\x02\x02\x50"  # RFC 8446 §6: alert, fatal, internal_error

_H2_PREFACE = b"PRI * HTTP/2.0\r\n"  # RFC 9113 §3.4
_HTTP_1_1_REQUIRED = 0xD  # RFC 9113 §7


def is_h2_preface(data: bytes) -> bool:
    """Whether a client starts with HTTP/2 although ALPN did not offer it."""
    return data.startswith(_H2_PREFACE)


def h2_preface_refusal() -> bytes:
    """Return an empty SETTINGS frame and a GOAWAY with HTTP_1_1_REQUIRED (RFC 9113 §6.5, §6.8)."""
    debug = b"magneto: HTTP/2 is not spoken here, use HTTP/1.1"
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    payload = (0).to_bytes(4, "big") + _HTTP_1_1_REQUIRED.to_bytes(4, "big") + debug
    return settings + len(payload).to_bytes(3, "big") + b"\x07\x00\x00\x00\x00\x00" + payload


class ConnectedClient(asyncio.Protocol):
    """A client's connection between its CONNECT and the first byte of what follows."""

    busy = False
    _established = ESTABLISHED

    def __init__(self, server: ProxyServer, host: str, port: int, user: str | None) -> None:
        self.server = server
        self.user = user
        self.ticks = 0
        self._host = host
        self._port = port
        self._early = bytearray()
        self._securing = False
        self._context: ssl.SSLContext | None = None

    @classmethod
    def take_over(cls, client: ClientConnection, head: RequestReceived, user: str | None) -> None:
        """Answer a CONNECT of a client that chose the session of ``user``.

        Raises ClientProtocolError for a bad target.
        """
        server = client.server
        authority = parse_authority(head.target, None)
        connected = cls(server, authority.host, authority.port, user)
        transport = client.transport
        server.dismiss(client)
        transport.set_protocol(connected)
        connected.connection_made(transport)
        session = server.session_for(user)
        if session is not None and session.ignores(authority.host, authority.port):
            connected.leave_alone()
        else:
            transport.write(ESTABLISHED)
            if authority.port == _HTTPS:
                server.loop.call_soon(connected.foresee)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the books."""
        self.transport = cast(asyncio.Transport, transport)
        self.server.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the books."""
        self.server.dismiss(self)
        if self._securing and exc is not None:
            self._log_refusal(exc)

    def sweep(self, interval: float) -> None:
        """Close a tunnel in which nothing is said."""
        self.ticks += 1
        if self.ticks * interval > self.server.settings.keepalive_timeout:
            self.transport.close()

    def close_when_idle(self) -> None:
        """Nothing is under way here."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """See what the client wants to speak; keep what comes while TLS is being set up."""
        if self._securing:
            self._early += data
        elif data[0] == TLS_HANDSHAKE:
            self._secure(data)
        else:
            self._become(self.transport, "http", data)

    # --- TLS -----------------------------------------------------------------------------------

    def foresee(self) -> None:
        """Have the certificate ready when the client speaks TLS, as nearly all do at this port.

        A new one takes as long as the client takes to read our answer and to write its
        ClientHello, and is made meanwhile: half of what a new host costs is not waited for.
        """
        if not (self._securing or self.transport.is_closing()):
            try:
                self._context = self.server.tls_context(self._host)
            except CertificateError:
                pass  # said when it does

    def _secure(self, client_hello: bytes) -> None:
        try:
            context = self._context or self.server.tls_context(self._host)
        except CertificateError as error:
            log.error("Cannot intercept TLS to %s:%d: %s", self._host, self._port, error)
            self.transport.write(_TLS_INTERNAL_ERROR)
            self.transport.close()
            return
        self._securing = True
        self.transport.pause_reading()
        self.server.spawn(self._handshake(self.transport, context))
        asyncio.get_running_loop().call_soon(self._feed, self.transport, client_hello)

    async def _handshake(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self.server.settings.header_timeout,
            )
        except (OSError, ssl.SSLError) as error:
            if self._securing:
                self._log_refusal(error)
            transport.abort()
            self.server.dismiss(self)
            return
        self._securing = False
        if secured is None or secured.is_closing():
            self.server.dismiss(self)
        else:
            self._become(secured, "https", bytes(self._early))

    def _feed(self, transport: asyncio.Transport, data: bytes, *, installed: bool = False) -> None:
        """Give the TLS layer the bytes that told us to put it there.

        start_tls has no parameter for them, so they go in as the transport itself would put them
        in. It installs its protocol in one turn of the loop; in the next it starts it and resumes
        reading, and there these bytes must go in, or what is read meanwhile overtakes them.
        """
        layer = transport.get_protocol()
        if not installed:
            if not transport.is_closing():
                feed = partial(self._feed, transport, data, installed=layer is not self)
                asyncio.get_running_loop().call_soon(feed)
            return
        if not hasattr(layer, "get_buffer"):
            return  # no asyncio.BufferedProtocol, so TLS is gone already: the handshake says why
        layer = cast(asyncio.BufferedProtocol, layer)
        view = memoryview(data)
        while view:
            buffer = memoryview(layer.get_buffer(len(view)))
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            layer.buffer_updated(size)
            view = view[size:]

    def _log_refusal(self, error: Exception) -> None:
        self._securing = False  # said once, whether the handshake or the transport fails first
        log_tls_refusal(f"{self._host}:{self._port}", error)

    # --- what follows --------------------------------------------------------------------------

    def _become(self, transport: asyncio.Transport, scheme: str, first: bytes) -> None:
        self.transport = transport
        origin = Origin(scheme, self._host, self._port)
        self._continue_as(self.server.client_for(origin, self.user), first)

    def _continue_as(self, client: ClientConnection, first: bytes) -> None:
        self.server.dismiss(self)
        self.transport.set_protocol(client)
        client.connection_made(self.transport)
        if first:
            client.data_received(first)

    def leave_alone(self) -> None:
        """Tunnel to the host without looking."""
        self._securing = True  # nothing is read as HTTP until the tunnel stands
        self.transport.pause_reading()
        self.server.spawn(self._tunnel())

    async def _tunnel(self) -> None:
        origin = Origin("https", self._host, self._port)
        try:
            upstream, listener = await self.server.pool.dialer.open(origin, Listener, tunnel=True)
        except DialError as error:
            if self._established:
                refusal = answers.failure_answer(error.failure, close=True, head_only=False)
                self.transport.write(refusal)
            self.transport.close()
            return
        if self.transport.is_closing():
            upstream.abort()
            return
        self.server.dismiss(self)
        heard = cast(Listener, listener).heard
        join(
            self.server,
            self.transport,
            upstream,
            to_upstream=bytes(self._early),
            to_client=self._established + bytes(heard),
        )
        self.transport.resume_reading()


class Listener(asyncio.Protocol):
    """Keeps what an origin says before its end of the tunnel is joined: some speak first."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.spoke = asyncio.Event()  # or ended

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self.heard += data
        self.spoke.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It will say nothing any more."""
        self.spoke.set()


def log_tls_refusal(authority: str, error: Exception) -> None:
    """Say what a failed handshake with a client means."""
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    text = str(reason).lower().replace("_", " ")
    if "unknown ca" in text or "certificate unknown" in text or "bad certificate" in text:
        log.warning(
            "The client of %s does not trust our certificate (%s): "
            "see `magneto ca install-help`, or run it with `magneto record NAME -- COMMAND`",
            authority,
            reason,
        )
    else:
        log.warning("TLS with the client of %s failed: %s", authority, reason)
