"""Opening a connection to an origin: directly, or through an upstream proxy; plain or TLS.

Every way in which it can fail becomes one :class:`DialError` with the kind that a client is told
and a cassette keeps. The only awaits of a forwarded exchange are here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from magneto_serge.config import Settings
from magneto_serge.errors import CertificateError, ConfigError
from magneto_serge.messages import DEFAULT_PORTS, Failure, FailureKind
from magneto_serge.wire.events import BytesAfterUpgrade, PeerBrokeProtocol, ResponseReceived
from magneto_serge.wire.http1 import ResponseParser


class Origin(NamedTuple):
    """Who is dialled; ``host`` without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host:port``, IPv6 in brackets, always with the port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def host_field(self) -> bytes:
        """The value of ``Host``: without the port where it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = DEFAULT_PORTS.get(self.scheme) == self.port
        return (host if default else f"{host}:{self.port}").encode("ascii")


class DialError(Exception):
    """The origin could not be reached; carries the failure to tell and record."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.failure = Failure(kind, detail)


class UpstreamProxy(NamedTuple):
    """An ``http://`` proxy that origins are reached through."""

    host: str
    port: int
    authorization: bytes  # a ready Proxy-Authorization field line, or empty


class Dialer:
    """Opens connections as the settings say; ``tls`` gives the client context when first needed."""

    def __init__(self, settings: Settings, tls: Callable[[], ssl.SSLContext]) -> None:
        self._timeout = settings.connect_timeout
        self._tls = tls
        self._bypass = tuple(host.lower() for host in settings.no_proxy)
        self._proxy = _read_proxy(settings.upstream_proxy) if settings.upstream_proxy else None

    def proxy_for(self, origin: Origin) -> UpstreamProxy | None:
        """Return the upstream proxy that this origin is reached through, or None."""
        proxy = self._proxy
        if proxy is None or any(_bypasses(rule, origin) for rule in self._bypass):
            return None
        return proxy

    async def open(
        self, origin: Origin, protocol: Callable[[], asyncio.Protocol], *, tunnel: bool = False
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Return a transport to ``origin``, TLS done where its scheme asks for it.

        ``tunnel``: raw bytes are wanted, so no TLS is made, and an upstream proxy is asked to
        CONNECT even for http. Raises DialError.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._open(origin, protocol, tunnel)
        except TimeoutError:
            raise DialError(
                FailureKind.TIMEOUT,
                f"Connecting to {origin.authority} took longer than {self._timeout:g} s",
            ) from None
        except socket.gaierror as error:
            raise DialError(
                FailureKind.DNS, f"{origin.host} does not resolve: {error.strerror or error}"
            ) from None
        except ssl.SSLError as error:
            raise DialError(FailureKind.TLS, _tls_detail(origin, error)) from None
        except CertificateError as error:  # our own trust cannot be had; it says which setting
            raise DialError(FailureKind.TLS, str(error)) from None
        except OSError as error:
            detail = f"Connecting to {origin.authority} failed: {_reason(error)}"
            raise DialError(_os_error_kind(error), detail) from None
        except ValueError:  # a label that is empty or over 63 bytes (RFC 1035 §2.3.4)
            raise DialError(
                FailureKind.DNS, f"{origin.host} does not resolve: it is not a domain name"
            ) from None

    async def _open(
        self, origin: Origin, protocol: Callable[[], asyncio.Protocol], tunnel: bool
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        loop = asyncio.get_running_loop()
        proxy = self.proxy_for(origin)
        tls = self._tls() if origin.scheme == "https" and not tunnel else None
        if proxy is None:
            if tls is None:
                return await loop.create_connection(protocol, origin.host, origin.port)
            return await loop.create_connection(
                protocol, origin.host, origin.port, ssl=tls, server_hostname=origin.host
            )
        if tls is None and not tunnel:
            return await _reach(proxy, protocol)
        handshake_transport, handshake = await _reach(
            proxy, lambda: _ConnectHandshake(origin, proxy, tunnel)
        )
        try:
            await handshake.done
            inner = protocol()
            if tls is None:
                handshake_transport.set_protocol(inner)
                inner.connection_made(handshake_transport)
                if handshake.ahead:
                    inner.data_received(bytes(handshake.ahead))
                return handshake_transport, inner
            transport = await loop.start_tls(
                handshake_transport, inner, tls, server_hostname=origin.host
            )
        except BaseException:
            handshake_transport.abort()
            raise
        if transport is None:
            raise DialError(FailureKind.TLS, f"{origin.authority} closed during the TLS handshake")
        inner.connection_made(transport)
        return transport, inner


_P = TypeVar("_P", bound=asyncio.Protocol)


async def _reach(proxy: UpstreamProxy, protocol: Callable[[], _P]) -> tuple[asyncio.Transport, _P]:
    """Connect to the upstream proxy: what fails here is not the origin's fault."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_connection(protocol, proxy.host, proxy.port)
    except (OSError, ValueError) as error:
        raise DialError(
            FailureKind.UPSTREAM_PROXY,
            f"The upstream proxy {proxy.host}:{proxy.port} cannot be reached: {_reason(error)}",
        ) from None


class _ConnectHandshake(asyncio.Protocol):
    """Asks an upstream proxy for a tunnel (RFC 9110 §9.3.6).

    ``ahead`` keeps what the origin says before we have taken the connection over: in a ``raw``
    tunnel it may speak first, in TLS it may not.
    """

    def __init__(self, origin: Origin, proxy: UpstreamProxy, raw: bool) -> None:
        self.ahead = bytearray()
        self._origin = origin
        self._proxy = proxy
        self._raw = raw
        self._parser = ResponseParser()
        self._parser.expect("CONNECT")
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the CONNECT."""
        authority = self._origin.authority.encode("ascii")
        head = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n"
        transport.write(head % (authority, authority, self._proxy.authorization))  # type: ignore[attr-defined]  # a TCP connection's transport is an asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Read the answer, and what follows it."""
        if self.done.done():
            self.ahead += data
            return
        established = False
        for event in self._parser.feed(data):
            if isinstance(event, ResponseReceived):
                established = event.status // 100 == 2
                if not established:
                    reason = event.reason.decode("latin-1")
                    self._finish(f"answered {event.status} {reason} to CONNECT")
            elif isinstance(event, PeerBrokeProtocol):
                self._finish(f"did not speak HTTP: {event.error}")
            elif isinstance(event, BytesAfterUpgrade):
                self.ahead += event.data
        if established and self.ahead and not self._raw:
            self._finish("sent bytes ahead of the TLS handshake")
        elif established:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail where there was no answer."""
        self._finish("closed the connection instead of answering CONNECT")

    def _finish(self, trouble: str | None) -> None:
        if self.done.done():
            return
        if trouble is None:
            self.done.set_result(None)
        else:
            detail = f"The upstream proxy {self._proxy.host}:{self._proxy.port} {trouble}"
            self.done.set_exception(DialError(FailureKind.UPSTREAM_PROXY, detail))


def _read_proxy(url: str) -> UpstreamProxy:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(
            f"upstream_proxy must be http://[user:password@]host[:port], not {parts.scheme}://…"
        )
    authorization = b""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = b"Proxy-Authorization: Basic " + b64encode(pair) + b"\r\n"
    return UpstreamProxy(parts.hostname, parts.port or 80, authorization)


def _bypasses(rule: str, origin: Origin) -> bool:
    """Whether a NO_PROXY entry covers an origin: ``*``, a host, ``.suffix``, or host:port."""
    host = origin.host.lower()
    name, colon, port = rule.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        if int(port) != origin.port:
            return False
        rule = name
    rule = rule.removeprefix("[").removesuffix("]")
    suffix = rule.removeprefix("*").removeprefix(".")
    return rule == "*" or host == suffix or host.endswith("." + suffix) or fnmatchcase(host, rule)


def _tls_detail(origin: Origin, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {origin.authority} is not trusted: {error.verify_message}. "
            "Add its authority with --upstream-ca FILE, or skip the check with --insecure"
        )
    # An error that was not raised by OpenSSL itself has no reason at all.
    return f"TLS with {origin.authority} failed: {getattr(error, 'reason', None) or error}"


def _os_error_kind(error: OSError) -> FailureKind:
    if isinstance(error, ConnectionRefusedError):
        return FailureKind.REFUSED
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return FailureKind.RESET
    # asyncio and uvloop fold the errors of several addresses into one without an errno.
    if error.errno is None and f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return FailureKind.REFUSED
    return FailureKind.UNREACHABLE


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
