"""Findings as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import Raw

from magneto_serge.cli.drift_report import as_value, check_reports, lines_of, write_reports
from magneto_serge.errors import ConfigError
from magneto_serge.replay.drift import UNRECORDED, Outcome, Verdict
from magneto_serge.replay.json_comparison import Difference
from magneto_serge.replay.verdicts import Verdicts

URL = "https://a.test/"
CHANGED = Verdict(
    Outcome.CHANGED,
    "GET",
    URL,
    2,
    (Difference("response.body.n", Raw(b"1"), Raw(b"2")), Difference("failure", None, "reset")),
    total_ms=1.23456,
)
NEW = Verdict(Outcome.NEW, "GET", URL, reason=UNRECORDED)
UNREACHABLE = Verdict(Outcome.UNREACHABLE, "GET", URL, 3, reason="refused: by \x1b nobody")


def findings(*found: Verdict) -> Verdicts:
    """Collect findings."""
    verdicts = Verdicts()
    for verdict in found:
        verdicts.add(verdict)
    return verdicts


def test_a_change_looks_like_a_diff() -> None:
    """What was, then what is."""
    assert list(lines_of(CHANGED)) == [
        (" ", "#2 GET https://a.test/"),
        (" ", "    response.body.n"),
        ("-", "    1"),
        ("+", "    2"),
        (" ", "    failure"),
        ("+", "    reset"),
    ]


def test_each_kind_has_its_mark() -> None:
    """What is the same has none; a reason stands below where it says more."""
    assert list(lines_of(Verdict(Outcome.SAME, "GET", URL, 1))) == []
    assert list(lines_of(NEW)) == [("+", "GET https://a.test/")]
    assert list(lines_of(UNREACHABLE)) == [
        ("!", "#3 GET https://a.test/"),
        ("!", "    refused: by \\x1b nobody"),
    ]
    assert next(iter(lines_of(Verdict(Outcome.UNPLAYED, "GET", URL, 4))))[0] == "-"


def test_json_has_all_of_it(tmp_path: Path) -> None:
    """In a file, whole or not at all."""
    file = tmp_path / "report.json"
    found = findings(CHANGED, NEW, UNREACHABLE, Verdict(Outcome.SAME, "PUT", URL, 1))
    write_reports("github", found, json=str(file), junit=None, failing=False)
    assert json.loads(file.read_bytes()) == {
        "cassette": "github",
        "drifted": 2,
        "counts": {
            "same": 1,
            "changed": 1,
            "new": 1,
            "unreachable": 1,
            "unplayed": 0,
            "skipped": 0,
        },
        "left_out": 0,
        "findings": [
            {
                "outcome": "changed",
                "number": 2,
                "method": "GET",
                "url": URL,
                "differences": [
                    {"field": "response.body.n", "recorded": 1, "live": 2},
                    {"field": "failure", "recorded": None, "live": "reset"},
                ],
                "total_ms": 1.235,
            },
            {"outcome": "new", "method": "GET", "url": URL, "reason": UNRECORDED},
            {
                "outcome": "unreachable",
                "number": 3,
                "method": "GET",
                "url": URL,
                "reason": "refused: by \x1b nobody",
            },
            {"outcome": "same", "number": 1, "method": "PUT", "url": URL},
        ],
    }
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_json_can_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """For a pipeline."""
    write_reports("x", findings(NEW), json="-", junit=None, failing=False)
    assert json.loads(capsys.readouterr().out) == as_value("x", findings(NEW))


def test_junit_goes_to_its_file(tmp_path: Path) -> None:
    """Beside the other."""
    file = tmp_path / "report.xml"
    write_reports("x", findings(NEW), json=None, junit=str(file), failing=False)
    assert file.read_text().startswith("<?xml")


def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """Nobody wants to verify twice."""
    check_reports([("--json", "-"), ("--junit", None), ("--json", str(tmp_path / "x"))])
    with pytest.raises(ConfigError, match=r"--junit .*there is no folder"):
        check_reports([("--junit", str(tmp_path / "none" / "x.xml"))])
    with pytest.raises(ConfigError, match="that is a folder"):
        check_reports([("--json", str(tmp_path))])


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """With the option and the reason."""
    with pytest.raises(ConfigError, match=r"--json .*cannot be written"):
        write_reports("x", Verdicts(), json=str(tmp_path / "no" / "x"), junit=None, failing=False)
