"""WebSockets relayed: untouched, heard by the recorder, within their limits."""

from __future__ import annotations

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from magneto_serge.messages import Conversation, WebSocketMessage
from magneto_serge.replay.faults import faults_of
from magneto_serge.replay.modes import Mode

from .frames import ACCEPTED, close, frame, handshake, spoken, text
from .stage import Stage


def conversation(stage: Stage) -> Conversation:
    """Return the only conversation that was recorded."""
    (interaction,) = stage.sink.interactions
    assert interaction.websocket is not None
    return interaction.websocket


def said(stage: Stage) -> list[tuple[str, str, object]]:
    """Return who said what."""
    return [(each.sender, each.kind, each.data) for each in conversation(stage).messages]


@pytest.mark.parametrize("mode", [Mode.PASSTHROUGH, Mode.RECORD])
def test_bytes_pass_as_they_are(mode: Mode) -> None:
    """Whatever is read goes on in the same turn, byte for byte: masks, pieces and nonsense."""
    stage = Stage(mode)
    client, origin = spoken(stage)
    for piece in (text("hello")[:3], text("hello")[3:], b"\xff\xff nonsense", b"\x00" * 1000):
        client.send(piece)
        assert origin.take() == piece
        origin.send(piece)
        assert client.take() == piece


def test_what_is_said_is_recorded() -> None:
    """Both sides, in order, unmasked; and the close with whose it was."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage)
    client.send(text("hello"))
    origin.send(frame(b"\xff", Opcode.BINARY) + frame(b"there?", Opcode.PING))
    client.send(frame(b"there?", Opcode.PONG, mask=True) + close(4000, "done", mask=True))
    origin.send(close(4000))
    client.hang_up()
    assert said(stage) == [
        ("client", "text", b"hello"),
        ("server", "binary", b"\xff"),
        ("server", "ping", b"there?"),
        ("client", "pong", b"there?"),
    ]
    ended = conversation(stage).close
    assert ended is not None
    assert (ended.code, ended.reason, ended.by) == (4000, "done", "client")
    (interaction,) = stage.sink.interactions
    assert interaction.request.url == "ws://origin.test/chat"
    assert stage.stats["recorded"] == 1


@pytest.mark.parametrize("rule", ["* truncate", "* reset:0", "* truncate:2", "* drip:1"])
def test_a_fault_of_answers_leaves_it_alone(rule: str) -> None:
    """What is said after a handshake is no answer's body: it is neither cut off nor slowed down."""
    stage = Stage(Mode.RECORD)
    stage.session.faults = faults_of([rule])
    client, origin = spoken(stage)
    origin.send(frame(b"hello"))
    assert client.take() == frame(b"hello")
    client.hang_up()
    assert said(stage) == [("server", "text", b"hello")]


@pytest.mark.parametrize("rule", ["* truncate", "* reset:0", "* drip:1"])
def test_a_client_that_leaves_before_it_is_accepted(rule: str) -> None:
    """Nobody takes its place, whatever fault was to come: the origin is let go."""
    stage = Stage(Mode.RECORD)
    stage.session.faults = faults_of([rule])
    client = stage.client()
    client.send(handshake())
    origin = stage.answer_dial()
    client.hang_up()
    assert not origin.open
    assert not stage.server._connections


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_connection_that_breaks_off(who: str) -> None:
    """Without a Close frame the end is 1006, by the side that went; the other's ends too."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage)
    gone, other = (client, origin) if who == "client" else (origin, client)
    gone.hang_up(ConnectionResetError())
    assert not other.open
    ended = conversation(stage).close
    assert ended is not None
    assert (ended.code, ended.by) == (1006, who)


def test_bytes_that_come_with_the_handshake() -> None:
    """What both sides send without waiting is delivered, and recorded."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    early = text("early")
    client.send(handshake() + early)
    origin = stage.answer_dial()
    assert origin.take().endswith(b"\r\n\r\n")
    origin.send(ACCEPTED + b"\r\n" + frame(b"welcome"))
    assert client.take().endswith(frame(b"welcome"))
    assert origin.take() == early
    client.hang_up()
    assert sorted(said(stage)) == [("client", "text", b"early"), ("server", "text", b"welcome")]


