"""Everything that WebSocket frames can be, right and wrong, through the proxy and against it.

Recording, the proxy is not there: each end gets the bytes that the other has sent, whatever they
are, and the cassette holds what was said up to a mistake. In replay it is the endpoint (RFC 6455).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from .bytestream import ByteStream
from .conftest import MakeProxy
from .websocket_wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Stage,
    close,
    frame,
    read_frame,
)

Message = tuple[str, bytes]
KINDS = {TEXT: "text", BINARY: "binary", PING: "ping", PONG: "pong"}


@pytest.fixture
def stage(make_proxy: MakeProxy) -> Iterator[Stage]:
    """A proxy that records as it is, and an origin played by the test."""
    stage = Stage(make_proxy(redact=False))
    yield stage
    stage.origin.socket.close()


def messages(stream: ByteStream) -> Iterator[Message]:
    """Read messages up to a Close frame."""
    kind, pieces = "", b""
    while (head := read_frame(stream))[0] & 15 != CLOSE:
        opcode, payload = head[0] & 15, head[1]
        if opcode in (PING, PONG):
            yield KINDS[opcode], payload
            continue
        kind, pieces = KINDS.get(opcode, kind), (b"" if opcode else pieces) + payload
        if head[0] & 0x80:
            yield kind, pieces


# (opcode, payload, FIN) frame by frame.
Shape = list[tuple[int, bytes, bool]]
SHAPES: dict[str, Shape] = {
    "text": [(TEXT, "é".encode(), True)],
    "binary": [(BINARY, b"\x00\xff", True)],
    "empty text": [(TEXT, b"", True)],
    "empty binary": [(BINARY, b"", True)],
    "empty ping": [(PING, b"", True)],
    "full ping": [(PING, b"p" * 125, True)],
    "unasked pong": [(PONG, b"nobody asked", True)],
    "two fragments": [(TEXT, b"one ", False), (CONTINUATION, b"two", True)],
    "empty fragments": [
        (BINARY, b"", False),
        (CONTINUATION, b"", False),
        (CONTINUATION, b"x", False),
        (CONTINUATION, b"", True),
    ],
    "only empty fragments": [(TEXT, b"", False), (CONTINUATION, b"", True)],
    "control between": [
        (TEXT, b"a", False),
        (PING, b"between", True),
        (CONTINUATION, b"b", False),
        (PONG, b"", True),
        (PING, b"", True),
        (CONTINUATION, b"c", True),
    ],
    "character in two": [(TEXT, b"\xf0\x9f", False), (CONTINUATION, b"\x8e\x99", True)],
    "character in four": [
        (TEXT, b"\xf0", False),
        *[(CONTINUATION, bytes([byte]), False) for byte in b"\x9f\x8e\x99"],
        (CONTINUATION, b"", True),
    ],
}


def written(shape: Shape, *, masked: bool) -> bytes:
    """Write the frames of a shape."""
    return b"".join(frame(code, data, fin=fin, masked=masked) for code, data, fin in shape)


def meaning(shape: Shape) -> list[Message]:
    """Return the messages of a shape."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(written(shape, masked=False) + close(1000, masked=False))
        return list(messages(ByteStream(right)))


