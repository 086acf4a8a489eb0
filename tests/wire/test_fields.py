"""Connection options, and the table of fields that mean something to this hop."""

from __future__ import annotations

import pytest

from magneto_serge.wire.fields import (
    HOP_BY_HOP,
    KNOWN,
    NEVER_NOMINATED,
    Known,
    connection_options,
    first,
)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (b"", set()),
        (b"close", {b"close"}),
        (b"Close", {b"close"}),
        (b"keep-alive, Upgrade", {b"keep-alive", b"upgrade"}),
        (b" \tx\t,, , y ", {b"x", b"y"}),
        (b"x;y, z", {b"x;y", b"z"}),
    ],
)
def test_connection_options(value: bytes, options: set[bytes]) -> None:
    """Options are split at commas, empty ones skipped, and have no case (RFC 9110 §7.6.1)."""
    assert connection_options(value) == options


@pytest.mark.parametrize(
    "name",
    [
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"te",
        b"upgrade",
        b"proxy-authorization",
        b"http2-settings",
    ],
)
def test_hop_by_hop_fields(name: bytes) -> None:
    """What RFC 9110 §7.6.1 names ends with this hop, nominated or not."""
    assert name in HOP_BY_HOP


@pytest.mark.parametrize(
    "name",
    [
        b"host",
        b"expect",
        b"content-length",
        b"transfer-encoding",
        b"trailer",
        b"via",
        b"authorization",
        b"proxy-authenticate",
    ],
)
def test_end_to_end_fields(name: bytes) -> None:
    """What belongs to the endpoints, or is edited rather than dropped, is not hop-by-hop."""
    assert name not in HOP_BY_HOP


def test_names_are_known_in_lower_case() -> None:
    """Look-ups are by lower-case names: the table has no others."""
    assert all(name == name.lower() for name in KNOWN)
    assert set(KNOWN.values()) == set(Known)


def test_what_makes_a_message_is_never_nominated() -> None:
    """Host and the framing fields are what a nomination must not take away."""
    assert sorted(NEVER_NOMINATED) == [b"content-length", b"host", b"transfer-encoding"]


def test_the_first_of_several() -> None:
    """The first line of a name counts, whatever its case; no line is None."""
    fields = [(b"A", b"1"), (b"X-Y", b"2"), (b"x-y", b"3")]
    assert first(fields, b"x-y") == b"2"
    assert first(tuple(fields), b"x-z") is None
