"""What ``ssl`` can tell of a certificate is what ``cryptography`` and OpenSSL tell."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from magneto_serge.tls.authority import Authority
from magneto_serge.tls.inspection import inspect, key_mismatch


def test_facts_of_a_root_and_an_intermediate(own: Callable[..., Any]) -> None:
    """Subject, validity, and whether it signed itself are read."""
    root = own(name="Root")
    middle = own(name="Middle", issuer=root)
    for given, is_root in ((root, True), (middle, False)):
        facts = inspect(given.pem)
        assert facts is not None
        assert facts.is_root is is_root
        assert facts.subject == f"CN={'Root' if is_root else 'Middle'}"
        assert facts.not_before == given.certificate.not_valid_before_utc
        assert facts.not_after == given.certificate.not_valid_after_utc


def test_end_entity_has_no_facts(own: Callable[..., Any]) -> None:
    """A certificate that may not sign others is not an authority."""
    assert inspect(own(is_ca=False).pem) is None


def test_damaged_certificate_raises() -> None:
    """Base64 that is not a certificate is ``ssl``'s own error."""
    with pytest.raises(ssl.SSLError):
        inspect(b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n")


def test_key_mismatch_says_why(authority: Authority, own: Callable[..., Any]) -> None:
    """A matching key is no mismatch; another's is, and so is a key that needs a passphrase."""
    assert key_mismatch(authority.certificate_pem, authority.key_pem) is None
    other = own()
    assert "mismatch" in (key_mismatch(authority.certificate_pem, other.key_pem) or "")
    secret = own(name="Secret", passphrase=b"secret")
    assert key_mismatch(secret.pem, secret.key_pem) is not None