@pytest.mark.parametrize("cut", [False, True], ids=["at-once", "byte-by-byte"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape(shape: Shape, cut: bool, stage: Stage) -> None:
    """Whatever the frames are like, and however they arrive: relayed, recorded, replayed."""
    question, answer = written(shape, masked=True), written(shape, masked=False)
    told = meaning(shape)
    ready = frame(TEXT, b"ready", masked=False)
    with stage.recorded() as pair:
        for data in [bytes([byte]) for byte in question] if cut else [question]:
            pair.to_server(data)
        pair.to_server(frame(TEXT, b"go"))
        pair.to_client(ready)
        for data in [bytes([byte]) for byte in answer] if cut else [answer]:
            pair.to_client(data)
        pair.to_client(close(4000, "done", masked=False))
        pair.to_server(close(4000))
    asked = [("client", *each) for each in [*told, ("text", b"go")]]
    assert stage.said() == [*asked, *(("server", *each) for each in [("text", b"ready"), *told])]
    assert stage.how_it_ended() == (4000, "done", "server")
    sizes = [len(data) for code, data, _ in shape if code not in (PING, PONG)]
    (recorded,) = stage.conversations()
    kept = [each.fragments for each in recorded.messages if each.data not in (b"go", b"ready")]
    assert [list(each) for each in kept if each] == ([sizes] * 2 if len(sizes) > 1 else [])

    with stage.replayed() as pair:
        for data in [bytes([byte]) for byte in question] if cut else [question]:
            pair.client.send(data)
        pair.client.send(frame(TEXT, b"go"))
        pongs = [("pong", data) for kind, data in told if kind == "ping"]
        heard = list(messages(pair.client.stream))
        # What looks like the answer to a ping of the client is not said again: that was answered.
        again = [each for each in told if each not in pongs]
        assert heard == [*pongs, ("text", b"ready"), *again]
        pair.client.send(close(4000))
        assert pair.is_over()
    assert stage.proxy.misses == []


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_past_a_hook(shape: Shape, stage: Stage) -> None:
    """What a hook leaves as it is reaches the other end as it was meant, control frames at once."""
    stage.proxy.on_message(lambda request, message: message)
    told = meaning(shape)
    with stage.recorded() as pair:
        pair.client.send(written(shape, masked=True) + close(1000, "bye"))
        assert list(messages(pair.server.stream)) == told
        pair.server.send(written(shape, masked=False) + close(1000, "bye", masked=False))
        assert list(messages(pair.client.stream)) == told
    assert stage.said() == [(who, *each) for who in ("client", "server") for each in told]
    assert stage.how_it_ended() == (1000, "bye", "client")


@pytest.mark.parametrize("size", [0, 125, 126, 127, 65_535, 65_536, 16 * 1024 * 1024])
def test_every_size(size: int, stage: Stage) -> None:
    """Lengths around each of their forms, and messages that do not fit into memory limits."""
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    question, answer = frame(BINARY, payload), frame(BINARY, payload, masked=False)
    farewell = close(1000, masked=False)

    def say(end: socket.socket, data: bytes) -> threading.Thread:
        thread = threading.Thread(target=end.sendall, args=(data,))
        thread.start()
        return thread

    with stage.recorded() as pair:
        thread = say(pair.client.socket, question)
        assert pair.server.stream.exactly(len(question)) == question
        thread.join()
        thread = say(pair.server.socket, answer + farewell)
        assert pair.client.stream.exactly(len(answer + farewell)) == answer + farewell
        thread.join()
        pair.to_server(close(1000))
    assert stage.said() == [("client", "binary", payload), ("server", "binary", payload)]
    with stage.replayed() as pair:
        thread = say(pair.client.socket, question)
        assert pair.client.stream.exactly(len(answer + farewell)) == answer + farewell
        thread.join()
    assert stage.proxy.misses == []


# What a client must not send, and the code that answers it (RFC 6455 §5, §7.4.1, §8.1).
MISTAKES: dict[str, tuple[bytes, int]] = {
    "not masked": (frame(TEXT, b"x", masked=False), 1002),
    "RSV1": (frame(TEXT, b"x", rsv=4), 1002),
    "RSV2": (frame(TEXT, b"x", rsv=2), 1002),
    "RSV3": (frame(BINARY, b"x", rsv=1), 1002),
    "RSV1 of a control frame": (frame(PING, b"x", rsv=4), 1002),
    **{f"opcode {code:x}": (frame(code, b"x"), 1002) for code in (3, 4, 5, 6, 7)},
    **{f"opcode {code:x}": (frame(code, b"x"), 1002) for code in (11, 12, 13, 14, 15)},
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "fragmented close": (frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "long close": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "message inside another": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
    "two octets of length": (frame(TEXT, b"x", form=126), 1002),
    "eight octets of length": (frame(BINARY, b"x" * 200, form=127), 1002),
    "length with its highest bit": (b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"mask", 1002),
    "not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "not UTF-8 in fragments": (
        frame(TEXT, b"\xf0\x9f", fin=False) + frame(CONTINUATION, b"\x8e!"),
        1007,
    ),
    "half a character": (frame(TEXT, b"ok", fin=False) + frame(CONTINUATION, b"\xc3"), 1007),
    "close of one octet": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"close code {code}": (close(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "close reason that is not UTF-8": (close(1000, b"\xff"), 1007),
}


def unmasked(mistake: str) -> bytes:
    """Return a client's mistake as a server makes it."""
    if mistake == "not masked":
        return frame(TEXT, b"x")
    data, out = MISTAKES[mistake][0], b""
    if mistake == "length with its highest bit":
        return b"\x82\x7f" + data[2:10]
    left, right = socket.socketpair()
    with left, right:
        left.sendall(data)
        left.shutdown(socket.SHUT_WR)
        stream = ByteStream(right)
        at = 0
        while at < len(data):
            head, payload = read_frame(stream)
            form = data[at + 1] & 127
            at += 6 + (0 if form < 126 else 2 if form == 126 else 8) + len(payload)
            out += bytes([head, form])
            if form > 125:
                out += len(payload).to_bytes(2 if form == 126 else 8, "big")
            out += payload
    return out


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_relayed(mistake: str, stage: Stage) -> None:
    """Each end hears the other's mistakes, and what it says to them; the cassette is sound."""
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"before"))
        pair.to_client(frame(TEXT, b"before", masked=False))
        pair.to_server(MISTAKES[mistake][0])
        pair.to_client(frame(TEXT, b"after", masked=False))
        pair.to_client(unmasked(mistake))
        pair.to_server(frame(TEXT, b"after"))
        pair.to_client(close(1002, "what?", masked=False))
    said = stage.said()
    assert said[:2] == [("client", "text", b"before"), ("server", "text", b"before")]
    assert ("server", "text", b"after") in said


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_answered_in_replay(mistake: str, stage: Stage) -> None:
    """The endpoint that we are fails the connection with the code for the mistake, and only it."""
    data, code = MISTAKES[mistake]
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"hello"))
        pair.to_client(frame(TEXT, b"hi", masked=False))
        pair.to_client(close(1000, masked=False))
        pair.to_server(close(1000))
    stage.proxy.use("tape", "replay")
    with stage.replayed() as pair:
        pair.client.send(data)
        head, payload = pair.hears()
        assert head == 0x88
        assert int.from_bytes(payload[:2], "big") == code
        payload[2:].decode()
        assert pair.is_over()
    stage.proxy.rewind()
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, b"hello"))
        assert pair.hears() == (0x81, b"hi")


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("who", ["client", "server"])
def test_connection_that_breaks_off(who: str, how: str, stage: Stage) -> None:
    """Without a Close frame the end is 1006 (RFC 6455 §7.1.5); a server's is replayed so."""
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"hello"))
        pair.to_client(frame(TEXT, b"hi", masked=False))
        pair.to_client(b"\x82\x7eno")  # half a header is no message
        ends = [pair.client, pair.server]
        one, two = ends if who == "client" else ends[::-1]
        if how == "reset":
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            assert two.at_end()
        else:
            one.socket.shutdown(socket.SHUT_WR)
            assert two.at_end()
            two.close()
            assert one.at_end()
    assert stage.how_it_ended() == (1006, "", who)
    assert stage.said() == [("client", "text", b"hello"), ("server", "text", b"hi")]
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, b"hello"))
        assert pair.hears() == (0x81, b"hi")
        if who == "server":
            assert pair.is_over()


