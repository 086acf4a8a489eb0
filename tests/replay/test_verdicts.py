"""Findings are counted exactly and kept within bounds."""

from __future__ import annotations

import pytest

from magneto_serge.replay import verdicts
from magneto_serge.replay.drift import Outcome, Verdict
from magneto_serge.replay.verdicts import Verdicts


def found(*outcomes: Outcome) -> Verdicts:
    """Return a collection of findings."""
    collected = Verdicts()
    for number, outcome in enumerate(outcomes, 1):
        collected.add(Verdict(outcome, "GET", "http://a/", number))
    return collected


def test_what_changed_and_what_is_new_has_drifted() -> None:
    """What was not reached, asked or sent has not."""
    collected = found(*Outcome)
    assert [each.outcome for each in collected.drifts] == [Outcome.CHANGED, Outcome.NEW]
    assert (collected.drifted, collected.compared, collected.left_out) == (2, 3, 0)


def test_the_summary_names_what_happened() -> None:
    """Changes always, troubles where there are any."""
    assert found(Outcome.SAME).summary() == "1 same, 0 changed, 0 new"
    assert found(*Outcome).summary() == (
        "1 same, 1 changed, 1 new, 1 unreachable, 1 unplayed, 1 skipped"
    )


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are the same never take the room of those that are not."""
    monkeypatch.setattr(verdicts, "KEPT", 2)
    collected = found(*[Outcome.SAME] * 4, *[Outcome.CHANGED] * 3)
    assert [each.number for each in collected.kept] == [1, 2, 5, 6]
    assert (collected.left_out, collected.drifted) == (3, 3)


def test_a_story_is_the_summary_and_what_is_to_be_explained() -> None:
    """For an error's message."""
    collected = found(Outcome.SAME, Outcome.UNREACHABLE)
    assert collected.story(collected.unreachable) == (
        "1 same, 0 changed, 0 new, 1 unreachable:\n#2 GET http://a/: unreachable"
    )
