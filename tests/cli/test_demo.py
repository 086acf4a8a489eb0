"""`magneto demo` does what it says it does, and says so when it does not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from magneto_serge.cli import demo as demo_module
from magneto_serge.cli.main import cli


def invoke(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, ("demo", *arguments))


@pytest.fixture(autouse=True)
def short_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second tells a test enough."""
    monkeypatch.setattr(demo_module, "SECONDS_OF_SPEED", 0.1)


def test_the_demonstration_succeeds_in_under_ten_seconds(tmp_path: Path) -> None:
    """Every check passes, on one screen, and the cassette is there to be looked at."""
    started = time.monotonic()
    result = invoke("--keep", str(tmp_path / "demo"))
    assert result.exit_code == 0, result.output
    assert time.monotonic() - started < 10
    assert "All 6 answers came back" in result.output
    assert "FAILED" not in result.output
    assert len(result.stdout.splitlines()) <= 24
    assert result.stderr == ""
    cassette = json.loads((tmp_path / "demo/cassettes/demo.json").read_text())
    assert len(cassette["interactions"]) == 6


def test_a_check_that_fails_is_said_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed as checked was checked; the exit status is 1."""
    monkeypatch.setattr(demo_module, "_equal", lambda *_: False)
    result = invoke()
    assert result.exit_code == 1
    assert "✗ FAILED: Replayed" in result.output
    assert "1 check failed" in result.output


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """Nothing of the user's is mixed with it."""
    (tmp_path / "mine").touch()
    result = invoke("--keep", str(tmp_path))
    assert result.exit_code == 2
    assert "the folder is not empty" in result.stderr
