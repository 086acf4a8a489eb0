"""Which origin a request is for, and what it is told: targets, Host, userinfo, odd hosts."""

from __future__ import annotations

import base64
import socket

import pytest

from . import routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .wire_client import WireClient


def test_http10_request_needs_no_host(plain_door: Door) -> None:
    """An absolute-form HTTP/1.0 request without Host gets one (RFC 9112 §3.2)."""
    with plain_door.open() as client:
        answer = client.ask(f"GET {plain_door.origin.url('/json')} HTTP/1.0\r\n\r\n".encode())
    assert answer.status == 200
    assert plain_door.origin.last.values("host") == [plain_door.authority.encode()]


def test_target_wins_over_host(plain_door: Door) -> None:
    """In absolute-form the target names the origin, and Host is replaced (RFC 9112 §3.2.2)."""
    url = plain_door.origin.url("/echo")
    with plain_door.open() as client:
        client.ask(f"GET {url} HTTP/1.1\r\nHost: other.example\r\nX: 1\r\n\r\n".encode())
    assert plain_door.origin.last.headers == [
        (b"Host", plain_door.authority.encode()),
        (b"X", b"1"),
    ]


def test_host_in_a_tunnel_is_the_clients(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Inside CONNECT the Host field is the client's own (a virtual host, say)."""
    door = Door("tunnel", make_proxy(), make_origin())
    with door.open() as client:
        client.ask(b"GET /echo HTTP/1.1\r\nHost: virtual.example\r\n\r\n")
    assert door.origin.last.values("host") == [b"virtual.example"]


def test_reverse_mode_rewrites_host(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """In reverse mode Host is the upstream's."""
    origin = make_origin()
    proxy = make_proxy(reverse=origin.url(""))
    with WireClient((proxy.host, proxy.port)) as client:
        client.ask(b"GET /echo HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
    assert origin.last.values("host") == [origin.authority.encode()]


def test_userinfo_never_reaches_the_wire_as_such(plain_door: Door) -> None:
    """Userinfo in the target becomes Basic credentials (RFC 9110 §4.2.4, RFC 7617)."""
    with plain_door.open() as client:
        client.ask(
            f"GET http://us%65r:p%40ss@{plain_door.authority}/echo HTTP/1.1\r\n"
            f"Host: {plain_door.authority}\r\n\r\n".encode()
        )
    received = plain_door.origin.last
    assert received.target == "/echo"
    assert received.values("host") == [plain_door.authority.encode()]
    assert received.values("authorization") == [b"Basic " + base64.b64encode(b"user:p@ss")]


def has_ipv6() -> bool:
    """Whether this machine has the IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6 on the loopback interface")
@pytest.mark.parametrize("kind", ["absolute", "tunnel", "tls", "reverse"])
def test_ipv6_literal(kind: str, make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """An origin named by an IPv6 literal is reached, recorded and replayed."""
    origin = make_origin(host="::1", name="::1", tls=kind == "tls")
    settings = {"reverse": origin.url("")} if kind == "reverse" else {}
    door = Door(kind, make_proxy(**settings), origin)
    take = Take(door.proxy, origin)
    take.record()
    assert door.ask("/json").body == b'{"ok": true}'
    assert origin.last.values("host") == [f"[::1]:{origin.port}".encode()]
    take.replay()
    assert door.ask("/json").body == b'{"ok": true}'


def test_idna_host(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """An internationalised host arrives as its A-label, and is asked for as that (RFC 5891)."""
    elsewhere = make_origin()
    elsewhere.on("http://xn--bcher-kva.example/json", routes.response(b"books"))
    proxy = make_proxy(upstream_proxy=elsewhere.url(""))
    request = (
        b"GET http://xn--bcher-kva.example/json HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n\r\n"
    )
    take = Take(proxy, elsewhere)
    take.record()
    for phase in ("record", "replay"):
        with WireClient((proxy.host, proxy.port)) as client:
            assert client.ask(request).body == b"books", phase
        if phase == "record":
            take.replay()


def test_raw_utf8_host_is_refused(plain_door: Door) -> None:
    """Raw UTF-8 is no host (RFC 3986 §3.2.2)."""
    with plain_door.open() as client:
        request = "GET http://bücher.example/ HTTP/1.1\r\nHost: bücher.example\r\n\r\n"
        assert client.ask(request.encode()).status == 400


@pytest.mark.parametrize("kind", ["absolute", "tunnel", "reverse"])
def test_options_for_the_whole_server(
    kind: str, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """`OPTIONS *` reaches the origin as such, by an empty path in absolute-form (§3.2.4)."""
    origin = make_origin()
    origin.on("*", routes.response(b"", b"Allow: GET, HEAD"))
    settings = {"reverse": origin.url("")} if kind == "reverse" else {}
    door = Door(kind, make_proxy(**settings), origin)
    take = Take(door.proxy, origin)
    take.record()
    path = "" if kind == "absolute" else "*"
    assert door.ask(path, "OPTIONS").values("allow") == [b"GET, HEAD"]
    assert origin.last.target == "*"
    take.replay()
    assert door.ask(path, "OPTIONS").values("allow") == [b"GET, HEAD"]


def test_origin_form_to_a_forward_proxy_is_explained(plain_door: Door) -> None:
    """Whoever takes the proxy for a server is told what it is."""
    with plain_door.open() as client:
        answer = client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.status == 400
    assert "proxy" in answer.problem["detail"]


def test_proxy_does_not_call_itself(plain_door: Door) -> None:
    """A request for the proxy's own address is refused, not looped."""
    proxy = plain_door.proxy
    with plain_door.open() as client:
        url = f"http://{proxy.host}:{proxy.port}/"
        answer = client.ask(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.status == 400
