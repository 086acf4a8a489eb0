"""Limits of WebSockets through real sockets, relayed and replayed; memory that stays flat.

Who exceeds a limit is told which, by a close code; what was said until then is in the cassette.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import MakeProxy
from .websocket_wire import (
    BINARY,
    CONTINUATION,
    DEFLATE,
    TEXT,
    Origin,
    Pair,
    Stage,
    ask,
    close,
    frame,
)
from .wire_client import WireClient

MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage(make_proxy: MakeProxy) -> Iterator[MakeStage]:
    """Set up a proxy with settings, and an origin played by the test."""
    stages: list[Stage] = []

    def make(**settings: Any) -> Stage:
        stages.append(Stage(make_proxy(**settings)))
        return stages[-1]

    yield make
    for stage in stages:
        stage.origin.socket.close()


def code_of(frame: tuple[int, bytes]) -> int:
    """Return the code of a Close frame."""
    head, payload = frame
    assert head == 0x88
    return int.from_bytes(payload[:2], "big")


TOO_BIG = [
    {"max_message_size": 100, "data": [frame(BINARY, b"x" * 101)]},
    {
        "max_message_size": 100,
        "data": [frame(BINARY, b"x" * 60, fin=False), frame(CONTINUATION, b"x" * 60)],
    },
    {
        "max_message_fragments": 2,
        "data": [
            frame(BINARY, b"x", fin=False),
            frame(CONTINUATION, fin=False),
            frame(CONTINUATION),
        ],
    },
]
TOO_BIG_IDS = ["one frame", "fragments together", "fragments"]


@pytest.mark.parametrize("case", TOO_BIG, ids=TOO_BIG_IDS)
@pytest.mark.parametrize("who", ["client", "server"])
def test_too_large_while_recording(who: str, case: dict[str, Any], make_stage: MakeStage) -> None:
    """Whoever sends it is told 1009, both connections end, and what came before is kept."""
    settings = dict(case)
    sent = settings.pop("data")
    stage = make_stage(**settings)
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"before"))
        pair.to_client(frame(TEXT, b"before", masked=False))
        one, two = (pair.client, pair.server) if who == "client" else (pair.server, pair.client)
        if who == "server":
            sent = [_unmasked(each) for each in sent]
        for data in sent:
            one.send(data)
        head, second = one.stream.exactly(2)
        payload = one.stream.exactly(second & 127 if who == "client" else (second & 127) + 4)
        assert head == 0x88
        if who == "client":
            assert code_of((head, payload)) == 1009
        assert one.at_end()
        two.stream.to_end()
    assert stage.said() == [("client", "text", b"before"), ("server", "text", b"before")]
    assert stage.how_it_ended() is None  # neither of them has ended it


def _unmasked(data: bytes) -> bytes:
    head, second = data[0], data[1] & 127
    key, payload = data[2:6], data[6:]
    assert len(payload) == second
    plain = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return frame(head & 15, plain, fin=bool(head & 0x80), masked=False)


@pytest.mark.parametrize("case", TOO_BIG, ids=TOO_BIG_IDS)
def test_too_large_in_replay(case: dict[str, Any], make_stage: MakeStage) -> None:
    """The endpoint that we are says 1009, and ends the connection."""
    settings = dict(case)
    sent = settings.pop("data")
    stage = make_stage(**settings)
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"hello"))
    with stage.replayed() as pair:
        for data in sent:
            pair.client.send(data)
        assert code_of(pair.hears()) == 1009
        assert pair.is_over()


def bomb(size: int) -> bytes:
    """Return the payload of a small compressed message that is large."""
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(bytes(size)) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_small_message_that_inflates_to_a_large_one(
    make_stage: MakeStage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is relayed, whose business it is not; neither the recorder nor replay takes it in."""
    stage = make_stage(max_message_size=100_000)
    offered = f"Sec-WebSocket-Extensions: {DEFLATE}\r\n"
    large = frame(BINARY, bomb(50_000_000), rsv=4)
    with stage.recorded(offer=offered, accept=offered) as pair:
        pair.to_server(frame(TEXT, b"before"))
        pair.to_server(large)
        pair.to_client(frame(TEXT, b"well", masked=False))
    assert stage.said() == [("client", "text", b"before"), ("server", "text", b"well")]
    assert "A message has more than 100000 bytes" in caplog.text
    with stage.replayed(offer=offered) as pair:
        pair.client.send(large)
        assert code_of(pair.hears()) == 1009


