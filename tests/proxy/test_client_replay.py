"""Replaying and refusing on a client's connection: bodies read first, large answers, failures."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from pathlib import Path
from typing import cast

import pytest

from magneto_serge.messages import Failure, FailureKind, FileBody
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.timing import pace_of

from .stage import Stage
from .traffic import URL, answer, ask, chunked, read_answers, recorded

EXPECT = "Expect: 100-continue"


def side_file(folder: Path, data: bytes) -> FileBody:
    """Return a recorded body that is too large for memory."""
    path = folder / "body"
    path.write_bytes(data)
    return FileBody(path, len(data), hashlib.sha256(data).hexdigest())


# --- what is replayed ----------------------------------------------------------------------------


def test_nothing_is_dialled_in_replay() -> None:
    """Hits and misses alike are answered without a connection."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"hello")])
    client = stage.client()
    client.send(ask() + ask(f"{URL}/other") + ask(method="POST", body=b"x"))
    hit, miss, other = read_answers(client.take(), ["GET", "GET", "POST"])
    assert (hit.status, hit.body) == (200, b"hello")
    assert [each.kind for each in (miss, other)] == ["replay-miss"] * 2
    assert stage.dials == 0
    assert [each.url for each in stage.misses] == [f"{URL}/other", f"{URL}/"]


def test_equal_requests_replay_in_recorded_order() -> None:
    """One after the other as they were recorded; then the last one repeats."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"1"), recorded(body=b"2")])
    client = stage.client()
    client.send(ask() * 3)
    answers = read_answers(client.take(), ["GET"] * 3)
    assert [each.body for each in answers] == [b"1", b"2", b"2"]


def test_body_tells_recordings_apart() -> None:
    """Where only bodies differ the request is read whole before anything is answered."""
    tape = [recorded(method="POST", sent=b"a", body=b"A"), recorded(method="POST", sent=b"b")]
    stage = Stage(Mode.REPLAY, tape)
    client = stage.client()
    whole = ask(method="POST", body=b"a")
    client.send(whole[:-1])
    assert client.take() == b""
    client.send(whole[-1:])
    assert read_answers(client.take(), ["POST"])[0].body == b"A"


def test_chunked_request_matches_like_any() -> None:
    """A request body is compared free of its transfer coding."""
    stage = Stage(Mode.REPLAY, [recorded(method="POST", sent=b"hello", body=b"found")])
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST"))
    client.send(chunked(b"hel", b"lo"))
    assert read_answers(client.take(), ["POST"])[0].body == b"found"


def test_large_request_matches_by_its_digest(tmp_path: Path) -> None:
    """A body over the memory limit is spooled to a file, compared, and the file is gone."""
    large = bytes(range(256)) * 1024
    stage = Stage(
        Mode.REPLAY,
        [recorded(method="POST", sent=side_file(tmp_path, large), body=b"found")],
        memory_limit=1000,
    )
    client = stage.client()
    client.send(ask(method="POST", body=large))
    assert read_answers(client.take(), ["POST"])[0].body == b"found"


@pytest.mark.parametrize("size", [10, 70_000, 300_000])
@pytest.mark.parametrize("coding", [(), ("Transfer-Encoding: chunked",)])
@pytest.mark.parametrize("chunks", [(), ((4, 1.0), (6, 2.0))])
@pytest.mark.parametrize("latency", ["none", "recorded"])
def test_body_that_lies_in_a_mapped_cassette(
    size: int, coding: tuple[str, ...], chunks: tuple[tuple[int, float], ...], latency: str
) -> None:
    """A view of the map is written like the bytes that it shows, in every way there is."""
    body = bytes(range(200)) * (size // 200) + b"x" * (size % 200)
    tape = recorded(f"{URL}/", body, *coding, chunks=(*chunks, (size - 10, 3.0)) if chunks else ())
    assert tape.response is not None
    tape.response.body = cast(bytes, memoryview(body))
    stage = Stage(Mode.REPLAY, [tape])
    stage.session.pace = pace_of([latency])
    for _ in range(2):
        client = stage.client()
        client.send(ask())
        stage.pass_time(1)
        assert read_answers(client.take(), ["GET"])[0].body == body


def test_client_that_expects_is_told_to_continue() -> None:
    """Where matching needs the body, we send the 100 that the origin would (RFC 9110 §10.1.1)."""
    stage = Stage(Mode.REPLAY, [recorded(method="POST", sent=b"body", body=b"found")])
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 4", method="POST"))
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"body")
    (only,) = read_answers(client.take(), ["POST"])
    assert only.body == b"found"
    assert client.open


def test_old_client_is_not_told_to_continue() -> None:
    """An HTTP/1.0 client knows no interim responses."""
    stage = Stage(Mode.REPLAY, [recorded(method="POST", sent=b"body", body=b"found")])
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 4", method="POST", version="HTTP/1.0"))
    assert client.take() == b""
    client.send(b"body")
    assert read_answers(client.take(), ["POST"])[0].body == b"found"


def test_miss_is_told_before_the_body() -> None:
    """Where no body could make a match, the refusal does not wait for it; the rest is ignored."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"hello")])
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST"))
    (only,) = read_answers(client.take(), ["POST"])
    assert only.kind == "replay-miss"
    client.send(b"0123456789" + ask())
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"


