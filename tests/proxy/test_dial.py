"""Opening connections: who is dialled, through whom, and the name of each way to fail."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from magneto_serge.config import Settings
from magneto_serge.errors import CertificateError, ConfigError
from magneto_serge.messages import Failure
from magneto_serge.proxy.dial import Dialer, DialError, Origin, UpstreamProxy

from .mock_loop import MockLoop
from .mock_transport import MockTransport

PLAIN = Origin("http", "origin.test", 80)
SECURE = Origin("https", "origin.test", 443)
TLS: Any = object()  # stands for the client context


class Inner(asyncio.Protocol):
    """The protocol that the caller wants on the connection."""

    def __init__(self) -> None:
        self.data = b""
        self.made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count."""
        self.made += 1

    def data_received(self, data: bytes) -> None:
        """Keep."""
        self.data += data


class ScriptedLoop(asyncio.SelectorEventLoop):
    """A loop whose connections are mocks; ``script`` is what the peer sends, or an error."""

    def __init__(self, *script: bytes | Exception | None) -> None:
        super().__init__()
        self.script = script
        self.calls: list[tuple[Any, ...]] = []
        self.transports: list[MockTransport] = []
        self.tls_error: Exception | None = None
        self.tls_gone = False

    async def create_connection(self, factory: Any, host: Any, port: Any, **how: Any) -> Any:  # type: ignore[override]
        """Connect to the script."""
        self.calls.append(("connect", host, port, how))
        if self.script and isinstance(self.script[0], Exception):
            raise self.script[0]
        if self.script == (None,):
            await asyncio.Event().wait()
        protocol = factory()
        transport = MockTransport(MockLoop(), protocol)
        self.transports.append(transport)
        protocol.connection_made(transport)
        for step in self.script:
            if isinstance(step, bytes):
                self.call_soon(protocol.data_received, step)
            else:
                self.call_soon(protocol.connection_lost, step)
        return transport, protocol

    async def start_tls(self, transport: Any, protocol: Any, context: Any, **how: Any) -> Any:  # type: ignore[override]
        """Have a handshake succeed or fail."""
        self.calls.append(("tls", context, how))
        if self.tls_error is not None:
            raise self.tls_error
        return None if self.tls_gone else MockTransport(MockLoop(), protocol)


def dial(
    loop: ScriptedLoop,
    origin: Origin = PLAIN,
    *,
    tunnel: bool = False,
    tls: Callable[[], Any] = lambda: TLS,
    **settings: Any,
) -> tuple[Any, Any]:
    """Open a connection on ``loop``; raises what opening it raises."""
    dialer = Dialer(Settings(**settings), tls)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(dialer.open(origin, Inner, tunnel=tunnel))


def failure(loop: ScriptedLoop, origin: Origin = PLAIN, **how: Any) -> Failure:
    """Return how opening a connection fails."""
    with pytest.raises(DialError) as caught:
        dial(loop, origin, **how)
    assert str(caught.value) == caught.value.failure.detail
    return caught.value.failure


PROXIED = {"upstream_proxy": "http://proxy.test:3128"}


# --- who is dialled ------------------------------------------------------------------------------


def test_plain_origin_is_dialled_directly() -> None:
    """Without a proxy and without TLS: host and port."""
    loop = ScriptedLoop()
    dial(loop, Origin("http", "2001:db8::1", 8080))
    assert loop.calls == [("connect", "2001:db8::1", 8080, {})]


def test_secure_origin_is_dialled_with_tls() -> None:
    """The name goes into SNI and is what the certificate is checked against."""
    loop = ScriptedLoop()
    dial(loop, SECURE)
    how = {"ssl": TLS, "server_hostname": "origin.test"}
    assert loop.calls == [("connect", "origin.test", 443, how)]


def test_tls_context_is_made_when_it_is_needed() -> None:
    """Plain connections and raw tunnels never ask for it: loading trust takes long."""

    def never() -> None:
        pytest.fail("the context was asked for")

    dial(ScriptedLoop(), PLAIN, tls=never)
    dial(ScriptedLoop(), SECURE, tunnel=True, tls=never)


