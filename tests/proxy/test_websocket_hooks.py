"""WebSockets whose messages hooks see: changed, dropped, framed anew on either side."""

from __future__ import annotations

from collections.abc import Callable

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from magneto_serge.messages import Request, WebSocketMessage
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shaping import Shaping
from magneto_serge.wire.websocket import FrameReader
from magneto_serge.wire.websocket_messages import unmask

from .frames import close, frame, spoken, text
from .mock_transport import MockTransport
from .stage import Stage

Hook = Callable[[Request, WebSocketMessage], WebSocketMessage | None]


def hooked(
    hook: Hook, extensions: str = "", **settings: int
) -> tuple[Stage, MockTransport, MockTransport]:
    """Return a stage with a hook, and a client and an origin that speak through it."""
    stage = Stage(Mode.RECORD, **settings)
    hooks = Hooks()
    hooks.on_message(hook)
    stage.session.shaping = Shaping(hooks)
    return stage, *spoken(stage, extensions)


def heard(end: MockTransport, *, masked: bool) -> list[tuple[int, bytes]]:
    """Return the frames that one end got."""
    reader = FrameReader(masked=masked, compressed=True)
    frames = [(each.head, unmask(each)) for each in reader.feed(end.take())]
    assert reader.violation is None
    return frames


def shout(request: Request, message: WebSocketMessage) -> WebSocketMessage | None:
    """Drop what is quiet, and make everything else loud."""
    assert request.url == "ws://origin.test/chat"
    assert isinstance(message.data, bytes)
    if message.data == b"quiet":
        return None
    message.data = message.data.upper()
    return message


def test_messages_are_changed_and_dropped() -> None:
    """What a hook returns is what the other side gets, masked where it must be, and recorded."""
    stage, client, origin = hooked(shout)
    client.send(text("quiet") + text("hello"))
    assert heard(origin, masked=True) == [(0x81, b"HELLO")]
    origin.send(frame(b"a", fin=False) + frame(b"b", Opcode.CONT) + close(1000))
    assert heard(client, masked=False) == [(0x01, b"A"), (0x80, b"B"), (0x88, b"\x03\xe8")]
    client.hang_up()
    (interaction,) = stage.sink.interactions
    assert interaction.websocket is not None
    assert [each.data for each in interaction.websocket.messages] == [b"HELLO", b"AB"]
    assert interaction.websocket.close is not None
    assert interaction.websocket.close.code == 1000


def test_compression_has_its_own_context() -> None:
    """Dropping a compressed message does not harm the ones after it."""
    _, client, origin = hooked(shout, "permessage-deflate")
    theirs, ours = (PerMessageDeflate(False, False, 15, 15) for _ in range(2))
    for said in (b"quiet", b"hello hello hello", b"hello hello hello"):
        client.send(Frame(Opcode.TEXT, said).serialize(mask=True, extensions=[theirs]))
    (_, one), (head, two) = heard(origin, masked=True)
    assert head == 0xC1
    for packed in (one, two):
        frame = Frame(Opcode.TEXT, packed, rsv1=True)
        assert ours.decode(frame).data == b"HELLO HELLO HELLO"


def test_a_violation_is_answered() -> None:
    """Here we are the endpoint: 1002 to whoever breaks the protocol, and both connections end."""
    _, client, origin = hooked(shout)
    client.send(b"\x83\x80\0\0\0\0")
    assert heard(client, masked=False)[0][1][:2] == (1002).to_bytes(2, "big")
    assert not origin.open


def test_a_message_in_a_file() -> None:
    """A message above ``memory_limit`` is shown as a file, and passed on whole."""
    sizes = []

    def look(_: Request, message: WebSocketMessage) -> WebSocketMessage:
        sizes.append(None if isinstance(message.data, bytes) else message.data.size)
        return message

    _, client, origin = hooked(look, memory_limit=10)
    first = frame(b"x" * 20, Opcode.BINARY, fin=False, mask=True)
    client.send(first + frame(b"y" * 20, Opcode.CONT, mask=True))
    got = heard(origin, masked=True)
    assert b"".join(payload for _, payload in got) == b"x" * 20 + b"y" * 20
    assert sizes == [40]
