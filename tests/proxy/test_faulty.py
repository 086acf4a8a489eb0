"""Requests that go wrong because a fault says so."""

from __future__ import annotations

import logging

import pytest

from magneto_serge.messages import Interaction
from magneto_serge.replay.faults import faults_of
from magneto_serge.replay.modes import Mode

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, answer, ask, chunked, read_answers, recorded

EXPECT = "Expect: 100-continue"


def faulty(
    *rules: str, mode: Mode = Mode.REPLAY, tape: list[Interaction] | None = None, **settings: object
) -> tuple[Stage, MockTransport]:
    """Return a stage whose session has faults, and a client on it."""
    stage = Stage(mode, [recorded(body=b"hello")] if tape is None else tape, **settings)
    stage.session.faults = faults_of(rules)
    return stage, stage.client()


def test_status_instead_of_an_answer() -> None:
    """The client gets the status and is told why; the connection lives on."""
    stage, client = faulty("GET /pay* 503")
    client.send(ask(f"{URL}/pay/1") + ask())
    wrong, right = read_answers(client.take(), ["GET", "GET"])
    assert (wrong.status, wrong.kind) == (503, "injected-fault")
    assert "GET /pay* 503" in str(wrong.problem["detail"])
    assert right.body == b"hello"
    assert stage.stats["faults"] == 1


def test_fault_is_neither_a_play_nor_a_miss() -> None:
    """Nothing is looked up for a request that goes wrong: the next one gets what it would have."""
    tape = [recorded(body=b"1"), recorded(body=b"2")]
    stage, client = faulty("POST * 500", "GET / 503", tape=tape)
    client.send(ask() + ask(f"{URL}/other", method="POST"))
    assert [a.status for a in read_answers(client.take(), ["GET", "POST"])] == [503, 500]
    stage.session.faults = None
    client.send(ask())
    assert read_answers(client.take(), ["GET"])[0].body == b"1"
    assert stage.misses == []
    assert stage.stats == {**stage.stats, "requests": 3, "replayed": 1, "faults": 2}


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.HYBRID, Mode.PASSTHROUGH, Mode.AUTO])
def test_no_mode_is_spared(mode: Mode) -> None:
    """Where requests are forwarded, a fault keeps them from the origin and from the cassette."""
    stage, client = faulty("* 503", mode=mode, tape=[])
    client.send(ask() + ask(method="POST", body=b"x"))
    assert [a.status for a in read_answers(client.take(), ["GET", "POST"])] == [503, 503]
    assert stage.dials == 0
    assert stage.sink.interactions == []


def test_ignored_host_is_spared() -> None:
    """A host that the user asked to leave alone has no faults."""
    stage, client = faulty("* 503", ignore_hosts=("origin.test",))
    client.send(ask())
    assert stage.dials == 1


def test_fault_answers_head_and_bodies_as_it_should() -> None:
    """HEAD gets no content; a body that is still coming is not taken for the next request."""
    _, client = faulty("* 503")
    client.send(ask(method="HEAD") + ask(f"{URL}/", "Content-Length: 4", method="POST"))
    first, second = read_answers(client.take(), ["HEAD", "POST"])
    assert (first.body, second.status) == (b"", 503)
    client.send(b"body" + ask())
    assert read_answers(client.take(), ["GET"])[0].status == 503


def test_fault_ends_a_connection_that_expects() -> None:
    """A client that was not told to continue may leave its body out (RFC 9110 §10.1.1)."""
    _, client = faulty("* 503")
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 4", method="POST"))
    (only,) = read_answers(client.take(), ["POST"], closed=True)
    assert only.headers["connection"] == "close"
    assert not client.open


def test_reset_instead_of_an_answer() -> None:
    """The connection is reset, and nothing is written."""
    stage, client = faulty("* reset", mode=Mode.RECORD)
    client.send(ask())
    assert client.aborted
    assert client.take() == b""
    assert stage.dials == 0


def test_malformed_answer() -> None:
    """What is written is not HTTP, and the connection ends."""
    _, client = faulty("* malformed")
    client.send(ask())
    with pytest.raises(Exception, match=r"[Ii]llegal|malformed|status"):
        read_answers(client.take(), ["GET"], closed=True)
    assert not client.open


