"""What was found: which finds win, and what becomes of the text."""

from __future__ import annotations

from magneto_serge.replay.secrets.finds import Find, chosen, moved, replaced


def find(start: int, end: int, name: str = "") -> Find:
    """Return a find at a place."""
    return Find(start, end, b"x" * (end - start), "test", name)


def test_of_finds_that_overlap_the_first_and_longest_wins() -> None:
    """Nothing of a secret is left because a part of it was found too."""
    assert chosen([find(2, 4), find(0, 3), find(0, 5), find(6, 8)]) == [find(0, 5), find(6, 8)]


def test_of_equal_finds_the_one_with_a_name_wins() -> None:
    """A token in a field called token is the token of that field."""
    assert chosen([find(0, 5), find(0, 5, "token")]) == [find(0, 5, "token")]


def test_an_empty_find_is_none() -> None:
    """There is nothing to replace in it."""
    assert chosen([find(3, 3)]) == []


def test_finds_are_replaced_and_the_rest_stays() -> None:
    """The text between is the text between."""
    text = replaced(b"0123456789", [find(2, 4), find(6, 7)], lambda each: b"<%d>" % each.start)
    assert text == b"01<2>45<6>789"


def test_finds_of_a_part_are_moved_into_the_whole() -> None:
    """Both ends move."""
    assert moved([find(0, 2)], 5) == [find(5, 7)]
