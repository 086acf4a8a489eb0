"""Bodies in pieces: each arrives when it was sent, live and replayed, and nobody is overrun.

"When it was sent" is proved with gates: the origin sends a piece only after the client has the
piece before it, so a proxy that waits for more would wait for ever. Replay is proved with a
recording whose second piece is minutes away.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from pathlib import Path

import pytest

from magneto_serge import MagnetoProxy, Mode
from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore

from . import faults, routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .exchange import Exchange, Gate, Step, leave_body
from .wire_client import WireClient

EVENTS = [f"id: {number}\ndata: événement {number}\n\n".encode() for number in range(3)]


def sse(door: Door, *, chunked: bool = True) -> Gate:
    """Put an event stream on the origin: each event waits for the gate that is returned."""
    gate = door.origin.gate()
    steps: list[Step] = []
    for event in EVENTS:
        steps += [gate, b"%x\r\n%b\r\n" % (len(event), event) if chunked else event]
    framing = [b"Transfer-Encoding: chunked"] if chunked else []
    head = routes.head(b"Content-Type: text/event-stream", *framing)
    door.origin.on("/events", head, *steps, gate, b"0\r\n\r\n" if chunked else faults.close)
    return gate


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.PASSTHROUGH])
def test_event_stream_arrives_piece_by_piece(mode: Mode, door: Door) -> None:
    """Each event reaches the client before the origin sends the next."""
    gate = sse(door)
    door.proxy.use("events", mode)
    with door.open() as client:
        client.send(door.request("/events"))
        assert client.head().values("content-type") == [b"text/event-stream"]
        for event in EVENTS:
            gate.open()
            assert client.piece() == event
        gate.open()
        assert client.piece() == b""


def test_event_stream_until_close_arrives_piece_by_piece(door: Door) -> None:
    """The same, for a stream that ends with its connection."""
    gate = sse(door, chunked=False)
    door.proxy.start_recording("events")
    with door.open() as client:
        client.send(door.request("/events"))
        client.head()
        for event in EVENTS:
            gate.open()
            assert client.stream.exactly(len(event)) == event
        gate.open()
        assert client.at_end()


def test_event_stream_replays_whole(door: Door, take: Take) -> None:
    """A recorded stream replays with every byte, in the pieces in which it came."""
    gate = sse(door)
    with door.open() as client:
        client.send(door.request("/events")).head()
        for event in EVENTS:
            gate.open()
            assert client.piece() == event
            spread(client)
        gate.open()
        assert client.piece() == b""
    take.replay()
    with door.open() as client:
        answer = client.ask(door.request("/events"))
    assert answer.body == b"".join(EVENTS)
    assert answer.chunk_sizes == [len(event) for event in EVENTS]


def spread(client: WireClient) -> None:
    """Let enough time pass that pieces count as a stream: wait for a byte that does not come."""
    client.socket.settimeout(0.025)
    with pytest.raises(TimeoutError):
        client.stream.fill()
    client.socket.settimeout(10)


def shelve(store: CassetteStore, name: str, *interactions: Interaction) -> Path:
    """Write a cassette by hand."""
    recorder = store.recorder(name)
    for interaction in interactions:
        recorder.record(interaction)
    path = recorder.finish(replace=True)
    assert path is not None
    return path


def stream_recording(*chunks: tuple[int, float]) -> Interaction:
    """Return a recorded event stream whose pieces came at these times, in ms."""
    fields = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
    return Interaction(
        Request("GET", "http", "stream.example", 80, "/events"),
        Response(200, "OK", Headers.of(*fields), b"".join(EVENTS)),
        first_byte_ms=1.0,
        total_ms=chunks[-1][1],
        chunks=chunks,
    )


STREAM = b"GET http://stream.example/events HTTP/1.1\r\nHost: stream.example\r\n\r\n"


def test_head_of_a_replayed_stream_is_there_at_once(proxy: MagnetoProxy, tmp_path: Path) -> None:
    """A replayed stream begins with its head and first piece, however slow the recording was."""
    sizes = [(len(event), 100_000.0 * number) for number, event in enumerate(EVENTS)]
    shelve(CassetteStore(tmp_path / "cassettes"), "slow", stream_recording(*sizes))
    proxy.replay("slow")
    with WireClient((proxy.host, proxy.port)) as client:
        assert client.send(STREAM).head().status == 200
        assert client.piece() == EVENTS[0]


def test_upload_arrives_piece_by_piece(door: Door, take: Take) -> None:
    """The origin has the first half of a request before the client sends the second."""
    halves: list[bytes] = []

    def read_half(exchange: Exchange) -> None:
        half = exchange.stream.exactly(4)
        with exchange.origin.changed:
            halves.append(half)
            exchange.origin.changed.notify_all()

    door.origin.on("/halves", leave_body, read_half, read_half, routes.response(b"both"))
    with door.open() as client:
        client.send(door.request("/halves", "POST", "Content-Length: 8\r\n", b"1111"))
        door.origin.wait_for(lambda: halves == [b"1111"])
        assert client.ask(b"2222", "POST").body == b"both"
    take.replay()
    with door.open() as client:
        assert client.ask(door.sized("/halves", "POST", b"11112222")).body == b"both"


def test_answer_may_begin_before_the_request_has_ended(door: Door, take: Take) -> None:
    """An origin may talk while it listens: neither direction waits for the other, nor in replay."""

    def echo_four(exchange: Exchange) -> None:
        exchange.send(exchange.stream.exactly(4))

    head = routes.head(b"Content-Length: 8")
    door.origin.on("/duplex", leave_body, head, echo_four, echo_four)

    def converse() -> None:
        with door.open() as client:
            client.send(door.request("/duplex", "POST", "Content-Length: 8\r\n", b"ping"))
            client.head()
            assert client.stream.exactly(4) == b"ping"
            client.send(b"pong")
            assert client.stream.exactly(4) == b"pong"

    converse()
    take.replay()
    converse()
    assert door.proxy.misses == []


@pytest.mark.parametrize("form", ["json", "msgpack", "msgpack.zst"])
def test_conversation_replays_from_any_format(
    form: str, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """Who had said what is in every format, and found in a cassette that is not read whole."""

    def answer_each(exchange: Exchange) -> None:
        exchange.send(exchange.stream.exactly(4)[::-1])

    origin = make_origin()
    head = routes.head(b"Content-Length: 8")
    origin.on("/duplex", leave_body, head, answer_each, answer_each)
    door = Door("absolute", make_proxy(format=form), origin)
    take = Take(door.proxy, origin)
    take.record()

    def converse(first: bytes, second: bytes) -> None:
        with door.open() as client:
            client.send(door.request("/duplex", "POST", "Content-Length: 8\r\n", first))
            client.head()
            assert client.stream.exactly(4) == first[::-1]
            client.send(second)
            assert client.stream.exactly(4) == second[::-1]

    converse(b"ping", b"pong")
    converse(b"ding", b"dong")
    take.replay()
    converse(b"ding", b"dong")
    converse(b"ping", b"pong")
    assert door.proxy.misses == []


# ------------------------------------------------------------------ backpressure

FLOOD = 48 * 1024 * 1024  # bytes, far more than all the sockets between two ends hold
ENOUGH = 24 * 1024 * 1024  # bytes that may be under way: kernel buffers of four sockets, and ours


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.PASSTHROUGH])
def test_slow_client_slows_the_origin(mode: Mode, door: Door) -> None:
    """A client that reads nothing stops the origin's sending; then everything arrives."""
    head = routes.head(b"Content-Length: %d" % FLOOD)
    door.origin.on("/flood", head, faults.flood(FLOOD))
    door.proxy.use("flood", mode)
    with door.open() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.send(door.request("/flood")).head()
        door.origin.wait_for(lambda: door.origin.stalled)
        assert door.origin.sent < ENOUGH
        received = len(client.stream.take(FLOOD))
        while received < FLOOD:
            client.stream.fill()
            received += len(client.stream.take(FLOOD))
    assert received == FLOOD


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.PASSTHROUGH])
def test_slow_origin_slows_the_client(mode: Mode, door: Door) -> None:
    """An origin that reads nothing stops the client's sending; then everything arrives."""
    gate = door.origin.gate()
    door.origin.on("/slow", leave_body, gate, routes.count_upload)
    door.proxy.use("flood", mode)
    block = bytes(range(256)) * 256
    with door.open() as client:
        client.send(door.request("/slow", "POST", f"Content-Length: {FLOOD}\r\n"))
        sent = send_until_stuck(client, block, FLOOD)
        assert sent < ENOUGH
        gate.open()
        client.socket.settimeout(10)
        start = sent % len(block)
        client.send(block[start:] if start else b"")
        for _ in range(sent + len(block[start:] if start else b""), FLOOD, len(block)):
            client.send(block)
        assert json.loads(client.answer().body)["size"] == FLOOD


