"""What clients ask for becomes a name that may be signed, or an error that says why not."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import CertificateError
from magneto_serge.tls.names import _remembered, subject_name


@pytest.mark.parametrize(
    ("asked", "signed"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("localhost", "localhost"),
        ("my_service", "my_service"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("1.2.3.4", ip_address("1.2.3.4")),
        ("::1", ip_address("::1")),
        ("[2001:db8::1]", ip_address("2001:db8::1")),
        ("fe80::1%eth0", ip_address("fe80::1")),
    ],
)
def test_what_may_be_signed(asked: str, signed: object) -> None:
    """DNS names become lower-case A-labels, addresses become addresses."""
    assert subject_name(asked) == signed


@pytest.mark.parametrize(
    "asked",
    [
        "",
        ".",
        "*.example.com",
        "a..b",
        "a b",
        "a\x00.example",
        "a/b",
        "a" * 64,
        "b." * 127 + "b",
        "ü" * 64,
    ],
)
def test_what_may_not(asked: str) -> None:
    """Wildcards, control characters and names longer than DNS allows are refused by name."""
    with pytest.raises(CertificateError, match="No certificate can be made for"):
        subject_name(asked)


@given(st.text(max_size=80))
def test_any_text_is_signed_canonically_or_refused(asked: str) -> None:
    """Whatever arrives, the result is its own canonical form, and nothing else is raised."""
    try:
        signed = subject_name(asked)
    except CertificateError:
        return
    assert subject_name(str(signed)) == signed


def test_names_of_any_length_are_not_remembered() -> None:
    """What a client chooses takes no memory: a zone of 60 KB is dropped, and so is its name."""
    before = _remembered.cache_info().currsize
    for number in range(3):
        assert subject_name(f"fe80::{number}%{'z' * 60_000}") == ip_address(f"fe80::{number}")
    assert _remembered.cache_info().currsize == before
