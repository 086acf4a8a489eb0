"""Hyperscan says what RE2 says, from when there is enough to ask it."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.replay.secrets.finder import Finder
from magneto_serge.replay.secrets.likely import _source, likely
from magneto_serge.replay.secrets.names import SHORT, STEMS
from magneto_serge.replay.secrets.shapes import PREFIXES, SHAPES
from magneto_serge.replay.secrets.sieve import WORTH, Sieve, Test

from .tokens import OTHERS, example

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
LITTLE = 1500  # bytes

PIECES = st.sampled_from(
    [each.encode() for each in (*STEMS, *SHORT, *PREFIXES)]
    + [example(shape.prefixes[0], shape, random.Random(1)) for shape in SHAPES]
    + [text for text, _ in OTHERS.values()]
    + [bytes((each,)) for each in b"\"':= <>\\[]{}@.-_/&;,%0\n\r\t\x0b\x00\xe9"]
    + [b"123", b"a", b"A9" * 8, b"0f" * 16, b"<input ", b'name="', b"://", b"%3D", b"%5d"]
    + [b"REDACTED-", b"-----BEGIN ", b"PRIVATE KEY", b"services/T", b"\xe2\x84\xaa", b"ab12" * 9]
)
TEXTS = st.lists(PIECES, max_size=14).map(b"".join)


@cache
def swift() -> Test:
    """Return the test of all known names, by Hyperscan."""
    pytest.importorskip("hyperscan", reason="Hyperscan has no wheel for this machine")
    sieve = Sieve(_source(()), slow)
    assert not sieve(b"x" * (WORTH + 1))
    return settled(sieve)


def settled(sieve: Sieve) -> Test:
    """Return what a sieve asks when it has compiled."""
    assert sieve.compiling is not None
    sieve.compiling.join()
    return sieve._test


def slow(text: bytes) -> object:
    """Test by RE2."""
    test = likely()
    return test._slow(text) if isinstance(test, Sieve) else test(text)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_both_say_the_same(text: bytes) -> None:
    """Whatever stands beside whatever."""
    assert bool(swift()(text)) == bool(slow(text))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_no_is_certain(text: bytes) -> None:
    """Where it says no, all the rules together find nothing."""
    every = Finder()
    every._likely = lambda part: True
    if not swift()(text):
        assert list(every.in_body(text)) == []


def pieces(path: Path) -> Iterator[bytes]:
    """Yield a file in parts."""
    data = path.read_bytes()
    for start in range(0, min(len(data), 40 * LITTLE), LITTLE):
        yield data[start : start + LITTLE]


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_both_say_the_same_of_what_people_recorded() -> None:
    """Cassettes of other tools."""
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file())
    for path in files[::3]:
        for text in pieces(path):
            assert bool(swift()(text)) == bool(slow(text)), path


def test_it_is_asked_when_it_is_worth_it() -> None:
    """A little text is for RE2; what is compiled holds from then on."""
    asked: list[bytes] = []
    sieve = Sieve("needle", lambda text: asked.append(text))
    assert not sieve(b"x" * WORTH)
    assert sieve.compiling is None
    assert not sieve(b"x")
    pytest.importorskip("hyperscan", reason="Hyperscan has no wheel for this machine")
    settled(sieve)
    assert sieve(b"a needle in a haystack")
    assert not sieve(b"hay")
    assert not sieve(b"")
    assert len(asked) == 2


def test_threads_do_not_disturb_each_other() -> None:
    """Each has its own space to scan in."""
    texts = [b"x" * 50_000 + (b'"token":"a"' if number % 2 else b"") for number in range(64)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(swift(), texts))
    assert found == [bool(number % 2) for number in range(64)]


def test_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed the first test goes on."""
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    sieve = Sieve("needle", lambda text: b"needle" in text)
    assert not sieve(b"x" * (WORTH + 1))
    settled(sieve)
    assert sieve(b"a needle")


def test_an_expression_that_is_beyond_it() -> None:
    """The first test goes on."""
    pytest.importorskip("hyperscan", reason="Hyperscan has no wheel for this machine")
    sieve = Sieve(r"(a)\1", lambda text: b"aa" in text)
    assert not sieve(b"x" * (WORTH + 1))
    settled(sieve)
    assert sieve(b"aa")