def test_connections(make_stage: MakeStage) -> None:
    """An open WebSocket is one of ``max_connections``, relayed or replayed, until it is over."""
    stage = make_stage(max_connections=2)
    stage.proxy.use("tape", "record")
    pairs = [stage.open(), stage.open()]
    with closing(ask(stage.proxy, stage.origin.url)) as refused:
        assert refused.head().status == 503
    for pair in pairs:
        pair.to_client(close(1000, masked=False))
        pair.to_server(close(1000))
        pair.end()
    stage.save()
    stage.proxy.use("tape", "replay")
    with stage.replayed() as one, stage.replayed() as two:
        with closing(ask(stage.proxy, stage.origin.url)) as refused:
            assert refused.head().status == 503
        for pair in (one, two):
            assert code_of(pair.hears()) == 1000
            pair.client.send(close(1000))
            assert pair.is_over()
    with stage.replayed() as again:
        assert code_of(again.hears()) == 1000


SILENCE = {"websocket_idle_timeout": 0.2, "idle_timeout": 0.2}  # the latter: how often we look


def test_silence_while_recording(make_stage: MakeStage) -> None:
    """Both ends are told 1001; the recording knows no end, because neither of them made it."""
    stage = make_stage(**SILENCE)
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"hello"))
        assert code_of(pair.hears()) == 1001
        assert pair.server.stream.exactly(1) == b"\x88"
        assert pair.client.at_end()
    assert stage.said() == [("client", "text", b"hello")]
    assert stage.how_it_ended() is None


def test_silence_in_replay(make_stage: MakeStage) -> None:
    """A client that says nothing for too long is told 1001."""
    stage = make_stage(**SILENCE)
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"hello"))
    with stage.replayed() as pair:
        assert code_of(pair.hears()) == 1001
        pair.client.send(close(1001))
        assert pair.is_over()


# ------------------------------------------------------------------ backpressure and memory

ENOUGH = 24 * 1024 * 1024  # bytes that may be under way: kernel buffers, and ours


def send_until_stuck(end: WireClient, data: bytes) -> int:
    """Send until nothing is taken for a while; returns the bytes that were."""
    end.socket.settimeout(0.3)
    sent = 0
    try:
        while sent < len(data):
            sent += end.socket.send(data[sent : sent + 65_536])
    except (TimeoutError, BlockingIOError):
        pass
    end.socket.settimeout(10)
    return sent


@pytest.mark.parametrize("mode", ["record", "passthrough"])
@pytest.mark.parametrize("who", ["client", "server"])
def test_slow_reader(who: str, mode: str, make_stage: MakeStage) -> None:
    """Who reads nothing stops the other's sending, inside a message; then everything arrives."""
    stage = make_stage()
    stage.proxy.use("tape", mode)
    pair = stage.open()
    one, two = (pair.client, pair.server) if who == "client" else (pair.server, pair.client)
    data = frame(BINARY, bytes(48 * 1024 * 1024), masked=False)
    if who == "client":  # a mask of zeros
        data = b"\x82\xff" + data[2:10] + bytes(4) + data[10:]
    sent = send_until_stuck(one, data)
    assert sent < ENOUGH
    rest = threading.Thread(target=one.socket.sendall, args=(data[sent:],))
    rest.start()
    received = 0
    while received < len(data):
        two.stream.fill()
        received += len(two.stream.take(len(data)))
    rest.join()
    pair.end()
    path = stage.proxy.stop_recording()
    assert (path is not None) == (mode == "record")