def test_plain_origin_through_a_proxy() -> None:
    """The proxy is dialled; what it is asked is the exchange's matter."""
    loop = ScriptedLoop()
    dial(loop, PLAIN, **PROXIED)
    assert loop.calls == [("connect", "proxy.test", 3128, {})]
    assert loop.transports[0].take() == b""


def test_proxy_s_port_is_80_unless_named() -> None:
    """As for every http URL."""
    loop = ScriptedLoop()
    dial(loop, PLAIN, upstream_proxy="http://proxy.test")
    assert loop.calls[0][1:3] == ("proxy.test", 80)


def test_secure_origin_through_a_proxy() -> None:
    """CONNECT first, TLS with the origin inside."""
    loop = ScriptedLoop(b"HTTP/1.1 200 Connection established\r\n\r\n")
    _, inner = dial(loop, SECURE, **PROXIED)
    assert loop.calls == [
        ("connect", "proxy.test", 3128, {}),
        ("tls", TLS, {"server_hostname": "origin.test"}),
    ]
    assert loop.transports[0].take() == (
        b"CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n"
    )
    assert inner.made == 1


def test_ipv6_origin_through_a_proxy() -> None:
    """Brackets in the CONNECT, none in the SNI."""
    loop = ScriptedLoop(b"HTTP/1.1 200 OK\r\n\r\n")
    dial(loop, Origin("https", "2001:db8::1", 443), **PROXIED)
    assert loop.transports[0].take().startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")
    assert loop.calls[1][2] == {"server_hostname": "2001:db8::1"}


@pytest.mark.parametrize(
    ("url", "pair"),
    [
        ("http://user:secret@proxy.test", b"user:secret"),
        ("http://user@proxy.test", b"user:"),
        ("http://us%40er:s%3Aecret@proxy.test", b"us@er:s:ecret"),
    ],
)
def test_proxy_is_told_who_we_are(url: str, pair: bytes) -> None:
    """The credentials of its URL go into the CONNECT, and into `proxy_for` for plain requests."""
    loop = ScriptedLoop(b"HTTP/1.1 200 OK\r\n\r\n")
    dial(loop, SECURE, upstream_proxy=url)
    line = b"Proxy-Authorization: Basic " + b64encode(pair) + b"\r\n"
    assert line in loop.transports[0].take()
    proxy = Dialer(Settings(upstream_proxy=url), lambda: TLS).proxy_for(PLAIN)
    assert proxy == UpstreamProxy("proxy.test", 80, line)


@pytest.mark.parametrize("url", ["https://proxy.test", "socks5://proxy.test", "http://"])
def test_proxy_that_we_do_not_speak_to(url: str) -> None:
    """Only http proxies are understood; the message does not repeat a password."""
    with pytest.raises(ConfigError, match="upstream_proxy") as caught:
        Dialer(Settings(upstream_proxy=url.replace("//", "//u:secret@")), lambda: TLS)
    assert "secret" not in str(caught.value)


def test_tunnel_through_a_proxy() -> None:
    """A raw tunnel is asked for with CONNECT, and what comes first in it is delivered."""
    loop = ScriptedLoop(b"HTTP/1.1 200 OK\r\n\r\n220 ", b"ready")
    transport, inner = dial(loop, Origin("https", "origin.test", 25), tunnel=True, **PROXIED)
    assert [call[0] for call in loop.calls] == ["connect"]
    assert transport.get_protocol() is inner
    assert (inner.made, inner.data) == (1, b"220 ready")


def test_tunnel_for_plain_http_through_a_proxy() -> None:
    """So is one to an http origin: bytes, not requests, are to go through."""
    loop = ScriptedLoop(b"HTTP/1.1 200 OK\r\n\r\n")
    dial(loop, PLAIN, tunnel=True, **PROXIED)
    assert loop.transports[0].take().startswith(b"CONNECT origin.test:80 ")


