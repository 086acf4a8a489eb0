"""Secrets seen before are found wherever they occur."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.replay.secrets.learned import EXACT, KEPT, Learned, is_learnable

SECRET = b'to/k3n+"a1B2c3D4'


def values(learned: Learned, text: bytes) -> set[bytes]:
    """Return what occurs in a text."""
    return {find.value for find in learned.finds(text)}


@given(before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_a_secret_is_found_anywhere(before: bytes, after: bytes) -> None:
    """Also in the middle of a word, and every time."""
    learned = Learned()
    learned.add(b"a1B2c3D4e5")
    text = before + b"a1B2c3D4e5" + after + b"a1B2c3D4e5"
    assert learned.occurs(text)
    assert len(list(learned.finds(text))) == 2


def test_it_is_found_as_it_is_spelled_elsewhere() -> None:
    """Percent-encoded, and escaped as in JSON."""
    learned = Learned()
    learned.add(SECRET)
    for spelled in (
        SECRET,
        quote(SECRET, safe="").encode(),
        quote(SECRET, safe="/").encode(),
        b'to/k3n+\\"a1B2c3D4',
    ):
        assert values(learned, b"x" + spelled + b"y") == {SECRET}


@pytest.mark.parametrize(
    "value",
    [
        *b"""short password Authorization 2026-11-23T10:00:00Z 1234567890 aaaaaaaaa1
        /a/path/to/something https://example.com/ 127.0.0.1:8080""".split(),
        b"x" * 20_000,
    ],
)
def test_what_may_occur_by_chance_is_not_looked_for(value: bytes) -> None:
    """Words, dates, numbers, paths."""
    assert not is_learnable(value)


@pytest.mark.parametrize("value", [b"hunter2-Secret", b"a1b2c3d4", b"correct horse battery staple"])
def test_what_is_long_and_odd_is(value: bytes) -> None:
    """Tokens and good passwords."""
    assert is_learnable(value)


def test_many_are_found_too() -> None:
    """Of very many, older ones as words of their own."""
    learned = Learned()
    secrets = [b"secret%06dabc" % number for number in range(3 * EXACT)]
    for secret in secrets:
        learned.add(secret)
    assert values(learned, b"/a/" + secrets[0] + b"/b") == {secrets[0]}
    assert values(learned, b"x" + secrets[-1] + b"y") == {secrets[-1]}
    assert learned.occurs(secrets[1])
    assert not learned.occurs(b"nothing")


def test_what_was_learned_since_is_asked_for_alone() -> None:
    """A text that was looked through before need not be again."""
    learned = Learned()
    learned.add(b"first-a1B2c3")
    before = learned.count
    assert not learned.occurs(b"first-a1B2c3", before)
    learned.add(b"second-a1B2c3")
    assert learned.occurs(b"second-a1B2c3", before)
    assert not learned.occurs(b"first-a1B2c3", before)
    learned.add(b"second-a1B2c3")
    assert learned.count > before


def test_memory_is_bounded() -> None:
    """The oldest are forgotten."""
    learned = Learned()
    for number in range(KEPT + EXACT + 10):
        learned.add(b"secret%06dabc" % number)
    assert not learned.occurs(b"secret000000abc")
    assert learned.occurs(b"secret%06dabc" % (KEPT + EXACT))
