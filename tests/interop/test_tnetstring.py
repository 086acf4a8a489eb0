"""Tagged netstrings: there and back, and never beyond what is there."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.interop import tnetstring
from magneto_serge.interop.tnetstring import TornError, dump, load_all

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.binary() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


def loaded(data: bytes) -> list[Any]:
    """Return the values in ``data``."""
    return list(load_all(io.BytesIO(data)))


@given(st.lists(VALUES, max_size=3))
def test_there_and_back(values: list[Any]) -> None:
    """Every value, one after the other."""
    assert loaded(b"".join(map(dump, values))) == values


@given(VALUES, st.data())
def test_a_torn_value_is_refused(value: Any, data: st.DataObject) -> None:
    """Wherever it is cut; a cut before its first byte leaves nothing."""
    whole = dump(value)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(TornError):
        loaded(whole[:cut])


@given(st.binary(max_size=40))
def test_noise_is_refused_or_read(data: bytes) -> None:
    """Nothing else comes of it."""
    try:
        loaded(data)
    except TornError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"1:a?", b"5:1:a,b}", b"1:x#", b"1:x^", b"03:abc,", b"9999999999999:a,", b"4:9:a,]",
        b"8:1:a,1:b!}x", b"x", b"3:a:b]",
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(data: bytes) -> None:
    """Tags, lengths, numbers, mappings."""
    with pytest.raises(TornError):
        loaded(data)


def test_depth_is_bounded() -> None:
    """A few kilobytes of brackets do not fill the stack."""
    data = b"0:]"
    for _ in range(2000):
        data = b"%d:%b]" % (len(data), data)
    with pytest.raises(TornError, match="deep"):
        loaded(data)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A length is not believed before there is room."""
    monkeypatch.setattr(tnetstring, "LARGEST", 3)
    with pytest.raises(TornError, match="larger"):
        loaded(b"4:abcd,")


def test_keys_of_python_2() -> None:
    """They are bytes in the file."""
    assert loaded(b"8:1:a,1:b,}") == [{"a": b"b"}]


def test_what_cannot_be_written() -> None:
    """It is a mistake of ours."""
    with pytest.raises(TypeError):
        dump(object())
