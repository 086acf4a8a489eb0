"""Exchanges that fail: what the client is told, what is recorded, what is tried again."""

from __future__ import annotations

import pytest

from magneto_serge.messages import FailureKind
from magneto_serge.replay.modes import Mode

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, answer, ask, read_answers


def pooled(stage: Stage) -> tuple[MockTransport, MockTransport]:
    """Return a client, and an origin's connection that has idled since its first exchange."""
    client = stage.client()
    client.send(ask(f"{URL}/warm"))
    origin = stage.answer_dial()
    origin.send(answer())
    client.take()
    origin.take()
    stage.sink.interactions.clear()
    return client, origin


# --- before the answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind != "client-closed"])
def test_dial_that_fails(kind: FailureKind) -> None:
    """The client gets 502, or 504 for a timeout, as a problem; the cassette an interaction."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask(f"{URL}/path"))
    stage.fail_dial(kind, "what happened")
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (504 if kind == "timeout" else 502, kind)
    assert only.problem["detail"] == "what happened"
    assert client.open
    (kept,) = stage.sink.interactions
    assert (kept.request.url, kept.response) == (f"{URL}/path", None)
    assert (kept.failure.kind, kept.failure.detail) == (kind, "what happened")
    assert stage.stats["failed"] == stage.stats["recorded"] == 1


def test_failure_for_head_has_no_content() -> None:
    """A HEAD request's 502 is a head alone."""
    stage = Stage()
    client = stage.client()
    client.send(ask(method="HEAD"))
    stage.fail_dial()
    assert read_answers(client.take(), ["HEAD"])[0].body == b""


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
def test_origin_that_closes_instead_of_answering(error: Exception | None) -> None:
    """A connection lost before the response is a 502, and recorded as a reset."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    stage.answer_dial().hang_up(error)
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (502, "reset")
    assert "origin.test:80" in str(only.problem["detail"])
    assert stage.sink.interactions[0].failure.kind == "reset"


def test_origin_that_closes_inside_its_head() -> None:
    """Half a response head is no response."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-")
    origin.hang_up()
    assert read_answers(client.take(), ["GET"])[0].status == 502
    assert stage.sink.interactions[0].response is None


def test_origin_that_closes_as_soon_as_it_is_connected() -> None:
    """A connection that is gone before it could be used is a reset."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    stage.answer_dial(closed=True)
    assert read_answers(client.take(), ["GET"])[0].kind == "reset"


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_answer_that_is_no_http(said: bytes) -> None:
    """A response that cannot be understood is a 502, and ends the origin's connection."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(said)
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (502, "bad-response")
    assert origin.aborted
    assert client.open
    assert stage.sink.interactions[0].failure.kind == "bad-response"


def test_interim_responses_before_a_failure() -> None:
    """What was relayed before the failure is recorded with it."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    origin.hang_up()
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.interim, only.status) == ((103,), 502)
    assert [early.status for early in stage.sink.interactions[0].informational] == [103]


# --- in the middle of the answer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "error", "kind"),
    [
        (b"Content-Length: 10\r\n", None, "truncated"),
        (b"Content-Length: 10\r\n", ConnectionResetError(), "reset"),
        (b"Transfer-Encoding: chunked\r\n", None, "truncated"),
        (b"Transfer-Encoding: chunked\r\n", ConnectionResetError(), "reset"),
        (b"", ConnectionResetError(), "reset"),
    ],
)
def test_answer_that_breaks_off(head: bytes, error: Exception | None, kind: str) -> None:
    """The client's connection ends like the origin's; what had come is recorded."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
    origin.send(b"4\r\nhalf\r\n" if b"chunked" in head else b"half")
    origin.hang_up(error)
    assert b"half" in client.take()
    assert not client.open
    assert client.aborted is (kind == "reset")
    (kept,) = stage.sink.interactions
    assert (kept.response.body, kept.failure.kind) == (b"half", kind)


def test_malformed_chunk_cuts_the_answer() -> None:
    """What was good is passed on; the connection ends where it was not."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\nbad!\r\n")
    assert client.take().endswith(b"4\r\ngood\r\n")
    assert not client.open
    assert origin.aborted
    (kept,) = stage.sink.interactions
    assert (kept.response.body, kept.failure.kind) == (b"good", "bad-response")


def test_cut_waits_until_a_slow_client_has_what_came() -> None:
    """What had come before the end goes out first, however slowly."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    client.choke()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(100_000))
    origin.hang_up(ConnectionResetError())
    assert client.open
    client.drain()
    assert len(client.take()) > 100_000
    assert client.aborted


# --- the client goes -----------------------------------------------------------------------------


def test_client_that_goes_while_dialling() -> None:
    """The dial is given up, and nothing is recorded."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    client.hang_up()
    assert stage.dials == 0
    assert stage.sink.interactions == []


def test_client_that_goes_before_the_answer() -> None:
    """The origin's connection is freed, and nothing is recorded: there is no answer to replay."""
    stage = Stage(Mode.RECORD, memory_limit=10)
    client = stage.client()
    client.send(ask(method="POST", body=bytes(100)))
    origin = stage.answer_dial()
    client.hang_up()
    assert origin.aborted
    assert stage.sink.interactions == []
    assert stage.sink.bodies[0].discarded


