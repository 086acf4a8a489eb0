"""Numbers as a person reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.units import count, milliseconds, moment, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (23_000_000, "23 MB"),
        (5_000_000_000, "5.0 GB"),
        (7_200_000_000_000, "7.2 TB"),
    ],
)
def test_sizes_have_two_or_three_digits(number: int, text: str) -> None:
    """A size is as long as it needs to be to compare two of them."""
    assert size(number) == text


@given(st.integers(0, 10**12))
def test_no_size_shows_a_thousand_of_a_unit(number: int) -> None:
    """Rounding never leaves `1000 kB` where `1.0 MB` is meant."""
    assert re.fullmatch(r"\d{1,3} B|\d\.\d [kMGT]B|\d{2,3} [kMG]B", size(number))


def test_one_is_singular() -> None:
    """Nothing else is; thousands are separated."""
    assert [count(n, "reply", "replies") for n in (0, 1, 2)] == [
        "0 replies",
        "1 reply",
        "2 replies",
    ]
    assert count(1234, "request") == "1,234 requests"


def test_short_times_have_a_decimal() -> None:
    """Below 10 ms a tenth matters, above it does not."""
    assert [milliseconds(ms) for ms in (0.04, 9.96, 12.7, 1234.5)] == ["0.0", "10.0", "13", "1,234"]


def test_an_unknown_time_is_a_dash() -> None:
    """A cassette without times does not claim to be from 1970."""
    assert moment(0.0) == "-"
    assert re.fullmatch(r"2025-0[56]-\d\d \d\d:\d\d", moment(1748736000.0))