# --- what a proxy may answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        [b"HTTP/1.0 200 OK\r\n\r\n"],
        [b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
        [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"],
    ],
)
def test_proxy_that_agrees(said: list[bytes]) -> None:
    """Any 2xx will do, in any number of pieces; it has no content (RFC 9110 §9.3.6)."""
    loop = ScriptedLoop(*said)
    _, inner = dial(loop, SECURE, **PROXIED)
    assert inner.made == 1


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ([b"HTTP/1.1 407 Who Are You\r\n\r\n"], "answered 407 Who Are You to CONNECT"),
        ([b"HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\nbody"], "answered 502 Bad to CONNECT"),
        ([b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"], "answered 302 Found to CONNECT"),
        ([b"nonsense\r\n\r\n"], "did not speak HTTP"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000], "did not speak HTTP"),
        ([None], "closed the connection instead"),
        ([ConnectionResetError()], "closed the connection instead"),
        ([b"HTTP/1.1 200", None], "closed the connection instead"),
        ([b"HTTP/1.1 200 OK\r\n\r\n\x16\x03"], "sent bytes ahead of the TLS handshake"),
    ],
)
def test_proxy_that_refuses(said: list[bytes | Exception | None], detail: str) -> None:
    """Whatever is no 2xx is the proxy's failure, says what it was, and ends the connection."""
    if said[0] is None or isinstance(said[0], Exception):
        said.insert(0, b"HTTP")
    loop = ScriptedLoop(*said)
    told = failure(loop, SECURE, **PROXIED)
    assert told.kind == "upstream-proxy"
    assert told.detail.startswith(f"The upstream proxy proxy.test:3128 {detail}")
    assert loop.transports[0].aborted


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        UnicodeError("label too long"),
    ],
)
@pytest.mark.parametrize("origin", [PLAIN, SECURE])
def test_proxy_that_cannot_be_reached(error: Exception, origin: Origin) -> None:
    """The origin is not blamed for it."""
    told = failure(ScriptedLoop(error), origin, **PROXIED)
    assert told.kind == "upstream-proxy"
    assert told.detail.startswith("The upstream proxy proxy.test:3128 cannot be reached: ")


def test_tls_that_fails_inside_a_proxy() -> None:
    """It is the origin's failure, and the connection through the proxy ends."""
    loop = ScriptedLoop(b"HTTP/1.1 200 OK\r\n\r\n")
    loop.tls_error = ssl.SSLError(1, "wrong version number")
    assert failure(loop, SECURE, **PROXIED).kind == "tls"
    assert loop.transports[0].aborted


def test_origin_that_closes_in_the_handshake_inside_a_proxy() -> None:
    """A handshake without a transport is a failed one."""
    loop = ScriptedLoop(b"HTTP/1.1 200 OK\r\n\r\n")
    loop.tls_gone = True
    assert failure(loop, SECURE, **PROXIED).kind == "tls"


# --- ways to fail --------------------------------------------------------------------------------


def verification_error(reason: str) -> ssl.SSLCertVerificationError:
    """Return what OpenSSL raises for a certificate that it does not trust."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name not known"),
            "dns",
            "origin.test does not resolve",
        ),
        (UnicodeError("label empty or too long"), "dns", "not a domain name"),
        (ValueError("server_hostname cannot start with a dot"), "dns", "not a domain name"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refused", "refused"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset"), "reset", "reset"),
        (ConnectionAbortedError("SSL handshake is taking longer"), "reset", "SSL handshake"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "reset", "Broken pipe"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "timeout", "longer than"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "unreachable", "No route"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable", "unreachable"),
        (OSError(errno.EMFILE, "Too many open files"), "unreachable", "Too many open files"),
        (OSError(), "unreachable", "OSError"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version"), "tls", "wrong version"),
        (verification_error("self-signed certificate"), "tls", "--upstream-ca FILE"),
        (verification_error("certificate has expired"), "tls", "not trusted: certificate has exp"),
        (ssl.SSLZeroReturnError(6, "closed"), "tls", "closed"),
    ],
)
def test_each_failure_has_its_name(error: Exception, kind: str, words: str) -> None:
    """What the system raises becomes one of the kinds that a cassette knows, with its reason."""
    told = failure(ScriptedLoop(error), SECURE)
    assert told.kind == kind
    assert words in told.detail
    assert "origin.test" in told.detail


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (  # asyncio
            "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), "
            "[Errno 111] Connect call failed ('127.0.0.1', 1)",
            "refused",
        ),
        (  # uvloop
            "Multiple exceptions: [Errno 101] Network is unreachable, "
            "[Errno 111] Connection refused",
            "refused",
        ),
        (
            "Multiple exceptions: [Errno 113] Connect call failed ('::1', 1, 0, 0), "
            "[Errno 101] Connect call failed ('127.0.0.1', 1)",
            "unreachable",
        ),
    ],
)
def test_several_addresses_fail_as_one(text: str, kind: str) -> None:
    """Where one of a name's addresses refused, there was somebody to refuse."""
    text = text.replace("111", str(errno.ECONNREFUSED))
    assert failure(ScriptedLoop(OSError(text))).kind == kind


