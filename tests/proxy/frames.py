"""WebSocket traffic for tests on the stage: handshakes, and frames of either side."""

from __future__ import annotations

from typing import Any

from websockets.frames import Frame, Opcode

from magneto_serge.messages import (
    Conversation,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.replay.modes import Mode

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, ask

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
FIELDS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)


def handshake(*more: str) -> bytes:
    """Return a client's opening handshake."""
    return ask(f"{URL}/chat", *FIELDS, *more)


def spoken(stage: Stage, extensions: str = "") -> tuple[MockTransport, MockTransport]:
    """Return a client and an origin with a WebSocket between them."""
    client = stage.client()
    client.send(handshake(*([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else [])))
    origin = stage.answer_dial()
    origin.take()
    field = f"Sec-WebSocket-Extensions: {extensions}\r\n".encode() if extensions else b""
    origin.send(ACCEPTED + field + b"\r\n")
    client.take()
    return client, origin


def frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, mask: bool = False, **how: Any) -> bytes:
    """Return a frame, of the server unless it is masked."""
    return Frame(opcode, data, **how).serialize(mask=mask)


def text(said: str) -> bytes:
    """Return a client's text."""
    return frame(said.encode(), mask=True)


def close(code: int, reason: str = "", *, mask: bool = False) -> bytes:
    """Return a Close frame."""
    return frame(code.to_bytes(2, "big") + reason.encode(), Opcode.CLOSE, mask=mask)


def recorded(
    *messages: WebSocketMessage, end: WebSocketClose | None = None, fields: Headers | None = None
) -> Interaction:
    """Return the recording of a conversation at /chat."""
    request = Request("GET", "ws", "origin.test", 80, "/chat", Headers.of(("Upgrade", "websocket")))
    response = Response(101, "Switching Protocols", fields or Headers())
    return Interaction(request, response, websocket=Conversation(messages, end))


def replaying(*recordings: Interaction, **settings: Any) -> Stage:
    """Return a stage that replays."""
    return Stage(Mode.REPLAY, recordings, **settings)
