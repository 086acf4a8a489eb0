"""Counters of several processes: nothing is lost, and a lock ends with its holder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import pytest

from magneto_serge.replay.plays import Plays

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="memfd_create"),
    # From 3.12 on Python warns of forking beside threads; the runner has some, the children none.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def opened(recordings: int, processes: int = 2) -> Plays:
    """Return counters for so many recordings; this process has the first row."""
    plays = Plays(processes)
    plays.open(recordings)
    plays.become(0)
    return plays


def forked(work: Callable[[], None]) -> int:
    """Do ``work`` in a child, which ends with 0 where nothing is raised; return its process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    """Wait for a child; return its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_nothing_was_played_before_it_is_open() -> None:
    """Whoever asks too early hears 0, and can start over."""
    plays = Plays(2)
    assert plays.of(1) == 0
    assert plays.totals == []
    plays.rewind()
    assert plays.generation == 0


def test_no_recordings_are_no_trouble() -> None:
    """An empty cassette has counters too."""
    assert opened(0).totals == []


def test_a_total_is_of_all_processes() -> None:
    """Each counts in its own row, without a lock, and both see the sum."""
    plays = opened(9)

    def work() -> None:
        plays.become(1)
        for _ in range(1000):
            plays.count(9)

    child = forked(work)
    for _ in range(1000):
        plays.count(9)
    assert ended(child) == 0
    assert plays.of(9) == 2000
    assert plays.totals == [0] * 8 + [2000]


def test_a_lock_ends_with_the_process_that_holds_it() -> None:
    """Killed in the middle of a choice, it keeps nobody waiting."""
    plays = opened(3)
    reader, writer = os.pipe()

    def work() -> None:
        plays.lock(2)
        os.write(writer, b"held")
        signal.pause()

    child = forked(work)
    os.read(reader, 4)
    plays.lock(1)  # another shelf's is free
    plays.unlock(1)
    os.kill(child, signal.SIGKILL)
    plays.lock()
    plays.unlock()
    assert ended(child) == -signal.SIGKILL
    os.close(reader)
    os.close(writer)


def test_processes_draw_from_one_series() -> None:
    """Whoever draws gets the next; another rule has a series of its own; neither begins anew."""
    plays = Plays(2)
    mine = [plays.in_turn(partial(next, iter(range(first, first + 9)))) for first in (0, 100)]
    plays.open(1)
    plays.become(0)
    assert [mine[0](), mine[0](), mine[1]()] == [0, 1, 100]

    def work() -> None:
        assert [mine[0](), mine[1](), mine[0]()] == [2, 101, 3]

    assert ended(forked(work)) == 0
    plays.rewind()
    assert [mine[0](), mine[1](), mine[0]()] == [4, 102, 5]


def test_lines_are_told_in_order() -> None:
    """Each is heard once by whoever remembers where it was."""
    plays = opened(1)
    plays.tell(b"one")
    lines, place = plays.told(0)
    assert lines == [b"one"]
    plays.tell(b"two" * 40_000)
    plays.tell(b"three")
    assert plays.told(place)[0] == [b"two" * 40_000, b"three"]
    assert plays.told(plays.told(0)[1])[0] == []


def test_starting_over_is_for_everybody() -> None:
    """Counts and lines are gone, and the generation tells that they are."""
    plays = opened(1000)
    plays.count(1000)
    plays.tell(b"one")
    child = forked(plays.rewind)
    assert ended(child) == 0
    assert plays.generation == 1
    assert plays.totals == [0] * 1000
    assert plays.told(0) == ([], 0)
