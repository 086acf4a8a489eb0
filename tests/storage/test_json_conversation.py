"""How a conversation stands in JSON: a line a message, nothing said that is implied."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Conversation, Interaction, WebSocketClose, WebSocketMessage

from .interactions import conversations, dump, load
from .talk import handshake
from .test_schema import VALIDATOR


def said(
    *messages: WebSocketMessage, close: WebSocketClose | None = None, fields: str = ""
) -> Interaction:
    """Return a conversation."""
    interaction = handshake()
    if fields:
        assert interaction.response is not None
        raw = (*interaction.response.headers.raw, (b"Sec-WebSocket-Extensions", fields.encode()))
        headers = type(interaction.response.headers)(raw)
        interaction.response = msgspec.structs.replace(interaction.response, headers=headers)
    return msgspec.structs.replace(interaction, websocket=Conversation(messages, close))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            WebSocketMessage("client", "text", b"hi", 1.5),
            '"from": "client", "ms": 1.5, "text": "hi"',
        ),
        (
            WebSocketMessage("server", "text", b'{"a":[1,2]}', 2.0),
            '"from": "server", "ms": 2, "json": {"a": [1, 2]}',
        ),
        (
            WebSocketMessage("server", "binary", b"\xff", 2.0),
            '"from": "server", "ms": 2, "base64": "/w=="',
        ),
        (
            WebSocketMessage("server", "binary", b"x", 2.0),
            '"from": "server", "kind": "binary", "ms": 2, "text": "x"',
        ),
        (
            WebSocketMessage("client", "ping", b"", 2.0),
            '"from": "client", "kind": "ping", "ms": 2, "text": ""',
        ),
        (
            WebSocketMessage("client", "text", b"abc", 2.0, (1, 2)),
            '"from": "client", "ms": 2, "text": "abc", "fragments": [1, 2]',
        ),
        (
            WebSocketMessage("client", "text", b"abc", 2.0, (), True),
            '"from": "client", "ms": 2, "text": "abc", "compressed": true',
        ),
    ],
)
def test_a_line_a_message(message: WebSocketMessage, line: str) -> None:
    """A short message is one line, and the same when it is read."""
    recorded = said(message)
    text = dump(recorded).decode()
    assert f"\n        {{{line}}}\n" in text
    assert load(text.encode()) == [recorded]


def test_compression_is_said_once() -> None:
    """Where the handshake has settled on it, only what was not compressed is marked."""
    recorded = said(
        WebSocketMessage("client", "text", b"a", compressed=True),
        WebSocketMessage("client", "text", b"b"),
        WebSocketMessage("server", "ping", b"c"),
        fields="permessage-deflate",
    )
    text = dump(recorded)
    assert text.count(b"compressed") == 1
    assert load(text) == [recorded]


@pytest.mark.parametrize(
    "close",
    [None, WebSocketClose(1006, "", "server", 5.5), WebSocketClose(1000, "bye", "client", 5.0)],
)
def test_ends(close: WebSocketClose | None) -> None:
    """Each end is read as it was, and none is none."""
    assert load(dump(said(close=close))) == [said(close=close)]


def test_stable_conversations_have_no_moments() -> None:
    """With ``stable`` two recordings of the same conversation are the same text."""
    one, two = (
        said(
            WebSocketMessage("client", "text", b"a", at),
            close=WebSocketClose(1000, "", "client", at),
        )
        for at in (1.0, 2.0)
    )
    assert dump(one, stable=True) == dump(two, stable=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "http"}, "messages: belong to a 'websocket'"),
        ({"response": None}, "kind: a 'websocket' interaction has a response"),
        ({"messages": [{"from": "client"}]}, r"messages\[0\].body: needs one of"),
        (
            {"messages": [{"from": "me", "text": ""}]},
            r"messages\[0\].from: invalid enum value 'me'",
        ),
    ],
)
def test_mistakes_by_hand(change: dict[str, object], message: str) -> None:
    """A mistake is located."""
    document = json.loads(dump(said(WebSocketMessage("client", "text", b"a"))))
    stored = document["interactions"][0] | change
    document["interactions"] = [
        {name: value for name, value in stored.items() if value is not None}
    ]
    with pytest.raises(CassetteError, match=message):
        load(json.dumps(document).encode())


@settings(max_examples=60)
@given(conversations())
def test_every_conversation(recorded: Interaction) -> None:
    """Whatever was said is the same when it is read, and valid under the schema."""
    text = dump(recorded)
    (read,) = load(text)
    assert read == recorded
    VALIDATOR.validate(json.loads(text))
