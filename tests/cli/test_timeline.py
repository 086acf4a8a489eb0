"""A conversation as two sides."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from magneto_serge.cli.timeline import as_value, said_text, timeline
from magneto_serge.messages import Conversation, FileBody, WebSocketClose, WebSocketMessage

TALK = Conversation(
    (
        WebSocketMessage("client", "text", b"hello", 1.5),
        WebSocketMessage("server", "text", b"hello yourself", 20.0),
        WebSocketMessage("server", "ping", b"", 21.0),
    ),
    WebSocketClose(1000, "bye", "client", 30.25),
)


def test_two_sides() -> None:
    """The client is on the left, the server on the right, the time before both, the end last."""
    lines = [text for _, text in timeline(TALK, reveal=False, width=60)]
    assert lines == [
        "\n3 messages:",
        "        ms  client                    server",
        "       1.5  hello                 ──▶",
        "        20                        ◀── hello yourself",
        "        21                        ◀── [ping]",
        "        30  (closes with 1000: b… ──▶",
    ]
    assert [role for role, _ in timeline(TALK, reveal=False)][2:] == [
        "client",
        "server",
        "server",
        "client",
    ]


@pytest.mark.parametrize(
    ("close", "last"),
    [
        (None, "still open when the recording ended"),
        (WebSocketClose(1006, "", "server", 5.0), "(connection lost)"),
        (WebSocketClose(1001, "", "server", 5.0), "(closes with 1001)"),
    ],
)
def test_ends(close: WebSocketClose | None, last: str) -> None:
    """Each end is named."""
    lines = [text for _, text in timeline(Conversation((), close), reveal=False)]
    assert lines[-1].endswith(last)


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("text", b'{"password":"hunter2"}', "***"),
        ("text", b"{broken", "{broken"),
        ("text", b"two\nlines\x1b[31m", "two\\x0alines\\x1b[31m"),
        ("binary", bytes(20), "[20 B] 00 00"),
        ("pong", b"p", "[pong p]"),
        ("binary", FileBody(Path("bodies/0123456789abcdef"), 5_000_000, "aa"), "in 0123456789ab…]"),
    ],
)
def test_a_message_on_a_line(kind: str, data: bytes | FileBody, shown: str) -> None:
    """Secrets are hidden, control characters shown, bytes summed up."""
    said = said_text(WebSocketMessage("client", kind, data), reveal=False)
    assert shown in said
    assert "hunter2" not in said


def test_as_a_value() -> None:
    """For ``--json`` everything is there, whole."""
    large = WebSocketMessage("client", "binary", FileBody(Path("x"), 7, "aa"), 3.0)
    binary = WebSocketMessage("client", "binary", b"\xff", 4.0)
    value = as_value(Conversation((*TALK.messages, large, binary), None), reveal=True)
    decoded = msgspec.json.decode(msgspec.json.encode(value))
    assert decoded["messages"][0]["text"] == "hello"
    assert decoded["messages"][3]["file"] == "x"
    assert decoded["messages"][4]["base64"] == "/w=="
    assert decoded["close"] is None
    assert as_value(TALK, reveal=True)["close"]["code"] == 1000
