"""One value has the shape of another where code written for the one understands the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.replay.json_shape import member, misfits

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=3)
    ),
    max_leaves=15,
)


def remade(value: Any, draw: Any) -> Any:
    """Return a value of the same shape: other scalars, fewer, repeated and moved elements."""
    if isinstance(value, dict):
        return {name: remade(each, draw) for name, each in value.items()}
    if isinstance(value, list):
        chosen = draw(st.lists(st.sampled_from(value), max_size=5)) if value else []
        return [remade(each, draw) for each in chosen]
    if value is None or isinstance(value, bool):
        return value if value is None else draw(st.booleans())
    return draw(st.text()) if isinstance(value, str) else draw(st.integers() | st.just(0.5))


@settings(deadline=None)
@given(VALUES)
def test_a_value_has_its_own_shape(value: Any) -> None:
    """Whatever it is."""
    assert misfits("$", value, value) == []


@settings(deadline=None)
@given(st.data())
def test_values_and_the_number_of_elements_are_of_no_account(data: st.DataObject) -> None:
    """Nor is the order of the elements."""
    value = data.draw(VALUES)
    assert misfits("$", value, remade(value, data.draw)) == []


@settings(deadline=None)
@given(SCALARS, SCALARS)
def test_scalars_fit_where_their_types_are_the_same(one: Any, other: Any) -> None:
    """`True` is no number, whatever Python says."""
    kinds = [
        "number" if isinstance(each, int | float) and not isinstance(each, bool) else type(each)
        for each in (one, other)
    ]
    assert (misfits("$", one, other) == []) == (kinds[0] == kinds[1])


@pytest.mark.parametrize(
    ("recorded", "live", "found"),
    [
        ({"a": 1}, {"a": "1"}, [("$.a", "number", "string")]),
        ({"a": 1}, {}, [("$.a", "number", None)]),
        ({}, {"a": []}, [("$.a", None, "array")]),
        ({"a": 1}, [], [("$", "object", "array")]),
        ([{"a": 1}], [{"a": 1}, {"a": None}], [("$[*].a", "number", "null or number")]),
        ([{"a": 1}], [{"a": 1}, {}], [("$[*].a", "number", "number, or nothing")]),
        ([1, "x"], [True], [("$[*]", "number or string", "boolean")]),
        ({"a b": {"c": 1}}, {"a b": {"c": None}}, [('$["a b"].c', "number", "null")]),
    ],
)
def test_what_does_not_fit_is_named(recorded: Any, live: Any, found: list[Any]) -> None:
    """By its place, with the types of either side."""
    assert misfits("$", recorded, live) == found


@pytest.mark.parametrize(
    ("recorded", "live"),
    [
        ([], [{"a": 1}]),
        ([1], []),
        ([{"a": 1}, {}], [{}]),
        ([1, None], [None]),
        ([[1], [{"a": 1}]], [[2]]),
        (1, 1.5),
    ],
)
def test_what_may_be_absent_may_be_absent(recorded: Any, live: Any) -> None:
    """An empty list says nothing about elements; what only some of them had is optional."""
    assert misfits("$", recorded, live) == []


def test_a_member_is_named_as_one_would_write_it() -> None:
    """Quoted where it is no word."""
    assert member("$", "e-f") == "$.e-f"
    assert member("$", "é") == '$["é"]'