def test_client_that_goes_in_the_middle_of_the_answer() -> None:
    """What it had seen is recorded, as cut off by the client."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    client.hang_up(ConnectionResetError())
    assert origin.aborted
    (kept,) = stage.sink.interactions
    assert (kept.response.body, kept.failure.kind) == (b"half", "client-closed")
    assert "failed" not in stage.stats


# --- stale connections (RFC 9110 §9.2.2, RFC 9112 §9.3.1) ----------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_repeatable_request_is_sent_again(method: str, error: Exception | None) -> None:
    """A kept connection that the origin has closed meanwhile costs the client nothing."""
    stage = Stage(Mode.RECORD)
    client, stale = pooled(stage)
    body = b"content" if method == "PUT" else b""
    client.send(ask(method=method, body=body))
    first = stale.take()
    stale.hang_up(error)
    fresh = stage.answer_dial()
    assert fresh.take() == first
    fresh.send(answer(b"" if method == "HEAD" else b"hello"))
    assert read_answers(client.take(), [method])[0].status == 200
    (kept,) = stage.sink.interactions
    assert (kept.failure, kept.request.body) == (None, body)


def test_request_is_sent_again_once() -> None:
    """A fresh connection that breaks too is a failure."""
    stage = Stage()
    client, stale = pooled(stage)
    client.send(ask())
    stale.hang_up()
    stage.answer_dial().hang_up()
    assert read_answers(client.take(), ["GET"])[0].status == 502
    assert stage.dials == 0


def test_request_on_a_fresh_connection_is_not_sent_again() -> None:
    """An origin that closes a new connection has had the request: it failed."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    stage.answer_dial().hang_up()
    assert stage.dials == 0
    assert read_answers(client.take(), ["GET"])[0].status == 502


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_requests_are_not_sent_again(method: str) -> None:
    """What may have had an effect is not repeated on our own account."""
    stage = Stage()
    client, stale = pooled(stage)
    client.send(ask(method=method, body=b"pay"))
    assert stale.take().endswith(b"pay")
    stale.hang_up()
    assert stage.dials == 0
    assert read_answers(client.take(), [method])[0].status == 502


def test_other_requests_take_no_connection_that_has_idled() -> None:
    """A request that cannot be repeated takes a kept connection only within a second."""
    stage = Stage()
    client, kept = pooled(stage)
    stage.pass_time(1.5)
    client.send(ask(method="POST", body=b"pay"))
    assert stage.answer_dial().take().endswith(b"pay")
    assert kept.take() == b""


def test_request_is_not_sent_again_after_an_answer_has_begun() -> None:
    """Once something of the answer has come, a break is a failure."""
    for said in (
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    ):
        stage = Stage()
        client, stale = pooled(stage)
        client.send(ask())
        stale.send(said)
        stale.hang_up()
        assert stage.dials == 0


def test_large_body_is_not_kept_for_repeating() -> None:
    """A PUT whose body is too large to keep is not sent again."""
    stage = Stage()
    client, stale = pooled(stage)
    client.send(ask(method="PUT", body=bytes(100_000)))
    stale.hang_up()
    assert stage.dials == 0
    assert read_answers(client.take(), ["PUT"])[0].status == 502


def test_rest_of_a_body_follows_its_beginning() -> None:
    """A request that is sent again while its body still comes is sent whole, and in order."""
    stage = Stage()
    client, stale = pooled(stage)
    client.send(ask(f"{URL}/", "Content-Length: 9", method="PUT") + b"abc")
    stale.hang_up()
    client.send(b"def")
    fresh = stage.answer_dial()
    client.send(b"ghi")
    assert fresh.take().endswith(b"\r\n\r\nabcdefghi")


def test_repeated_request_through_a_full_origin() -> None:
    """A client that was held for the stale connection is heard again."""
    stage = Stage()
    client, stale = pooled(stage)
    client.send(ask(f"{URL}/", "Content-Length: 60000", method="PUT"))
    stale.choke()
    client.send(bytes(30_000))
    stale.hang_up()
    fresh = stage.answer_dial()
    client.send(bytes(30_000))
    assert len(fresh.take()) > 60_000


def test_idle_connection_that_the_origin_closes_is_forgotten() -> None:
    """A connection known to be closed is not taken at all."""
    stage = Stage()
    client, kept = pooled(stage)
    kept.hang_up()
    client.send(ask(method="POST", body=b"pay"))
    assert stage.answer_dial().take().endswith(b"pay")


def test_idle_connection_on_which_something_is_said_is_closed() -> None:
    """Bytes that nobody asked for belong to nobody (RFC 9112 §9.2)."""
    stage = Stage()
    client, kept = pooled(stage)
    kept.send(answer(b"unasked"))
    assert kept.aborted
    client.send(ask())
    assert stage.dials == 1
