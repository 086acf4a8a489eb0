"""Read and judge a certificate with the standard library alone.

``ssl`` has a full X.509 parser behind a narrow window: a context tells which of the certificates it
trusts are authorities (OpenSSL's ``X509_check_ca``: basicConstraints and keyUsage), when they
expire, and whether a key belongs to one. That is what loading an authority needs, about 1 ms
against the 60 ms and more that importing ``cryptography`` costs.
"""

from __future__ import annotations

import datetime
import ssl
from typing import Any, NamedTuple

from magneto_serge.tls import pem

_SHORT_NAMES = {  # RFC 4514 §3
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
}


class Facts(NamedTuple):
    """What a CA certificate says of itself; times are UTC, ``subject`` reads ``CN=…, O=…``."""

    subject: str
    is_root: bool
    not_before: datetime.datetime
    not_after: datetime.datetime


def inspect(certificate: bytes) -> Facts | None:
    """Return the facts of a canonical PEM certificate; None if it may not sign others.

    Raises ssl.SSLError where it is not a certificate at all.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate.decode("ascii"))
    authorities: list[dict[str, Any]] = context.get_ca_certs()
    if not authorities:
        return None
    found = authorities[0]
    return Facts(
        subject=_distinguished_name(found["subject"]),
        is_root=found["subject"] == found["issuer"],
        not_before=_utc(found["notBefore"]),
        not_after=_utc(found["notAfter"]),
    )


def key_mismatch(certificate: bytes, key: bytes) -> str | None:
    """Say why ``key`` cannot sign for ``certificate`` (both PEM); None where it can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pem.as_file(certificate + key) as path:
        try:
            # The password keeps OpenSSL from asking for one on the terminal, whatever it is given.
            context.load_cert_chain(path, password="")
        except ssl.SSLError as error:
            return (error.reason or str(error)).replace("_", " ").lower()
    return None


def _distinguished_name(names: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    pairs = (pair for relative in names for pair in relative)
    return ", ".join(f"{_SHORT_NAMES.get(kind, kind)}={value}" for kind, value in pairs)


def _utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(text), datetime.UTC)
