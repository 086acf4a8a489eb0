"""Layers over ``os.environ``, in whatever order they end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.capture import environment

NAMES = ("MAGNETO_TEST_A", "MAGNETO_TEST_B")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Have nothing set, and see that nothing is left."""
    before = dict(os.environ)
    yield
    for name in NAMES:
        os.environ.pop(name, None)
    assert dict(os.environ).keys() - before.keys() <= {"PYTEST_CURRENT_TEST"}


def seen() -> tuple[str | None, ...]:
    """Return what is set."""
    return tuple(os.environ.get(name) for name in NAMES)


def test_layers_end_in_their_order() -> None:
    """What a layer hid is seen again when it ends."""
    os.environ[NAMES[0]] = "user's"
    outer = environment.add({NAMES[0]: "outer", NAMES[1]: "outer"})
    inner = environment.add({NAMES[0]: "inner"})
    assert seen() == ("inner", "outer")
    environment.remove(inner)
    assert seen() == ("outer", "outer")
    environment.remove(outer)
    assert seen() == ("user's", None)


@given(st.permutations(range(4)))
def test_layers_end_in_any_order(order: list[int]) -> None:
    """After the last layer everything is as it was before the first, however they ended."""
    os.environ[NAMES[0]] = "user's"
    layers: dict[int, Mapping[str, str]] = {
        number: environment.add({NAMES[number % 2]: str(number), NAMES[0]: str(number)})
        for number in range(4)
    }
    for number in order:
        environment.remove(layers.pop(number))
        if layers:
            assert os.environ[NAMES[0]] == str(max(layers))
    assert seen() == ("user's", None)


def test_what_somebody_else_set_stays() -> None:
    """A variable that the code inside has set is that code's."""
    layer = environment.add({NAMES[0]: "ours"})
    os.environ[NAMES[0]] = "theirs"
    environment.remove(layer)
    assert seen() == ("theirs", None)


def test_before_is_without_layers() -> None:
    """A second session sees the user's environment, not the first one's."""
    os.environ[NAMES[0]] = "user's"
    layer = environment.add({NAMES[0]: "ours", NAMES[1]: "ours"})
    before = environment.before()
    environment.remove(layer)
    assert before[NAMES[0]] == "user's"
    assert NAMES[1] not in before
