"""Whom this machine trusts: the places where systems keep their certificate authorities.

Two views of the same: :func:`load_system_trust` gives it to a context, :func:`system_certificates`
lists it as PEM for programs that take a file. On Linux both read what OpenSSL would. macOS and
Windows decide in their own verifiers, which ``truststore`` calls.
"""

from __future__ import annotations

import logging
import re
import ssl
import sys
from pathlib import Path

from magneto_serge.tls import pem

# Where distributions keep the trust in one file, for Pythons whose OpenSSL was built for another.
SYSTEM_FILES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Arch, Alpine
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # SUSE
    Path("/etc/pki/tls/cert.pem"),  # older Fedora and RHEL
    Path("/etc/ssl/cert.pem"),  # macOS, Alpine, BSD
)
_MACOS_KEYCHAINS = (
    "/System/Library/Keychains/SystemRootCertificates.keychain",
    "/Library/Keychains/System.keychain",
)
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # openssl rehash

_log = logging.getLogger(__name__)


def load_system_trust(context: ssl.SSLContext) -> None:
    """Make ``context`` trust whom OpenSSL programs on this Linux or BSD trust.

    SSL_CERT_FILE and SSL_CERT_DIR count, as they do for every OpenSSL program. A system without
    any trust gets a warning, since every verified connection is going to fail.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and _is_hashed(Path(paths.capath))):
        context.set_default_verify_paths()
        return
    for path in SYSTEM_FILES:
        if path.is_file():
            context.load_verify_locations(cafile=path)
            return
    _log.warning(
        "This system trusts no certificate authority at all. Install the ca-certificates package, "
        "or name the authorities to trust with upstream_ca."
    )


def system_certificates() -> list[bytes]:
    """Return what this system trusts as canonical PEM; the environment does not count."""
    if sys.platform == "win32":
        entries = [entry for store in ("ROOT", "CA") for entry in ssl.enum_certificates(store)]
        ders = [content for content, encoding, _ in entries if encoding == "x509_asn"]
        return pem.unique(ssl.DER_cert_to_PEM_cert(der).encode("ascii") for der in ders)
    if sys.platform == "darwin":
        return _macos_certificates() or _unix_certificates()
    return _unix_certificates()


def _unix_certificates() -> list[bytes]:
    paths = ssl.get_default_verify_paths()
    for path in (Path(paths.openssl_cafile), *SYSTEM_FILES, Path(paths.openssl_capath)):
        try:
            found = pem.read_certificates(path)
        except OSError:
            continue
        if found:
            return found
    return []


def _macos_certificates() -> list[bytes]:
    import subprocess

    try:
        listing = subprocess.run(  # noqa: S603 - fixed arguments
            ["/usr/bin/security", "find-certificate", "-a", "-p", *_MACOS_KEYCHAINS],
            capture_output=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return pem.certificates(listing.stdout)


def _is_hashed(folder: Path) -> bool:
    return folder.is_dir() and any(_HASHED_NAME.fullmatch(path.name) for path in folder.iterdir())
