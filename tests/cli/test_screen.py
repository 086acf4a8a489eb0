"""What stands on stderr, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json

import pytest

from magneto_serge.cli.screen import Screen, has_colour, json_line

from .terminal import Terminal


@pytest.fixture(autouse=True)
def capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the tests themselves has no say."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_message_opens_with_our_name() -> None:
    """Among a command's own output it must be clear who speaks."""
    stream = io.StringIO()
    Screen(stream=stream).say("ready", port=1)
    assert stream.getvalue() == "magneto: ready\n"


def test_quiet_drops_what_one_may_like_to_know_and_keeps_warnings() -> None:
    """--quiet is not blindness."""
    stream = io.StringIO()
    screen = Screen(quiet=True, stream=stream)
    screen.say("ready")
    screen.warn("careful")
    screen.error("broken")
    assert stream.getvalue() == "magneto: careful\nmagneto: broken\n"


def test_elsewhere_there_is_no_live_line_and_no_colour() -> None:
    """A log file has lines that stay, and nothing else."""
    stream = io.StringIO()
    screen = Screen(stream=stream)
    screen.live("1 request")
    screen.warn("careful", alarm=True)
    assert stream.getvalue() == "magneto: careful\n"


def test_lines_go_above_the_live_line() -> None:
    """The live line is cleared, the line printed, the live line drawn again."""
    stream = Terminal()
    screen = Screen(stream=stream)
    screen.live("1 request")
    live = stream.getvalue()
    screen.line("something happened")
    drawn = live.removeprefix("\r\x1b[K")
    assert stream.getvalue() == f"{live}\r\x1b[Ksomething happened\n{drawn}"


def test_the_live_line_is_cut_to_the_width_of_the_terminal() -> None:
    """A line that wraps could not be cleared again."""
    stream = Terminal()
    Screen(stream=stream).live("x" * 500)
    assert stream.getvalue().count("x") == 77  # of 80, where the width is unknown


def test_an_unchanged_live_line_is_not_written_again() -> None:
    """An idle proxy leaves the terminal alone."""
    stream = Terminal()
    screen = Screen(stream=stream)
    screen.live("1 request")
    before = stream.getvalue()
    screen.live("1 request")
    assert stream.getvalue() == before


def test_removing_the_live_line_leaves_an_empty_one() -> None:
    """What comes after begins at the left edge."""
    stream = Terminal()
    screen = Screen(stream=stream)
    screen.live("1 request")
    screen.live("")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_json_lines_have_time_level_message_and_fields() -> None:
    """Each line is an object; the time is RFC 3339 in UTC."""
    stream = Terminal()
    screen = Screen(json=True, stream=stream)
    screen.live("1 request")
    screen.warn("careful", alarm=True, url="http://a.example/")
    record = json.loads(stream.getvalue())
    assert record.pop("time").endswith("Z")
    assert record == {"level": "warning", "message": "careful", "url": "http://a.example/"}


def test_json_times_are_utc_to_the_millisecond() -> None:
    """The form that log collectors expect."""
    assert json.loads(json_line("info", "x", 1.0625))["time"] == "1970-01-01T00:00:01.062Z"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_not_forced_on_anybody(environ: dict[str, str]) -> None:
    """https://no-color.org, and terminals that cannot."""
    assert has_colour(Terminal(), {"TERM": "xterm"})
    assert not has_colour(Terminal(), environ)
    assert not has_colour(io.StringIO(), {})


def test_a_closed_stderr_stops_nothing() -> None:
    """The recording matters more than the words about it."""
    stream = io.StringIO()
    screen = Screen(stream=stream)
    stream.close()
    screen.say("still here")
