"""A proxy alone: the line that counts, and each miss explained once."""

from __future__ import annotations

import io
import json
import os
import signal

from magneto_serge.cli.interrupts import Interrupts
from magneto_serge.cli.screen import Screen
from magneto_serge.cli.serve import MissReporter, status_line, until_interrupted
from magneto_serge.replay.decisions import Stats

from .proxy import PretendedProxy
from .terminal import Terminal


def test_the_status_line_counts_what_the_issue_is_about() -> None:
    """Requests, recorded, replayed, missed, and bytes."""
    stats = Stats(requests=1200, recorded=1, replayed=1199, bytes_in=1500, bytes_out=10)
    assert status_line(stats) == (
        "1,200 requests, 1 recorded, 1,199 replayed, 0 missed; 1.5 kB in, 10 B out"
    )


def test_failures_are_counted_where_there_are_any() -> None:
    """A zero that never changes is noise."""
    assert "2 failed" in status_line(Stats(failed=2))
    assert "1 fault injected" in status_line(Stats(faults=1))
    assert "fault" not in status_line(Stats())


def test_each_miss_is_explained_once_and_when_it_comes() -> None:
    """Whoever caused it is still looking."""
    stream, proxy = io.StringIO(), PretendedProxy()
    reporter = MissReporter(proxy, Screen(stream=stream))
    reporter.report()
    assert stream.getvalue() == ""
    proxy.refuse("http://a.example/1")
    reporter.report()
    first = stream.getvalue()
    assert "refused GET http://a.example/1\n  Nothing matches.\n" in first
    proxy.refuse("http://a.example/2")
    reporter.report()
    reporter.report()
    assert stream.getvalue().removeprefix(first).count("refused") == 1


def test_many_misses_at_once_are_counted() -> None:
    """A thousand explanations explain nothing."""
    stream, proxy = io.StringIO(), PretendedProxy()
    proxy.refuse(*(f"http://a.example/{number}" for number in range(50)))
    MissReporter(proxy, Screen(stream=stream)).report()
    assert stream.getvalue().count("refused GET") == MissReporter.MOST
    assert "refused 30 more requests" in stream.getvalue()


def test_misses_that_were_not_kept_are_counted_all_the_same() -> None:
    """The proxy keeps the first thousand, and counts on."""
    stream, proxy = io.StringIO(), PretendedProxy()
    proxy.stats.missed = 1500
    MissReporter(proxy, Screen(stream=stream)).report()
    assert "refused 1,500 more requests" in stream.getvalue()


def test_a_miss_in_json_has_its_parts() -> None:
    """For a program that reads the log."""
    stream, proxy = io.StringIO(), PretendedProxy()
    proxy.refuse("http://a.example/1")
    MissReporter(proxy, Screen(json=True, stream=stream)).report()
    record = json.loads(stream.getvalue())
    assert (record["method"], record["url"]) == ("GET", "http://a.example/1")


def test_it_watches_until_a_signal_and_clears_its_line() -> None:
    """The summary begins on a line of its own."""
    stream, proxy = Terminal(), PretendedProxy()
    screen = Screen(stream=stream)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        until_interrupted(proxy, MissReporter(proxy, screen), screen, interrupts, "recording x")
    assert "recording x: 0 requests" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[K")
