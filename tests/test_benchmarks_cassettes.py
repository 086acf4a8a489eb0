"""The benchmark of cassettes measures what it says; no figure is judged here."""

from __future__ import annotations

import sys
from pathlib import Path

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.cassettes import Figure, api, opening


def test_a_target_is_a_most() -> None:
    """A figure holds up to its target, and nothing is said where there is none."""
    assert Figure("x", 5.0, "ms", 5.0).holds is True
    assert Figure("x", 5.1, "ms", 5.0).holds is False
    assert Figure("x", 5.1, "ms").holds is None


def test_the_interactions_are_always_the_same() -> None:
    """Two runs measure the same cassette."""
    assert list(api(5)) == list(api(5))
    assert len({each.request.target for each in api(5)}) == 5


def test_opening_is_measured(tmp_path: Path) -> None:
    """Opening, both ways to a first interaction, and memory; targets are for large ones only."""
    figures = opening(tmp_path, 20, "msgpack.zst", 1)
    assert [each.unit for each in figures] == ["ms", "ms", "ms", "MB"]
    assert all(each.value >= 0 and each.target is None for each in figures)
