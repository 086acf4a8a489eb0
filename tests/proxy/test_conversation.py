"""A recorded WebSocket played to a client: the endpoint around the script."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from websockets.frames import Opcode

from magneto_serge.messages import FileBody, Headers, Interaction, WebSocketClose, WebSocketMessage
from magneto_serge.replay.conversation import Conversing
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.shaping import Shaping
from magneto_serge.replay.templates import Templates
from magneto_serge.replay.timing import pace_of

from .frames import URL, close, frame, handshake, recorded, replaying, text
from .mock_transport import MockTransport
from .stage import Stage
from .traffic import ask


def they(kind: str, data: bytes, at: float = 0.0, **how: object) -> WebSocketMessage:
    """Return a message of the client."""
    return WebSocketMessage("client", kind, data, at, **how)  # type: ignore[arg-type]


def we(kind: str, data: bytes, at: float = 0.0, **how: object) -> WebSocketMessage:
    """Return a message of the server."""
    return WebSocketMessage("server", kind, data, at, **how)  # type: ignore[arg-type]


CHAT = recorded(
    we("text", b"welcome"),
    they("text", b"hello"),
    we("text", b"hello yourself"),
    we("binary", b"\xff"),
    end=WebSocketClose(4000, "bye", "server"),
)


def opened(stage: Stage, *fields: str) -> MockTransport:
    """Return a client whose handshake was accepted; the head is taken."""
    client = stage.client()
    client.send(handshake(*fields))
    return client


def body(client: MockTransport) -> bytes:
    """Return what came after the 101."""
    head, _, rest = client.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    return rest


def test_the_script_is_played() -> None:
    """The server's part comes when it is due; nothing is dialled; the end is the recorded one."""
    stage = replaying(CHAT)
    client = opened(stage)
    assert body(client) == frame(b"welcome")
    client.send(text("hello"))
    said = frame(b"hello yourself") + frame(b"\xff", Opcode.BINARY)
    assert client.take() == said + close(4000, "bye")
    client.send(close(4000, mask=True))
    assert not client.open
    assert stage.dials == 0
    assert stage.misses == []
    assert stage.stats["replayed"] == 1


def test_a_client_that_does_not_wait() -> None:
    """What comes with the handshake is heard."""
    stage = replaying(CHAT)
    client = stage.client()
    client.send(handshake() + text("hello"))
    assert body(client).endswith(close(4000, "bye"))


def test_a_mismatch_closes_with_1008_and_is_a_miss() -> None:
    """The miss says what was expected, what came, and which message it was."""
    stage = replaying(CHAT)
    client = opened(stage)
    client.take()
    client.send(text("something else"))
    assert client.take()[2:4] == (1008).to_bytes(2, "big")
    (miss,) = stage.misses
    assert "Message 1" in miss.reason
    assert "expected 'hello', got 'something else'" in miss.reason
    assert miss.url == "ws://origin.test/chat"
    assert [*stage.session.misses] == [miss]
    client.send(text("ignored") + close(1008, mask=True))
    assert not client.open
    assert len(stage.misses) == 1


def test_pings_are_answered() -> None:
    """A client's ping has its pong at once, and is no part of the script."""
    stage = replaying(CHAT)
    client = opened(stage)
    client.take()
    client.send(frame(b"there?", Opcode.PING, mask=True) + frame(b"", Opcode.PONG, mask=True))
    assert client.take() == frame(b"there?", Opcode.PONG)
    assert stage.misses == []


def test_a_client_that_closes() -> None:
    """Its Close frame comes back with its code, whatever was still to be said."""
    client = opened(replaying(CHAT))
    client.take()
    client.send(close(1001, "leaving", mask=True))
    assert client.take() == close(1001)
    assert not client.open


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x00", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (frame(b"\xff", mask=True), 1007),
        (close(999, mask=True), 1002),
        (frame(b"x" * 101, mask=True), 1009),
    ],
    ids=["not masked", "opcode", "not UTF-8", "close code", "too big"],
)
def test_mistakes_of_the_client(sent: bytes, code: int) -> None:
    """What an endpoint has to refuse is refused, with the close code for it."""
    stage = replaying(CHAT, max_message_size=100)
    client = opened(stage)
    client.take()
    client.send(sent)
    assert client.take()[2:4] == code.to_bytes(2, "big")
    assert not client.open
    assert stage.misses == []


def test_a_connection_that_broke_off() -> None:
    """1006 is replayed as what it was: an end without a Close frame."""
    client = opened(replaying(recorded(we("text", b"a"), end=WebSocketClose(1006))))
    assert body(client) == frame(b"a")
    assert not client.open


def test_fragments_and_pings_of_the_server() -> None:
    """A message has as many frames as it had; pings are sent."""
    said = (we("text", b"abc", fragments=(1, 0, 2)), we("ping", b"p"))
    client = opened(replaying(recorded(*said)))
    assert body(client) == (
        frame(b"a", fin=False)
        + frame(b"", Opcode.CONT, fin=False)
        + frame(b"bc", Opcode.CONT)
        + frame(b"p", Opcode.PING)
    )


