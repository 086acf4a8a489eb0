"""Which secret stands for which placeholder: the recordings of two users stay apart."""

from __future__ import annotations

import pytest

from magneto_serge.replay.secrets import Bindings, Value
from magneto_serge.replay.secrets.bindings import FREE, OWN, SPARE, TAKEN


def at(place: str, text: str) -> tuple[Value, ...]:
    """Return one value."""
    return (Value(place, text),)


def header(text: str) -> tuple[Value, ...]:
    """Return the value of an Authorization field."""
    return at("header authorization", text)


@pytest.fixture
def bindings() -> Bindings:
    """Alice's token is bound to the first placeholder, Bob's to the second."""
    bound = Bindings()
    bound.bind(header("alice"), header("REDACTED-1"))
    bound.bind(header("bob"), header("REDACTED-2"))
    return bound


def test_a_secret_keeps_the_placeholder_that_it_met(bindings: Bindings) -> None:
    """A bound secret is admitted to its own recordings, and not to another's."""
    assert bindings.fit(header("alice"), header("REDACTED-1")) == OWN
    assert bindings.fit(header("alice"), header("REDACTED-2")) is None
    assert not bindings.admits(header("bob"), header("REDACTED-1"))


def test_a_new_secret_may_take_any_placeholder_free_ones_first(bindings: Bindings) -> None:
    """Tokens rotate: an unknown secret is refused nowhere, but a free placeholder suits better."""
    assert bindings.fit(header("carol"), header("REDACTED-3")) == FREE
    assert bindings.fit(header("carol"), header("REDACTED-1")) == TAKEN
    assert bindings.admits(header("carol"), header("REDACTED-1"))


def test_a_bound_secret_may_take_a_second_placeholder_that_is_free(bindings: Bindings) -> None:
    """A recording with two tokens of one user replays for a user who has only one."""
    assert bindings.fit(header("alice"), header("REDACTED-3")) == SPARE
    bindings.bind(header("alice"), header("REDACTED-3"))
    assert bindings.fit(header("alice"), header("REDACTED-3")) == OWN
    assert bindings.fit(header("alice"), header("REDACTED-1")) == OWN
    assert bindings.fit(header("bob"), header("REDACTED-3")) is None


def test_taking_anothers_placeholder_does_not_take_it_away(bindings: Bindings) -> None:
    """The first owner stays the owner."""
    bindings.bind(header("carol"), header("REDACTED-1"))
    assert bindings.fit(header("alice"), header("REDACTED-1")) == OWN
    assert bindings.placeholder_for("carol") is None


def test_a_placeholder_sent_back_is_its_own() -> None:
    """What a replayed login gave suits the recordings made with it, and no other user's."""
    bindings = Bindings()
    assert bindings.fit(header("REDACTED-1"), header("REDACTED-1")) == OWN
    bindings.bind(header("REDACTED-1"), header("REDACTED-1"))
    bindings.bind(header("REDACTED-2"), header("REDACTED-2"))
    assert bindings.fit(header("REDACTED-1"), header("REDACTED-2")) is None
    assert bindings.placeholder_for("REDACTED-1") == "REDACTED-1"


def test_the_worst_of_several_places_counts(bindings: Bindings) -> None:
    """One place that is another's is enough to pass a recording over."""
    asked = header("alice") + at("query sig", "s1")
    assert bindings.fit(asked, header("REDACTED-1") + at("query sig", "REDACTED-9")) == FREE
    assert bindings.fit(asked, at("query sig", "REDACTED-9") + header("REDACTED-2")) is None


def test_places_that_only_one_request_has_say_nothing(bindings: Bindings) -> None:
    """Another client may send a field more, or less, than the one that was recorded."""
    assert bindings.fit(header("alice"), at("header x-api-key", "REDACTED-2")) == OWN
    assert bindings.fit((), header("REDACTED-2")) == OWN


def test_repeats_in_one_place_are_compared_in_their_order() -> None:
    """Two values of one name are paired first with first, second with second."""
    bindings = Bindings()
    bindings.bind(at("query k", "a") + at("query k", "b"), at("query k", "1") + at("query k", "2"))
    assert bindings.placeholder_for("a") == "1"
    assert bindings.placeholder_for("b") == "2"
    assert bindings.placeholder_for("c") is None
