"""CONNECT: whose certificate is shown, what may be inside, what is said when it cannot be read."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl

import pytest
from cryptography import x509

from magneto_serge import MagnetoProxy

from . import routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .exchange import PATIENCE
from .origin import Origin
from .wire_client import WireClient


def connect(proxy: MagnetoProxy, authority: str) -> WireClient:
    """Open a tunnel."""
    return WireClient((proxy.host, proxy.port)).tunnel(authority)


def shown_names(client: WireClient) -> x509.SubjectAlternativeName:
    """Return the names in the certificate that the proxy showed."""
    sock = client.socket
    assert isinstance(sock, ssl.SSLSocket)
    der = sock.getpeercert(binary_form=True)
    assert der is not None
    leaf = x509.load_der_x509_certificate(der)
    return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def nameless(proxy: MagnetoProxy) -> ssl.SSLContext:
    """Return a client context that trusts our CA and checks no name."""
    context = proxy.ssl_context()
    context.check_hostname = False
    return context


def test_certificate_is_for_the_sni(proxy: MagnetoProxy) -> None:
    """The leaf names what the client asked for, whatever the CONNECT said."""
    with connect(proxy, "127.0.0.1:443") as client:
        client.start_tls(proxy.ssl_context(), "api.example.com")
        assert shown_names(client).get_values_for_type(x509.DNSName) == ["api.example.com"]


def test_certificate_without_sni_is_for_the_connect_host(proxy: MagnetoProxy) -> None:
    """Without SNI the name is the CONNECT's."""
    with connect(proxy, "old.example.com:443") as client:
        client.start_tls(nameless(proxy), None)
        assert shown_names(client).get_values_for_type(x509.DNSName) == ["old.example.com"]


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_certificate_for_an_address(address: str, proxy: MagnetoProxy) -> None:
    """An IP address is named by an IP SAN, which clients check (RFC 9110 §4.3.5)."""
    host = f"[{address}]" if ":" in address else address
    with connect(proxy, f"{host}:443") as client:
        client.start_tls(proxy.ssl_context(), address)
        names = shown_names(client)
        assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(address)]


def test_origin_is_asked_with_its_name(proxy: MagnetoProxy, tls_origin: Origin) -> None:
    """Upstream, the SNI is the host of the CONNECT."""
    door = Door("tls", proxy, tls_origin)
    assert door.ask("/json").status == 200
    assert tls_origin.sni == ["localhost"]


def test_nothing_is_dialled_before_a_request(proxy: MagnetoProxy, tls_origin: Origin) -> None:
    """A tunnel and its handshake are ours alone; the origin hears of a request."""
    with connect(proxy, tls_origin.authority) as client:
        client.start_tls(proxy.ssl_context(), "localhost")
        assert tls_origin.connections == 0


def test_client_that_speaks_at_once(proxy: MagnetoProxy, tls_origin: Origin) -> None:
    """A ClientHello in the same segment as the CONNECT is not lost."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = proxy.ssl_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    authority = tls_origin.authority
    connect_head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    with WireClient((proxy.host, proxy.port)) as client:
        client.send(connect_head + outgoing.read())
        assert client.answer("CONNECT").status == 200
        while True:
            if not client.stream.buffer:
                client.stream.fill()
            incoming.write(client.stream.take(len(client.stream.buffer)))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send(outgoing.read())
    assert tls.version() in ("TLSv1.2", "TLSv1.3")


def test_hello_that_comes_in_pieces(proxy: MagnetoProxy, tls_origin: Origin) -> None:
    """A ClientHello may come byte by byte."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = proxy.ssl_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with connect(proxy, tls_origin.authority) as client:
        for byte in outgoing.read():
            client.send(bytes([byte]))
        client.stream.fill()
        assert client.stream.buffer[0] == 0x16  # a handshake record: the ServerHello


def test_tunnel_may_be_used_for_many_requests(proxy: MagnetoProxy, tls_origin: Origin) -> None:
    """Inside, the connection is kept like any other, on both sides."""
    door = Door("tls", proxy, tls_origin)
    with door.open() as client:
        for _ in range(3):
            assert client.ask(door.request("/json")).status == 200
    assert tls_origin.connections == 1


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\x03", b"SSH-2.0-OpenSSH_9.2\r\n", b"\r\x00\n"])
def test_garbage_in_a_tunnel(garbage: bytes, proxy: MagnetoProxy, origin: Origin) -> None:
    """What is neither TLS nor HTTP is told so and closed; nothing reaches the origin."""
    with connect(proxy, origin.authority) as client:
        answer = client.ask(garbage, "GET")
        assert answer.status == 400
        assert client.at_end()
    assert origin.connections == 0


def test_broken_tls_in_a_tunnel(proxy: MagnetoProxy, origin: Origin) -> None:
    """A handshake record full of nonsense ends in an alert or an end, not in silence."""
    with connect(proxy, origin.authority) as client:
        client.send(b"\x16\x03\x01\x00\x05hello")
        try:
            ended = client.stream.to_end()
        except ConnectionResetError:
            ended = b""
        assert ended[:1] in (b"\x15", b"")


