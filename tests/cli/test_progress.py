"""When a bar is drawn, and that the work is the same with and without it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from magneto_serge.cli.progress import tracked

from .terminal import Terminal


def every(seconds: float) -> Iterator[float]:
    """Yield the readings of a clock that is read once in so many seconds."""
    now = 0.0
    while True:
        yield now
        now += seconds


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal: within the test, because pytest puts its own there before."""
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_without_a_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """However long it takes."""
    clock = every(10)
    assert list(tracked("abc", "Reading", 3, clock=lambda: next(clock))) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_terminal_that_can_only_write_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb cannot go back."""
    terminal, clock = terminal_of(monkeypatch), every(10)
    monkeypatch.setenv("TERM", "dumb")
    assert list(tracked("abc", "Reading", 3, clock=lambda: next(clock))) == ["a", "b", "c"]
    assert terminal.getvalue() == ""


def test_what_ends_within_a_second_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that flashes tells nobody anything."""
    terminal, clock = terminal_of(monkeypatch), every(0.3)
    assert list(tracked("abc", "Reading", 3, clock=lambda: next(clock))) == ["a", "b", "c"]
    assert terminal.getvalue() == ""


def test_after_a_second_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the work."""
    terminal, clock = terminal_of(monkeypatch), every(0.6)
    assert list(tracked("abc", "Reading", 3, clock=lambda: next(clock))) == ["a", "b", "c"]
    assert "Reading" in terminal.getvalue()


def test_the_bar_goes_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor that it hid is shown again."""
    terminal, clock = terminal_of(monkeypatch), every(2)
    work = tracked("abc", "Reading", 3, clock=lambda: next(clock))
    next(work)
    work.close()
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h") == 1
