"""Streams replayed over time, and faults, on real sockets with real clocks and generous ratios."""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import threading
import time
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from magneto_serge import MagnetoProxy, Mode
from magneto_serge.errors import ConfigError
from magneto_serge.messages import FailureKind, Headers, Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore

from . import faults, routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .exchange import Exchange, Step
from .llm_origin import PACE, take_time
from .origin import Origin
from .streaming_clients import FORWARD, Listen, listen_fetch
from .test_streams import shelve
from .wire_client import WireClient

EVENTS = [f"data: événement {number}\n\n".encode() for number in range(6)]
LINES = [b'{"n": %d}\n' % number for number in range(6)]
SSE = b"Content-Type: text/event-stream"


def paced(*pieces: bytes, chunked: bool = True) -> list[Step]:
    """Return steps that send pieces, `PACE` apart."""
    steps: list[Step] = []
    for piece in pieces:
        steps += [take_time, b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece]
    return [*steps, b"0\r\n\r\n" if chunked else faults.close]


def put_streams(origin: Origin) -> None:
    """Put streams of each kind on an origin."""
    chunked = b"Transfer-Encoding: chunked"
    origin.on("/sse", routes.head(SSE, chunked), *paced(*EVENTS))
    origin.on("/close", routes.head(SSE), *paced(*EVENTS, chunked=False))
    ndjson = b"Content-Type: application/x-ndjson"
    origin.on("/lines", routes.head(ndjson, chunked), *paced(*LINES))
    origin.on("/plain", routes.head(b"Content-Type: text/plain", chunked), *paced(*LINES))
    squeeze = zlib.compressobj(wbits=31)
    zipped = [squeeze.compress(each) + squeeze.flush(zlib.Z_SYNC_FLUSH) for each in EVENTS]
    gzip = b"Content-Encoding: gzip"
    origin.on("/gzip", routes.head(SSE, gzip, chunked), *paced(*zipped, squeeze.flush()))


STREAMS = {"/sse": EVENTS, "/close": EVENTS, "/lines": LINES, "/plain": LINES, "/gzip": EVENTS}


def spread(heard: list[tuple[str, float]]) -> tuple[int, float]:
    """Return how many moments there were, apart from each other, and the seconds between ends."""
    moments = [at for _, at in heard]
    apart = sum(b - a > PACE / 3 for a, b in pairwise(moments))
    return apart, moments[-1]


def check_time(live: list[tuple[str, float]], replayed: list[tuple[str, float]]) -> None:
    """Check that a replay takes about as long as the live stream did, and is as spread."""
    (apart, seconds), (again, once_more) = spread(live), spread(replayed)
    assert apart >= 3
    assert again >= apart / 2
    assert 0.5 * seconds < once_more < 3 * seconds + 2  # a machine that is busy stalls both


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("name", FORWARD)
def test_client_hears_a_stream_again(
    name: str, path: str, origin: Origin, make_proxy: MakeProxy
) -> None:
    """Each client gets the bytes of each stream again, spread over time as they were."""
    listen: Listen = FORWARD[name]
    put_streams(origin)
    proxy = make_proxy(latency="recorded")
    take = Take(proxy, origin)
    take.record()
    live = listen(origin.url(path), proxy.url)
    take.replay()
    replayed = listen(origin.url(path), proxy.url)
    text = "".join(text for text, _ in replayed)
    assert text == "".join(text for text, _ in live)
    if name != "curl":
        check_time(live, replayed)


def test_compressed_stream_is_readable(plain_door: Door, plain_take: Take) -> None:
    """The events of a compressed stream stand in the cassette as lines, and replay to the byte."""
    put_streams(plain_door.origin)
    live = plain_door.ask("/gzip")
    plain_take.replay()
    assert plain_take.path is not None
    (only,) = json.loads(plain_take.path.read_text())["interactions"]
    assert only["response"]["body"]["lines"][::2] == [e.decode()[:-1] for e in EVENTS]
    assert plain_door.ask("/gzip").seen == live.seen


