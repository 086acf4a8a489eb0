"""Two JSON texts differ exactly where their values do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.replay.json_comparison import json_differences

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab\u00e9", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


def differences(a: str, b: str, *, reveal: bool = False) -> list[tuple[str, str, str]]:
    """Compare two texts; what is absent is shown as ``-``."""
    found = json_differences("$", a.encode(), b.encode(), reveal=reveal)
    assert found is not None
    return [
        (each.field, *("-" if side is None else bytes(side).decode() for side in each[1:]))  # type: ignore[arg-type]
        for each in found
    ]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}'),
        ("[1.0, 10]", "[1.00, 1e1]"),
        (r'"\u00e9\/"', '"\u00e9/"'),
    ],
)
def test_what_is_only_written_differently_is_equal(a: str, b: str) -> None:
    """Order of members, spacing, numbers, escapes."""
    assert differences(a, b) == []


@pytest.mark.parametrize(
    ("a", "b"), [("1", "true"), ("0", "false"), ("null", "false"), ("[]", "{}"), ('"1"', "1")]
)
def test_values_of_different_types_differ(a: str, b: str) -> None:
    """Whatever Python thinks of True and 1."""
    assert differences(a, b) == [("$", a, b)]


def test_a_member_is_named_by_its_path() -> None:
    """A name that is not a plain word stands in brackets."""
    a = '{"a": {"b": [1, {"c d": 1.10, "e-f": 2}]}}'
    b = '{"a": {"b": [1, {"c d": 1.2, "e-f": 3}]}}'
    assert differences(a, b) == [('$.a.b[1]["c d"]', "1.10", "1.2"), ("$.a.b[1].e-f", "2", "3")]


def test_what_came_and_what_went_have_one_side() -> None:
    """Whole, as it was written."""
    assert differences('{"a": {"x": 1}}', '{"b": [ 1 ]}') == [
        ("$.a", '{"x":1}', "-"),
        ("$.b", "-", "[1]"),
    ]


def test_an_element_more_is_one_difference() -> None:
    """At the front, in the middle, at the end."""
    assert differences("[1,2,3]", "[0,1,2,3]") == [("$[0]", "-", "0")]
    assert differences("[1,2,3]", "[1,9,2,3]") == [("$[1]", "-", "9")]
    assert differences("[1,2,3]", "[1,2]") == [("$[2]", "3", "-")]
    assert differences("[1,1]", "[1]") == [("$[1]", "1", "-")]


def test_secrets_are_masked_where_they_are_shown() -> None:
    """Alone, within a value that came, and in a list; not when revealed."""
    a = '{"token": "aaaaaaaaaaaaaaaa", "tokens": 1, "x": 1}'
    b = '{"token": "bbbbbbbbbbbbbbbb", "tokens": 2, "x": {"password": "hunter2"}}'
    assert differences(a, b) == [
        ("$.token", '"aa****aa"', '"bb****bb"'),
        ("$.tokens", "1", "2"),
        ("$.x", "1", '{"password":"****"}'),
    ]
    assert differences(a, b, reveal=True)[0] == (
        "$.token",
        '"aaaaaaaaaaaaaaaa"',
        '"bbbbbbbbbbbbbbbb"',
    )


@pytest.mark.parametrize("text", ["", "{", "[1,]", "\udc80", "[" * 100_000 + "]" * 100_000])
def test_what_is_no_json_is_not_compared_as_such(text: str) -> None:
    """Nor what nobody could read."""
    assert (
        json_differences("$", text.encode("utf-8", "surrogateescape"), b"1", reveal=False) is None
    )


@given(VALUES, VALUES)
def test_there_are_differences_exactly_where_the_values_differ(a: Any, b: Any) -> None:
    """Compared as sorted text, which tells True from 1."""
    equal = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert (differences(json.dumps(a), json.dumps(b, indent=1)) == []) is equal
