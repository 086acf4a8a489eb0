"""Exchanges in which both sides talk at once: recorded with who had said what, replayed so."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.messages import FileBody, Interaction
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.timing import pace_of

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, answer, ask, read_answers, recorded

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ASKING = ask(f"{URL}/talk", "Transfer-Encoding: chunked", method="POST")


def chunk(data: bytes) -> bytes:
    """Return a chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def talk(*words: bytes) -> Interaction:
    """Record a conversation in which the origin repeats each word when it has heard it."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ASKING)
    origin = stage.answer_dial()
    origin.send(HEAD)
    for word in words:
        client.send(chunk(word))
        assert origin.take().endswith(chunk(word))
        origin.send(chunk(word.upper()))
    client.send(END)
    origin.send(END)
    (kept,) = stage.sink.interactions
    return kept


def replaying(*tape: Interaction, latency: str = "none", **settings: int) -> MockTransport:
    """Return a client of a stage that replays, with the stage at hand."""
    stage = Stage(Mode.REPLAY, tape, **settings)
    stage.session.pace = pace_of([latency])
    client = stage.client()
    client.stage = stage  # type: ignore[attr-defined]
    return client


def test_what_had_been_said_is_recorded() -> None:
    """Before the head nothing had been said; before each word its question; all before the end."""
    kept = talk(b"ping", b"pongpong")
    assert kept.uploaded == (0, 4, 12, 12)
    assert [size for size, _ in kept.chunks] == [4, 8]
    assert kept.request.body == b"pingpongpong"


def test_ordinary_exchange_has_nothing_of_it() -> None:
    """A request that ended before its answer began is not one of these."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask(method="POST", body=b"hello"))
    stage.answer_dial().send(answer(b"hello"))
    assert stage.sink.interactions[0].uploaded == ()


def test_conversation_replays_step_by_step() -> None:
    """Each word is answered when it has been said, and the end comes with the end."""
    client = replaying(talk(b"ping", b"pong"))
    client.send(ASKING)
    assert client.take() == HEAD
    client.send(chunk(b"pi"))
    assert client.take() == b""
    client.send(chunk(b"ng"))
    assert client.take() == chunk(b"PING")
    client.send(chunk(b"po"))
    assert client.take() == b""
    client.send(chunk(b"ng"))
    assert client.take() == chunk(b"PONG") + END
    client.send(END + ask(f"{URL}/other"))
    assert read_answers(client.take(), ["GET"])[0].kind == "replay-miss"


def test_whole_request_at_once_is_answered_as_ever() -> None:
    """A client that does not wait gets everything."""
    client = replaying(talk(b"ping", b"pong"))
    client.send(ASKING + chunk(b"pingpong") + END)
    assert read_answers(client.take(), ["POST"])[0].body == b"PINGPONG"


def test_conversations_are_told_apart_by_their_beginnings() -> None:
    """An answer begins when only one recorded request begins so."""
    client = replaying(talk(b"ping"), talk(b"pong"))
    client.send(ASKING + chunk(b"p"))
    assert client.take() == b""
    client.send(chunk(b"o"))
    assert client.take() == HEAD
    client.send(chunk(b"ng"))
    assert client.take() == chunk(b"PONG") + END


def test_equal_conversations_replay_in_recorded_order() -> None:
    """The cursor moves as for any recording."""
    first, second = talk(b"ping"), talk(b"ping")
    assert second.response is not None
    second.response.body = b"GNIP"
    client = replaying(first, second)
    for expected in (b"PING", b"GNIP"):
        client.send(ASKING + chunk(b"ping"))
        assert client.take() == HEAD + chunk(expected) + END
        client.send(END)


def test_other_words_are_a_miss_that_ends_the_connection() -> None:
    """What goes on otherwise is refused: it counts, and nothing more is said."""
    client = replaying(talk(b"ping", b"pong"))
    client.send(ASKING + chunk(b"ping"))
    assert client.take() == HEAD + chunk(b"PING")
    client.send(chunk(b"pung"))
    assert client.aborted
    (miss,) = client.stage.misses  # type: ignore[attr-defined]
    assert miss.method == "POST"


def test_words_after_the_answer_are_dropped() -> None:
    """When everything has been answered, what the request still says changes nothing."""
    client = replaying(talk(b"ping"))
    client.send(ASKING + chunk(b"ping"))
    client.send(chunk(b"more"))
    assert client.take().startswith(HEAD)
    client.send(END + ask(f"{URL}/other"))
    assert read_answers(client.take(), ["GET"])[0].kind == "replay-miss"


def test_request_that_was_never_finished_may_go_on() -> None:
    """Where the origin had answered and closed, nobody knows how the request would have ended."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask(f"{URL}/talk", "Content-Length: 100", method="POST") + b"begin")
    origin = stage.answer_dial()
    origin.send(answer(b"enough", status="413 Too Large"))
    (kept,) = stage.sink.interactions
    assert kept.uploaded == (5, 5)
    client = replaying(kept)
    client.send(ask(f"{URL}/talk", "Content-Length: 100", method="POST") + b"begin")
    assert read_answers(client.take(), ["POST"])[0].status == 413
    client.send(bytes(95) + ask(f"{URL}/other"))
    assert read_answers(client.take(), ["GET"])[0].kind == "replay-miss"


def test_ordinary_uploads_are_read_to_their_end() -> None:
    """Where no answer was early, none is: the whole body is compared."""
    client = replaying(recorded(f"{URL}/talk", b"ok", method="POST", sent=b"ping"))
    client.send(ASKING + chunk(b"ping"))
    assert client.take() == b""
    client.send(END)
    assert read_answers(client.take(), ["POST"])[0].body == b"ok"


@pytest.mark.parametrize("latency", ["recorded", "fixed:100"])
def test_conversation_takes_its_time(latency: str) -> None:
    """A word is answered when it has been said and its moment has come."""
    kept = talk(b"ping", b"pong")
    kept.first_byte_ms, kept.total_ms = 100.0, 200.0
    kept.chunks = ((4, 100.0), (4, 200.0))
    client = replaying(kept, latency=latency)
    stage: Stage = client.stage  # type: ignore[attr-defined]
    client.send(ASKING + chunk(b"ping"))
    stage.pass_time(0.0995)
    assert client.take() == b""
    stage.pass_time(0.001)
    assert client.take() == HEAD + chunk(b"PING")
    stage.pass_time(10)
    assert client.take() == b""
    client.send(chunk(b"pong"))
    stage.pass_time(0.11)
    assert client.take() == chunk(b"PONG") + END


def test_answer_in_a_side_file_keeps_its_pieces(tmp_path: Path) -> None:
    """A piece that is larger than what is read at a time is one piece, and waits for its word."""
    kept = talk(b"ping", b"pong")
    large = bytes(600_000)
    (tmp_path / "body").write_bytes(large + b"PONG")
    assert kept.response is not None
    kept.response.body = FileBody(tmp_path / "body", len(large) + 4, "")
    kept.chunks = ((len(large), 1.0), (4, 2.0))
    client = replaying(kept)
    client.send(ASKING + chunk(b"ping"))
    assert client.take() == HEAD + chunk(large)
    client.send(chunk(b"pong"))
    assert client.take() == chunk(b"PONG") + END


def test_client_that_says_nothing_more_is_idle() -> None:
    """A conversation is not waited for longer than any request."""
    client = replaying(talk(b"ping", b"pong"), idle_timeout=10)
    client.send(ASKING + chunk(b"ping"))
    client.stage.pass_time(30)  # type: ignore[attr-defined]
    assert client.aborted
