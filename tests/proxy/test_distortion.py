"""Answers that come out wrong because a fault says so, while the cassette has them right."""

from __future__ import annotations

import pytest

from magneto_serge.messages import FailureKind, Interaction
from magneto_serge.replay.faults import faults_of
from magneto_serge.replay.modes import Mode

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, answer, ask, chunked, read_answers, recorded


def wrong(
    rule: str,
    *,
    mode: Mode = Mode.REPLAY,
    tape: list[Interaction] | None = None,
    **settings: object,
) -> tuple[Stage, MockTransport]:
    """Return a stage with one fault, and a client that has asked."""
    stage = Stage(mode, [recorded(body=b"0123456789")] if tape is None else tape, **settings)
    stage.session.faults = faults_of([rule])
    client = stage.client()
    client.send(ask())
    return stage, client


def body_of(data: bytes) -> bytes:
    """Return what stands behind the head."""
    head, separator, body = data.partition(b"\r\n\r\n")
    assert separator
    assert b"connection: close" in head.lower()
    return body


# --- cuts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "sent"),
    [
        ("* truncate", b""),
        ("* truncate:1", b"0"),
        ("* truncate:9", b"012345678"),
        ("* truncate:10", b"012345678"),
        ("* truncate:99", b"012345678"),
    ],
)
def test_truncated_recording(rule: str, sent: bytes) -> None:
    """The connection ends after so much of the body, and never after all of it."""
    _, client = wrong(rule)
    assert body_of(client.take()) == sent
    assert not client.open
    assert not client.aborted


def test_reset_in_the_body() -> None:
    """The connection is reset when the client has taken what comes before."""
    _, client = wrong("* reset:4")
    assert body_of(client.take()) == b"0123"
    assert client.aborted


def test_truncated_chunks() -> None:
    """Bytes of a chunked body are counted as they are on the wire, and its end never comes."""
    tape = [recorded(f"{URL}/", b"hello", "Transfer-Encoding: chunked")]
    _, client = wrong("* truncate:6", tape=tape)
    assert body_of(client.take()) == b"5\r\nhel"
    _, client = wrong("* truncate:1000", tape=tape)
    assert body_of(client.take()) == b"5\r\nhello\r\n0\r\n\r"


def test_interim_responses_are_no_body() -> None:
    """What comes before the final head is not counted."""
    stage, client = wrong("* truncate:2", mode=Mode.PASSTHROUGH)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"hello"))
    head, _, rest = client.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 103 ")
    assert body_of(rest) == b"he"


def test_answer_without_a_body_is_whole() -> None:
    """Where there is no body nothing can be cut off; the connection ends with the answer."""
    _, client = wrong("* truncate", tape=[recorded(body=b"")])
    assert read_answers(client.take(), ["GET"], closed=True)[0].body == b""
    assert not client.open


def test_large_recording_is_cut() -> None:
    """A recording on its way piece by piece stops where the cut is."""
    body = bytes(1_000_000)
    tape = [recorded(f"{URL}/", body, chunks=((500_000, 0.0), (500_000, 30.0)))]
    _, client = wrong("* truncate:600000", tape=tape)
    assert len(body_of(client.take())) == 600_000
    assert not client.open


@pytest.mark.parametrize("rule", ["* truncate:3", "* reset:3"])
def test_cut_answer_is_recorded_whole(rule: str) -> None:
    """The client is cut off at once; the origin is heard to its end, and only it is recorded."""
    stage, client = wrong(rule, mode=Mode.RECORD)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    assert body_of(client.take()) == b"012"
    assert not client.open
    assert stage.sink.interactions == []
    origin.send(b"56789")
    (kept,) = stage.sink.interactions
    assert kept.failure is None
    assert kept.response is not None
    assert kept.response.body == b"0123456789"
    assert not stage.server._connections


def test_cut_answer_of_a_failing_origin() -> None:
    """A failure of the origin behind a cut is the origin's, and recorded as such."""
    stage, _ = wrong("* truncate:3", mode=Mode.RECORD)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    origin.hang_up()
    (kept,) = stage.sink.interactions
    assert kept.failure is not None
    assert kept.failure.kind is FailureKind.TRUNCATED
    assert not stage.server._connections


def test_stalled_origin_behind_a_cut_times_out() -> None:
    """An exchange without a client is not waited for longer than one with."""
    stage, _ = wrong("* truncate:3", mode=Mode.RECORD, idle_timeout=10)
    stage.answer_dial().send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    assert len(stage.server._connections) == 1
    stage.pass_time(20)
    (kept,) = stage.sink.interactions
    assert kept.failure is not None
    assert kept.failure.kind is FailureKind.TIMEOUT
    assert not stage.server._connections


def test_cut_answer_that_nobody_records() -> None:
    """Where nothing is kept, the origin is let go with the client."""
    stage, client = wrong("* truncate:3", mode=Mode.PASSTHROUGH)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    assert not client.open
    assert not origin.open
    assert not stage.server._connections


def test_cut_before_the_request_has_ended() -> None:
    """An exchange whose request will never be complete is forgotten, not recorded half."""
    stage = Stage(Mode.RECORD)
    stage.session.faults = faults_of(["* truncate:1"])
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 4", method="POST") + b"bo")
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nearly")
    assert not client.open
    assert not origin.open
    assert stage.sink.interactions == []


