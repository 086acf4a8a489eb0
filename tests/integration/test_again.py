"""The same bytes again: whatever is remembered of a message, it means what it meant.

Heads are remembered by their bytes to be fast. None of that may show: where a request goes, what
its answer is and where it ends depend on the connection and the content too.
"""

from __future__ import annotations

from . import routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .wire_client import WireClient


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
