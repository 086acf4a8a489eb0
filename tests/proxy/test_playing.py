"""Recordings over time: each piece when it is due, and never before the client takes it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from magneto_serge.messages import Body, Failure, FailureKind, FileBody, Interaction, Response
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.timing import pace_of

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, ask, read_answers, recorded

EVENTS = (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")
WHOLE = b"".join(EVENTS)
SSE = ("Content-Type: text/event-stream", "Transfer-Encoding: chunked")


def play(
    *tape: Interaction, latency: str = "recorded", **settings: int
) -> tuple[Stage, MockTransport]:
    """Return a stage that replays with a latency, and a client on it."""
    stage = Stage(Mode.REPLAY, tape, **settings)
    stage.session.pace = pace_of([latency])
    return stage, stage.client()


def stream(
    *fields: str,
    body: Body = WHOLE,
    chunks: tuple[tuple[int, float], ...] = ((9, 150.0), (9, 180.0), (9, 400.0)),
    failure: Failure | None = None,
) -> Interaction:
    """Return a recording whose head came at 100 ms and whose end at 500 ms."""
    tape = recorded(f"{URL}/", body, *(fields or SSE), chunks=chunks, failure=failure)
    tape.first_byte_ms, tape.total_ms = 100.0, 500.0
    return tape


def arrivals(stage: Stage, client: MockTransport, until: float = 700.0) -> list[tuple[int, bytes]]:
    """Return what arrives, with the ms since now at which it does."""
    found = []
    stage.pass_time(0.0005)  # so that no step ends where something is due
    for ms in range(int(until)):
        if data := client.take():
            found.append((ms, data))
        stage.pass_time(0.001)
    return found


def test_stream_replays_in_recorded_time() -> None:
    """Head, pieces and end go out at the moments at which they had come."""
    stage, client = play(stream())
    client.send(ask())
    (head, first, second, third, end) = arrivals(stage, client)
    assert (head[0], first[0], second[0], third[0], end[0]) == (100, 150, 180, 400, 500)
    assert head[1].endswith(b"\r\n\r\n")
    assert [piece[1] for piece in (first, second, third)] == [
        b"9\r\n%b\r\n" % event for event in EVENTS
    ]
    assert end[1] == b"0\r\n\r\n"
    assert client.open


def test_stream_replays_scaled() -> None:
    """Half the time is half of every moment."""
    stage, client = play(stream(), latency="scale:50")
    client.send(ask())
    assert [ms for ms, _ in arrivals(stage, client)] == [50, 75, 90, 200, 250]


def test_fixed_delay_is_for_the_head_and_each_gap() -> None:
    """The first piece comes with the head, each other one the delay later."""
    stage, client = play(stream(), latency="fixed:40")
    client.send(ask())
    assert [ms for ms, _ in arrivals(stage, client)] == [40, 80, 120]


def test_recorded_time_counts_from_the_head_of_the_request() -> None:
    """What an upload takes is not waited for twice; a fixed delay counts from its end."""
    for latency, expected in (("recorded", 60), ("fixed:40", 40)):
        tape = recorded(method="POST", sent=b"12345678", body=b"ok")
        tape.first_byte_ms = tape.total_ms = 100.0
        stage, client = play(tape, latency=latency)
        client.send(ask(f"{URL}/", "Content-Length: 8", method="POST") + b"1234")
        stage.pass_time(0.04)
        client.send(b"5678")
        assert [ms for ms, _ in arrivals(stage, client)] == [expected]


def test_upload_slower_than_recorded_is_answered_at_its_end() -> None:
    """What is overdue is not put off."""
    tape = recorded(method="POST", sent=b"12", body=b"ok")
    tape.first_byte_ms = tape.total_ms = 100.0
    stage, client = play(tape)
    client.send(ask(f"{URL}/", "Content-Length: 2", method="POST") + b"1")
    stage.pass_time(5)
    client.send(b"2")
    assert read_answers(client.take(), ["POST"])[0].body == b"ok"


def test_event_that_was_split_is_whole() -> None:
    """Wherever the network had split the stream, an event goes out in one piece."""
    stage, client = play(stream(chunks=((4, 150.0), (10, 180.0), (13, 400.0))))
    client.send(ask())
    bodies = [data for _, data in arrivals(stage, client)][1:-1]
    assert bodies == [b"9\r\n%b\r\n" % EVENTS[0], b"12\r\n%b\r\n" % b"".join(EVENTS[1:])]


def test_body_in_one_piece_comes_at_its_end() -> None:
    """Where no moments are recorded, the head has its own and the body that of the end."""
    stage, client = play(stream("Content-Length: 27", chunks=()))
    client.send(ask())
    assert [ms for ms, _ in arrivals(stage, client)] == [100, 500]


def test_stream_that_ends_with_its_connection() -> None:
    """The connection is closed when the origin had closed it."""
    tape = stream("Content-Type: text/event-stream")
    headers = tape.response.headers  # type: ignore[union-attr]
    assert headers.get("content-length") is not None
    tape = recorded(f"{URL}/", b"".join(EVENTS), until_close=True, chunks=tape.chunks)
    tape.first_byte_ms, tape.total_ms = 100.0, 500.0
    stage, client = play(tape)
    client.send(ask())
    stage.pass_time(0.499)
    assert client.take().endswith(EVENTS[2])
    assert client.open
    stage.pass_time(0.002)
    assert not client.open


@pytest.mark.parametrize("kind", [FailureKind.RESET, FailureKind.TRUNCATED])
def test_cut_comes_when_it_came(kind: FailureKind) -> None:
    """A recording that broke off breaks off at its moment, as it did."""
    stage, client = play(stream(failure=Failure(kind)))
    client.send(ask())
    stage.pass_time(0.499)
    assert client.take().endswith(b"9\r\n%b\r\n" % EVENTS[2])
    assert client.open
    stage.pass_time(0.002)
    assert not client.open
    assert client.aborted is (kind is FailureKind.RESET)


def test_failure_comes_when_it_came() -> None:
    """A recorded failure without an answer is told when the origin had failed."""
    tape = recorded(responded=False, failure=Failure(FailureKind.TIMEOUT, "slow"))
    tape.total_ms = 300.0
    stage, client = play(tape)
    client.send(ask())
    ((ms, data),) = arrivals(stage, client)
    assert (ms, read_answers(data, ["GET"])[0].status) == (300, 504)


def test_interim_responses_are_early() -> None:
    """What was sent ahead of the answer does not wait for it."""
    tape = stream()
    tape.informational = (Response(103, "Early Hints"),)
    stage, client = play(tape)
    client.send(ask())
    assert client.take().startswith(b"HTTP/1.1 103 ")
    assert arrivals(stage, client)[0][0] == 100


def test_head_request_waits_for_its_head_alone() -> None:
    """An answer without content comes at the moment of its head."""
    tape = recorded(method="HEAD", body=b"")
    tape.first_byte_ms, tape.total_ms = 100.0, 101.0
    stage, client = play(tape)
    client.send(ask(method="HEAD"))
    assert [ms for ms, _ in arrivals(stage, client)] == [100]


def test_pipelined_requests_keep_their_order() -> None:
    """The second request waits for the first answer, and its time counts from its own turn."""
    quick = recorded(f"{URL}/quick", b"quick")
    quick.first_byte_ms = quick.total_ms = 10.0
    stage, client = play(stream(), quick)
    client.send(ask() + ask(f"{URL}/quick"))
    found = arrivals(stage, client)
    assert [ms for ms, _ in found] == [100, 150, 180, 400, 500, 510]
    assert found[-1][1].endswith(b"quick")


def test_old_client_gets_its_stream_without_chunks() -> None:
    """An HTTP/1.0 client gets the same pieces as they are, and the end is the connection's."""
    stage, client = play(stream())
    client.send(ask(version="HTTP/1.0"))
    assert [data for _, data in arrivals(stage, client)][1:] == list(EVENTS)
    assert not client.open


