"""Each name gets its context, made once; few are kept; nothing a client says makes it raise."""

from __future__ import annotations

import gc
import logging
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from magneto_serge.errors import CertificateError
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.leaf import LeafCache

DAY = 86_400.0


def served(client: ssl.SSLObject) -> x509.Certificate:
    """Return the certificate that a client was shown."""
    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


def test_same_name_same_context(authority: Authority) -> None:
    """A name has one context, however it is spelt."""
    leaves = LeafCache(authority)
    assert leaves.context_for("a.example") is leaves.context_for("A.EXAMPLE.")
    assert leaves.context_for("::1") is leaves.context_for("[0:0::1]")
    assert len(leaves) == 2


def test_least_recently_used_goes_first(authority: Authority) -> None:
    """The cache never exceeds its limit, and keeps what was asked for last."""
    leaves = LeafCache(authority, limit=2)
    kept = leaves.context_for("a.example")
    gone = leaves.context_for("b.example")
    leaves.context_for("a.example")
    leaves.context_for("c.example")
    assert len(leaves) == 2
    assert leaves.context_for("a.example") is kept
    assert leaves.context_for("b.example") is not gone


def test_cache_and_contexts_are_freed(authority: Authority) -> None:
    """The circle of cache, callback and context is the garbage collector's to break."""
    leaves = LeafCache(authority)
    context = weakref.ref(leaves.context_for("a.example"))
    del leaves
    gc.collect()
    assert context() is None


def test_leaf_is_renewed_long_before_it_expires(authority: Authority) -> None:
    """A proxy that runs for months never serves an expired leaf."""
    clock = [time.time()]
    leaves = LeafCache(authority, now=lambda: clock[0])
    first = leaves.context_for("a.example")
    clock[0] += 80 * DAY
    assert leaves.context_for("a.example") is first
    clock[0] += 20 * DAY
    assert leaves.context_for("a.example") is not first
    assert len(leaves) == 1


def test_threads_get_one_leaf_for_one_name(authority: Authority) -> None:
    """Asked for the same names from many threads at once, each is minted once."""
    leaves = LeafCache(authority)
    names = [f"host{number % 8}.example" for number in range(64)]
    barrier = threading.Barrier(4)

    def ask(part: int) -> dict[str, ssl.SSLContext]:
        barrier.wait(timeout=10)
        return {name: leaves.context_for(name) for name in names[part::4] + names}

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ask, range(4)))
    assert len(leaves) == 8
    assert all(result == results[0] for result in results)


def test_nothing_is_minted_for_a_bad_name(authority: Authority) -> None:
    """A name that cannot be signed is refused before anything is made."""
    leaves = LeafCache(authority)
    with pytest.raises(CertificateError, match="No certificate can be made"):
        leaves.context_for("*.example")
    assert len(leaves) == 0


@pytest.mark.parametrize(
    ("asked", "san"),
    [
        ("b.example", x509.DNSName("b.example")),
        ("B.Example", x509.DNSName("b.example")),
        ("my_service", x509.DNSName("my_service")),
        ("bücher.example", x509.DNSName("xn--bcher-kva.example")),
        (None, x509.DNSName("default.example")),
        ("127.0.0.1", x509.DNSName("default.example")),
    ],
)
def test_sni_chooses_the_leaf(
    authority: Authority, handshake: Callable[..., Any], asked: str | None, san: x509.DNSName
) -> None:
    """RFC 6066 §3: the name asked for is served; without one (as for an address), the default."""
    context = LeafCache(authority).context_for("default.example")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cadata=authority.certificate_pem.decode())
    shown = served(handshake(context, client, asked)[0])
    extension = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(extension.value) == [san]


@pytest.mark.parametrize("asked", ["*.example", "a$b.example"])
def test_unusable_sni_gets_an_alert(
    authority: Authority,
    trusting: ssl.SSLContext,
    handshake: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    asked: str,
) -> None:
    """A name that cannot be signed ends in unrecognized_name and one line in the log."""
    context = LeafCache(authority).context_for("a.example")
    trusting.check_hostname = False
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
    ):
        handshake(context, trusting, asked)
    assert f"TLS handshake refused: No certificate can be made for {asked!r}" in caplog.text


def test_failure_to_mint_gets_an_alert(
    authority: Authority,
    trusting: ssl.SSLContext,
    handshake: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When signing fails the client gets internal_error, and the log says what happened."""
    clock = [time.time()]
    context = (leaves := LeafCache(authority, now=lambda: clock[0])).context_for("a.example")
    clock[0] += 4000 * DAY
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(ssl.SSLError, match=r"(?i)internal.error"),
    ):
        handshake(context, trusting, "b.example")
    assert "no certificate for b.example: The certificate authority has expired" in caplog.text
    assert "Traceback" not in caplog.text
    assert len(leaves) == 1


def test_nothing_escapes_from_the_callback(
    authority: Authority,
    trusting: ssl.SSLContext,
    handshake: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even a failure that nobody thought of is an alert for the client, and all of it is logged."""
    context = (leaves := LeafCache(authority)).context_for("a.example")

    def fail(_: object) -> None:
        raise RuntimeError("no randomness left")

    monkeypatch.setattr(leaves, "_context_for", fail)
    with pytest.raises(ssl.SSLError, match=r"(?i)internal.error"):
        handshake(context, trusting, "b.example")
    assert "no randomness left" in caplog.text


def test_own_intermediate_is_sent_along(
    own: Callable[..., Any], tmp_path: Path, handshake: Callable[..., Any]
) -> None:
    """A client that trusts the root only can build the chain from what we send."""
    root = own(name="Root")
    middle = own(name="Middle", issuer=root)
    authority = Authority.load_or_create(tmp_path, ca_cert=middle.cert_path, ca_key=middle.key_path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=root.pem.decode())
    handshake(LeafCache(authority).context_for("a.example"), client, "a.example")


def test_one_ticket_takes_up_the_session(
    authority: Authority, trusting: ssl.SSLContext, handshake: Callable[..., Any]
) -> None:
    """A client that comes back resumes, whichever name the context was made for (RFC 8446 §2.2)."""
    context = LeafCache(authority).context_for("default.example")
    assert context.num_tickets == 1
    session = handshake(context, trusting, "a.example")[0].session
    again = handshake(context, trusting, "a.example", session)[0]
    assert again.session_reused
    assert handshake(context, trusting, "a.example", again.session)[0].session_reused
