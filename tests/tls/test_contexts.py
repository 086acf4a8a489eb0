"""Contexts speak TLS 1.2 and later and http/1.1, and trust whom they should."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.errors import CertificateError
from magneto_serge.tls import contexts
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.contexts import client_context, server_context, upstream_context
from magneto_serge.tls.leaf import LeafCache


def test_import_is_cheap() -> None:
    """Neither cryptography nor truststore is imported until it is needed."""
    code = (
        "import sys, magneto_serge.tls.contexts, magneto_serge.tls.leaf, magneto_serge.tls.bundle; "
        "sys.exit(bool({'cryptography', 'truststore', 'tempfile'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Towards clients


@pytest.mark.parametrize("name", ["a.example", "other.example", "127.0.0.1", "::1"])
def test_strict_client_accepts_us(
    authority: Authority, trusting: ssl.SSLContext, handshake: Callable[..., Any], name: str
) -> None:
    """A client that checks all it can accepts a leaf for the name, or the address, it asked for."""
    default = name if name[0] in "1:" else "a.example"
    client, server = handshake(server_context(LeafCache(authority), default), trusting, name)
    assert client.version() == server.version() == "TLSv1.3"


def test_client_that_does_not_trust_us_refuses(
    authority: Authority, handshake: Callable[..., Any]
) -> None:
    """Without our authority in its trust a client fails, as it should."""
    context = server_context(LeafCache(authority), "a.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "a.example")


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)],
)
def test_alpn_settles_for_http_1_1(
    authority: Authority,
    trusting: ssl.SSLContext,
    handshake: Callable[..., Any],
    offered: list[str],
    agreed: str | None,
) -> None:
    """RFC 7301 §3.2: of what a client offers, http/1.1 is chosen; no offer is no obstacle."""
    if offered:
        trusting.set_alpn_protocols(offered)
    context = server_context(LeafCache(authority), "a.example")
    client, _ = handshake(context, trusting, "b.example")
    assert client.selected_alpn_protocol() == agreed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_is_resumed_after_the_switch(
    authority: Authority,
    trusting: ssl.SSLContext,
    handshake: Callable[..., Any],
    version: ssl.TLSVersion,
) -> None:
    """A ticket stays good though SNI exchanged the context: RFC 5077, RFC 8446 §2.2."""
    trusting.maximum_version = version
    context = server_context(LeafCache(authority), "default.example")
    first, _ = handshake(context, trusting, "b.example")
    again, _ = handshake(context, trusting, "b.example", first.session)
    assert again.session_reused


def test_tls_1_1_is_refused(authority: Authority, handshake: Callable[..., Any]) -> None:
    """RFC 8996: nothing older than TLS 1.2."""
    assert server_context(LeafCache(authority), "a").minimum_version == ssl.TLSVersion.TLSv1_2
    for context in (
        client_context(authority),
        upstream_context(upstream_ca=None, insecure=False),
        upstream_context(upstream_ca=None, insecure=True),
    ):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_default_name_must_be_a_name(authority: Authority) -> None:
    """What cannot stand in a certificate is refused when the context is asked for."""
    with pytest.raises(CertificateError, match="No certificate can be made"):
        server_context(LeafCache(authority), "not a name")


# Towards origins


@pytest.fixture(params=["openssl", "truststore"])
def verifier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with each of the two mechanisms, whichever is this system's."""
    monkeypatch.setattr(contexts, "_HAS_NATIVE_VERIFIER", request.param == "truststore")


@pytest.mark.usefixtures("verifier")
def test_upstream_ca_adds_to_the_systems_trust(
    authority: Authority, handshake: Callable[..., Any]
) -> None:
    """An origin signed by the file's authority is accepted, by its name only."""
    origin = LeafCache(authority).context_for("origin.example")
    context = upstream_context(upstream_ca=authority.cert_path, insecure=False)
    client, _ = handshake(origin, context, "origin.example")
    assert client.selected_alpn_protocol() == "http/1.1"
    origin.sni_callback = None
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname mismatch"):
        handshake(origin, context, "else.example")


def test_system_trust_remains_beside_upstream_ca(
    authority: Authority, own: Callable[..., Any], handshake: Callable[..., Any], system_file: Path
) -> None:
    """Naming an authority does not take the system's away."""
    given = own()
    system_file.write_bytes(authority.certificate_pem)
    context = upstream_context(upstream_ca=given.cert_path, insecure=False)
    handshake(LeafCache(authority).context_for("a.example"), context, "a.example")


@pytest.mark.usefixtures("verifier")
def test_unknown_origin_is_refused(authority: Authority, handshake: Callable[..., Any]) -> None:
    """Origins are verified unless asked otherwise."""
    context = upstream_context(upstream_ca=None, insecure=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(LeafCache(authority).context_for("a.example"), context, "a.example")


def test_upstream_ca_may_be_an_intermediate(
    own: Callable[..., Any], tmp_path: Path, handshake: Callable[..., Any]
) -> None:
    """What a user names is trusted, though its own issuer is not known."""
    middle = own(name="Middle", issuer=own(name="Root"))
    origin = Authority.load_or_create(tmp_path, ca_cert=middle.cert_path, ca_key=middle.key_path)
    context = upstream_context(upstream_ca=middle.cert_path, insecure=False)
    handshake(LeafCache(origin).context_for("a.example"), context, "a.example")


def test_upstream_ca_may_be_a_folder(
    authority: Authority, tmp_path: Path, handshake: Callable[..., Any]
) -> None:
    """The files of a folder are trusted, without names made by ``openssl rehash``."""
    (tmp_path / "corporate.pem").write_bytes(authority.certificate_pem)
    context = upstream_context(upstream_ca=tmp_path, insecure=False)
    handshake(LeafCache(authority).context_for("a.example"), context, "a.example")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"hello", "There is no certificate in"),
        (b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", "damaged"),
    ],
)
def test_unusable_upstream_ca_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """A file that is missing, empty of certificates, or damaged is an error with its path."""
    path = tmp_path / "corporate.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CertificateError, match=reason) as refused:
        upstream_context(upstream_ca=path, insecure=False)
    assert str(path) in str(refused.value)


def test_insecure_accepts_anyone_and_says_so(
    authority: Authority, handshake: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Without verification any certificate for any name will do, and the log warns."""
    with caplog.at_level(logging.WARNING):
        context = upstream_context(upstream_ca=None, insecure=True)
    origin = LeafCache(authority).context_for("a.example")
    origin.sni_callback = None
    handshake(origin, context, "else.example")
    assert "NOT verified" in caplog.text


@pytest.mark.parametrize("insecure", [True, False])
def test_end_without_close_notify_is_an_end(insecure: bool) -> None:
    """Where OpenSSL can overlook it, a missing close_notify fails no exchange."""
    wanted = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context = upstream_context(upstream_ca=None, insecure=insecure)
    assert context.options & wanted == wanted


# For clients in this process


def test_client_context_trusts_us_and_the_system(
    authority: Authority, own: Callable[..., Any], handshake: Callable[..., Any], system_file: Path
) -> None:
    """A library user's context accepts what the proxy shows, and real origins too."""
    given = own()
    system_file.write_bytes(given.pem)
    origin = Authority.load_or_create(
        system_file.parent, ca_cert=given.cert_path, ca_key=given.key_path
    )
    context = client_context(authority)
    for signer in (authority, origin):
        handshake(server_context(LeafCache(signer), "a.example"), context, "a.example")
