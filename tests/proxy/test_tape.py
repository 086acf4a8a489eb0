"""What is kept of an exchange: when it is handed over, with which bodies, fields and times."""

from __future__ import annotations

import pytest

from magneto_serge.messages import FileBody, Interaction, Request, body_size
from magneto_serge.proxy import tape
from magneto_serge.replay.modes import Mode
from magneto_serge.wire.events import Framing, InformationalReceived, ResponseReceived, Section

from .mock_transport import MockTransport
from .sink import FakeSink
from .stage import Stage
from .traffic import URL, answer, ask, chunked, read_answers

FIELDS = ((b"Server", b"x"), (b"Content-Length", b"1"))


class Clock:
    """A clock that stands still until it is moved; in ms."""

    def __init__(self) -> None:
        self.ms = 5_000.0

    def perf_counter(self) -> float:
        """Return seconds, as `time.perf_counter` does."""
        return self.ms / 1000

    def time(self) -> float:
        """Return seconds since the epoch."""
        return 1_700_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of recordings."""
    clock = Clock()
    monkeypatch.setattr(tape, "time", clock.time)
    monkeypatch.setattr(tape, "perf_counter", clock.perf_counter)
    return clock


def recording(**settings: int) -> tuple[Stage, MockTransport]:
    """Return a stage that records, and a client on it."""
    stage = Stage(Mode.RECORD, **settings)
    return stage, stage.client()


def test_interaction_is_kept_in_full() -> None:
    """Both messages as they were on the wire: fields in order and case, trailers, the peer."""
    stage, client = recording()
    body = chunked(b"ask", b"ing", trailers=b"Asked: 1\r\n")
    fields = ("X-One: 1", "x-one: 2", "Transfer-Encoding: chunked")
    client.send(ask(f"{URL}/a?b=c", *fields, method="POST") + body)
    stage.answer_dial(peer=("2001:db8::1", 80, 0, 0)).send(
        b"HTTP/1.1 201 So Be It\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"answer", trailers=b"Sum: 1\r\n")
    )
    (kept,) = stage.sink.interactions
    request, response = kept.request, kept.response
    assert (request.method, request.url, request.version) == ("POST", f"{URL}/a?b=c", "HTTP/1.1")
    assert list(request.headers) == [
        ("Host", "origin.test"),
        ("X-One", "1"),
        ("x-one", "2"),
        ("Transfer-Encoding", "chunked"),
    ]
    assert (request.body, list(request.trailers)) == (b"asking", [("Asked", "1")])
    assert response is not None
    assert (response.status, response.reason, response.version) == (201, "So Be It", "HTTP/1.1")
    assert response.headers.get_all("set-cookie") == ["a", "b"]
    assert (response.body, list(response.trailers)) == (b"answer", [("Sum", "1")])
    assert kept.peer == "[2001:db8::1]:80"
    assert kept.failure is None


def test_old_origin_is_recorded_as_such() -> None:
    """The version and the phrase of an HTTP/1.0 origin are kept, Latin-1 and all."""
    stage, client = recording()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.0 200 Tr\xe8s bien\r\nX: \xe9\r\n\r\nbody")
    origin.hang_up()
    response = stage.sink.interactions[0].response
    assert response is not None
    assert (response.version, response.reason, response.body) == ("HTTP/1.0", "Très bien", b"body")
    assert response.headers.raw == ((b"X", b"\xe9"),)


def test_interim_responses_are_kept_but_not_100() -> None:
    """103 belongs to the answer; 100 is a matter between two hops."""
    stage, client = recording()
    client.send(ask(f"{URL}/", "Expect: 100-continue", "Content-Length: 1", method="POST") + b"x")
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    origin.send(answer())
    (early,) = stage.sink.interactions[0].informational
    assert (early.status, list(early.headers)) == (103, [("Link", "</a>")])


def when_recorded(stage: Stage, client: MockTransport) -> list[tuple[bytes, bool]]:
    """Return a list that gets what the client had, and if it was connected, at each record."""
    seen: list[tuple[bytes, bool]] = []
    stage.sink.on_record = lambda _: seen.append((bytes(client.arrived), client.open))
    return seen


@pytest.mark.parametrize(
    "said",
    [
        answer(b"hello"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"),
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nbad",
    ],
)
def test_cassette_is_told_before_the_client(said: bytes) -> None:
    """Whoever has the whole response, or the end of it, can rely on its being recorded."""
    stage, client = recording()
    seen = when_recorded(stage, client)
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(said)
    origin.hang_up()
    assert len(seen) == 1
    assert seen[0] != (client.take(), client.open)


def test_cassette_is_told_of_a_failure_before_the_client() -> None:
    """A 502 too is recorded before it is sent."""
    stage, client = recording()
    seen = when_recorded(stage, client)
    client.send(ask())
    stage.fail_dial()
    assert seen == [(b"", True)]
    read_answers(client.take(), ["GET"])


def test_nothing_is_kept_in_passthrough() -> None:
    """Where nothing is recorded the recorder hears nothing."""
    stage = Stage(Mode.PASSTHROUGH)
    client = stage.client()
    client.send(ask())
    stage.answer_dial().send(answer(b"hello"))
    assert stage.sink.interactions == []
    assert "recorded" not in stage.stats


def test_ignored_host_is_not_kept() -> None:
    """A host that the user asked to leave alone is forwarded and not recorded, in any mode."""
    for mode in (Mode.RECORD, Mode.REPLAY, Mode.HYBRID):
        stage = Stage(mode, [], ignore_hosts=("origin.test",))
        client = stage.client()
        client.send(ask())
        stage.answer_dial().send(answer(b"hello"))
        read_answers(client.take(), ["GET"])
        assert stage.sink.interactions == []


def test_large_bodies_go_to_the_disk_as_they_come() -> None:
    """Over the memory limit a body is written piece by piece, both ways."""
    stage, client = recording(memory_limit=1000)
    client.send(ask(f"{URL}/", "Content-Length: 3000", method="PUT"))
    origin = stage.answer_dial()
    for _ in range(3):
        client.send(bytes(1000))
    assert len(stage.sink.bodies[0].data) == 3000
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
    origin.send(b"x" * 1000)
    assert len(stage.sink.bodies) == 1
    origin.send(b"x" * 1000)
    (kept,) = stage.sink.interactions
    assert isinstance(kept.request.body, FileBody)
    assert isinstance(kept.response.body, FileBody)
    assert (body_size(kept.request.body), body_size(kept.response.body)) == (3000, 2000)
    assert stage.sink.bodies[1].data == b"x" * 2000


# --- times ---------------------------------------------------------------------------------------


def streamed(
    stage: Stage,
    client: MockTransport,
    clock: Clock,
    *pauses: float,
    fields: bytes = b"",
    framing: str = "length",
    end: float = 0,
) -> object:
    """Have a response come in pieces of 10 bytes, each after a pause in ms; return its times."""
    client.send(ask())
    origin = stage.answer_dial()
    lines = {"length": b"Content-Length: %d\r\n" % (10 * len(pauses)), "close": b""}
    lines["chunked"] = b"Transfer-Encoding: chunked\r\n"
    origin.send(b"HTTP/1.1 200 OK\r\n" + fields + lines[framing] + b"\r\n")
    for pause in pauses:
        clock.ms += pause
        origin.send(b"a\r\n%b\r\n" % bytes(10) if framing == "chunked" else bytes(10))
    clock.ms += end
    if framing == "chunked":
        origin.send(b"0\r\n\r\n")
    elif framing == "close":
        origin.hang_up()
    (kept,) = stage.sink.interactions
    assert sum(size for size, _ in kept.chunks) in (0, 10 * len(pauses))
    return tuple((size, round(ms, 6)) for size, ms in kept.chunks)


@pytest.mark.parametrize(
    ("pauses", "chunks"),
    [
        ((5,), ()),
        ((500,), ()),
        ((5, 19.9), ()),
        ((5, 21), ((10, 5.0), (10, 26.0))),
        ((5, 0, 21), ((20, 5.0), (10, 26.0))),
        ((5, 0.9, 21), ((20, 5.0), (10, 26.9))),
        ((5, 1.1, 21), ((10, 5.0), (10, 6.1), (10, 27.1))),
        ((0, 0.4, 0.4, 0.4, 30), ((30, 0.0), (10, 1.2), (10, 31.2))),
        ((5, 10, 9.9), ()),
        ((5, 10, 11), ((10, 5.0), (10, 15.0), (10, 26.0))),
    ],
)
def test_times_of_a_stream(
    clock: Clock, pauses: tuple[float, ...], chunks: tuple[tuple[int, float], ...]
) -> None:
    """With a length, what took more than 20 ms is a stream; pieces within 1 ms are one."""
    stage, client = recording()
    assert streamed(stage, client, clock, *pauses) == chunks


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize(
    ("pauses", "chunks"),
    [
        ((5,), ()),
        ((5, 2), ((10, 5.0), (10, 7.0))),
        ((5, 0.5, 3), ((20, 5.0), (10, 8.5))),
        ((5, 0.5), ()),
    ],
)
def test_times_of_a_body_without_a_length(
    framing: str, clock: Clock, pauses: tuple[float, ...], chunks: tuple[tuple[int, float], ...]
) -> None:
    """Where nobody said how long it would be, every piece has its moment, however quick."""
    stage, client = recording()
    assert streamed(stage, client, clock, *pauses, framing=framing) == chunks


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("kind", [b"text/event-stream; charset=utf-8", b"Application/X-NDJSON"])
def test_times_of_events(framing: str, kind: bytes, clock: Clock) -> None:
    """Of what says that it is a stream, each piece is kept, however close it came to the other."""
    stage, client = recording()
    fields = b"Content-Type: %b\r\n" % kind
    found = streamed(stage, client, clock, 5, 0.3, 0.3, 0, fields=fields, framing=framing)
    assert found == ((10, 5.0), (10, 5.3), (20, 5.6))


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_stream_that_ends_long_after_its_only_piece(framing: str, clock: Clock) -> None:
    """The moment of the piece is kept: it is not that of the end."""
    stage, client = recording()
    assert streamed(stage, client, clock, 5, framing=framing, end=500) == ((10, 5.0),)
    assert stage.sink.interactions[0].total_ms == pytest.approx(505)


def test_moments_of_an_early_answer_are_all_kept(clock: Clock) -> None:
    """Where both sides talk at once, each piece has its moment, however quick it all was."""
    stage, client = recording()
    client.send(ask(f"{URL}/", "Content-Length: 2", method="POST"))
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
    clock.ms += 0.5
    client.send(b"x")
    origin.send(b"b")
    client.send(b"y")
    origin.send(b"c")
    (kept,) = stage.sink.interactions
    assert [size for size, _ in kept.chunks] == [1, 1, 1]
    assert kept.uploaded == (0, 0, 1, 2, 2)


def test_endless_stream_has_a_bounded_number_of_moments(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number of pieces neighbours are joined: later moments, and every byte."""
    monkeypatch.setattr(tape, "PIECES_KEPT", 10)
    stage, client = recording()
    fields = b"Content-Type: text/event-stream\r\n"
    found = streamed(stage, client, clock, *[5.0] * 100, fields=fields, framing="chunked")
    assert isinstance(found, tuple)
    assert 5 <= len(found) <= 10
    moments = [moment for _, moment in found]
    assert moments == sorted(set(moments))
    assert moments[-1] > 450


