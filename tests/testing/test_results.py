"""What the sessions of a run add up to."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.testing.results import Results, SessionRecord


def record(cassette: str = "a", plays: tuple[int, ...] = (), **more: object) -> SessionRecord:
    """Return a session's record."""
    return SessionRecord("test", cassette, "replay", plays=plays, **more)  # type: ignore[arg-type]  # what a test says


def results(*records: SessionRecord, **more: object) -> Results:
    """Return a run's results."""
    return Results(records=list(records), **more)  # type: ignore[arg-type]  # what a test says


def test_played_by_anybody() -> None:
    """An interaction that any session has played is played."""
    run = results(record(plays=(1, 0, 0)), record(plays=(0, 2, 0)), record("b", (1,)))
    assert run.plays() == {"a": [1, 2, 0], "b": [1]}
    assert run.unplayed() == {"a": [3]}


def test_nothing_is_said_after_a_failure() -> None:
    """A test that failed, missed or recorded may have ended before it played the rest."""
    for more in ({"outcome": "failed"}, {"misses": ("x",)}, {"recorded": 1}):
        assert results(record(plays=(0,), **more)).unplayed() == {}


def test_orphans_are_nobody_s() -> None:
    """A cassette that a test owns, or has used, is no orphan."""
    run = results(record("used"), owned={"owned"})
    assert run.orphans(["used", "owned", "z", "lost"]) == ["lost", "z"]


def test_records_travel() -> None:
    """What a worker sends arrives as it was."""
    run = results(record(plays=(1, 0), misses=("x",)), owned={"a"}, folders={"f"})
    assert msgspec.json.decode(msgspec.json.encode(run), type=Results) == run


plays = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=6)


@given(plays, st.integers(0, 6))
def test_workers_change_nothing(counts: list[tuple[int, int]], cut: int) -> None:
    """However tests are spread over workers, the sum is the same."""
    records = [record(plays=each) for each in counts]
    one = results(*records)
    two, other = results(*records[:cut]), results(*records[cut:])
    two.merge(other)
    assert two.plays() == one.plays()
    assert two.unplayed() == one.unplayed()
