"""Runs add up in a report, and reports add up with each other."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.storage.play_report import add, read


def test_runs_add_up(tmp_path: Path) -> None:
    """Several cassettes, several runs, one file; a cassette may have grown meanwhile."""
    file = tmp_path / "reports" / "plays.json"
    add(file, tmp_path / "a.json", [1, 0])
    add(file, tmp_path / "b.json", [])
    add(file, tmp_path / "a.json", [0, 0, 2])
    assert read([file]) == {tmp_path / "a.json": [1, 0, 2], tmp_path / "b.json": []}


def test_reports_add_up(tmp_path: Path) -> None:
    """A path that is not absolute is meant from the report's folder."""
    add(tmp_path / "one.json", tmp_path / "a.json", [1, 0])
    (tmp_path / "two.json").write_text('{"version": 1, "cassettes": {"a.json": [0, 3]}}')
    assert read([tmp_path / "one.json", tmp_path / "two.json"]) == {tmp_path / "a.json": [1, 3]}


def test_it_is_json_for_others_too(tmp_path: Path) -> None:
    """With a version."""
    file = tmp_path / "plays.json"
    add(file, tmp_path / "a.json", [2])
    assert json.loads(file.read_text()) == {
        "version": 1,
        "cassettes": {str(tmp_path / "a.json"): [2]},
    }


def test_many_at_a_time(tmp_path: Path) -> None:
    """Nobody's counts are lost."""
    file = tmp_path / "plays.json"
    threads = [
        threading.Thread(target=add, args=(file, tmp_path / "a.json", [1])) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read([file]) == {tmp_path / "a.json": [20]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a play report"),
        ("[]", "is not a play report"),
        ('{"cassettes": {"a": ["x"]}}', "is not a play report"),
        ("[" * 10_000, "is not a play report"),
        (
            '{"version": 2}',
            "is a play report of version 2; this program reads 1. If a newer .* pip install -U",
        ),
    ],
)
def test_what_is_no_report_is_named(tmp_path: Path, text: str, message: str) -> None:
    """With what is wrong with it, and nothing is written over it."""
    file = tmp_path / "plays.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"plays.json {message}"):
        read([file])
    if text:
        with pytest.raises(ConfigError, match=f"plays.json {message}"):
            add(file, tmp_path / "a.json", [1])
        assert file.read_text() == text


def test_trouble_with_the_disk(tmp_path: Path) -> None:
    """A report that cannot be written or read is an error with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match=r"cannot write the play report .*file/x: "):
        add(tmp_path / "file" / "x", tmp_path / "a.json", [1])
    with pytest.raises(ConfigError, match=r"cannot read the play report .*nothing: No such"):
        read([tmp_path / "nothing"])
