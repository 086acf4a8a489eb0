"""How an exchange failed, in the words of others."""

from __future__ import annotations

import pytest

from magneto_serge.interop.failing import failure_of
from magneto_serge.messages import FailureKind


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ("net::ERR_NAME_NOT_RESOLVED", FailureKind.DNS),
        ("getaddrinfo ENOTFOUND h", FailureKind.DNS),
        ("net::ERR_CONNECTION_REFUSED", FailureKind.REFUSED),
        ("[Errno 111] Connect call failed", FailureKind.REFUSED),
        ("[Errno 60] Connect call failed ('1.2.3.4', 80)", FailureKind.TIMEOUT),
        ("net::ERR_CONNECTION_TIMED_OUT", FailureKind.TIMEOUT),
        ("net::ERR_CERT_AUTHORITY_INVALID", FailureKind.TLS),
        ("TLS handshake failed", FailureKind.TLS),
        ("net::ERR_CONNECTION_RESET", FailureKind.RESET),
        ("server disconnected", FailureKind.RESET),
        ("Client disconnected.", FailureKind.CLIENT_CLOSED),
        ("net::ERR_ABORTED", FailureKind.CLIENT_CLOSED),
        ("net::ERR_INTERNET_DISCONNECTED", FailureKind.UNREACHABLE),
        ("net::ERR_CONTENT_LENGTH_MISMATCH", FailureKind.TRUNCATED),
        ("HTTP protocol error", FailureKind.BAD_RESPONSE),
        ("something else", FailureKind.UNREACHABLE),
    ],
)
def test_failures(detail: str, kind: FailureKind) -> None:
    """What was said stays, as the detail."""
    failure = failure_of(detail)
    assert (failure.kind, failure.detail) == (kind, detail)
