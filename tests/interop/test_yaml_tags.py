"""The table of types: what a tag says, without its class."""

from __future__ import annotations

import pytest

from magneto_serge.interop.yaml_tags import interpreted, is_known

PYTHON = "tag:yaml.org,2002:python/"


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        (PYTHON + "object/new:_io.BytesIO", True),
        (PYTHON + "object/apply:os.system", False),
        (PYTHON + "tuple", True),
        ("!ruby/struct:VCR::Request", True),
        ("tag:yaml.org,2002:binary", True),
        ("!custom", False),
    ],
)
def test_known_types(tag: str, known: bool) -> None:
    """What is not known is said to the user."""
    assert is_known(tag) is known


def test_multi_dictionaries_keep_repeats() -> None:
    """A name that comes twice has two values."""
    value = [[["Set-Cookie", "a"], ["Set-Cookie", "b"]]]
    tag = PYTHON + "object/apply:multidict._multidict.CIMultiDict"
    assert interpreted(tag, value) == {"Set-Cookie": ["a", "b"]}


def test_an_unknown_object_is_what_is_in_it() -> None:
    """Nothing is guessed."""
    assert interpreted(PYTHON + "object:a.B", {"x": 1}) == {"x": 1}


def test_an_ordered_map_is_a_mapping() -> None:
    """YAML's own type for it is a list of pairs."""
    assert interpreted("tag:yaml.org,2002:omap", [{"a": "b"}, {"c": "d"}]) == {
        "a": ["b"],
        "c": ["d"],
    }


def test_bytes_in_a_charset_that_there_is_not() -> None:
    """They are UTF-8 then."""
    assert interpreted(PYTHON + "object/apply:_codecs.encode", ["é", "nope"]) == "é".encode()