@pytest.mark.parametrize("settings", [{}, PROXIED])
def test_connecting_takes_too_long(settings: dict[str, Any]) -> None:
    """The whole of it has one limit: names, TCP, a proxy's CONNECT and TLS."""
    told = failure(ScriptedLoop(None), SECURE, connect_timeout=0, **settings)
    assert (told.kind, "origin.test:443 took longer than 0 s" in told.detail) == ("timeout", True)


def test_proxy_that_never_answers() -> None:
    """Waiting for its answer is part of the same limit; the connection is not left open."""
    loop = ScriptedLoop(b"HTTP/1.1 ")
    assert failure(loop, SECURE, connect_timeout=0.001, **PROXIED).kind == "timeout"
    assert loop.transports[0].aborted


def test_our_own_trust_cannot_be_had() -> None:
    """A setting that is wrong is told to whoever makes the request: it names itself."""

    def broken() -> None:
        raise CertificateError("There is no certificate in upstream_ca /x")

    told = failure(ScriptedLoop(), SECURE, tls=broken)
    assert (told.kind, told.detail) == ("tls", "There is no certificate in upstream_ca /x")


# --- NO_PROXY ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "host", "port", "direct"),
    [
        ("*", "anything.test", 80, True),
        ("origin.test", "origin.test", 80, True),
        ("ORIGIN.test", "origin.test", 80, True),
        ("origin.test", "www.origin.test", 80, True),
        ("origin.test", "notorigin.test", 80, False),
        ("origin.test", "origin.test.evil", 80, False),
        (".origin.test", "www.origin.test", 80, True),
        (".origin.test", "origin.test", 80, True),
        ("*.origin.test", "www.origin.test", 80, True),
        ("*.origin.test", "notorigin.test", 80, False),
        ("origin.test:80", "origin.test", 80, True),
        ("origin.test:80", "origin.test", 81, False),
        ("127.0.0.1", "127.0.0.1", 8080, True),
        ("127.*", "127.0.0.1", 8080, True),
        ("::1", "::1", 80, True),
        ("[::1]", "::1", 80, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 80, False),
        ("2001:db8::1", "2001:db8::1", 80, True),
        ("origin.test:²", "origin.test", 80, False),
        ("other.test", "origin.test", 80, False),
    ],
)
def test_hosts_that_are_reached_directly(rule: str, host: str, port: int, direct: bool) -> None:
    """A host, its sub-domains, a pattern, or everything; with a port, only that port."""
    settings = Settings(upstream_proxy="http://proxy.test", no_proxy=("unrelated", rule))
    proxy = Dialer(settings, lambda: TLS).proxy_for(Origin("http", host, port))
    assert (proxy is None) is direct


def test_no_proxy_no_bypass() -> None:
    """Without an upstream proxy every origin is direct."""
    assert Dialer(Settings(), lambda: TLS).proxy_for(PLAIN) is None


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "authority", "host_field"),
    [
        (PLAIN, "origin.test:80", b"origin.test"),
        (SECURE, "origin.test:443", b"origin.test"),
        (Origin("http", "origin.test", 443), "origin.test:443", b"origin.test:443"),
        (Origin("https", "2001:db8::1", 443), "[2001:db8::1]:443", b"[2001:db8::1]"),
        (Origin("https", "::1", 80), "[::1]:80", b"[::1]:80"),
    ],
)
def test_names_of_an_origin(origin: Origin, authority: str, host_field: bytes) -> None:
    """The authority always has its port, Host only where it is not the scheme's own."""
    assert (origin.authority, origin.host_field) == (authority, host_field)
