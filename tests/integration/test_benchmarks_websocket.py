"""The benchmark of WebSockets runs against the real programs; no figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.needs("nginx")
def test_websockets_are_measured_beside_nginx(tmp_path: Path) -> None:
    """A tiny run gives echoes and a talk for each program, the replay, memory and a drawing."""
    results, drawing = tmp_path / "results.json", tmp_path / "drawing.svg"
    small = ["--only", "batches of 1,000", "--only", "talk"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.websocket", *small, "--seconds", "0.02"),
            *("--talk", "1000", "--idle", "20", "--json", str(results), "--svg", str(drawing)),
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
    programs = {"direct", "nginx", "magneto passthrough", "magneto record"}
    measured = [figure for figure in document["figures"] if "program" in figure]
    for work in ("batches of 1,000", "talk of the origin"):
        assert {each["program"] for each in measured if each["work"] == work} >= programs
    assert "magneto replay" in {each["program"] for each in measured}
    assert all(figure["per_second"] > 0 for figure in measured)
    claims = {figure["what"] for figure in document["figures"] if "what" in figure}
    assert "idle: magneto record, KB each" in claims
    assert "batches of 1,000: record, of passthrough" in claims
    assert drawing.read_text(encoding="utf-8").startswith("<?xml")
