"""What stands in documents, in all the shapes in which it does."""

from __future__ import annotations

import pytest

from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.values import (
    UnusableError,
    base64_bytes,
    duration,
    encoded,
    epoch,
    fields,
    integer,
    mapping,
    moment,
    number,
    sequence,
    text,
    utf8,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", "a"),
        (1, "1"),
        (True, "true"),
        (None, ""),
        ([["a"]], "a"),
        ([], ""),
        (b"\xc3\xa9", "é"),
    ],
)
def test_text(value: object, shown: str) -> None:
    """A scalar, or the first of a list."""
    assert text(value) == shown


@pytest.mark.parametrize(
    ("value", "meant"), [(200, 200), ("200", 200), ("200 OK", 200), ("x", 0), (True, 0), (None, 0)]
)
def test_integers(value: object, meant: int) -> None:
    """Also where they are text."""
    assert integer(value, 0) == meant


@pytest.mark.parametrize(("value", "meant"), [("1.5", 1.5), (2, 2.0), ("nan", 0.0), ("1e99", 0.0)])
def test_numbers(value: object, meant: float) -> None:
    """Only finite ones of a sensible size."""
    assert number(value) == meant


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5", 1.5),
        ("1970-01-01 00:00:01.25 +00:00", 1.25),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("Thu, 01 Jan 1970 00:00:02 GMT", 2.0),
        ("2021-02-04T021:55:42.821Z", 1612475742.821),
        ("yesterday", 0.0),
        ("2021-99-99T00:00:00Z", 0.0),
        (None, 0.0),
    ],
)
def test_moments(written: object, seconds: float) -> None:
    """ISO 8601 and RFC 5322; what is neither is unknown."""
    assert moment(written) == seconds


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("2.5s", 2500),
        ("1m2.5s", 62500),
        ("460.639ms", 460.639208),
        ("12µs", 0.012),
        ("5000000", 5),
    ],
)
def test_durations(written: str, ms: float) -> None:
    """As Go writes them."""
    assert duration(written) == pytest.approx(ms)


def test_times_that_cannot_be() -> None:
    """They are unknown; no duration is endless."""
    assert (epoch(1.5), epoch("2"), epoch(-1), epoch(1e14), epoch("x")) == (1.5, 2.0, 0.0, 0.0, 0.0)
    assert duration("9" * 40 + "h") == 1e15


@pytest.mark.parametrize(
    ("held", "lines"),
    [
        (None, []),
        ({"A": ["1", "2"], "B": "3"}, [("A", "1"), ("A", "2"), ("B", "3")]),
        ({"A": None, "B": 4}, [("A", ""), ("B", "4")]),
        (["A: 1\r\n", "B:2\r\n"], [("A", "1"), ("B", "2")]),
        ([["A", "1"], ["B", ["2", "3"]]], [("A", "1"), ("B", "2"), ("B", "3")]),
        ([{"name": "A", "value": "1"}, {"name": "B", "value": ["2"]}], [("A", "1"), ("B", "2")]),
        ([{"A": ["1"]}], [("A", "1")]),
        ("A: 1\r\nB: 2\r\n", [("A", "1"), ("B", "2")]),
        ([[b"A", b"1"]], [(b"A", b"1")]),
        ({"A": {"value": "1"}}, [("A", "1")]),
    ],
)
def test_fields(held: object, lines: list[tuple[str, str]]) -> None:
    """Mappings, pairs, objects and lines; values alone or in lists."""
    assert fields(held) == lines


def test_fields_that_are_none() -> None:
    """A number is no header section, and said to be none."""
    with pytest.raises(UnusableError, match="a number"):
        fields([1])
    with pytest.raises(UnusableError, match="not a list"):
        fields(3)


def test_shapes_are_checked() -> None:
    """Nothing is an empty one; something else is refused."""
    assert mapping(None, "x") == {}
    assert sequence(None, "x") == []
    with pytest.raises(UnusableError, match="request is text, not a mapping"):
        mapping("a", "request")
    with pytest.raises(UnusableError, match="a mapping, not a list"):
        sequence({}, "x")


def test_charsets() -> None:
    """Text goes back into its charset; what does not fit is UTF-8, and remarked."""
    remarks = Remarks()
    assert encoded("é", "ISO-8859-1", remarks) == b"\xe9"
    assert encoded("é", "ASCII-8BIT", remarks) == "é".encode()
    assert encoded("e", "no-such", remarks) == b"e"
    assert not remarks
    assert encoded("€", "latin-1", remarks) == "€".encode()
    assert remarks.counts[Remark.CHARSET] == 1


def test_surrogates() -> None:
    """Two that were escaped are one character; a lone one does not stop us."""
    assert utf8("\ud83d\ude00") == "\U0001f600".encode()
    assert utf8("\ud83d") == b"\xed\xa0\xbd"


def test_base64() -> None:
    """White space is allowed, other characters are not."""
    assert base64_bytes("YQ\n==") == b"a"
    with pytest.raises(UnusableError, match="base64"):
        base64_bytes("<not>")