def test_client_that_distrusts_us_is_told_of(
    proxy: MagnetoProxy, tls_origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that refuses our certificate shows in the log, with what to do."""
    with caplog.at_level(logging.WARNING, "magneto_serge"):
        with connect(proxy, tls_origin.authority) as client, pytest.raises(ssl.SSLError):
            client.start_tls(ssl.create_default_context(), "localhost")
        proxy.stop()
    assert "does not trust" in caplog.text
    assert "ca install-help" in caplog.text


def test_http2_is_not_offered(proxy: MagnetoProxy) -> None:
    """ALPN offers http/1.1 and no more (RFC 7301)."""
    context = proxy.ssl_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(proxy, "localhost:443") as client:
        client.start_tls(context, "localhost")
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("inside", ["tls", "plain"])
def test_http2_preface_is_refused_in_its_own_words(
    inside: str, proxy: MagnetoProxy, tls_origin: Origin
) -> None:
    """A client that insists on HTTP/2 gets GOAWAY with HTTP_1_1_REQUIRED (RFC 9113 §7)."""
    with connect(proxy, tls_origin.authority) as client:
        if inside == "tls":
            client.start_tls(proxy.ssl_context(), "localhost")
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        said = client.stream.to_end()
    assert said[3] == 0x4  # SETTINGS first
    assert said[9 + 3] == 0x7  # then GOAWAY
    assert said[9 + 9 + 4 : 9 + 9 + 8] == b"\x00\x00\x00\x0d"
    assert b"HTTP/1.1" in said


def test_http2_preface_to_the_proxy_itself(proxy: MagnetoProxy) -> None:
    """Prior knowledge of HTTP/2 towards the proxy is refused and closed, too."""
    with WireClient((proxy.host, proxy.port)) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.stream.to_end()


def test_tls_to_a_plain_port(proxy: MagnetoProxy) -> None:
    """A client that speaks TLS to the proxy itself (an `https://` proxy URL) is answered."""
    with WireClient((proxy.host, proxy.port)) as client, pytest.raises(ssl.SSLError):
        client.start_tls(nameless(proxy), "localhost")


@pytest.mark.parametrize(
    "target",
    ["localhost", "localhost:", "localhost:0", "localhost:65536", ":443", "/path", "a b:1"],
)
def test_connect_to_nonsense(target: str, proxy: MagnetoProxy) -> None:
    """CONNECT needs host and port (RFC 9112 §3.2.3)."""
    with WireClient((proxy.host, proxy.port)) as client:
        answer = client.ask(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.status == 400
        assert client.at_end()


def test_connect_inside_a_tunnel(proxy: MagnetoProxy, origin: Origin) -> None:
    """A tunnel is an origin's connection: there is no CONNECT inside it."""
    with connect(proxy, origin.authority) as client:
        assert client.ask(b"CONNECT x.example:443 HTTP/1.1\r\nHost: x\r\n\r\n").status == 400


@pytest.mark.parametrize("tls", [False, True])
def test_ignored_host_is_left_alone(
    tls: bool, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """The client of an ignored host sees the origin's own certificate, and nothing is recorded."""
    origin = make_origin(tls=tls)
    proxy = make_proxy(ignore_hosts=(origin.name,))
    proxy.start_recording("nothing")
    with connect(proxy, origin.authority) as client:
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            client.start_tls(context, "localhost")
            assert len(shown_names(client)) == 3  # the origin's, not a leaf of ours
        assert client.ask(b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n").body == b'{"ok": true}'
    assert proxy.stop_recording() is None


def test_tunnel_through_an_upstream_proxy(
    make_origin: MakeOrigin, make_proxy: MakeProxy, tls_origin: Origin
) -> None:
    """An https origin is reached through CONNECT where there is an upstream proxy."""
    second = make_proxy()  # any proxy will do as the upstream one: this project's is at hand
    authority = f"{second.host}:{second.port}"
    first = make_proxy(upstream_proxy=f"http://user:secret@{authority}", upstream_ca=second.ca_path)
    door = Door("tls", first, tls_origin)
    take = Take(first, tls_origin)
    take.record()
    assert door.ask("/json").body == b'{"ok": true}'
    assert second.stats.requests == 1  # what was inside the CONNECT
    take.replay()
    second.stop()
    assert door.ask("/json").body == b'{"ok": true}'


def test_plain_request_through_an_upstream_proxy(
    make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """An http origin is asked for in absolute-form, with the upstream proxy's credentials."""
    elsewhere = make_origin()
    url = "http://far.example/json"
    elsewhere.on(url, routes.response(b"far"))
    address = elsewhere.authority
    proxy = make_proxy(upstream_proxy=f"http://user:secret@{address}")
    with WireClient((proxy.host, proxy.port)) as client:
        request = f"GET {url} HTTP/1.1\r\nHost: far.example\r\n\r\n"
        assert client.ask(request.encode()).body == b"far"
    assert elsewhere.last.target == url
    assert elsewhere.last.values("proxy-authorization") == [b"Basic dXNlcjpzZWNyZXQ="]


def test_bypassed_host_is_dialled_directly(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """A host in `no_proxy` is reached without the upstream proxy."""
    origin, elsewhere = make_origin(), make_origin()
    proxy = make_proxy(upstream_proxy=elsewhere.url(""), no_proxy=("127.0.0.1",))
    assert Door("absolute", proxy, origin).ask("/json").status == 200
    assert elsewhere.connections == 0


def test_half_closed_client_still_gets_its_answer(proxy: MagnetoProxy, origin: Origin) -> None:
    """A client that has said all and half-closes is answered (`printf … | nc` does this)."""
    gate = origin.gate()
    origin.on("/late", gate, routes.response(b"late"))
    with WireClient((proxy.host, proxy.port)) as client:
        client.socket.settimeout(PATIENCE)
        client.send(f"GET {origin.url('/late')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.socket.shutdown(socket.SHUT_WR)
        origin.wait_for(lambda: origin.received)
        gate.open()
        assert client.answer().body == b"late"