def test_miss_ends_a_connection_that_expects() -> None:
    """A client that was never told to continue may leave its body out: what follows is unclear."""
    stage = Stage(Mode.REPLAY, [])
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 10", method="POST"))
    (only,) = read_answers(client.take(), ["POST"])
    assert only.headers["connection"] == "close"
    assert not client.open


def test_miss_for_head_has_no_content() -> None:
    """The refusal of a HEAD request is a head alone."""
    stage = Stage(Mode.REPLAY, [])
    client = stage.client()
    client.send(ask(method="HEAD") + ask())
    assert [each.status for each in read_answers(client.take(), ["HEAD", "GET"])] == [502, 502]


def test_recorded_failure_is_a_failure_again() -> None:
    """Before the answer: the same 502 or 504. The connection lives on."""
    failure = Failure(FailureKind.TIMEOUT, "too slow")
    stage = Stage(Mode.REPLAY, [recorded(responded=False, failure=failure)])
    client = stage.client()
    client.send(ask() + ask())
    for each in read_answers(client.take(), ["GET", "GET"]):
        assert (each.status, each.kind, each.problem["detail"]) == (504, "timeout", "too slow")


@pytest.mark.parametrize("kind", [FailureKind.TRUNCATED, FailureKind.RESET])
def test_recorded_cut_is_a_cut_again(kind: FailureKind) -> None:
    """In the middle of the answer: what had come, and the end; a reset if it was one."""
    fields = ("Transfer-Encoding: chunked",)
    tape = [recorded(f"{URL}/", b"half", *fields, failure=Failure(kind))]
    stage = Stage(Mode.REPLAY, tape)
    client = stage.client()
    client.send(ask() + ask())
    assert client.take().endswith(b"\r\n\r\n4\r\nhalf\r\n")
    assert not client.open
    assert client.aborted is (kind is FailureKind.RESET)
    assert stage.stats["replayed"] == 1


def test_reset_waits_until_what_came_before_is_sent() -> None:
    """A reset drops what is unsent, so it comes when the client has taken everything."""
    tape = [recorded(f"{URL}/", b"half", failure=Failure(FailureKind.RESET))]
    stage = Stage(Mode.REPLAY, tape)
    client = stage.client()
    client.choke()
    client.send(ask())
    assert client.open
    client.send(ask())
    client.drain()
    assert client.take().endswith(b"half")
    assert client.aborted


# --- large recordings ----------------------------------------------------------------------------


def test_large_recording_waits_for_its_client() -> None:
    """No more of a recorded body is written than the client takes."""
    pieces = tuple((50_000, 30.0 * n) for n in range(20))
    fields = ("Transfer-Encoding: chunked",)
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", bytes(10**6), *fields, chunks=pieces)])
    client = stage.client()
    client.choke()
    client.send(ask() + ask(f"{URL}/other"))
    assert 0 < client.get_write_buffer_size() < 200_000
    sips = 0
    while client.get_write_buffer_size():
        client.sip()
        sips += 1
    assert sips >= 10
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (len(first.body), second.kind) == (10**6, "replay-miss")