def test_compression_only_as_offered() -> None:
    """What was compressed is compressed for a client that offers it, and for no other."""
    fields = Headers.of(("Sec-WebSocket-Extensions", "permessage-deflate"))
    packed = recorded(we("text", b"hello hello hello", compressed=True), fields=fields)
    plain = opened(replaying(packed))
    assert body(plain) == frame(b"hello hello hello")
    offering = opened(replaying(packed), "Sec-WebSocket-Extensions: permessage-deflate")
    (head, *_) = body(offering)
    assert head == 0xC1


def test_a_message_from_a_side_file(tmp_path: Path) -> None:
    """It goes out piece by piece, as the client takes it."""
    path = tmp_path / "large"
    data = bytes(range(256)) * 4000
    path.write_bytes(data)
    large = FileBody(path, len(data), hashlib.sha256(data).hexdigest())
    stage = replaying(recorded(we("binary", b""), they("text", b"go")))
    stage = replaying(
        recorded(WebSocketMessage("server", "binary", large, compressed=True), we("text", b"after"))
    )
    client = opened(stage)
    assert body(client) == frame(data, Opcode.BINARY) + frame(b"after")


def in_a_file(path: Path, data: bytes, *fragments: int) -> WebSocketMessage:
    """Return a message of the server that is in a side file."""
    path.write_bytes(data)
    large = FileBody(path, len(data), hashlib.sha256(data).hexdigest())
    return WebSocketMessage("server", "binary", large, fragments=fragments)


@pytest.mark.parametrize("fragments", [(2, 0, 7), (9, 9), (0, 0, 0), (3, 1)])
def test_fragments_of_a_message_from_a_side_file(
    fragments: tuple[int, ...], tmp_path: Path
) -> None:
    """They are as they were, as far as they add up, like those of a message in memory."""
    data = b"123456789"
    in_memory = opened(replaying(recorded(we("binary", data, fragments=fragments))))
    large = opened(replaying(recorded(in_a_file(tmp_path / "large", data, *fragments))))
    assert body(large) == body(in_memory)


def test_a_ping_inside_a_large_message(tmp_path: Path) -> None:
    """It is answered when another frame can be put in, and only the last one need be."""
    data = bytes(3_000_000)
    stage = replaying(recorded(they("text", b"go"), in_a_file(tmp_path / "large", data)))
    client = opened(stage)
    body(client)
    client.choke()
    client.send(text("go"))
    for said in (b"one", b"two"):
        client.send(frame(said, Opcode.PING, mask=True))
    client.drain()
    assert client.take() == frame(data, Opcode.BINARY) + frame(b"two", Opcode.PONG)
    client.send(frame(b"three", Opcode.PING, mask=True))
    assert client.take() == frame(b"three", Opcode.PONG)


def test_pings_of_a_client_that_reads_nothing() -> None:
    """Pongs do not pile up."""
    stage = replaying(recorded(we("binary", bytes(100_000)), they("text", b"go")))
    client = opened(stage)
    client.take()
    client.choke()
    client.send(frame(bytes(125), Opcode.PING, mask=True) * 1000)
    before = client.get_write_buffer_size()
    client.send(frame(bytes(125), Opcode.PING, mask=True) * 1000)
    assert client.get_write_buffer_size() == before
    client.drain()
    client.take()
    client.send(frame(b"", Opcode.PING, mask=True))
    assert client.take() == frame(b"", Opcode.PONG)


def test_a_side_file_that_has_gone(tmp_path: Path) -> None:
    """What was promised and cannot be read ends the connection."""
    gone = FileBody(tmp_path / "gone", 5, "aa")
    client = opened(replaying(recorded(WebSocketMessage("server", "binary", gone))))
    assert not client.open


def test_a_client_that_takes_no_more() -> None:
    """What is due waits until the client takes it."""
    said = [we("binary", bytes(50_000)) for _ in range(20)]
    stage = replaying(recorded(they("text", b"go"), *said))
    client = opened(stage)
    client.take()
    client.choke()
    client.send(text("go"))
    before = client.get_write_buffer_size()
    assert before < 20 * 50_000
    client.drain()
    assert len(client.take()) == 20 * len(frame(bytes(50_000), Opcode.BINARY))


def test_recorded_time() -> None:
    """With ``latency`` recorded, what is due later is said later."""
    stage = replaying(recorded(we("text", b"a", 100.0), we("text", b"b", 2500.0)))
    stage.session.pace = pace_of(("recorded",))
    client = opened(stage)
    assert body(client) == b""
    stage.pass_time(1)
    assert client.take() == frame(b"a")
    stage.pass_time(2)
    assert client.take() == frame(b"b")