@pytest.mark.needs("node")
def test_fetch_hears_a_stream_again(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Node's fetch reads events one by one, live and replayed."""
    origin = make_origin()
    put_streams(origin)
    proxy = make_proxy(latency="recorded", reverse=origin.url(""))
    take = Take(proxy, origin)
    take.record()
    live = listen_fetch(f"{proxy.url}/sse", None)
    take.replay()
    replayed = listen_fetch(f"{proxy.url}/sse", None)
    assert "".join(text for text, _ in replayed) == b"".join(EVENTS).decode()
    assert [text for text, _ in replayed] == [text for text, _ in live]
    check_time(live, replayed)


def test_stream_of_aiohttp_as_an_origin(make_proxy: MakeProxy) -> None:
    """A server of another make streams; its events are recorded one by one and replay so."""

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in EVENTS:
            await asyncio.sleep(PACE)
            await response.write(event)
        return response

    async def serve(listen: Listen, proxy: MagnetoProxy) -> tuple[object, str]:
        app = web.Application()
        app.router.add_get("/events", events)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
        try:
            return await asyncio.to_thread(listen, url, proxy.url), url
        finally:
            await runner.cleanup()

    proxy = make_proxy(latency="recorded")
    proxy.start_recording("aiohttp")
    live, url = asyncio.run(serve(FORWARD["httpx"], proxy))
    proxy.stop_recording()
    proxy.replay("aiohttp")
    replayed = FORWARD["httpx"](url, proxy.url)
    assert [text for text, _ in replayed] == [text for text, _ in live]  # type: ignore[attr-defined]
    check_time(live, replayed)  # type: ignore[arg-type]


# ------------------------------------------------------------------ precisely


def recording(*chunks: tuple[int, float]) -> Interaction:
    """Return a recorded stream whose pieces came at these times, in ms."""
    size = sum(size for size, _ in chunks)
    fields = [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked")]
    return Interaction(
        Request("GET", "http", "stream.example", 80, "/"),
        Response(200, "OK", Headers.of(*fields), b"x" * size),
        first_byte_ms=5.0,
        total_ms=chunks[-1][1],
        chunks=chunks,
    )


ASK = b"GET http://stream.example/ HTTP/1.1\r\nHost: stream.example\r\n\r\n"


def test_pieces_are_as_punctual_as_timers(tmp_path: Path, data_dir: Path) -> None:
    """A piece comes within 2 ms of its moment, beyond what a bare timer of the loop is late by.

    Moments count from the beginning of the stream as the client sees it: how soon it is heard is
    the machine's affair. A machine with other work may disturb one try, but not three.
    """
    chunks = tuple((1, 20.0 + 10 * number) for number in range(40))
    shelve(CassetteStore(tmp_path), "punctual", recording(*chunks))

    def listen(port: int) -> list[float]:
        arrivals = []
        with WireClient(("127.0.0.1", port)) as client:
            client.send(ASK).head()
            while client.piece():
                arrivals.append(time.monotonic())
        return arrivals

    async def run(bare: list[float]) -> list[float]:
        loop = asyncio.get_running_loop()
        settings = {"port": 0, "mode": Mode.REPLAY, "data_dir": data_dir}
        async with MagnetoProxy(tmp_path, latency="recorded", **settings) as proxy:
            proxy.use("punctual")
            began = time.monotonic()
            for _, moment in chunks:
                due = began + moment / 1000
                late = lambda due: bare.append(abs(time.monotonic() - due))  # noqa: E731
                loop.call_at(loop.time() + moment / 1000, late, due)
            return await asyncio.to_thread(listen, proxy.port)

    def lateness() -> float:
        bare: list[float] = []
        pairs = zip(asyncio.run(run(bare)), chunks, strict=True)
        began = [at - moment / 1000 for at, (_, moment) in pairs]
        return statistics.median(began) - min(began) - statistics.median(bare)

    assert any(lateness() < 0.002 for _ in range(3))


def test_stop_cuts_a_wait_short(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """What is under way when the proxy stops may end in `shutdown_timeout`, and is cut off then."""
    shelve(CassetteStore(tmp_path / "cassettes"), "slow", recording((1, 5.0), (1, 100_000.0)))
    proxy = make_proxy(latency="recorded", shutdown_timeout=0.1)
    proxy.replay("slow")
    with WireClient((proxy.host, proxy.port)) as client:
        client.send(ASK).head()
        assert client.piece() == b"x"
        began = time.monotonic()
        proxy.stop()
        assert time.monotonic() - began < 5
        assert client.broken()


def test_many_streams_at_once(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """Streams do not wait for each other: fifty take about as long as one."""
    chunks = tuple((1, 10.0 * number) for number in range(20))
    shelve(CassetteStore(tmp_path / "cassettes"), "many", recording(*chunks))
    proxy = make_proxy(latency="recorded")
    proxy.replay("many")
    lengths: list[int] = []

    def listen() -> None:
        with WireClient((proxy.host, proxy.port)) as client:
            lengths.append(len(client.ask(ASK).body))

    threads = [threading.Thread(target=listen) for _ in range(50)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [20] * 50
    assert time.monotonic() - began < 25 * 0.19


# ------------------------------------------------------------------ ends


def test_client_that_leaves_a_stream_is_recorded_so(plain_door: Door, plain_take: Take) -> None:
    """What the client had been sent is kept, with who went away, and replays as far as it went."""
    gate = plain_door.origin.gate()
    chunk = b"%x\r\n%b\r\n" % (len(EVENTS[0]), EVENTS[0])
    head = routes.head(SSE, b"Transfer-Encoding: chunked")

    def go_on(exchange: Exchange) -> None:
        while True:  # until the connection breaks
            exchange.send(chunk * 1000)

    plain_door.origin.on("/left", head, chunk, gate, go_on)
    with plain_door.open() as client:
        client.send(plain_door.request("/left")).head()
        assert client.piece() == EVENTS[0]
    gate.open()
    plain_take.settle(1)
    plain_take.replay()
    (kept,) = CassetteStore(plain_take.path.parent).load("take")  # type: ignore[union-attr]
    assert kept.failure is not None
    assert kept.failure.kind is FailureKind.CLIENT_CLOSED
    assert kept.response is not None
    assert bytes(kept.response.body).startswith(EVENTS[0])  # type: ignore[arg-type]
    with plain_door.open() as client:
        client.send(plain_door.request("/left")).head()
        assert client.piece() == EVENTS[0]


@pytest.mark.parametrize("settings", [{}, {"record_only": ["path=/events"]}], ids=["", "filtered"])
def test_stream_that_goes_on_when_the_recording_ends(
    settings: dict[str, list[str]], make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """It is recorded as far as it went, and goes on; half a transfer is no recording."""
    door = Door("absolute", make_proxy(**settings), make_origin())
    gate = door.origin.gate()
    one, two = (b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS[:2])
    head = routes.head(SSE, b"Transfer-Encoding: chunked")
    door.origin.on("/events", head, one, gate, two, b"0\r\n\r\n")
    door.origin.on("/file", routes.head(b"Content-Length: 8"), b"half", gate, b"done")
    door.proxy.use("open", Mode.RECORD)
    with door.open() as stream, door.open() as transfer:
        stream.send(door.request("/events")).head()
        assert stream.piece() == EVENTS[0]
        transfer.send(door.request("/file")).head()
        assert transfer.stream.exactly(4) == b"half"
        path = door.proxy.stop_recording()
        gate.open()
        gate.open()
        assert stream.piece() == EVENTS[1]
        assert stream.piece() == b""
        assert transfer.stream.exactly(4) == b"done"
    assert path is not None
    (kept,) = CassetteStore(path.parent).load("open")
    assert kept.request.target == "/events"
    assert kept.failure is not None
    assert kept.failure.kind is FailureKind.CLIENT_CLOSED
    assert kept.response is not None
    assert kept.response.body == EVENTS[0]
    door.proxy.replay("open")
    with door.open() as client:
        client.send(door.request("/events")).head()
        assert client.piece() == EVENTS[0]


# ------------------------------------------------------------------ faults on sockets


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.PASSTHROUGH, Mode.HYBRID])
@pytest.mark.parametrize("tls", [False, True])
def test_reset_fault_is_a_reset(
    mode: Mode, tls: bool, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """The client's socket says that the peer has reset the connection; in TLS, that it ended."""
    origin = make_origin(tls=tls)
    origin.on("/a", routes.response(b"0123456789"))
    door = Door("tls" if tls else "absolute", make_proxy(faults=["/a reset:4"]), origin)
    door.proxy.use("wrong", mode)
    with door.open() as client:
        client.send(door.request("/a")).head()
        assert client.stream.exactly(4) == b"0123"
        with pytest.raises(ssl.SSLError if tls else ConnectionResetError):
            client.stream.fill()
    door.proxy.mode = Mode.PASSTHROUGH
    if mode is not Mode.PASSTHROUGH:
        assert door.proxy.stats.recorded == 1


def test_truncated_answer_is_recorded_whole(door: Door, make_proxy: MakeProxy) -> None:
    """Whoever reads gets less than was promised; the cassette has it all."""
    door.origin.on("/cut", routes.response(b"0123456789"))
    settings = {"reverse": door.origin.url("")} if door.kind == "reverse" else {}
    proxy = make_proxy(faults="/cut truncate:3", **settings)
    wrong = Door(door.kind, proxy, door.origin)
    proxy.start_recording("cut")
    with wrong.open() as client:
        client.send(wrong.request("/cut")).head()
        assert client.stream.exactly(3) == b"012"
        assert client.at_end()
    proxy.stop_recording()
    door.proxy.replay("cut")
    assert door.ask("/cut").body == b"0123456789"


def test_drip_takes_its_time(plain_door: Door, make_proxy: MakeProxy) -> None:
    """Bytes come at their rate."""
    plain_door.origin.on("/drip", routes.response(b"x" * 400))
    proxy = make_proxy(faults=["/drip drip:2000"])
    slow = Door("absolute", proxy, plain_door.origin)
    began = time.monotonic()
    assert slow.ask("/drip").body == b"x" * 400
    assert time.monotonic() - began > 0.15


def test_bad_rule_stops_before_it_starts(tmp_path: Path) -> None:
    """A rule that cannot be read is an error before anything listens."""
    with pytest.raises(ConfigError, match=r"faults: '/pay 999' cannot be used: at '999'"):
        MagnetoProxy(tmp_path, faults=["/pay 999"])
    with pytest.raises(ConfigError, match=r"latency: 'slow' cannot be used: at 'slow'"):
        MagnetoProxy(tmp_path, latency="slow")