def test_side_file_is_read_as_the_client_takes_it(tmp_path: Path) -> None:
    """A body in a side file comes out of it piece by piece, and is framed as it was recorded."""
    large = bytes(range(256)) * 4096
    body = side_file(tmp_path, large)
    tape = [
        recorded(f"{URL}/length", body),
        recorded(f"{URL}/chunked", body, "Transfer-Encoding: chunked", trailers=["Sum: 1"]),
        recorded(f"{URL}/close", body, until_close=True),
    ]
    stage = Stage(Mode.REPLAY, tape)
    client = stage.client()
    client.choke()
    client.send(ask(f"{URL}/length") + ask(f"{URL}/chunked") + ask(f"{URL}/close"))
    while client.get_write_buffer_size():
        assert client.get_write_buffer_size() < 600_000
        client.sip()
    first, second, third = read_answers(client.take(), ["GET"] * 3, closed=True)
    assert first.body == second.body == third.body == large
    assert first.headers["content-length"] == str(len(large))
    assert second.trailers == {"sum": "1"}
    assert not client.open


def test_client_that_leaves_a_large_recording(tmp_path: Path) -> None:
    """A side file is closed when the client goes away in the middle of it."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", side_file(tmp_path, bytes(10**6)))])
    client = stage.client()
    client.choke()
    client.send(ask())
    client.hang_up()


def test_side_file_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A recorded body that cannot be read any more ends the connection, and the log says why."""
    body = side_file(tmp_path, bytes(10**6))
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", body)])
    body.path.unlink()
    client = stage.client()
    client.send(ask())
    assert client.aborted
    assert str(body.path) in caplog.text