def test_timeout_is_silence() -> None:
    """Nothing is answered, whatever else is asked, until the client has gone."""
    stage, client = faulty("* timeout", idle_timeout=10)
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"bo")
    client.send(b"dy" + ask())
    stage.pass_time(1000)
    assert client.take() == b""
    assert client.open
    client.hang_up()


def test_timeout_notices_that_the_client_left() -> None:
    """A client that closes its side in the silence is let go."""
    _, client = faulty("* timeout")
    client.send(ask())
    client.half_close()
    assert not client.open


def test_timeout_holds_up_no_stop() -> None:
    """Stopping closes a connection to which nothing will ever be said."""
    stage, client = faulty("* timeout")
    client.send(ask())
    for connection in list(stage.server._connections):
        connection.close_when_idle()
    assert not client.open


# --- delays --------------------------------------------------------------------------------------


def test_delay_comes_before_the_look_up() -> None:
    """After the delay the request is dealt with as if it had just come."""
    stage, client = faulty("* delay:200")
    client.send(ask() + ask())
    stage.pass_time(0.199)
    assert client.take() == b""
    assert stage.stats.get("replayed") is None
    stage.pass_time(0.002)
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"
    stage.pass_time(0.2)
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_delayed_upload_is_complete(framing: str) -> None:
    """What came of a body during the delay is not lost, and the rest follows."""
    stage, client = faulty("* delay:200", mode=Mode.RECORD, tape=[])
    if framing == "length":
        client.send(ask(f"{URL}/", "Content-Length: 8", method="POST") + b"abcd")
        client.send(b"ef")
        rest, sent = b"gh", b"abcdefgh"
    else:
        client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST") + b"4\r\nabcd\r\n")
        rest, sent = b"4\r\nefgh\r\n0\r\n\r\n", chunked(b"abcd", b"efgh")
    stage.pass_time(0.3)
    client.send(rest)
    origin = stage.answer_dial()
    assert origin.take().endswith(b"\r\n\r\n" + sent)
    origin.send(answer(b"ok"))
    assert read_answers(client.take(), ["POST"])[0].body == b"ok"
    assert stage.sink.interactions[0].request.body == b"abcdefgh"


def test_delayed_upload_waits_in_the_client() -> None:
    """No more than a little of a large body is kept during a delay, and then it flows again."""
    stage, client = faulty("* delay:200", mode=Mode.PASSTHROUGH)
    client.send(ask(f"{URL}/", "Content-Length: 400000", method="POST"))
    client.send(bytes(100_000))
    assert not client.reading
    client.send(bytes(300_000))
    stage.pass_time(0.3)
    origin = stage.answer_dial()
    client.send(b"")
    assert len(origin.take()) > 400_000
    assert client.reading


def test_delayed_status() -> None:
    """A delay goes with what comes instead of an answer, body and all."""
    stage, client = faulty("* delay:200 503")
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"bo")
    stage.pass_time(0.3)
    assert read_answers(client.take(), ["POST"])[0].status == 503
    client.send(b"dy" + ask())
    stage.pass_time(0.3)
    assert read_answers(client.take(), ["GET"])[0].status == 503


def test_client_that_leaves_in_a_delay() -> None:
    """Nothing is asked for a client that has gone."""
    stage, client = faulty("* delay:200", mode=Mode.RECORD)
    client.send(ask())
    client.hang_up()
    stage.pass_time(1)
    assert stage.dials == 0


def test_half_closed_upload_in_a_delay() -> None:
    """A request that will never be complete is dropped when its turn comes."""
    stage, client = faulty("* delay:200", mode=Mode.RECORD)
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"bo")
    client.half_close()
    stage.pass_time(1)
    assert not client.open


def test_delay_is_no_idleness() -> None:
    """A delay longer than the idle timeout is waited for."""
    stage, client = faulty("* delay:100s", idle_timeout=10)
    client.send(ask())
    stage.pass_time(101)
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"


def test_fault_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Each fault is logged with its request and its rule."""
    caplog.set_level(logging.INFO, "magneto_serge.proxy")
    _, client = faulty("GET / 503")
    client.send(ask())
    assert f"GET {URL}/: fault injected, GET / 503" in caplog.text
