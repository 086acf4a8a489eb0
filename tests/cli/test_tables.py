"""Tables: whole where they are piped, drawn where somebody looks."""

from __future__ import annotations

import io
import sys

import pytest

from magneto_serge.cli.tables import Column, aligned, print_table

from .terminal import Terminal

COLUMNS = [Column("N", right=True), Column("URL", wraps=True)]
LONG = "http://a.example/" + "x" * 300


def printed(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    """Return what a table with a long cell looks like on ``stream``."""
    monkeypatch.setattr(sys, "stdout", stream)
    print_table(COLUMNS, [("1", LONG), ("10", "[b]short[/b]")])
    return stream.getvalue()


def test_columns_are_aligned() -> None:
    """Numbers to the right, and no blanks at the end of a line."""
    assert aligned(COLUMNS, [("1", "abc"), ("10", "d")]) == [" N  URL", " 1  abc", "10  d"]


def test_piped_nothing_is_cut_off_or_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow a terminal may be elsewhere."""
    lines = printed(monkeypatch, io.StringIO()).splitlines()
    assert lines[1] == f" 1  {LONG}"
    assert lines[2] == "10  [b]short[/b]"


def test_on_a_terminal_a_long_cell_takes_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is there, none of it is taken for markup, and it keeps within the width."""
    monkeypatch.setenv("TERM", "dumb")  # rich takes it to be 80 wide
    text = printed(monkeypatch, Terminal())
    assert text.count("x") >= 300
    assert "[b]short[/b]" in text
    assert max(map(len, text.splitlines())) <= 80


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bold headings may stay; colour may not."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(monkeypatch, Terminal())
