"""The three ``ssl.SSLContext``s of a proxy: towards clients, towards origins, and for our users.

Contexts are built once and shared by every connection. Importing this module imports neither
``cryptography`` nor ``truststore``.
"""

from __future__ import annotations

import logging
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from magneto_serge.errors import CertificateError
from magneto_serge.tls import pem, trust

if TYPE_CHECKING:
    from magneto_serge.tls.authority import Authority
    from magneto_serge.tls.leaf import LeafCache

# macOS and Windows have verifiers of their own, reached through truststore. Elsewhere truststore
# only finds OpenSSL's files, but loads them anew for every connection: 47 ms each with 140
# authorities in SSL_CERT_FILE, measured, against 0.1 ms for a context that was loaded once. So
# there we find the same files by the same rules, once (trust.load_system_trust).
_HAS_NATIVE_VERIFIER = sys.platform in ("darwin", "win32")

_log = logging.getLogger(__name__)


def server_context(leaves: LeafCache, default_name: str) -> ssl.SSLContext:
    """Return the context for a client's connection; the same object for the same name.

    The client sees a leaf for the name in its SNI, or for ``default_name`` without one. ALPN
    ``http/1.1`` only, TLS 1.2 and later. Raises CertificateError where ``default_name`` cannot
    stand in a certificate.
    """
    return leaves.context_for(default_name)


def upstream_context(*, upstream_ca: Path | None, insecure: bool) -> ssl.SSLContext:
    """Return the context for connections to origins.

    Trusts what the system trusts, and the certificates in ``upstream_ca`` (a PEM or DER file, or
    a folder of them) besides. ``insecure`` verifies nothing, and says so in the log. Raises
    CertificateError where ``upstream_ca`` cannot be read or holds no certificate.
    """
    if insecure:
        context = _unverified()
    else:
        context = _system_trusting()
        if upstream_ca is not None:
            _add_trust(context, _upstream_certificates(upstream_ca), upstream_ca)
    context.set_alpn_protocols(["http/1.1"])
    # Many origins close without close_notify. Where a body ends is for HTTP to say, and
    # Content-Length and chunked do so (RFC 9112 §9.8); TLS alone shall not fail the exchange.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


def client_context(authority: Authority) -> ssl.SSLContext:
    """Return a context for a client inside this process: system trust and our authority."""
    context = _system_trusting()
    _add_trust(context, [authority.certificate_pem], authority.cert_path)
    return context


def _system_trusting() -> ssl.SSLContext:
    if _HAS_NATIVE_VERIFIER:
        import truststore

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.load_system_trust(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _unverified() -> ssl.SSLContext:
    _log.warning("TLS certificates of origins are NOT verified (insecure): anyone may answer.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _upstream_certificates(path: Path) -> list[bytes]:
    try:
        found = pem.read_certificates(path)
    except OSError as error:
        raise CertificateError(
            f"upstream_ca {path} cannot be read ({error.strerror or error}). "
            "Give a PEM or DER file of certificates, or a folder of such files."
        ) from error
    if not found:
        raise CertificateError(
            f"There is no certificate in upstream_ca {path}. "
            "Give a PEM or DER file of certificates, or a folder of such files."
        )
    return found


def _add_trust(context: ssl.SSLContext, certificates: list[bytes], source: Path) -> None:
    try:
        context.load_verify_locations(cadata=b"".join(certificates).decode("ascii"))
    except ssl.SSLError as error:
        raise CertificateError(
            f"A certificate in {source} is damaged ({error.reason or error}). "
            "Check it with: openssl x509 -noout -text -in FILE"
        ) from error
    # Whoever names a certificate trusts it, be it an intermediate or an origin's own.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
