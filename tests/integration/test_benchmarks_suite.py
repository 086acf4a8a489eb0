"""Every suite runs from its beginning to its end, with tiny counts; no figure is judged here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from benchmarks import _peers
from benchmarks._beside_peers import INSTALL
from benchmarks._e2e import rows as e2e
from benchmarks._load import NOTHING
from benchmarks._paced import run as paced
from benchmarks._programs import nginx
from benchmarks._scale import SMOKE
from benchmarks._suites import SUITES
from benchmarks._traffic import NGINX_ANSWER
from benchmarks._watch import Patience

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.needs("nginx")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [name for name in SUITES if name not in ("e2e", "peers")])
def test_a_suite_has_rows_of_all_its_groups(name: str) -> None:
    """And every one of them has values."""
    suite = SUITES[name]
    rows = list(suite.rows(SMOKE, Patience(0)))
    assert {each.group for each in rows} == set(suite.groups)
    assert [each.note for each in rows if not each.values] == []


@pytest.mark.needs("wrk", "h2load", "nginx", "haproxy", "openssl")
@pytest.mark.timeout(240)
def test_the_command_is_measured_under_load() -> None:
    """Each group has rows, and none of them says that it could not be measured.

    But that in a tenth of a second nobody was served, which happens on a machine with other work:
    each program has answered once before its load begins.
    """
    rows = list(e2e(replace(SMOKE, rows=("replay", "nginx answering")), Patience(0)))
    http_only_elsewhere = {"body_sizes"}
    assert {each.group for each in rows} >= set(SUITES["e2e"].groups) - http_only_elsewhere
    assert {each.note for each in rows if not each.values} <= {NOTHING}


@pytest.mark.needs("nginx")
def test_a_constant_rate_is_kept(tmp_path: Path) -> None:
    """As many requests are sent as are due, and each has a latency."""
    with nginx("origin", NGINX_ANSWER, tmp_path) as origin:
        seen = paced(origin.port, f"127.0.0.1:{origin.port}", 100, 0.2)
    assert 0 < seen.rate <= 101
    assert 0 < seen.p50 <= seen.p90 <= seen.p99 <= seen.p999


def test_a_run_writes_its_results(tmp_path: Path) -> None:
    """`run` tells each row and writes a document, of which `report` makes a page and a text."""
    results, page, text = (tmp_path / name for name in ("r.json", "r.html", "R.md"))
    runs = [
        ["run", "cassettes", "--smoke", "-o", str(results)],
        ["report", str(results), "--html", str(page), "--markdown", str(text)],
    ]
    for arguments in runs:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    document = json.loads(results.read_text(encoding="utf-8"))
    assert document["quick"] is True
    assert {each["suite"] for each in document["rows"]} == {"cassettes"}
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert text.read_text(encoding="utf-8").startswith("# Magnéto-Serge: benchmarks\n")


def test_a_flame_graph_is_drawn(tmp_path: Path) -> None:
    """Of a suite with all the processes that it starts, in one SVG file."""
    beside = str(Path(sys.executable).parent)
    if shutil.which("py-spy", path=f"{beside}:{os.environ['PATH']}") is None:
        pytest.skip("py-spy is not installed")
    graph = tmp_path / "graph.svg"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "profile", "cassettes", "--smoke", "-o", str(graph)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if "Permission denied" in done.stderr:
        pytest.skip("this system does not let a process look at another one")
    assert done.returncode == 0, done.stderr
    drawn = graph.read_text(encoding="utf-8")
    assert "<svg" in drawn
    assert "benchmarks/_suites.py" in drawn


@pytest.mark.needs("wrk", "nginx", "haproxy", "openssl")
@pytest.mark.timeout(240)
def test_a_peer_that_is_missing_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is measured all the same, and nothing is installed on the way."""
    monkeypatch.setattr(_peers, "python_of", lambda peer, install=True: None)
    monkeypatch.setattr(_peers, "wiremock_jar", lambda install=True: None)
    rows = list(SUITES["peers"].rows(SMOKE, Patience(0)))
    assert {each.group for each in rows} == set(SUITES["peers"].groups)
    absent = {each.name for each in rows if each.note == INSTALL}
    assert absent == {"mitmproxy", "WireMock", "VCR.py", "pytest-recording"}
    others = [each for each in rows if each.name not in absent]
    assert {each.name for each in others} >= {"direct", "HAProxy", "no tool", "magneto"}
    assert {each.note for each in others if not each.values} <= {NOTHING}  # a busy machine
