"""A conversation as two sides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

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


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_whatever_is_said(width: int) -> None:
    """Characters that take two columns, or none, keep the sides apart and the lines short."""
    said = ["世界こんにちは" * 20, "é" * 300, "🎙 " * 100, "x" * 500, "e\u0301" * 200, "\u202e" * 40]
    talk = Conversation(
        [
            WebSocketMessage(sender, "text", each.encode(), 1234.0)
            for each in said
            for sender in ("client", "server")
        ]
    )
    lines = [text for _, text in timeline(talk, reveal=False, width=width)][2:-1]
    assert len(lines) == 12
    for line, sender in zip(lines, ("client", "server") * 6, strict=True):
        assert cell_len(line) <= width
        arrow = "──▶" if sender == "client" else "◀──"
        assert cell_len(line[: line.index(arrow)]) == 12 + (width - 18) // 2 + 1


def test_a_long_conversation() -> None:
    """A line each, as they are asked for."""

    class Endless(tuple[WebSocketMessage, ...]):
        def __iter__(self) -> Iterator[WebSocketMessage]:
            return iter(lambda: TALK.messages[0], None)

        def __len__(self) -> int:
            return 10_000

    lines = timeline(Conversation(Endless()), reveal=False, width=80)
    assert next(lines) == ("note", "\n10,000 messages:")
    assert len(list(islice(lines, 10_000))) == 10_000
    many = Conversation(TALK.messages * 5_000, TALK.close)
    assert sum(1 for _ in timeline(many, reveal=False, width=80)) == 15_003