def test_times_of_an_exchange(clock: Clock) -> None:
    """The start is a date; the first byte and the end are ms since then."""
    stage, client = recording()
    client.send(ask())
    clock.ms += 10
    origin = stage.answer_dial()
    clock.ms += 20.5
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
    clock.ms += 30.25
    origin.send(b"x")
    (kept,) = stage.sink.interactions
    assert kept.started == 1_700_000_000.0
    assert (kept.first_byte_ms, kept.total_ms) == pytest.approx((30.5, 60.75))


def test_interim_response_is_not_the_first_byte(clock: Clock) -> None:
    """The time to the first byte is that of the final response."""
    stage, client = recording()
    client.send(ask())
    origin = stage.answer_dial()
    clock.ms += 5
    origin.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    clock.ms += 5
    origin.send(answer())
    assert stage.sink.interactions[0].first_byte_ms == pytest.approx(10)


def test_failure_has_no_first_byte(clock: Clock) -> None:
    """Where no response came there is no time for it."""
    stage, client = recording()
    client.send(ask())
    clock.ms += 12
    stage.fail_dial()
    (kept,) = stage.sink.interactions
    assert kept.first_byte_ms is None
    assert kept.total_ms == pytest.approx(12)


# --- a disk that is behind -----------------------------------------------------------------------


