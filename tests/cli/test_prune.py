"""`prune` removes what is old, shows it first, and never guesses an age."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .recorded import FOLDER, exchange, invoke, record

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def cassettes(here: Path) -> None:
    """One old, one with something new in it, one without an age."""
    record("old", exchange(body=b"x" * 5000))
    record("mixed", exchange(), exchange(started=time.time() - 3600))
    record("ageless", exchange(started=0.0))


def names() -> list[str]:
    """Return the files of the cassette folder."""
    return sorted(each.name for each in FOLDER.iterdir())


@pytest.mark.usefixtures("cassettes")
def test_without_yes_it_only_shows() -> None:
    """What would go, and how much room that makes."""
    result = invoke("prune", "--older-than", "90d")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["NAME", "old"]
    assert "nothing was removed; --yes removes 1 cassette" in result.stderr
    assert names() == ["ageless.json", "mixed.json", "old.bodies", "old.json"]


@pytest.mark.usefixtures("cassettes")
def test_with_yes_they_go() -> None:
    """Side files too; a cassette with something new in it, and one of unknown age, stay."""
    result = invoke("prune", "--older-than", "90d", "--yes")
    assert "magneto: removed 1 cassette" in result.stderr
    assert names() == ["ageless.json", "mixed.json"]


@pytest.mark.usefixtures("cassettes")
@pytest.mark.parametrize(
    ("age", "rows"), [("100y", []), ("30m", None), ("1h", ["mixed", "old"]), ("2H", ["old"])]
)
def test_an_age_has_a_unit(age: str, rows: list[str] | None) -> None:
    """Hours, days, weeks, years; m could be minutes or months."""
    result = invoke("prune", "--older-than", age)
    assert result.exit_code == (2 if rows is None else 0)
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == (rows or [])


def test_what_cannot_be_read_stays_and_is_named() -> None:
    """Exit status 3."""
    record("old", exchange())
    record("broken", exchange()).write_text("{")
    result = invoke("prune", "--older-than", "1w", "--yes")
    assert result.exit_code == 3
    assert "broken.json" in result.stderr
    assert names() == ["broken.json"]


def test_an_age_must_be_said() -> None:
    """There is no default for removing."""
    assert invoke("prune").exit_code == 2
    assert "no cassette is as old as that" in invoke("prune", "--older-than", "1d").stderr
