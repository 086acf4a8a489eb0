"""Upgrades: offered to the origin, a tunnel where it switches, HTTP as before where not."""

from __future__ import annotations

import pytest

from magneto_serge.replay.modes import Mode

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, answer, ask, read_answers, recorded

OFFER = ask(f"{URL}/chat", "Connection: Upgrade", "Upgrade: chat/1")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\n"


def offered(stage: Stage, rest: bytes = b"") -> tuple[MockTransport, MockTransport]:
    """Return a client and an origin with an upgrade offered between them."""
    client = stage.client()
    client.send(OFFER + rest)
    origin = stage.answer_dial()
    assert b"\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n" in origin.take()
    return client, origin


@pytest.mark.parametrize("mode", [Mode.PASSTHROUGH, Mode.RECORD])
def test_switched_connection_is_a_tunnel(mode: Mode) -> None:
    """After 101 bytes go both ways unread, and nothing is recorded."""
    stage = Stage(mode)
    client, origin = offered(stage)
    origin.send(SWITCH + b"hello")
    assert client.take() == SWITCH + b"hello"
    client.send(b"\x00GET / nonsense")
    assert origin.take() == b"\x00GET / nonsense"
    origin.send(b"\xff")
    assert client.take() == b"\xff"
    client.hang_up()
    assert not origin.open
    assert stage.sink.interactions == []


def test_bytes_that_came_with_the_offer_go_to_the_tunnel() -> None:
    """A client that does not wait for 101 has its bytes delivered after the switch."""
    stage = Stage()
    client, origin = offered(stage, b"early")
    client.send(b"later")
    assert origin.take() == b""
    origin.send(SWITCH)
    assert origin.take() == b"earlylater"


def test_refused_upgrade_stays_http() -> None:
    """Where the origin answers instead, the connection is HTTP, and what followed is a request."""
    stage = Stage()
    client, origin = offered(stage, ask(f"{URL}/next"))
    client.send(ask(f"{URL}/after"))
    origin.send(answer(b"no"))
    assert origin.take().startswith(b"GET /next ")
    origin.send(answer(b"next"))
    assert origin.take().startswith(b"GET /after ")
    origin.send(answer(b"after"))
    answers = read_answers(client.take(), ["GET"] * 3)
    assert [each.body for each in answers] == [b"no", b"next", b"after"]


def test_failed_upgrade_stays_http() -> None:
    """A 502 to an offer is followed by the answers to what came after it."""
    stage = Stage()
    client = stage.client()
    client.send(OFFER + ask(f"{URL}/next"))
    stage.fail_dial()
    stage.answer_dial().send(answer(b"next"))
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (first.status, second.body) == (502, b"next")


def test_much_is_not_kept_while_an_offer_is_undecided() -> None:
    """A client that goes on sending is held until the origin has decided."""
    stage = Stage()
    client, origin = offered(stage)
    client.send(bytes(60_000))
    assert client.reading
    client.send(bytes(60_000))
    assert not client.reading
    origin.send(SWITCH)
    assert client.reading
    assert len(origin.take()) == 120_000


def test_held_client_is_heard_in_the_tunnel() -> None:
    """Whatever held the client's reading before the switch, the tunnel starts reading."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: Upgrade", "Upgrade: x", "Content-Length: 100000"))
    origin = stage.answer_dial()
    origin.choke()
    client.send(bytes(100_000))
    assert not client.reading
    origin.send(SWITCH)
    origin.drain()
    assert client.reading


def test_upgrade_is_refused_in_replay() -> None:
    """Without a recording an upgrade is a miss like any other, and the next request is heard."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/next", b"next")])
    client = stage.client()
    client.send(OFFER + ask(f"{URL}/next"))
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (first.kind, second.body) == ("replay-miss", b"next")