def test_policies() -> None:
    """The session says what is asked of the client."""
    stage = replaying(CHAT)
    stage.session.conversing = Conversing("lenient")
    client = opened(stage)
    client.take()
    client.send(text("whatever"))
    assert client.take().endswith(close(4000, "bye"))
    assert stage.misses == []


def test_connections_in_recorded_order() -> None:
    """Each connection gets the next conversation, also while others are open; the last repeats."""
    stage = replaying(recorded(we("text", b"1")), recorded(we("text", b"2")))
    clients = [opened(stage) for _ in range(3)]
    assert [body(each) for each in clients] == [frame(b"1"), frame(b"2"), frame(b"2")]


def test_a_plain_request_is_another() -> None:
    """A GET that opens no WebSocket does not get one, nor does one with a bad key."""
    stage = replaying(CHAT)
    client = stage.client()
    client.send(ask(f"{URL}/chat"))
    assert client.take().startswith(b"HTTP/1.1 502 ")
    other = stage.client()
    other.send(handshake().replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8"))
    assert other.take().startswith(b"HTTP/1.1 400 ")


def test_hooks_see_both_sides() -> None:
    """A hook may change what the client says before it is compared, and what it hears; or drop."""

    def hook(_: object, message: WebSocketMessage) -> WebSocketMessage | None:
        if message.data == b"welcome":
            return None
        data = b"hello" if message.sender == "client" else b"changed"
        return WebSocketMessage(message.sender, "text", data)

    stage = replaying(CHAT)
    hooks = Hooks()
    hooks.on_message(hook)
    stage.session.shaping = Shaping(hooks)
    client = opened(stage)
    assert body(client) == b""
    client.send(text("hallo"))
    assert client.take() == frame(b"changed") * 2 + close(4000, "bye")


def test_who_does_not_close_is_closed() -> None:
    """The client's part of the closing handshake is waited for, not for ever; nor is silence."""
    stage = replaying(recorded(end=WebSocketClose(1000)))
    client = opened(stage)
    assert body(client) == close(1000)
    stage.pass_time(15)
    assert not client.open
    silent = replaying(recorded(they("text", b"never")), websocket_idle_timeout=50.0)
    client = opened(silent)
    body(client)
    silent.pass_time(60)
    assert client.take() == close(1001, "Nothing was said for 50 seconds")
    silent.pass_time(15)
    assert not client.open


def test_large_messages_of_the_client_are_compared_by_digest(tmp_path: Path) -> None:
    """A client's message above ``memory_limit`` is compared without being in memory."""
    data = b"x" * 5000
    large = FileBody(tmp_path / "x", len(data), hashlib.sha256(data).hexdigest())
    expected: Interaction = recorded(
        WebSocketMessage("client", "binary", large), we("text", b"thanks")
    )
    stage = replaying(expected, memory_limit=1000)
    client = opened(stage)
    client.take()
    sent = frame(data, Opcode.BINARY, mask=True)
    client.send(sent[:100])
    client.send(sent[100:])
    assert client.take() == frame(b"thanks")


def test_stopping() -> None:
    """A proxy that stops says 1001."""
    client = opened(replaying(recorded(they("text", b"x"))))
    client.take()
    client.get_protocol().close_when_idle()
    assert client.take()[2:4] == (1001).to_bytes(2, "big")


def test_templates_answer_what_was_said() -> None:
    """A template's texts are rendered when they are due; a mistake in one is 1011."""
    talk = recorded(
        they("text", b"1"),
        we("text", b"{{ message.text }}!"),
        they("text", b"2"),
        we("text", b"{{ 1/0 }}"),
    )
    talk.template = True
    stage = replaying(talk)
    stage.session.conversing = Conversing("lenient")
    templates = Templates(environ={}, allowed=(), seed=None, clock=lambda: 0.0, timer=lambda: 0.0)
    stage.session.shaping = Shaping(Hooks(), templates=templates)
    client = opened(stage)
    assert body(client) == b""
    client.send(text("hello"))
    assert client.take() == frame(b"hello!")
    client.send(text("again"))
    assert client.take()[2:4] == (1011).to_bytes(2, "big")


@pytest.mark.parametrize("limit", [65_536, 1 << 22])
def test_a_message_that_begins_behind_another(limit: int) -> None:
    """What a read holds of the next message is kept while the one before it is heard."""
    one, two = b"1" * 70_000, b"2" * 70_000
    stage = replaying(
        recorded(they("binary", one), they("binary", two), we("text", b"both")), memory_limit=limit
    )
    client = opened(stage)
    body(client)
    client.send(frame(one[:-1], Opcode.BINARY, mask=True, fin=False))
    begun = frame(two[:-1], Opcode.BINARY, mask=True, fin=False)
    client.send(frame(one[-1:], Opcode.CONT, mask=True) + begun)
    client.send(frame(two[-1:], Opcode.CONT, mask=True))
    assert client.take() == frame(b"both")
    assert stage.misses == []
