"""What a session can decide: values that are told apart by their type."""

from __future__ import annotations

import pytest

from magneto_serge.replay.decisions import FORWARD, FORWARD_AND_KEEP, Forward, Stats, Unanswered

from .telling import asks


def test_forwarding_keeps_or_does_not() -> None:
    """There are two ways to forward, and one value for each."""
    assert (FORWARD.keep, FORWARD_AND_KEEP.keep) == (False, True)
    assert Forward(keep=True) == FORWARD_AND_KEEP


def test_decisions_are_shared_and_cannot_be_changed() -> None:
    """A decision is one value for every request, so nobody can write to it."""
    for decision, field in ((FORWARD, "keep"), (Unanswered(asks("/")), "request")):
        with pytest.raises(AttributeError):
            setattr(decision, field, None)


def test_counters_begin_at_zero() -> None:
    """Nothing has gone through a proxy that has just started."""
    stats = Stats()
    assert {getattr(stats, name) for name in stats.__struct_fields__} == {0}
