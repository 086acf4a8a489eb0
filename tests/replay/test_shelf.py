"""A shelf: what comes next among equal requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.replay.secrets.bindings import FREE, OWN, SPARE, Seen
from magneto_serge.replay.shelf import Recording, Repeats, Shelf

from .telling import asks, told


def recording(number: int, seen: Seen | None = None) -> Recording:
    """Return a recording with this number."""
    return Recording(told(asks()), number, seen)


def shelf(count: int) -> Shelf:
    """Return a shelf with so many recordings."""
    found = Shelf(b"")
    for number in range(1, count + 1):
        found.put(recording(number))
    return found


def plays(found: Shelf, repeats: Repeats, times: int) -> list[int | None]:
    """Play, and return the numbers."""
    played = (found.play(repeats) for _ in range(times))
    return [None if each is None else each.number for each in played]


@pytest.mark.parametrize(
    ("repeats", "numbers"),
    [
        ("last", [1, 2, 3, 3, 3, 3, 3]),
        ("cycle", [1, 2, 3, 1, 2, 3, 1]),
        ("refuse", [1, 2, 3, None, None, None, None]),
    ],
)
def test_what_comes_after_the_last(repeats: Repeats, numbers: list[int | None]) -> None:
    """In recorded order, then as `repeats` says."""
    assert plays(shelf(3), repeats, 7) == numbers


@given(st.integers(0, 5), st.integers(0, 12), st.sampled_from(["last", "cycle", "refuse"]))
def test_where_all_suit_choosing_is_playing(count: int, times: int, repeats: Repeats) -> None:
    """A guarded shelf on which every recording suits plays like any other."""
    guarded, plain = shelf(count), shelf(count)
    for _ in range(times):
        chosen = guarded.choose(lambda _: OWN, repeats, own=True)
        played = plain.play(repeats)
        assert (chosen and chosen.number) == (played and played.number)


def test_only_what_suits_is_chosen() -> None:
    """In recorded order among those, each once before one repeats."""
    found = shelf(4)

    def odd(each: Recording) -> int | None:
        return OWN if each.number % 2 else None

    chosen = [found.choose(odd, "last", own=True) for _ in range(4)]
    assert [each and each.number for each in chosen] == [1, 3, 3, 3]
    assert [each.played for each in found.recordings] == [1, 0, 3, 0]
    assert found.choose(lambda _: None, "last", own=True) is None


def test_what_is_ones_own_comes_before_what_is_free() -> None:
    """Even where it was played already, unless nothing may repeat."""
    found = shelf(2)
    fits = {1: OWN, 2: SPARE}

    def suits(each: Recording) -> int:
        return fits[each.number]

    chosen = [found.choose(suits, "last", own=True) for _ in range(3)]
    assert [each and each.number for each in chosen] == [1, 1, 1]
    found.rewind()
    chosen = [found.choose(suits, "refuse", own=True) for _ in range(3)]
    assert [each and each.number for each in chosen] == [1, 2, None]


def test_the_first_free_one_ends_the_search() -> None:
    """Where none can be the asker's own, the rest is not looked at."""
    asked: list[int] = []

    def suits(each: Recording) -> int:
        asked.append(each.number)
        return FREE

    found = shelf(1000)
    for _ in range(3):
        found.choose(suits, "last", own=False)
    assert asked == [1, 2, 3]


def test_recordings_come_when_they_are_needed() -> None:
    """One at a time; what makes the shelf guarded is noticed before it is played."""
    fetched: list[int] = []

    def more() -> Iterator[Recording]:
        for number in (1, 2, 3):
            fetched.append(number)
            yield recording(number, Seen(asks(), credentialed=True) if number == 2 else None)

    found = Shelf(b"", more())
    assert plays(found, "last", 1) == [1]
    assert fetched == [1]
    assert found.play("last") is None
    assert found.guarded
    assert [each.played for each in found.recordings] == [1, 0]
    assert [each.number for each in found.all()] == [1, 2, 3]


def test_an_empty_shelf() -> None:
    """Nothing is played, whatever repeats."""
    assert [plays(Shelf(b""), repeats, 1) for repeats in ("last", "cycle", "refuse")] == [
        [None]
    ] * 3
    assert Shelf(b"").first() is None


def test_what_a_cycle_has_played_is_refused_afterwards() -> None:
    """Switched to strict in the middle of a later round: everything was played before."""
    found = shelf(3)
    assert plays(found, "cycle", 4) == [1, 2, 3, 1]
    assert plays(found, "refuse", 2) == [None, None]