def test_side_file_that_was_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A side file shorter than its recording says does not leave the client waiting."""
    body = side_file(tmp_path, bytes(10**6))
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", body)])
    body.path.write_bytes(bytes(1000))
    client = stage.client()
    client.send(ask())
    assert client.aborted
    assert str(body.path) in caplog.text


# --- hybrid: read first, then forward ------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 100, 10**6])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_request_read_first_is_forwarded_as_it_came(framing: str, limit: int) -> None:
    """A body that was read to look for a match goes out unchanged, from memory or from a file."""
    stage = Stage(Mode.HYBRID, [recorded(method="POST", sent=b"known")], memory_limit=limit)
    client = stage.client()
    body = bytes(range(256)) * 2000
    if framing == "length":
        client.send(ask(method="POST", body=body))
    else:
        head = ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST")
        client.send(head + chunked(body, trailers=b"Sum: 1\r\n"))
    origin = stage.answer_dial()
    sent = origin.take()
    head, _, content = sent.partition(b"\r\n\r\n")
    if framing == "length":
        assert content == body
    else:
        assert content.endswith(b"\r\n0\r\nSum: 1\r\n\r\n")
        assert content.count(b"\x00\x01\x02") == body.count(b"\x00\x01\x02")
    origin.send(answer(b"new"))
    assert read_answers(client.take(), ["POST"])[0].body == b"new"
    (kept,) = stage.sink.interactions
    if limit < len(body):
        assert stage.sink.bodies[0].data == body
    else:
        assert kept.request.body == body
    assert dict(kept.request.trailers) == ({"Sum": "1"} if framing == "chunked" else {})


def test_spooled_body_waits_for_the_origin() -> None:
    """A spooled body goes out as the origin takes it."""
    body = bytes(2_000_000)
    stage = Stage(Mode.HYBRID, [recorded(method="POST", sent=b"known")], memory_limit=1000)
    client = stage.client()
    client.send(ask(method="POST", body=body))
    dial = stage.dialer.waiting.pop(0)
    origin = dial.accept()
    client.send(b"")
    assert origin.take().endswith(body)


def test_spooled_body_to_an_origin_that_reads_slowly() -> None:
    """While the origin does not read, no more of the file is put into memory."""
    body = bytes(2_000_000)
    stage = Stage(Mode.HYBRID, [recorded(), recorded(method="POST", sent=b"x")], memory_limit=10)
    client = stage.client()
    client.send(ask(f"{URL}/warm"))
    origin = stage.answer_dial()
    origin.send(answer())
    origin.take()
    origin.choke()
    client.send(ask(method="POST", body=body))
    received = b""
    while origin.get_write_buffer_size():
        assert origin.get_write_buffer_size() < 600_000
        assert not client.reading
        origin.sip()
        received += origin.take()
    assert received.endswith(body)
    assert client.reading


def test_spooled_body_and_an_early_answer() -> None:
    """An origin may answer before it has read a spooled body: it is dropped, file and all."""
    stage = Stage(Mode.HYBRID, [recorded(), recorded(method="POST", sent=b"x")], memory_limit=10)
    client = stage.client()
    client.send(ask(f"{URL}/warm"))
    origin = stage.answer_dial()
    origin.send(answer())
    client.take()
    origin.choke()
    client.send(ask(method="POST", body=bytes(2_000_000)))
    origin.send(answer(b"no", status="413 Too Large"))
    assert read_answers(client.take(), ["POST"])[0].status == 413
    assert not origin.open
    assert client.reading


def test_expectation_is_met_before_forwarding() -> None:
    """Where we said 100 ourselves, the origin is not asked for another."""
    stage = Stage(Mode.HYBRID, [recorded(method="POST", sent=b"known")])
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 3", method="POST"))
    assert client.take().startswith(b"HTTP/1.1 100 ")
    client.send(b"new")
    assert b"Expect" not in stage.answer_dial().take()


def test_client_that_leaves_while_its_body_is_read() -> None:
    """Nothing is left of a request that was never complete."""
    stage = Stage(Mode.HYBRID, [recorded(method="POST", sent=b"known")], memory_limit=10)
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 100", method="POST") + bytes(50))
    client.hang_up()
    assert stage.dials == 0
    assert stage.sink.interactions == []


def test_malformed_body_while_it_is_read() -> None:
    """A body read for matching that breaks the protocol is refused."""
    stage = Stage(Mode.HYBRID, [recorded(method="POST", sent=b"known")], memory_limit=10)
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST"))
    client.send(b"20\r\n" + bytes(32) + b"\r\nnonsense\r\n")
    assert read_answers(client.take(), ["POST"])[0].status == 400
    assert not client.open


def test_body_that_the_disk_does_not_take(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that cannot be read for matching is refused with 507; nothing is raised."""

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    stage = Stage(Mode.HYBRID, [recorded(method="POST", sent=b"known")], memory_limit=10)
    client = stage.client()
    client.send(ask(method="POST", body=bytes(100)) + ask())
    assert read_answers(client.take(), ["POST"])[0].status == 507
    assert not client.open
    assert "No space left" in caplog.text


def test_malformed_request_behind_a_large_recording() -> None:
    """It is refused when the recording has been sent."""
    stage = Stage(Mode.REPLAY, [recorded(body=bytes(300_000))])
    client = stage.client()
    client.choke()
    client.send(ask() + b"nonsense\r\n\r\n")
    client.drain()
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (len(first.body), second.status) == (300_000, 400)


def test_mode_takes_effect_with_the_next_request() -> None:
    """Switching under way: the request in hand keeps its mode, the next one has the new."""
    stage = Stage(Mode.HYBRID, [recorded(body=b"recorded")])
    client = stage.client()
    client.send(ask(f"{URL}/new"))
    stage.session.mode = Mode.REPLAY
    stage.answer_dial().send(answer(b"live"))
    client.send(ask(f"{URL}/newer"))
    client.send(ask())
    live, miss, hit = read_answers(client.take(), ["GET"] * 3)
    assert (live.body, miss.kind, hit.body) == (b"live", "replay-miss", b"recorded")