@pytest.mark.parametrize("who", ["client", "server"])
def test_half_closed_connection(who: str, stage: Stage) -> None:
    """Who has said its last and closes its half is still heard, whole, at the other end."""
    with stage.recorded() as pair:
        ends = [pair.client, pair.server]
        one, two = ends if who == "client" else ends[::-1]
        masked = who == "client"
        last = frame(BINARY, b"x" * 100_000, masked=masked) + close(1000, "end", masked=masked)
        one.send(last)
        one.socket.shutdown(socket.SHUT_WR)
        assert two.stream.exactly(len(last)) == last
        assert two.at_end()
    assert stage.said() == [(who, "binary", b"x" * 100_000)]
    assert stage.how_it_ended() == (1000, "end", who)


@pytest.mark.parametrize("who", ["client", "server"])
def test_stopping_with_a_half_closed_connection(who: str, stage: Stage) -> None:
    """A proxy that stops says goodbye where somebody can still hear it, and only there."""
    stage.proxy.use("tape", "record")
    pair = stage.open()
    ends = [pair.client, pair.server]
    one, two = ends if who == "client" else ends[::-1]
    one.send(frame(TEXT, b"last", masked=who == "client"))
    one.socket.shutdown(socket.SHUT_WR)
    assert two.stream.to_end()
    stage.proxy.stop()
    head, payload = read_frame(one.stream)
    assert (head, payload[:2]) == (0x88, (1001).to_bytes(2, "big"))
    pair.end()


def test_replay_of_half_a_frame(stage: Stage) -> None:
    """A client that goes away inside a frame, or half-closes, costs nobody else anything."""
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b"hello"))
        pair.to_client(frame(TEXT, b"hi", masked=False))
    for data in (b"\x81", frame(TEXT, b"hello")[:-1], frame(TEXT, b"hel", fin=False)):
        with stage.replayed() as pair:
            pair.client.send(data)
            pair.client.socket.shutdown(socket.SHUT_WR)
            assert pair.is_over()
        stage.proxy.rewind()
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, b"hello"))
        assert pair.hears() == (0x81, b"hi")
        pair.client.socket.shutdown(socket.SHUT_WR)
        assert pair.is_over()
    assert stage.proxy.misses == []
