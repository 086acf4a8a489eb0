"""Differences on a screen: marked, cut, and fit for a terminal."""

from __future__ import annotations

import sys

import pytest
from msgspec import Raw

from magneto_serge.cli.marked import difference_lines, print_marked
from magneto_serge.replay.json_comparison import Difference

from .terminal import Terminal


def test_a_field_is_followed_by_what_it_was_and_is() -> None:
    """What is absent has no line, what has several has several."""
    found = [Difference("a", "1\n2", None), Difference("b", None, Raw(b"[1]"))]
    assert list(difference_lines(found)) == [
        (" ", "    a"),
        ("-", "    1"),
        ("-", "    2"),
        (" ", "    b"),
        ("+", "    [1]"),
    ]


def test_what_would_garble_a_terminal_is_shown() -> None:
    """And what is long is cut."""
    lines = list(difference_lines([Difference("a\x1b", "\x1b[31m", "x" * 600)]))
    assert lines[0] == (" ", "    a\\x1b")
    assert lines[1] == ("-", "    \\x1b[31m")
    assert lines[2][1].endswith("… and 100 more characters")


def test_colour_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Red for what was, green for what is, yellow for what is in the way."""
    lines = [("-", "a"), ("+", "b"), ("!", "c"), (" ", "")]
    print_marked(lines)
    assert capsys.readouterr().out == "- a\n+ b\n! c\n\n"
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_marked(lines)
    assert "\x1b[33m! c\x1b[0m" in terminal.getvalue()
