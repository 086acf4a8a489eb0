"""The side of a client's connection that writes."""

from __future__ import annotations

import pytest

from magneto_serge.messages import Failure, FailureKind
from magneto_serge.replay.modes import Mode

from .stage import Stage
from .traffic import URL, ask, read_answers, recorded


def test_bytes_out_are_counted() -> None:
    """Whatever kind of answer goes out, its bytes are counted once."""
    large = bytes(200_000)
    stage = Stage(Mode.REPLAY, [recorded(body=b"small"), recorded(f"{URL}/large", large)])
    client = stage.client()
    client.send(ask() + ask(f"{URL}/large") + ask(f"{URL}/none") + b"nonsense\r\n\r\n")
    assert stage.stats["bytes_out"] == len(client.take())


def test_nothing_is_written_to_a_connection_that_ends() -> None:
    """What was asked after the last answer of a connection is void."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"1"), recorded(body=b"2")])
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: close") + ask())
    assert read_answers(client.take(), ["GET"], closed=True)[0].body == b"1"
    assert stage.stats["replayed"] == 1


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_in_the_middle_ends_the_connection(kind: FailureKind) -> None:
    """Whatever broke the answer off, its replay breaks off too: by a reset if it was one."""
    fields = ("Transfer-Encoding: chunked",)
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", b"half", *fields, failure=Failure(kind))])
    client = stage.client()
    client.send(ask() + ask())
    assert client.take().endswith(b"4\r\nhalf\r\n")
    assert not client.open
    assert client.aborted is (kind is FailureKind.RESET)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_before_the_answer_is_told(kind: FailureKind) -> None:
    """Whatever the origin failed of, its replay is the same problem with the same detail."""
    stage = Stage(Mode.REPLAY, [recorded(responded=False, failure=Failure(kind, "so it was"))])
    client = stage.client()
    client.send(ask())
    (answer,) = read_answers(client.take(), ["GET"])
    assert answer.status == (504 if kind is FailureKind.TIMEOUT else 502)
    assert (answer.kind, answer.problem["detail"]) == (kind.value, "so it was")
