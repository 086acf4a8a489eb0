"""Connections: kept, pipelined, reused, cut into pieces; old clients and odd targets."""

from __future__ import annotations

import base64
import socket

import pytest

from . import faults, routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .wire_client import WireClient


def test_connection_is_kept_on_both_sides(door: Door, take: Take) -> None:
    """Several requests on one client connection use one origin connection, and replay on one."""
    with door.open() as client:
        for _ in range(3):
            assert client.ask(door.request("/json")).status == 200
    assert door.origin.connections == 1
    take.replay()
    with door.open() as client:
        for _ in range(3):
            assert client.ask(door.request("/json")).status == 200


def test_origin_connections_are_shared_by_clients(plain_door: Door) -> None:
    """A connection that one client is done with serves the next."""
    for _ in range(3):
        plain_door.ask("/json")
    assert plain_door.origin.connections == 1


def test_pipelined_requests_are_answered_in_order(door: Door, take: Take) -> None:
    """Many requests in one segment get their answers one after the other (RFC 9112 §9.3.2)."""
    batch = b"".join(
        [
            *(door.request(f"/echo?n={number}") for number in range(20)),
            door.sized("/echo?n=20", "POST", b"with a body"),
            door.request("/head", "HEAD"),
            door.request("/chunked"),
            door.request("/json"),
        ]
    )

    def play() -> list[object]:
        with door.open() as client:
            client.send(batch)
            methods = [*["GET"] * 20, "POST", "HEAD", "GET", "GET"]
            return [client.answer(method).seen for method in methods]

    recorded = play()
    assert [r.target for r in door.origin.received][:3] == ["/echo?n=0", "/echo?n=1", "/echo?n=2"]
    assert door.origin.received[20].body == b"with a body"
    take.replay()
    assert play() == recorded


def test_first_answer_does_not_wait_for_the_second_request(plain_door: Door) -> None:
    """A pipelined request that the origin holds back holds no earlier answer."""
    gate = plain_door.origin.gate()
    plain_door.origin.on("/late", gate, routes.response(b"late"))
    with plain_door.open() as client:
        client.send(plain_door.request("/json") + plain_door.request("/late"))
        assert client.answer().body == b'{"ok": true}'
        gate.open()
        assert client.answer().body == b"late"


@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_request_split_at_every_byte(kind: str, plain_door: Door, plain_take: Take) -> None:
    """Wherever a segment ends, two pipelined requests mean the same."""
    if kind == "length":
        first = plain_door.sized("/echo", "POST", b"0123456789", "X-Field: value\r\n")
    else:
        first = plain_door.request(
            "/echo",
            "POST",
            "Transfer-Encoding: chunked\r\n",
            b"4;x=y\r\n0123\r\n6\r\n456789\r\n0\r\nX-T: 1\r\n\r\n",
        )
    both = first + plain_door.request("/json")
    for phase in ("record", "replay"):
        with plain_door.open() as client:
            for offset in range(1, len(both)):
                client.send(both[:offset]).send(both[offset:])
                assert client.answer().status == 200, (phase, offset)
                assert client.answer().body == b'{"ok": true}', (phase, offset)
        if phase == "record":
            assert {r.body for r in plain_door.origin.received} == {b"0123456789", b""}
            plain_take.replay()


def test_answer_split_at_every_byte(plain_door: Door) -> None:
    """Wherever the origin's segments end, the answer is the same."""
    whole = (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4;x=y\r\n0123\r\n6\r\n456789\r\n0\r\nX-T: 1\r\n\r\n"
    )
    with plain_door.open() as client:
        for offset in range(1, len(whole)):
            plain_door.origin.on("/split", whole[:offset], whole[offset:])
            answer = client.ask(plain_door.request("/split"))
            assert (answer.body, answer.trailers) == (b"0123456789", [(b"X-T", b"1")]), offset


def test_close_is_honoured(door: Door) -> None:
    """`Connection: close` from the client ends the connection after the answer."""
    with door.open() as client:
        answer = client.ask(door.request("/json", fields="Connection: close\r\n"))
        assert answer.values("connection") == [b"close"]
        assert client.at_end()


def test_nothing_is_read_after_close(plain_door: Door) -> None:
    """A request behind one that closes the connection is ignored (RFC 9112 §9.6)."""
    with plain_door.open() as client:
        client.send(
            plain_door.request("/json", fields="Connection: close\r\n")
            + plain_door.request("/echo")
        )
        assert client.answer().body == b'{"ok": true}'
        assert client.at_end()
    assert [r.target for r in plain_door.origin.received] == ["/json"]


def test_origins_close_is_not_the_clients(door: Door) -> None:
    """An origin that closes after its answer does not end the client's connection."""
    door.origin.on("/once", routes.response(b"1", b"Connection: close"))
    with door.open() as client:
        for _ in range(2):
            assert client.ask(door.request("/once")).body == b"1"


