"""How long a client's connection may wait, in each of its states; time passes by hand."""

from __future__ import annotations

import pytest

from magneto_serge.replay.modes import Mode

from .stage import Stage
from .traffic import URL, answer, ask, read_answers, recorded

LIMITS = {"idle_timeout": 10.0, "header_timeout": 5.0, "keepalive_timeout": 20.0}


def test_silent_client_is_closed_after_the_keepalive_timeout() -> None:
    """A connection on which nothing ever came is an idle one."""
    stage = Stage(**LIMITS)
    client = stage.client()
    stage.pass_time(19)
    assert client.open
    stage.pass_time(3)
    assert not client.open
    assert client.take() == b""


def test_idle_time_starts_with_the_last_answer() -> None:
    """Between requests a connection is kept for the keepalive timeout."""
    stage = Stage(**LIMITS)
    client = stage.client()
    for _ in range(3):
        stage.pass_time(18)
        client.send(ask())
        if stage.dials:
            origin = stage.answer_dial()
        origin.send(answer())
    stage.pass_time(18)
    assert client.open
    stage.pass_time(4)
    assert not client.open


def test_head_in_drips_does_not_look_alive() -> None:
    """A head that is not complete in time is refused with 408, however often a byte comes."""
    stage = Stage(**LIMITS)
    client = stage.client()
    stage.pass_time(18)
    for byte in ask()[:8]:
        client.send(bytes([byte]))
        stage.pass_time(0.9)
    assert read_answers(client.take(), ["GET"])[0].status == 408
    assert not client.open


def test_head_in_two_pieces_has_its_time() -> None:
    """The clock of a head starts with its first byte, not with the connection."""
    stage = Stage(Mode.REPLAY, [recorded()], **LIMITS)
    client = stage.client()
    stage.pass_time(18)
    client.send(ask()[:8])
    stage.pass_time(4)
    client.send(ask()[8:])
    assert read_answers(client.take(), ["GET"])[0].status == 200


def test_origin_that_does_not_answer() -> None:
    """Silence of the origin for the idle timeout is a 504, recorded as a failure."""
    stage = Stage(Mode.RECORD, **LIMITS)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    stage.pass_time(9)
    assert client.take() == b""
    stage.pass_time(3)
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (504, "timeout")
    assert "origin.test:80 sent nothing for 10 s" in str(only.problem["detail"])
    assert origin.aborted
    assert client.open
    assert stage.sink.interactions[0].failure.kind == "timeout"


def test_origin_that_stops_in_the_middle() -> None:
    """Silence in the middle of an answer cuts it off."""
    stage = Stage(Mode.RECORD, **LIMITS)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    for _ in range(3):
        origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" if _ == 0 else b"x")
        stage.pass_time(9)
    assert client.open
    stage.pass_time(3)
    assert not client.open
    assert origin.aborted
    (kept,) = stage.sink.interactions
    assert (kept.failure.kind, kept.response.body) == ("timeout", b"xx")


def test_client_that_does_not_send_its_body() -> None:
    """Where the client is due, the origin is not blamed: the connection ends."""
    stage = Stage(Mode.RECORD, **LIMITS)
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST"))
    origin = stage.answer_dial()
    stage.pass_time(9)
    client.send(b"x")
    stage.pass_time(9)
    assert client.open
    stage.pass_time(3)
    assert client.aborted
    assert origin.aborted
    assert stage.sink.interactions == []


def test_origin_that_does_not_read() -> None:
    """A body that the origin does not take is the origin's fault: 504."""
    stage = Stage(**LIMITS)
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 1000000", method="POST"))
    origin = stage.answer_dial()
    origin.choke()
    client.send(bytes(200_000))
    assert not client.reading
    stage.pass_time(12)
    assert read_answers(client.take(), ["POST"])[0].status == 504
    assert origin.aborted


def test_client_that_does_not_read_an_answer() -> None:
    """A client that takes nothing for the idle timeout is cut off, and that is recorded."""
    stage = Stage(Mode.RECORD, **LIMITS)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    client.choke()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(200_000))
    assert not origin.reading
    stage.pass_time(12)
    assert client.aborted
    assert origin.aborted
    assert stage.sink.interactions[0].failure.kind == "client-closed"


def test_client_that_reads_slowly() -> None:
    """A client may take as long as it likes, as long as it takes something."""
    stage = Stage(**LIMITS)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    client.choke()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(10):
        origin.send(bytes(100_000))
        stage.pass_time(9)
        client.sip()
    assert client.open
    assert len(read_answers(client.take(), ["GET"])[0].body) == 1_000_000


def test_client_that_does_not_read_a_recording() -> None:
    """A large replay that nobody takes ends after the idle timeout."""
    stage = Stage(Mode.REPLAY, [recorded(body=bytes(500_000))], **LIMITS)
    client = stage.client()
    client.choke()
    client.send(ask())
    stage.pass_time(9)
    assert client.open
    stage.pass_time(3)
    assert client.aborted


@pytest.mark.parametrize("close", [True, False])
def test_last_answer_that_nobody_reads(close: bool) -> None:
    """An answer that is written but not taken does not keep its connection for ever."""
    stage = Stage(Mode.REPLAY, [recorded(body=bytes(50_000))], **LIMITS)
    client = stage.client()
    client.choke()
    client.send(ask(f"{URL}/", *(["Connection: close"] if close else [])))
    stage.pass_time(35)
    assert client.aborted
    client.hang_up()
    assert stage.server._connections == set()


def test_body_read_for_matching_that_stops_coming() -> None:
    """A request that is never complete ends after the idle timeout."""
    stage = Stage(Mode.REPLAY, [recorded(method="POST", sent=b"body")], **LIMITS)
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"bo")
    stage.pass_time(9)
    assert client.open
    stage.pass_time(3)
    assert client.aborted


def test_rest_of_a_refused_body_that_stops_coming() -> None:
    """So does a request whose answer came early."""
    stage = Stage(Mode.REPLAY, [], **LIMITS)
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"bo")
    read_answers(client.take(), ["POST"])
    stage.pass_time(12)
    assert client.aborted


def test_dial_has_its_own_time() -> None:
    """While a connection is being opened, the dialler's timeout counts; ours catches the rest."""
    stage = Stage(**LIMITS)
    client = stage.client()
    client.send(ask())
    stage.pass_time(12)
    (only,) = read_answers(client.take(), ["GET"])
    assert only.status == 504
    assert stage.dials == 0


def test_tunnel_request_without_an_answer_to_its_upgrade() -> None:
    """An upgrade offered and never answered is an origin that does not answer."""
    stage = Stage(**LIMITS)
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: Upgrade", "Upgrade: x"))
    stage.answer_dial()
    stage.pass_time(12)
    assert read_answers(client.take(), ["GET"])[0].status == 504
