"""Two conversations side by side."""

from __future__ import annotations

from pathlib import Path

from magneto_serge.messages import (
    Conversation,
    FileBody,
    Interaction,
    Request,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.replay.body_comparison import BodyRules
from magneto_serge.replay.conversation_comparison import (
    beginning_of,
    conversation_differences,
)

RULES = BodyRules(True, None, False)


def said(*lines: tuple[str, str, bytes], code: int | None = 1000) -> Conversation:
    """Return a conversation."""
    messages = [WebSocketMessage(who, kind, data) for who, kind, data in lines]
    return Conversation(messages, None if code is None else WebSocketClose(code))


def fields(one: Conversation | None, other: Conversation | None) -> list[str]:
    """Return the names of what differs."""
    return [each.field for each in conversation_differences(one, other, RULES)]


def test_each_side_by_itself() -> None:
    """JSON compares by value, and who was quicker makes no difference."""
    one = said(("client", "text", b'{"a": 1, "b": 2}'), ("server", "text", b"x"))
    assert fields(one, said(("server", "text", b"x"), ("client", "text", b'{"b":2,"a":1}'))) == []
    other = said(("client", "text", b'{"a": 1, "b": 3}'), ("server", "text", b"y"))
    assert fields(one, other) == ["websocket.client[0].b", "websocket.server[0]"]


def test_what_is_no_part_of_it() -> None:
    """Pings are the connection's, and what is no conversation has none to compare."""
    assert fields(said(("client", "ping", b"1")), said()) == []
    assert fields(None, said()) == []


def test_binary_and_ends() -> None:
    """Binary compares by digest, in memory or not; an end by its code."""
    large = FileBody(Path("x"), 1, "aa")
    one = said(("server", "binary", b"a"), code=None)
    other = Conversation([WebSocketMessage("server", "binary", large)], WebSocketClose(1001))
    assert fields(one, other) == ["websocket.server[0].binary", "websocket.close"]


def test_a_beginning_is_compared_with_a_beginning() -> None:
    """Where only so much is known of one, as much of the other is compared, and no end."""
    handshake = Request("GET", "ws", "a.test", 80, "/")
    server = [("server", "text", b"%d" % number) for number in range(5)]
    recorded = Interaction(
        handshake, websocket=said(("client", "text", b"a"), ("server", "ping", b""), *server)
    )
    live = Interaction(handshake, websocket=said(*server[:3], code=None))
    was, now = beginning_of(recorded, live)
    assert fields(was.websocket, now.websocket) == []
    live.websocket = said(*server[:2], ("server", "text", b"x"))
    was, now = beginning_of(recorded, live)
    assert fields(was.websocket, now.websocket) == ["websocket.server[2]"]
    plain = Interaction(handshake)
    assert beginning_of(plain, live) == (plain, live)