def test_client_that_takes_nothing_is_waited_for() -> None:
    """Pieces that are due stay with us while the client takes nothing; then they come at once."""
    body = bytes(300_000)
    stage, client = play(
        stream("Transfer-Encoding: chunked", body=body, chunks=((100_000, 100.0),) * 3)
    )
    client.choke()
    client.send(ask())
    stage.pass_time(1)
    assert client.get_write_buffer_size() < 250_000
    client.drain()
    assert read_answers(client.take(), ["GET"])[0].body == body


def test_client_that_leaves_in_a_wait() -> None:
    """Nothing is written, and nothing waits, for a client that has gone."""
    stage, client = play(stream())
    client.send(ask())
    stage.pass_time(0.12)
    client.hang_up()
    client.take()
    stage.pass_time(1)
    assert client.take() == b""
    assert stage.stats["replayed"] == 1


def test_wait_is_no_idleness() -> None:
    """A stream slower than the idle timeout is played to its end."""
    tape = stream(chunks=((9, 0.0), (9, 100_000.0), (9, 200_000.0)))
    tape.total_ms = 200_000.0
    stage, client = play(tape, idle_timeout=10)
    client.send(ask())
    stage.pass_time(201)
    assert read_answers(client.take(), ["GET"])[0].body == b"".join(EVENTS)


