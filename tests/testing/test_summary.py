"""The end of a run, told."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from magneto_serge.testing import summary
from magneto_serge.testing.results import Results, SessionRecord


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """A run with a bit of everything."""
    folder = tmp_path / "cassettes/test_x"
    folder.mkdir(parents=True)
    (folder / "lost.json").write_text("{}")
    records = [
        SessionRecord("t::one", str(folder / "one.json"), "replay", plays=(1, 0)),
        SessionRecord("t::two", str(folder / "two.json"), "record", "failed", 3, saved=False),
        SessionRecord("t::<3>", str(folder / "three.json"), "replay", misses=("GET <x>",)),
        SessionRecord("t::four", str(folder / "four.json"), "replay", plays=(1,), stale="old"),
    ]
    return Results(records=records, owned=set(), folders={str(folder)})


def told(results: Results, unused: str, root: Path) -> list[str]:
    """Return the lines for the terminal."""
    return [line.text for line in summary.lines(results, unused, root=root)]


def test_terminal(results: Results, tmp_path: Path) -> None:
    """The first line counts, the others name what wants attention, from the root."""
    assert told(results, "warn", tmp_path) == [
        "4 sessions: 2 replayed, 1 missed, 1 not played, 1 stale",
        "not saved, because the test failed: cassettes/test_x/two.json (--magneto-save-failed)",
        "stale: cassettes/test_x/four.json: old",
        "not played: cassettes/test_x/one.json: #2",
        "belongs to no test: cassettes/test_x/lost.json",
    ]


def test_unused_may_be_ignored(results: Results, tmp_path: Path) -> None:
    """Who does not want to know is not told."""
    assert not any("lost" in line or "#2" in line for line in told(results, "ignore", tmp_path))


def test_unused_may_fail_the_run(results: Results) -> None:
    """Only where that is asked for."""
    assert summary.fails(results, "fail")
    assert not summary.fails(results, "warn")
    assert not summary.fails(Results(records=[], owned=set()), "fail")


def test_long_lists_are_cut(tmp_path: Path) -> None:
    """A hundred unplayed recordings take one line, and a hundred cassettes eleven."""
    records = [SessionRecord("t", f"/{n:03}.json", "replay", plays=(0,) * 100) for n in range(100)]
    lines = told(Results(records=records, owned=set()), "warn", tmp_path)
    assert lines[1].endswith("#10 and 90 more")
    assert lines[-1] == "and 90 more cassettes with recordings not played"


def test_json_report(results: Results, tmp_path: Path) -> None:
    """Programs get everything, with the play counts of every cassette."""
    path = tmp_path / "deeper/report.json"
    summary.write_report(results, path)
    document = json.loads(path.read_text())
    assert document["totals"]["replayed"] == 2
    assert document["cassettes"][str(tmp_path / "cassettes/test_x/one.json")] == [1, 0]
    assert document["orphans"] == [str(tmp_path / "cassettes/test_x/lost.json")]
    assert document["sessions"][2]["misses"] == ["GET <x>"]


def test_html_report(results: Results, tmp_path: Path) -> None:
    """People get a page whose text is what was said, whatever characters it has."""
    path = tmp_path / "report.html"
    summary.write_report(results, path)
    text: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            text.append(data)

    Reader().feed(path.read_text())
    assert {"t::<3>", "GET <x>"} <= set(text)
    assert "(not saved: the test failed)" in "".join(text)