def send_until_stuck(client: WireClient, block: bytes, limit: int) -> int:
    """Send blocks until nothing is taken for a while; returns the bytes that were."""
    client.socket.settimeout(0.3)
    sent = 0
    try:
        while sent < limit:
            sent += client.socket.send(block[sent % len(block) :])
    except (TimeoutError, BlockingIOError):
        pass
    return sent


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_upload_is_recorded_and_matched(framing: str, door: Door, take: Take) -> None:
    """A body beyond the memory limit passes, is recorded, and must be sent again to match."""
    body = routes.BINARY * 2
    if framing == "length":
        request = door.sized("/upload", "POST", body)
    else:
        pieces = [body[i : i + 100_000] for i in range(0, len(body), 100_000)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        fields = "Transfer-Encoding: chunked\r\n"
        request = door.request("/upload", "POST", fields, framed + b"0\r\n\r\n")
    with door.open() as client:
        answer = client.ask(request)
    digest = hashlib.sha256(body).hexdigest()
    assert json.loads(answer.body) == {"size": len(body), "sha256": digest}
    take.replay()
    with door.open() as client:
        assert client.ask(request).seen == answer.seen
        changed = request.replace(body[1000:1040], bytes(40), 1)
        assert client.ask(changed).status == 502


def test_first_byte_is_not_held_back(plain_door: Door) -> None:
    """Recording buffers nothing: the head and one byte pass while the rest is still to come."""
    gate = plain_door.origin.gate()
    plain_door.origin.on("/drip", routes.head(b"Content-Length: 2"), b"1", gate, b"2")
    plain_door.proxy.start_recording("drip")
    with plain_door.open() as client:
        began = time.monotonic()
        client.send(plain_door.request("/drip")).head()
        assert client.stream.exactly(1) == b"1"
        assert time.monotonic() - began < 5
        gate.open()
        assert client.stream.exactly(1) == b"2"


@pytest.mark.parametrize("how", ["reset", "close"])
def test_client_that_goes_away_frees_the_origin(how: str, plain_door: Door) -> None:
    """When a client leaves in the middle, its exchange with the origin ends too.

    A reset says so at once. A close looks like a half-close until something is written.
    """
    origin, broken = plain_door.origin, []
    gate = origin.gate()

    def send_until_it_breaks(exchange: Exchange) -> None:
        try:
            faults.flood(FLOOD)(exchange)
        except OSError:
            with origin.changed:
                broken.append(True)
                origin.changed.notify_all()

    head = routes.head(b"Content-Length: %d" % FLOOD)
    origin.on("/endless", head, b"x", gate, send_until_it_breaks)
    with plain_door.open() as client:
        client.send(plain_door.request("/endless")).head()
        client.stream.exactly(1)
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    gate.open()
    origin.wait_for(lambda: broken)