def test_slow_reader_of_a_replay(make_stage: MakeStage) -> None:
    """Replay goes only as fast as the client reads, through a file too."""
    stage = make_stage(memory_limit=1_000_000)
    size = 48 * 1024 * 1024
    data = frame(BINARY, bytes(size), masked=False)
    with stage.recorded() as pair:
        sending = threading.Thread(target=pair.server.socket.sendall, args=(data,))
        sending.start()
        drain(pair.client, len(data))
        sending.join()
    before = stage.proxy.stats.bytes_out
    with stage.replayed() as pair:
        assert still(lambda: stage.proxy.stats.bytes_out) - before < ENOUGH
        drain(pair.client, len(data))


def still(number: Callable[[], int]) -> int:
    """Return a number when it has stopped growing."""
    last, now = -1, number()
    while last < now:
        threading.Event().wait(0.2)
        last, now = now, number()
    return now


def drain(end: WireClient, size: int) -> None:
    """Read so many bytes and forget them."""
    while size:
        end.stream.fill()
        size -= len(end.stream.take(size))


LONG = 128 * 1024 * 1024  # bytes of a message
FLAT = 96 * 1024 * 1024  # bytes by which the proxy may grow meanwhile; 42 MiB, whatever LONG is

SERVING = """
import sys
from magneto_serge import MagnetoProxy
proxy = MagnetoProxy(sys.argv[1], port=0, data_dir=sys.argv[2]).start()
for line in sys.stdin:
    mode = line.strip()
    proxy.stop_recording() if mode == "stop" else proxy.use("tape", mode)
    print(proxy.port, flush=True)
"""


class Elsewhere:
    """A proxy in a process of its own, whose memory is told."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.host, self.port = "127.0.0.1", 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVING, str(folder), str(data_dir)],
            stdin=-1,
            stdout=-1,
            text=True,
        )

    def say(self, mode: str) -> None:
        """Use the cassette in a mode, or stop."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(mode, file=self.process.stdin, flush=True)
        self.port = int(self.process.stdout.readline())

    def memory(self, field: str) -> int:
        """Return a number of /proc/PID/status in bytes: VmRSS is now, VmHWM the most ever."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(each.split()[1]) * 1024 for each in status.splitlines() if field in each)

    def end(self) -> None:
        """End the process."""
        self.process.communicate(timeout=30)


def send_long(end: WireClient, size: int, *, masked: bool) -> threading.Thread:
    """Send a message in a frame, block by block, with a mask of zeros."""
    block = bytes(range(256)) * 1024
    head = b"\x82" + bytes([0xFF if masked else 0x7F]) + size.to_bytes(8, "big")

    def send() -> None:
        end.send(head + (bytes(4) if masked else b""))
        for _ in range(size // len(block)):
            end.socket.sendall(block)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_message_larger_than_memory(tmp_path: Path, data_dir: Path) -> None:
    """It is relayed, recorded to a side file, saved and replayed with flat memory, both ways."""
    size, folder = LONG, tmp_path / "cassettes"
    proxy, origin = Elsewhere(folder, data_dir), Origin()
    proxy.say("record")

    def converse(pair: Pair, *, alone: bool) -> None:
        threads = [send_long(pair.client, size, masked=True)]
        if not alone:
            drain(pair.server, size + 14)
            threads.append(send_long(pair.server, size, masked=False))
        drain(pair.client, size + 10)
        for thread in threads:
            thread.join()

    def connected(path: str, *, alone: bool) -> Pair:
        client = ask(proxy, origin.url, path)  # type: ignore[arg-type]
        server = None if alone else origin.accept()
        assert client.head().status == 101
        return Pair(client, server)

    grown = {}
    for mode in ("record", "replay"):
        proxy.say(mode)
        before = proxy.memory("VmRSS")
        pair = connected("/", alone=mode == "replay")
        converse(pair, alone=mode == "replay")
        pair.end()
        if mode == "record":
            proxy.say("stop")
        grown[mode] = proxy.memory("VmHWM") - before
    proxy.end()
    origin.socket.close()
    assert max(grown.values()) < FLAT, grown
    (bodies,) = [each for each in folder.iterdir() if each.is_dir()]
    (body,) = bodies.iterdir()  # the same both ways: once
    assert body.stat().st_size == size
