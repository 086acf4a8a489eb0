"""The throughput benchmark runs against the real programs; no figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.needs("wrk", "nginx", "haproxy")
def test_the_comparison_measures_us_and_the_references(tmp_path: Path) -> None:
    """A tiny run gives a rate for every row chosen and for its reference, and no fault."""
    results = tmp_path / "results.json"
    rows = ["--only", "record --reverse", "--only", "replay --reverse"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.throughput", *rows),
            *("--seconds", "0.1", "--rounds", "1", "--json", str(results)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(results.read_text(encoding="utf-8"))
    assert document["faults"] == []
    assert {(figure["program"], figure["requests"]) for figure in document["figures"]} == {
        (program, requests)
        for requests in ("same", "different")
        for program in (
            "HAProxy",
            "nginx answering",
            "magneto record --reverse",
            "magneto replay --reverse",
        )
    }
    assert all(figure["per_second"] > 0 for figure in document["figures"])
