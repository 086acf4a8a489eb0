"""Names: the files' own, as far as cassettes can have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.interop.naming import Names, suffix_of
from magneto_serge.storage.names import canonical_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.yaml", "a"),
        ("sub/b.json.gz", "sub/b"),
        ("test_x[1.5]", "test_x[1.5]"),
        ("v1.2.yml", "v1.2"),
        ("a.json.yaml", "a_json"),
        ("what?.har", "what_"),
        (".hidden.yaml", "_hidden"),
        ("con.yaml", "_con"),
        ("a. .yaml", "a"),
        ("x.bodies/y.yaml", "x_bodies/y"),
        ("C:\\x.har", "C__x"),
    ],
)
def test_names(path: str, name: str) -> None:
    """Sub-folders stay; what no system's files can be called does not."""
    assert Names().name_for(path) == name


def test_no_name_is_given_twice() -> None:
    """Nor one that differs in case alone."""
    names = Names()
    assert [names.name_for(each) for each in ("a.yaml", "a.json", "A.har")] == ["a", "a-2", "A-3"]


def test_long_names_are_shortened_and_stay_apart() -> None:
    """By a digest of the whole."""
    names = Names()
    first, second = (names.name_for(f"d/{'x' * 300}{end}.yaml") for end in "ab")
    assert first != second
    assert len(first) <= 200
    assert canonical_name(Names().name_for("/".join("abcdefghij" for _ in range(40))))


@given(st.text(min_size=1).filter(lambda path: "\0" not in path))
def test_every_path_has_a_name(path: str) -> None:
    """That a cassette can have."""
    names = Names()
    for _ in range(2):
        name = names.name_for(path)
        assert canonical_name(name) == name


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.YAML", ".yaml"), ("a.json.gz", ".json"), ("a", "")]
)
def test_suffixes(name: str, suffix: str) -> None:
    """What says how a file is written, without what says that it is compressed."""
    assert suffix_of(name) == suffix