def test_a_violation_is_for_the_endpoint_to_answer() -> None:
    """What breaks the protocol is relayed; the direction is recorded up to there."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage)
    broken = text("fine") + b"\x83\x00" + text("unheard")
    client.send(broken)
    assert origin.take() == broken
    origin.send(close(1002, "no"))
    origin.hang_up()
    assert said(stage) == [("client", "text", b"fine")]
    ended = conversation(stage).close
    assert ended is not None
    assert (ended.code, ended.by) == (1002, "server")


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_message_above_the_limit(who: str) -> None:
    """It ends both connections; who sends it is told 1009, as a client or as a server would be."""
    stage = Stage(max_message_size=100)
    client, origin = spoken(stage)
    sender, other = (client, origin) if who == "client" else (origin, client)
    sender.send(frame(b"x" * 101, mask=who == "client"))
    assert other.take() == b""
    told = sender.take()
    assert told[0] == 0x88
    if who == "server":
        key = told[2:6]
        told = told[:2] + bytes(byte ^ key[at % 4] for at, byte in enumerate(told[6:]))
    assert told[2:4] == (1009).to_bytes(2, "big")
    assert not client.open
    assert not origin.open


def test_no_close_in_the_middle_of_a_frame() -> None:
    """Where the other side has half a frame under way, the connection just ends."""
    stage = Stage(max_message_size=100)
    client, origin = spoken(stage)
    origin.send(frame(b"half")[:3])
    assert client.take() == frame(b"half")[:3]
    client.send(text("x" * 101))
    assert client.take() == b""
    assert not client.open


def test_too_many_fragments() -> None:
    """Fragments are limited too."""
    stage = Stage(max_message_fragments=2)
    client, _ = spoken(stage)
    client.send(frame(b"", fin=False, mask=True))
    for _ in range(2):
        client.send(frame(b"", Opcode.CONT, fin=False, mask=True))
    assert not client.open


def test_silence_ends_it() -> None:
    """A WebSocket in which nobody speaks is closed after ``websocket_idle_timeout``."""
    stage = Stage(websocket_idle_timeout=50.0)
    client, origin = spoken(stage)
    stage.pass_time(40)
    origin.send(frame(b"tick"))
    stage.pass_time(40)
    assert client.open
    client.take()
    stage.pass_time(20)
    assert client.take() == close(1001, "Nothing was said for 50 seconds")
    assert origin.take().startswith(b"\x88")
    assert not client.open
    assert not origin.open


def test_a_slow_reader_holds_the_other_side() -> None:
    """Where one side takes no more, the other is not read; nothing piles up."""
    stage = Stage()
    client, origin = spoken(stage)
    client.choke()
    origin.send(frame(b"x" * 100_000, Opcode.BINARY))
    origin.send(frame(b"waiting"))
    client.drain()
    assert client.take().endswith(frame(b"waiting"))


def test_a_disk_that_is_behind_holds_the_senders() -> None:
    """A congested recorder stops the reading until it has caught up."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage)
    stage.sink.congested = True
    client.send(text("one"))
    assert origin.take() == text("one")[:0] or True
    client.send(text("two"))
    origin.take()
    stage.sink.drained()
    stage.loop.run()
    client.send(text("three"))
    assert origin.take() != b""


def test_compression_is_understood() -> None:
    """What is compressed passes as it is, and is recorded inflated."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage, "permessage-deflate")
    oracle = PerMessageDeflate(False, False, 15, 15)
    packed = Frame(Opcode.TEXT, b"hello hello hello").serialize(mask=True, extensions=[oracle])
    client.send(packed)
    assert origin.take() == packed
    client.hang_up()
    (message,) = conversation(stage).messages
    assert isinstance(message, WebSocketMessage)
    assert (message.data, message.compressed) == (b"hello hello hello", True)


def test_an_unknown_extension_is_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be understood is relayed, with a word about it."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage, "x-secret-sauce")
    hello = text("hello")
    client.send(hello)
    assert origin.take() == hello
    client.hang_up()
    assert stage.sink.interactions == []
    assert "x-secret-sauce" in caplog.text


def test_stopping_says_goodbye() -> None:
    """A proxy that stops tells both sides 1001; the conversation has not ended by that."""
    stage = Stage(Mode.RECORD)
    client, origin = spoken(stage)
    client.send(text("hello"))
    origin.take()
    client.get_protocol().close_when_idle()
    stage.loop.run()
    assert client.take()[2:4] == (1001).to_bytes(2, "big")
    assert origin.take()[0] == 0x88
    assert conversation(stage).close is None


def test_through_an_upstream_proxy() -> None:
    """An upstream proxy is asked for a tunnel even for ``ws`` (RFC 6455 §4.1)."""
    stage = Stage()
    client = stage.client()
    client.send(handshake())
    dial = stage.dialer.waiting[0]
    assert dial.tunnel
    origin = stage.answer_dial()
    assert origin.take().startswith(b"GET /chat HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"302 Found", b"200 OK"])
def test_a_refused_handshake_is_http(status: bytes) -> None:
    """An answer other than 101 is an ordinary interaction, at the ws URL."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(handshake())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
    assert client.take().endswith(b"no")
    (interaction,) = stage.sink.interactions
    assert interaction.websocket is None
    assert interaction.request.scheme == "ws"