def test_stop_gives_up_what_nobody_hears() -> None:
    """Stopping ends an exchange without a client, and leaves no half of it in the cassette."""
    stage, _ = wrong("* truncate:3", mode=Mode.RECORD)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    (absentee,) = stage.server._connections
    absentee.close_when_idle()
    assert absentee.transport.get_write_buffer_size() == 0
    absentee.transport.abort()
    assert not origin.open
    assert stage.sink.interactions == []
    assert not stage.server._connections


# --- drips ---------------------------------------------------------------------------------------


def test_drip_comes_at_its_rate() -> None:
    """So many bytes a second, head and body, and then the connection ends."""
    stage, client = wrong("* drip:100", tape=[recorded(body=bytes(400))])
    first = len(client.take())
    assert first <= 2
    stage.pass_time(1)
    assert 98 <= len(client.take()) <= 102
    stage.pass_time(10)
    client.take()
    assert not client.open


@pytest.mark.parametrize("rate", ["drip:0.5", "drip:7", "drip:100000"])
def test_drip_is_whole(rate: str) -> None:
    """However slow, every byte comes."""
    stage, client = wrong(f"* {rate}")
    stage.pass_time(1000)
    assert read_answers(client.take(), ["GET"], closed=True)[0].body == b"0123456789"
    assert not client.open


def test_drip_is_no_idleness() -> None:
    """A client that is fed slowly is not closed for being slow."""
    stage, client = wrong("* drip:1", idle_timeout=5)
    stage.pass_time(300)
    assert read_answers(client.take(), ["GET"], closed=True)[0].body == b"0123456789"


def test_drip_holds_the_origin_back() -> None:
    """While an answer drips, no more of it is read than is dripping."""
    stage, client = wrong("* drip:1000", mode=Mode.RECORD)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + bytes(10_000))
    assert not origin.reading
    origin.send(bytes(10_000))
    stage.pass_time(11)
    assert stage.stats.get("recorded") == 1
    stage.pass_time(20)
    (only,) = read_answers(client.take(), ["GET"], closed=True)
    assert only.body == bytes(20_000)


def test_drip_and_cut() -> None:
    """What drips may also end too soon."""
    stage, client = wrong("* drip:100 truncate:4")
    stage.pass_time(10)
    assert body_of(client.take()) == b"0123"
    assert not client.open


def test_drip_to_a_client_that_takes_nothing() -> None:
    """What the client does not take is not piled up."""
    stage, client = wrong("* drip:100000", tape=[recorded(body=bytes(500_000))], idle_timeout=1000)
    client.choke()
    stage.pass_time(60)
    assert client.get_write_buffer_size() < 100_000
    client.drain()
    stage.pass_time(60)
    assert len(client.take()) > 500_000


def test_client_that_gives_a_drip_up_changes_no_recording() -> None:
    """A client that has no patience with our fault is not recorded as the origin's end."""
    stage, client = wrong("* drip:10", mode=Mode.RECORD)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    stage.pass_time(1)
    client.hang_up()
    origin.send(b"56789")
    (kept,) = stage.sink.interactions
    assert (kept.failure, kept.response and kept.response.body) == (None, b"0123456789")
    stage.pass_time(1)


def test_drip_after_a_delay() -> None:
    """Delay first, then the drip."""
    stage, client = wrong("* delay:1s drip:1000")
    stage.pass_time(0.9)
    assert client.take() == b""
    stage.pass_time(1)
    assert client.take().endswith(b"0123456789")


def test_miss_is_never_distorted() -> None:
    """What explains itself comes out right: a fault needs an answer to work on."""
    _, client = wrong("* truncate:5", tape=[])
    assert read_answers(client.take(), ["GET"], closed=True)[0].kind == "replay-miss"


@pytest.mark.parametrize("mode", [Mode.PASSTHROUGH, Mode.RECORD])
@pytest.mark.parametrize("rule", ["* drip:1", "* truncate", "* reset:0", "* delay:0 truncate"])
def test_upgrade_is_never_distorted(rule: str, mode: Mode) -> None:
    """After an upgrade there is no answer any more that could be cut."""
    stage = Stage(mode)
    stage.session.faults = faults_of([rule])
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: Upgrade", "Upgrade: smoke"))
    origin = stage.answer_dial()
    origin.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: smoke\r\n\r\nhi"
    )
    assert client.take().endswith(b"hi")


def test_absent_client_is_handed_no_tunnel() -> None:
    """Who could be given up on asked for no upgrade: a 101 is the failure that is recorded."""
    stage, client = wrong("* drip:10", mode=Mode.RECORD)
    origin = stage.answer_dial()
    client.hang_up()
    assert origin.open
    origin.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: smoke\r\n\r\nhi"
    )
    (kept,) = stage.sink.interactions
    assert kept.failure is not None
    assert kept.failure.kind is FailureKind.BAD_RESPONSE
    assert not origin.open
    assert not stage.server._connections


def test_chunked_answer_of_an_origin_is_cut() -> None:
    """An answer that is relayed is cut like one that is replayed."""
    stage, client = wrong("* truncate:7", mode=Mode.PASSTHROUGH)
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    origin.send(chunked(b"abc", b"def"))
    assert body_of(client.take()) == b"3\r\nabc\r"