def test_congested_disk_holds_both_sides() -> None:
    """While the recorder is behind neither side is read; afterwards both are."""
    stage, client = recording()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST") + b"hello")
    origin = stage.answer_dial()
    stage.sink.congested = True
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    assert not client.reading
    assert not origin.reading
    stage.sink.drained()
    stage.loop.run()
    assert client.reading
    assert origin.reading


def test_congested_disk_holds_an_upload() -> None:
    """A request body counts like any."""
    stage, client = recording()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST"))
    origin = stage.answer_dial()
    stage.sink.congested = True
    client.send(b"hello")
    assert not client.reading
    assert origin.take().endswith(b"hello")
    stage.sink.drained()
    stage.loop.run()
    client.send(b"world")
    assert origin.take() == b"world"


def test_congestion_is_asked_about_once() -> None:
    """However many exchanges wait, the recorder is asked to call back once for all of them."""
    stage, client = recording()
    other = stage.client()
    for each in (client, other):
        each.send(ask(f"{URL}/", "Content-Length: 10", method="POST"))
    origins = [stage.answer_dial(), stage.answer_dial()]
    stage.sink.congested = True
    client.send(b"hello")
    other.send(b"hello")
    assert len(stage.sink.waiting) == 1
    stage.sink.drained()
    stage.loop.run()
    assert client.reading
    assert other.reading
    assert all(origin.reading for origin in origins)


