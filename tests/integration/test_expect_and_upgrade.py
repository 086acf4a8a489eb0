"""Expect: 100-continue (RFC 9110 §10.1.1) and Upgrade (§7.8): where the two messages interleave."""

from __future__ import annotations

import pytest

from magneto_serge import Mode

from . import faults, routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .exchange import leave_body

EXPECT = "Expect: 100-continue\r\nContent-Length: 4\r\n"


def test_continue_comes_from_the_origin(door: Door, take: Take) -> None:
    """The body waits for one 100, which the origin gives; on replay we give it."""

    def play() -> object:
        with door.open() as client:
            client.send(door.request("/continue", "POST", EXPECT))
            assert client.head().status == 100
            return client.ask(b"body", "POST").seen

    recorded = play()
    assert door.origin.last.values("expect") == [b"100-continue"]
    assert door.origin.last.body == b"body"
    take.replay()
    assert play() == recorded


def test_body_that_does_not_wait_for_continue(plain_door: Door, plain_take: Take) -> None:
    """A client may send its body at once; the 100 comes all the same and does no harm."""
    request = plain_door.request("/continue", "POST", EXPECT, b"body")
    for phase in ("record", "replay"):
        with plain_door.open() as client:
            assert client.ask(request).status == 200, phase
            assert client.ask(plain_door.request("/json")).status == 200
        if phase == "record":
            assert plain_door.origin.received[0].body == b"body"
            plain_take.replay()


@pytest.mark.parametrize("kind", ["absolute", "tls"])
def test_refused_expectation(kind: str, make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """417 instead of 100: the body is never sent, and the refusal replays."""
    door = Door(kind, make_proxy(), make_origin(tls=kind == "tls"))
    take = Take(door.proxy, door.origin)
    take.record()

    def play() -> object:
        with door.open() as client:
            client.socket.settimeout(2)
            answer = client.ask(door.request("/refuse-body", "POST", EXPECT))
            assert (answer.status, answer.informational) == (417, [])
            return answer.seen

    recorded = play()
    assert door.origin.last.body == b""
    take.replay()
    assert play() == recorded


def test_early_answer_before_the_body(plain_door: Door) -> None:
    """A 401 that comes before the body is complete reaches the client at once."""
    plain_door.origin.on(
        "/401",
        leave_body,
        routes.response(b"no", b"Connection: close", status=b"401 Unauthorized"),
        faults.linger,
    )
    with plain_door.open() as client:
        client.send(plain_door.request("/401", "POST", "Content-Length: 1000000\r\n", b"x" * 1000))
        assert client.answer().status == 401


def test_http10_client_gets_no_continue(plain_door: Door) -> None:
    """A 100 never goes to HTTP/1.0 (RFC 9110 §15.2)."""
    with plain_door.open() as client:
        client.send(plain_door.request("/echo", "POST", EXPECT, b"body", version="HTTP/1.0"))
        assert client.head().status == 200


UPGRADE = "Connection: Upgrade\r\nUpgrade: smoke-signals\r\n"


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.PASSTHROUGH])
def test_unknown_upgrade_is_tunnelled(mode: Mode, door: Door) -> None:
    """After 101 bytes pass both ways, unread."""
    door.proxy.use("upgrade", mode)
    with door.open() as client:
        answer = client.ask(door.request("/switch", fields=UPGRADE) + b"early")
        assert answer.status == 101
        assert answer.values("upgrade") == [b"smoke-signals"]
        assert client.stream.exactly(5) == b"early"
        client.send(b"\x00\xff puff \r\n\r\n")
        assert client.stream.exactly(12) == b"\x00\xff puff \r\n\r\n"


def test_upgrade_declined_stays_http(door: Door, take: Take) -> None:
    """An origin may ignore the offer; the answer records and replays, the connection lives on."""
    for phase in ("record", "replay"):
        with door.open() as client:
            assert client.ask(door.request("/json", fields=UPGRADE)).status == 200, phase
            assert client.ask(door.request("/json")).status == 200, phase
        if phase == "record":
            take.replay()


def test_upgrade_is_refused_in_replay(plain_door: Door, plain_take: Take) -> None:
    """What was not recorded is refused, upgrade or not."""
    plain_door.ask("/json")
    plain_take.replay()
    assert plain_door.ask("/switch", fields=UPGRADE).status == 502
