"""The benchmark of streams runs against the real programs; no figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_streams_are_measured_with_and_without_us(tmp_path: Path) -> None:
    """A tiny run gives a figure for each way that a stream can take, and for its replay."""
    results = tmp_path / "results.json"
    small = ["--events", "5", "--streams", "2", "--json", str(results)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.streams", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(results.read_text(encoding="utf-8"))
    names = {figure["name"] for figure in document["figures"]}
    assert {"no proxy", "magneto passthrough", "magneto record"} <= names
    assert "magneto replay --latency recorded: off" in names
    assert all(figure["piece"] > 0 for figure in document["figures"])
