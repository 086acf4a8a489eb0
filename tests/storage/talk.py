"""Conversations for the tests of storage, as the proxy hands them over."""

from __future__ import annotations

from magneto_serge.messages import (
    Conversation,
    Frame,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.storage.conversations import ConversationWriter
from magneto_serge.storage.recorder import Recorder
from magneto_serge.wire.websocket import FrameReader, close_payload, frame_head
from magneto_serge.wire.websocket_messages import message_frames


def handshake(path: str = "/chat", started: float = 1_700_000_000.5) -> Interaction:
    """Return a handshake that was accepted."""
    fields = Headers.of(("Upgrade", "websocket"), ("Connection", "Upgrade"))
    return Interaction(
        Request("GET", "ws", "api.example.com", 80, path, fields),
        Response(101, "Switching Protocols", fields),
        started=started,
        first_byte_ms=3.5,
        peer="192.0.2.1:80",
        websocket=Conversation(),
    )


def frames(*parts: bytes) -> list[Frame]:
    """Return what a reader makes of bytes, read one part after the other."""
    reader = FrameReader(masked=False)
    return [frame for part in parts for frame in reader.feed(part)]


def say(writer: ConversationWriter, who: str, text: str, at_ms: float = 1.0) -> None:
    """Have one side say a text."""
    heard = frames(message_frames("text", text.encode(), (), None))
    writer.heard(who, at_ms, heard, len(text))


def end(writer: ConversationWriter, at_ms: float = 9.0, code: int = 1000) -> None:
    """Have the client close."""
    payload = close_payload(code, "bye")
    writer.heard("client", at_ms, frames(frame_head(0x88, len(payload)) + payload), len(payload))
    writer.ended("client", at_ms, abnormal=True)


def talk(recorder: Recorder, *lines: tuple[str, str], path: str = "/chat") -> None:
    """Record a whole conversation."""
    writer = recorder.open_conversation(handshake(path))
    for who, text in lines:
        say(writer, who, text)
    end(writer)


def texts(interaction: Interaction) -> list[tuple[str, str]]:
    """Return who said what."""
    assert interaction.websocket is not None
    return [(m.sender, bytes_of(m).decode()) for m in interaction.websocket.messages]


def bytes_of(message: WebSocketMessage) -> bytes:
    """Return a message's payload, wherever it is."""
    return message.data if isinstance(message.data, bytes) else message.data.path.read_bytes()


CLOSED = WebSocketClose(1000, "bye", "client", 9.0)
