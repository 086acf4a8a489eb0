"""Patterns: what they match, against a regular expression that may take its time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.replay.globs import pattern


def slowly(text: str) -> re.Pattern[str]:
    """Return the regular expression that means the same."""
    expression = re.sub(r"\\\{[a-z]+\\\}", "[^/?]+", re.escape(text)).replace(r"\*", ".*")
    return re.compile(expression, re.DOTALL)


@settings(max_examples=2000)
@given(
    st.lists(st.sampled_from(["/", "a", "b", "ab", "{id}", "*", "?", "b/a"]), max_size=8).map(
        "".join
    ),
    st.text("ab/?", max_size=14),
)
def test_it_is_the_regular_expression(text: str, subject: str) -> None:
    """Not looking again loses no match, and finds none that is not there."""
    assert pattern(text).fullmatch(subject) == (slowly(text).fullmatch(subject) is not None)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(["/", "a", "b", "{id}", "*", "?"]), max_size=8), st.data())
def test_what_is_made_of_a_pattern_fits_it(parts: list[str], data: st.DataObject) -> None:
    """Each wildcard replaced by something that it stands for."""
    fillings = {"{id}": st.text("abc", min_size=1, max_size=3), "*": st.text("ab/?", max_size=4)}
    subject = "".join(data.draw(fillings[p]) if p in fillings else p for p in parts)
    assert pattern("".join(parts)).fullmatch(subject)


@pytest.mark.parametrize(
    "text",
    [
        "*a" * 40 + "*{x}b",
        "*a{x}b",
        "*a{x}b*",
        "*a{x}b{y}c*d",
        "a{x}a{y}a{z}b",
        "*{x}{y}{z}b",
        "*/{x}/{y}b*",
        "*{x}a*{y}a*{z}b",
    ],
)
@pytest.mark.parametrize("subject", ["a" * 60_000, "ab" * 30_000, "/a" * 30_000, "a/" * 30_000])
def test_linear_time(text: str, subject: str) -> None:
    """Whatever nearly fits, 60,000 characters are done with; a regular expression takes hours."""
    pattern(text).fullmatch(subject + "!")