def test_congestion_at_the_end_holds_the_client() -> None:
    """A finished exchange may have filled the disk: the next request waits, the answer does not."""
    stage, client = recording()
    stage.sink.congested = True
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(answer())
    read_answers(client.take(), ["GET"])
    assert not client.reading
    assert origin.reading
    stage.sink.drained()
    stage.loop.run()
    assert client.reading


def test_client_that_goes_while_the_disk_is_behind() -> None:
    """Its exchange is forgotten when the recorder calls back."""
    stage, client = recording()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST"))
    stage.answer_dial()
    stage.sink.congested = True
    client.send(b"hello")
    client.hang_up()
    stage.sink.drained()
    stage.loop.run()


def test_proxy_may_stop_while_the_disk_is_behind() -> None:
    """The recorder may call back when the loop is gone: then nobody waits."""
    stage, client = recording()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST"))
    stage.answer_dial()
    stage.sink.congested = True
    client.send(b"hello")

    def closed(*_: object) -> None:
        raise RuntimeError("Event loop is closed")

    stage.loop.call_soon_threadsafe = closed  # type: ignore[method-assign]
    stage.sink.drained()


def test_waiting_for_the_disk_is_nobody_s_timeout() -> None:
    """An exchange that the disk holds up is not blamed on the origin or the client."""
    stage = Stage(Mode.RECORD, idle_timeout=10.0)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    stage.sink.congested = True
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    stage.pass_time(30)
    stage.sink.drained()
    stage.loop.run()
    origin.send(b"world")
    assert read_answers(client.take(), ["GET"])[0].body == b"helloworld"


@pytest.mark.parametrize("size", [1, 64, 65])
@pytest.mark.parametrize("trailers", [(), ((b"Sum", b"1"),)])
@pytest.mark.parametrize("uploaded", [b"", b"asking"])
@pytest.mark.parametrize("remembered", [False, True])
def test_a_response_in_one_read_is_kept_as_in_several_steps(
    clock: Clock,
    size: int,
    trailers: tuple[tuple[bytes, bytes], ...],
    uploaded: bytes,
    remembered: bool,
) -> None:
    """The short way, which most exchanges take, keeps what the long one keeps."""
    section = Section(FIELDS) if remembered else None
    head = ResponseReceived(200, b"OK", "HTTP/1.1", FIELDS, Framing.LENGTH, section=section)
    interim = InformationalReceived(103, b"Early Hints", "HTTP/1.1", ())
    request = Request("POST", "http", "origin.test", 80, "/")
    kept: list[Interaction] = []
    for whole in (True, False):
        sink = FakeSink()
        one = tape.Tape(sink, 64)
        if uploaded:
            one.request_data(uploaded)
        clock.ms += 3
        one.interim(interim)
        if whole:
            one.answered_whole(request, trailers, head, b"x" * size, "192.0.2.7:80")
        else:
            one.response_started(head)
            one.response_data(b"x" * size)
            one.finish(request, trailers, head, (), None, "192.0.2.7:80")
        kept += sink.interactions
    assert kept[0] == kept[1]
    assert kept[0].first_byte_ms == kept[0].total_ms == pytest.approx(3)
    response = kept[0].response
    assert response is not None
    assert body_size(response.body) == size