def test_client_that_takes_nothing_for_too_long_is_idle() -> None:
    """A wait for the client is none for the clock: it is closed after the idle timeout."""
    body = bytes(300_000)
    stage, client = play(
        stream("Transfer-Encoding: chunked", body=body, chunks=((100_000, 100.0),) * 3),
        idle_timeout=10,
    )
    client.choke()
    client.send(ask())
    stage.pass_time(30)
    assert client.aborted


def test_side_file_is_played_in_its_pieces(tmp_path: Path) -> None:
    """A body in a file of its own is read as its pieces are due."""
    path = tmp_path / "body"
    path.write_bytes(b"".join(EVENTS))
    body = FileBody(path, 27, hashlib.sha256(b"".join(EVENTS)).hexdigest())
    stage, client = play(stream(body=body, chunks=((4, 150.0), (5, 180.0), (18, 400.0))))
    client.send(ask())
    assert [ms for ms, _ in arrivals(stage, client)] == [100, 180, 400, 500]


def test_side_file_that_was_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is shorter than it was breaks the answer off, and the log names it."""
    path = tmp_path / "body"
    path.write_bytes(b"data: 1\n\n")
    stage, client = play(stream(body=FileBody(path, 27, "")))
    client.send(ask())
    stage.pass_time(1)
    assert client.aborted
    assert str(path) in caplog.text


@pytest.mark.parametrize("chunks", [((9, 100.0),), ((9, 100.0), (90, 200.0)), ((50, 1.0), (1, 9))])
def test_body_that_is_not_as_long_as_it_was(chunks: tuple[tuple[int, float], ...]) -> None:
    """A body that has been edited is played whole, whatever the sizes of its pieces say."""
    stage, client = play(stream(chunks=chunks))
    client.send(ask())
    stage.pass_time(1)
    assert read_answers(client.take(), ["GET"])[0].body == b"".join(EVENTS)


def test_only_some_routes_are_slow() -> None:
    """A latency for one route leaves the others as quick as ever."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"a"), recorded(f"{URL}/slow", b"b")])
    stage.session.pace = pace_of(["/slow fixed:10"])
    client = stage.client()
    client.send(ask() + ask(f"{URL}/slow"))
    assert [ms for ms, _ in arrivals(stage, client)] == [0, 10]
