"""How long a client's connection waits (`test_client_timeouts` has the timeouts themselves)."""

from __future__ import annotations

from magneto_serge.replay.modes import Mode

from .stage import Stage
from .traffic import URL, answer, ask, read_answers, recorded


def test_idle_connection_is_not_busy() -> None:
    """A connection is busy from a request's arrival to the end of its answer."""
    stage = Stage(Mode.PASSTHROUGH)
    client = stage.client()
    (connection,) = stage.server._connections
    assert not connection.busy
    client.send(ask())
    assert connection.busy
    stage.answer_dial().send(answer(b"hello"))
    assert not connection.busy


def test_asked_to_close_it_finishes_what_is_under_way() -> None:
    """Idle connections close at once, others with the answer under way."""
    stage = Stage(Mode.PASSTHROUGH)
    idle, busy = stage.client(), stage.client()
    busy.send(ask())
    for connection in list(stage.server._connections):
        connection.close_when_idle()
    assert not idle.open
    assert busy.open
    stage.answer_dial().send(answer(b"hello"))
    assert read_answers(busy.take(), ["GET"], closed=True)[0].headers["connection"] == "close"
    assert not busy.open


def test_body_read_first_has_the_idle_timeout() -> None:
    """A client that stops in the middle of a body that is waited for is closed."""
    stage = Stage(Mode.REPLAY, [recorded(method="POST", sent=b"1234")], idle_timeout=10)
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"12")
    stage.pass_time(5)
    assert client.open
    stage.pass_time(10)
    assert not client.open
