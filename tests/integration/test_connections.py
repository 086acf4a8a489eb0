"""Connections: kept, pipelined, reused, closed, cut into pieces; clients of HTTP/1.0."""

from __future__ import annotations

import pytest

from . import faults, routes
from .doors import Door, Take


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
