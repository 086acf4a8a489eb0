"""What the benchmark of several workers concludes from processor times."""

from __future__ import annotations

import sys
from pathlib import Path

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.workers import Spent


def test_capacity_is_that_of_the_busiest() -> None:
    """Two even workers have twice the capacity of one; an idle one adds nothing."""
    assert Spent((1.0, 1.0), 100).alone == 50
    assert Spent((1.0, 1.0), 100).capacity == 100
    assert Spent((2.0, 0.0), 100).capacity == 50


def test_a_request_costs_what_all_have_used() -> None:
    """And the busier one's part says how even they are."""
    run = Spent((0.75, 0.25), 1_000_000)
    assert run.each == 1.0
    assert run.busier == 75