def test_recorded_refusal_of_an_upgrade_replays() -> None:
    """An upgrade that the origin had declined replays as what it said; the rest follows."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/chat", bytes(100_000)), recorded()])
    client = stage.client()
    client.choke()
    client.send(OFFER + ask())
    client.drain()
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (len(first.body), second.status) == (100_000, 200)


def test_upgrade_in_the_backlog_waits_for_its_turn() -> None:
    """A pipelined offer is made when the answer before it is complete; its bytes go with it."""
    stage = Stage()
    client = stage.client()
    client.send(ask() + OFFER + b"early")
    origin = stage.answer_dial()
    assert b"chat" not in origin.take()
    origin.send(answer(b"first"))
    assert b"chat" in origin.take()
    origin.send(SWITCH + b"hello")
    assert origin.take() == b"early"
    assert client.take() == answer(b"first") + SWITCH + b"hello"


def test_bytes_after_an_upgrade_in_the_backlog_keep_their_order() -> None:
    """What comes behind an undecided offer is not read before what came with it."""
    stage = Stage(Mode.HYBRID, [recorded(f"{URL}/{n}", b"%d" % n) for n in (1, 2, 3)])
    client = stage.client()
    offer = ask(f"{URL}/1", "Connection: Upgrade", "Upgrade: x")
    client.send(ask(f"{URL}/slow") + offer + ask(f"{URL}/2")[:10])
    client.get_protocol().data_received(ask(f"{URL}/2")[10:] + ask(f"{URL}/3"))
    stage.answer_dial().send(answer(b"0"))
    answers = read_answers(client.take(), ["GET"] * 4)
    assert [each.body for each in answers] == [b"0", b"1", b"2", b"3"]


def test_h2c_is_not_offered_onwards() -> None:
    """The retired upgrade to HTTP/2 is ignored, and the exchange is an ordinary one."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    client.send(ask(f"{URL}/", *fields) + ask(f"{URL}/next"))
    origin = stage.answer_dial()
    assert origin.take() == b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"
    origin.send(answer())
    assert origin.take().startswith(b"GET /next ")
    assert len(stage.sink.interactions) == 1


def test_switch_that_names_no_protocol() -> None:
    """A 101 without Upgrade is a broken answer (RFC 9110 §7.8), not a wait without an end."""
    stage = Stage(Mode.RECORD)
    client, origin = offered(stage)
    origin.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (502, "bad-response")
    assert origin.aborted


def test_origin_that_closes_after_the_offer() -> None:
    """An offer is a GET: on a stale connection it is made again, with its fields."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    stale = stage.answer_dial()
    stale.send(answer())
    client.send(OFFER)
    stale.hang_up()
    fresh = stage.answer_dial()
    assert b"Upgrade: chat/1" in fresh.take()
    fresh.send(SWITCH)
    assert client.take().endswith(SWITCH)


@pytest.mark.parametrize("framing", ["Content-Length: 5", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("protocol", ["chat/1", "h2c"])
def test_offer_with_content_is_ignored(protocol: str, framing: str) -> None:
    """A request with content that offers an upgrade is forwarded with it, and without the offer."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    body = b"hello" if "Length" in framing else b"5\r\nhello\r\n0\r\n\r\n"
    fields = ("Connection: Upgrade", f"Upgrade: {protocol}", framing)
    client.send(ask(f"{URL}/", *fields, method="POST") + body + ask(f"{URL}/next"))
    origin = stage.answer_dial()
    sent = origin.take()
    assert b"Upgrade" not in sent
    assert sent.endswith(b"\r\n\r\n" + body)
    origin.send(answer())
    assert origin.take().startswith(b"GET /next ")
    assert stage.sink.interactions[0].request.body == b"hello"


@pytest.mark.parametrize(
    "offer",
    [
        ask(f"{URL}/", "Upgrade: chat/1"),
        ask(f"{URL}/", "Connection: Upgrade", "Upgrade: chat/1", version="HTTP/1.0"),
    ],
)
def test_what_is_no_offer_is_not_made_one(offer: bytes) -> None:
    """Without Connection: Upgrade, or in HTTP/1.0, nothing is offered (RFC 9110 §7.8)."""
    stage = Stage()
    client = stage.client()
    client.send(offer)
    assert stage.answer_dial().take() == b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"
