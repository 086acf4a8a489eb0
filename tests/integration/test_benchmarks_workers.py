"""The benchmark of several workers runs against real processes; no figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")
def test_one_and_two_workers_are_measured(tmp_path: Path) -> None:
    """A tiny run gives what a request costs with each, how even they are, and their capacity."""
    results = tmp_path / "results.json"
    small = ["--rounds", "1", "--turns", "1", "--json", str(results)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.workers", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(results.read_text(encoding="utf-8"))["figures"]
    found = {figure["name"]: figure for figure in figures}
    for work in ("replay", "replay of sequences"):
        assert found[f"{work}, 1 worker: processor time of a request"]["value"] > 0
        assert 50 <= found[f"{work}, 2 workers: part of the busier one"]["value"] <= 100
    assert found["replay: capacity of 2 workers beside 1"]["target"] == 1.7
