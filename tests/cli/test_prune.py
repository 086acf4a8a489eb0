"""`prune` removes what is old, shows it first, and never guesses an age."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from magneto_serge.storage import play_report

from .recorded import FOLDER, exchange, invoke, load, record, urls

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


def report(**plays: list[int]) -> str:
    """Write a report of these cassettes of the folder, and return its name."""
    for name, counts in plays.items():
        play_report.add(Path("plays.json"), FOLDER / f"{name}.json", counts)
    return "plays.json"


@pytest.fixture
def used(here: Path) -> None:
    """Three cassettes: two interactions, one, and one."""
    record("partly", exchange(), exchange("https://b.example/"))
    record("whole", exchange())
    record("never", exchange(body=b"x" * 5000))


@pytest.mark.usefixtures("used")
def test_what_no_report_has_played_is_shown() -> None:
    """How many interactions of how many; nothing is removed unasked."""
    result = invoke("prune", "--unused", report(partly=[0, 2], whole=[1]))
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["NAME", "UNUSED", "OF"],
        ["never", "1", "1"],
        ["partly", "1", "2"],
    ]
    assert "--yes removes 2 interactions, and 1 cassette with them" in result.stderr
    assert len(load("partly")) == 2


@pytest.mark.usefixtures("used")
def test_what_no_report_has_played_goes() -> None:
    """Interactions, and cassettes of which nothing is left, with their side files."""
    result = invoke("prune", "--unused", report(partly=[0, 2], whole=[1]), "--yes")
    assert "magneto: removed 2 interactions, and 1 cassette with them" in result.stderr
    assert names() == ["partly.json", "whole.json"]
    assert urls("partly") == ["https://b.example/"]
    again = invoke("prune", "--unused", report(partly=[0], whole=[1]))
    assert "partly stays as it is: it has 1 interactions, and 2 when" in again.stderr


@pytest.mark.usefixtures("used")
def test_reports_are_added_up() -> None:
    """An interaction is unused only where nobody played it; in use and not played from is used."""
    report(partly=[1, 0], whole=[1])
    Path("ours.json").write_text(
        '{"version": 1, "cassettes": {"cassettes/partly.json": [0, 1]},'
        ' "sessions": [{"test": "t", "cassette": "cassettes/never.json"}], "totals": {}}'
    )
    result = invoke("prune", "--unused", "plays.json", "--unused", "ours.json", "--yes")
    assert "everything was played" in result.stderr
    assert names() == ["never.bodies", "never.json", "partly.json", "whole.json"]


def test_a_report_is_needed() -> None:
    """A file that is none is named; both questions at once are none."""
    assert invoke("prune", "--unused", "x", "--older-than", "1d").exit_code == 2
    result = invoke("prune", "--unused", "plays.json")
    assert result.exit_code == 2
    assert "cannot read the play report plays.json: No such file" in result.stderr


def test_a_damaged_cassette_is_never_unused() -> None:
    """It stays, and is named."""
    record("broken", exchange()).write_text("{")
    result = invoke("prune", "--unused", report(other=[1]), "--yes")
    assert result.exit_code == 3
    assert "broken.json" in result.stderr
    assert names() == ["broken.json"]