def test_stale_connection_is_retried_for_a_get(door: Door) -> None:
    """A pooled connection that turns out closed costs a GET nothing (RFC 9112 §9.3.1)."""
    with door.open() as client:
        assert client.ask(door.request("/stale")).body == b"fresh"
        assert client.ask(door.request("/stale")).body == b"fresh"
    assert [r.connection for r in door.origin.received] == [1, 1, 2]


def test_stale_connection_is_not_retried_for_a_post(plain_door: Door) -> None:
    """A POST may have had its effect: it is never sent twice (RFC 9110 §9.2.2)."""
    with plain_door.open() as client:
        assert client.ask(plain_door.sized("/stale", "POST", b"1")).body == b"fresh"
        assert client.ask(plain_door.sized("/stale", "POST", b"2")).status == 502
    assert [r.body for r in plain_door.origin.received] == [b"1", b"2"]


def test_retry_happens_once(plain_door: Door) -> None:
    """A fresh connection that closes without an answer is a failure, not a loop."""
    plain_door.origin.on("/never", faults.close)
    plain_door.ask("/json")
    assert plain_door.ask("/never").status == 502
    assert len(plain_door.origin.received) <= 3


def test_http10_client(door: Door, take: Take) -> None:
    """An HTTP/1.0 client gets no chunks and an answer that ends with the connection."""

    def play(path: str) -> tuple[int, bytes]:
        with door.open() as client:
            answer = client.ask(door.request(path, version="HTTP/1.0"))
            assert not answer.values("transfer-encoding")
            assert client.at_end()
            return answer.status, answer.body

    recorded = [play("/json"), play("/chunked"), play("/early-hints")]
    assert recorded == [(200, b'{"ok": true}'), (200, b"hello, world"), (200, b"final")]
    take.replay()
    assert [play("/json"), play("/chunked"), play("/early-hints")] == recorded


def test_http10_client_that_keeps_its_connection(plain_door: Door) -> None:
    """HTTP/1.0 with `Connection: keep-alive` is kept, and told so (RFC 9112 §9.3)."""
    with plain_door.open() as client:
        for _ in range(2):
            answer = client.ask(
                plain_door.request("/json", fields="Connection: keep-alive\r\n", version="HTTP/1.0")
            )
            assert answer.values("connection") == [b"keep-alive"]


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


# ------------------------------------------------------------------ the same bytes again


def test_same_bytes_in_two_tunnels_reach_two_origins(
    make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """Where a request goes is decided by its connection, never by bytes seen before."""
    proxy = make_proxy()
    origins = [make_origin() for _ in range(2)]
    for number, origin in enumerate(origins):
        origin.on("/who", routes.response(b"%d" % number))
    request = b"GET /who HTTP/1.1\r\nHost: same.example\r\n\r\n"
    doors = [Door("tunnel", proxy, origin) for origin in origins]
    take = Take(proxy, *origins)
    take.record()
    for phase in ("record", "replay"):
        with doors[0].open() as one, doors[1].open() as two:
            for _ in range(3):
                assert one.ask(request).body == b"0", phase
                assert two.ask(request).body == b"1", phase
        if phase == "record":
            take.replay()


def test_same_bytes_to_two_proxies(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Reverse proxies of two upstreams get the same request; each has its own Host put in."""
    request = b"GET /echo HTTP/1.1\r\nHost: same.example\r\nX-Same: yes\r\n\r\n"
    pairs = []
    for _ in range(2):
        origin = make_origin()
        pairs.append((origin, make_proxy(reverse=origin.url(""))))
    for _ in range(3):
        for origin, proxy in pairs:
            with WireClient((proxy.host, proxy.port)) as client:
                assert client.ask(request).status == 200
            assert origin.last.values("host") == [origin.authority.encode()]


def test_same_answer_to_get_and_head(plain_door: Door, plain_take: Take) -> None:
    """The same response head means content after GET and none after HEAD (RFC 9112 §6.3)."""
    head = routes.head(b"Content-Length: 5")
    plain_door.origin.on("/both", head, lambda e: e.send(b"hello") if e.nth % 2 else None)
    for phase in ("record", "replay"):
        with plain_door.open() as client:
            for _ in range(3):
                assert client.ask(plain_door.request("/both")).body == b"hello", phase
                assert client.ask(plain_door.request("/both", "HEAD"), "HEAD").status == 200, phase
        if phase == "record":
            plain_take.replay()


def test_same_request_with_another_body(plain_door: Door) -> None:
    """A head seen before says nothing about the content that follows."""
    with plain_door.open() as client:
        for body in (b"one", b"two", b"six"):
            client.ask(plain_door.sized("/echo", "POST", body))
            assert plain_door.origin.last.body == body


def test_same_request_cut_elsewhere(plain_door: Door) -> None:
    """A request known as a whole is still known in pieces, alone and behind another."""
    request = plain_door.request("/json")
    with plain_door.open() as client:
        for cut in range(1, len(request)):
            client.ask(request)
            client.send(request + request[:cut]).send(request[cut:])
            assert client.answer().status == client.answer().status == 200, cut
    assert len(plain_door.origin.received) == 3 * (len(request) - 1)
