"""Matchers of the user's own: how they are registered, and what is said when one fails."""

from __future__ import annotations

from typing import Any

import pytest

import magneto_serge
from magneto_serge.errors import ConfigError, MatcherError
from magneto_serge.messages import Request
from magneto_serge.replay.matchers import forget_matcher, matcher, register_matcher, registered
from magneto_serge.replay.modes import Mode

from .telling import asks, script, session, tape


def test_a_matcher_is_known_by_its_name() -> None:
    """Registering again replaces it."""
    register_matcher("one", len)  # type: ignore[arg-type]  # never called
    register_matcher("one", lambda request: request.method)
    found = matcher("one")
    assert found is not None
    assert found.project(asks(method="PUT")) == "PUT"
    assert found.holds(asks(), asks())
    assert "one" in registered()
    assert matcher("nobody") is None


def test_a_matcher_is_forgotten() -> None:
    """Its name is free again, and forgetting what nobody knows is no mistake."""
    register_matcher("passing", lambda request: 1)
    forget_matcher("passing")
    forget_matcher("passing")
    assert matcher("passing") is None


def test_it_is_part_of_the_library() -> None:
    """`from magneto_serge import register_matcher`."""
    assert magneto_serge.register_matcher is register_matcher


@pytest.mark.parametrize("name", ["", "Upper", "a b", "1a", "body", "strict", "headers"])
def test_names_that_cannot_be(name: str) -> None:
    """Words in lower case that are not ours."""
    with pytest.raises(ConfigError, match="matcher"):
        register_matcher(name, lambda request: 1)


@pytest.mark.parametrize(
    "given", [{}, {"key": 1}, {"key": repr, "predicate": lambda one, other: True}]
)
def test_a_key_or_a_predicate(given: dict[str, Any]) -> None:
    """One of both, and something that can be called."""
    with pytest.raises(ConfigError, match="a key or a predicate"):
        register_matcher("one", **given)


def broken(*requests: Request) -> bool:
    """Fail as users' code does."""
    raise KeyError("x-tenant")


@pytest.mark.parametrize("given", [{"key": broken}, {"predicate": broken}])
def test_what_a_matcher_raises_refuses_the_request(given: dict[str, Any]) -> None:
    """With its name and the line; the exchange is not broken."""
    register_matcher("broken", **given)
    working = tape(match_on=("path", "broken"))
    if "predicate" in given:
        working = tape((asks("/a"), "a"), match_on=("path", "broken"))
    playing = session(Mode.REPLAY, working)
    assert script(playing, asks("/a")) == ["refuse"]
    reason = playing.misses[0].reason
    assert "The matcher 'broken' failed" in reason
    assert "KeyError: 'x-tenant'" in reason
    assert "test_matchers.py, line" in reason


def test_a_key_that_fails_for_a_recording_is_an_error_at_the_start() -> None:
    """Nothing could be found by it."""
    register_matcher("broken", broken)
    with pytest.raises(MatcherError, match="The matcher 'broken' failed for GET request"):
        tape((asks("/a"), "a"), match_on=("path", "broken"))


def test_a_key_has_to_be_hashable() -> None:
    """A list is none, and is told like any other failure."""
    register_matcher("broken", lambda request: [request.method])  # type: ignore[arg-type,return-value]
    with pytest.raises(MatcherError, match="unhashable type: 'list'"):
        tape((asks("/a"), "a"), match_on=("broken",))
