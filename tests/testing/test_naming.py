"""Names of tests' cassettes: readable, stable, nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.storage.names import canonical_name
from magneto_serge.testing.naming import cassette_name


@pytest.mark.parametrize(
    ("classes", "test", "expected"),
    [
        ([], "test_list", "test_users/test_list"),
        ([], "test_list[GET-1]", "test_users/test_list[GET-1]"),
        (["TestAdmin", "TestMore"], "test_list", "test_users/TestAdmin.TestMore.test_list"),
        ([], "test_é[ü]", "test_users/test_é[ü]"),
    ],
)
def test_readable(classes: list[str], test: str, expected: str) -> None:
    """What a file name can hold is left as it is."""
    assert cassette_name("test_users", classes, test) == expected


def test_what_no_file_name_holds() -> None:
    """Other characters become dashes, and a mark tells two such names apart."""
    one = cassette_name("test_users", [], "test_list[a/b]")
    other = cassette_name("test_users", [], "test_list[a:b]")
    assert one.startswith("test_users/test_list[a-b]-")
    assert one != other


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_every_name_can_be_used(one: str, other: str) -> None:
    """Whatever a parameter is called, its cassette's name is valid, and no other test's."""
    names = [cassette_name("test_x", [], f"test_y[{each}]") for each in (one, other)]
    for name in names:
        canonical_name(name)
    assert (names[0] == names[1]) == (one == other)
