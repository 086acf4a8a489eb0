"""The benchmark of look-ups measures what it says; no figure is judged here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import lookup
from benchmarks.lookup import asked, growing, misses


def test_look_ups_are_measured_at_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the last beside the first; what is asked for is found."""
    monkeypatch.setattr(lookup, "_ASKED", 20)
    figures = list(growing("x", (2, 5), 1, 1.5, ignore_query=("page",)))
    assert [each.unit for each in figures] == ["µs", "µs", "x"]
    assert figures[-1].target == 1.5


def test_misses_are_measured(tmp_path: Path) -> None:
    """Of each kind, in memory and in a binary cassette, the first and a later one."""
    figures = list(misses(20, tmp_path, 1))
    assert len(figures) == 12
    assert {(each.unit, each.target) for each in figures} == {("ms", 50)}


def test_requests_are_new_each_time() -> None:
    """But for their fields, which the proxy remembers."""
    one, other = asked(1), asked(1)
    assert one == other
    assert one is not other
    assert one.target is not other.target
    assert one.headers is other.headers
