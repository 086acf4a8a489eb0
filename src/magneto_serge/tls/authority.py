"""The certificate authority that signs for every host: made once per user, or the user's own.

Two files in the data folder (mode 0700):

* ``ca-key.pem`` (0600): the private key *and* the certificate. It alone is the truth, and since it
  is one file, it appears and is replaced in one step: two processes that make an authority at the
  same moment end up with the same one, and a crash never leaves a key without its certificate.
* ``ca.pem`` (0644): the certificate alone, for clients to trust; written again whenever it differs.

An authority of the user's own (``ca_cert``, ``ca_key``) is read where it is and never written to;
where certificate and key share a file, a copy without the key goes into the data folder, because
``cert_path`` is what people hand to clients and copy into images.

Loading needs the standard library only (``ssl`` parses and checks), so that a proxy which meets no
TLS never pays for importing ``cryptography``.
"""

from __future__ import annotations

import datetime
import hashlib
import logging
import os
import ssl
from pathlib import Path
from typing import NamedTuple

import msgspec

from magneto_serge.errors import CertificateError
from magneto_serge.tls import atomic, pem
from magneto_serge.tls.inspection import Facts, inspect, key_mismatch

KEY_FILE = "ca-key.pem"
CERTIFICATE_FILE = "ca.pem"
_BACKUP_NAME = "ca-key.old-{}.pem"
KEY_MODE = 0o600
_PUBLIC_MODE = 0o644
_FOLDER_MODE = 0o700

_log = logging.getLogger(__name__)


class Authority(msgspec.Struct, frozen=True):
    """A certificate authority, checked when it was loaded.

    ``certificate_pem`` begins with the certificate that issues; where the user's own file has a
    chain, the rest follows. ``chain_pem`` is what a server sends after its leaf: empty for a root.
    Paths are absolute.
    ``fingerprint`` is SHA-256 as ``openssl x509 -fingerprint`` prints it. Times are UTC.
    """

    cert_path: Path
    key_path: Path
    certificate_pem: bytes
    chain_pem: bytes
    key_pem: bytes
    subject: str
    fingerprint: str
    not_before: datetime.datetime
    not_after: datetime.datetime

    def __repr__(self) -> str:  # the key must not reach a log
        return f"Authority({self.subject!r}, {str(self.cert_path)!r})"

    @classmethod
    def load_or_create(
        cls, data_dir: Path, *, ca_cert: Path | None = None, ca_key: Path | None = None
    ) -> Authority:
        """Load the user's own authority where given, else ours, made on first use.

        Raises CertificateError, naming file and remedy, for what cannot be read, written or used:
        not PEM, no key, another certificate's key, not an authority, expired.
        """
        data_dir = data_dir.absolute()
        if ca_cert is not None:
            key = None if ca_key is None else ca_key.absolute()
            return _load_own(data_dir, ca_cert.absolute(), key)
        if ca_key is not None:
            raise CertificateError(
                f"ca_key is set ({ca_key}) but ca_cert is not. Give the certificate that the key "
                "belongs to as ca_cert, or leave both out to use the authority we make."
            )
        return _load_or_create_ours(data_dir)

    @classmethod
    def rotate(cls, data_dir: Path) -> tuple[Authority, Path | None]:
        """Replace our authority by a new one; return it and where the old key file was kept.

        The old one is kept as ``ca-key.old-XXXXXXXXXXXX.pem`` (0600); None if there was none.
        Raises CertificateError where the folder cannot be read or written.
        """
        data_dir = data_dir.absolute()
        key_path = data_dir / KEY_FILE
        fresh = _new_key_file()
        try:
            _make_folder(data_dir)
            backup = _keep(key_path)
            atomic.publish(key_path, fresh, KEY_MODE)
        except OSError as error:
            raise _unwritable(data_dir, error) from error
        return _load_ours(data_dir), backup

    @property
    def key_is_private(self) -> bool:
        """Whether nobody but the owner can read the key file; always true on Windows (ACLs)."""
        return os.name == "nt" or not self.key_path.stat().st_mode & 0o077


def retired_certificates(data_dir: Path) -> list[bytes]:
    """Return the certificates of authorities rotated away, PEM each: no longer to be trusted."""
    blocks: list[bytes] = []
    for backup in data_dir.glob(_BACKUP_NAME.format("*")):
        try:
            blocks += pem.certificates(backup.read_bytes())
        except OSError:
            continue
    return blocks


def _load_or_create_ours(data_dir: Path) -> Authority:
    key_path = data_dir / KEY_FILE
    try:
        missing = not key_path.exists()
        if missing and (data_dir / CERTIFICATE_FILE).exists():
            # Somebody may trust that certificate: a silent replacement would only puzzle them.
            raise CertificateError(
                f"{data_dir / CERTIFICATE_FILE} is there but its key {key_path} is gone. Put the "
                "key file back, or make a new authority with `magneto ca rotate`."
            )
        if missing:
            _make_folder(data_dir)
            atomic.claim(key_path, _new_key_file(), KEY_MODE)
    except OSError as error:
        raise _unwritable(data_dir, error) from error
    return _load_ours(data_dir)


def _load_ours(data_dir: Path) -> Authority:
    key_path = data_dir / KEY_FILE
    content = _read(key_path, "Make it readable to you, or choose another data_dir.")
    sources = _Sources(
        key_path, key_path, "Make a new one with `magneto ca rotate`; the old file is kept."
    )
    authority = _checked(sources, content, content, data_dir / CERTIFICATE_FILE)
    if not authority.key_is_private:
        _log.warning("Others can read the key of the CA. Run: chmod 600 %s", key_path)
    _publish_certificate(authority)
    return authority


def _load_own(data_dir: Path, ca_cert: Path, ca_key: Path | None) -> Authority:
    remedy = "Check ca_cert and ca_key, or leave both out to use the authority we make."
    cert_content = _read(ca_cert, remedy)
    key_content = cert_content if ca_key is None else _read(ca_key, remedy)
    sources = _Sources(ca_cert, ca_key or ca_cert, remedy)
    authority = _checked(sources, cert_content, key_content, ca_cert)
    if pem.private_key(cert_content) is None:
        return authority
    public = data_dir / f"ca-{authority.fingerprint.replace(':', '')[:16].lower()}.pem"
    authority = msgspec.structs.replace(authority, cert_path=public)
    _publish_certificate(authority)
    return authority


class _Sources(NamedTuple):
    """The files an authority came from, and what its owner can do when they are no good."""

    certificate: Path
    key: Path
    remedy: str

    def refuse(self, reason: str) -> CertificateError:
        return CertificateError(f"{reason} {self.remedy}")


def _checked(
    sources: _Sources, cert_content: bytes, key_content: bytes, cert_path: Path
) -> Authority:
    """Build an Authority from what the files hold, refusing what could not work later."""
    certificates = pem.certificates(cert_content)
    if not certificates:
        raise sources.refuse(f"There is no PEM certificate in {sources.certificate}.")
    key = pem.private_key(key_content)
    if key is None:
        raise sources.refuse(f"There is no PEM private key in {sources.key}.")
    if pem.is_encrypted(key):
        raise CertificateError(
            f"The private key in {sources.key} has a passphrase. Decrypt it into a file that only "
            f"you can read: (umask 077; openssl pkey -in {sources.key} -out ca-key.pem)"
        )
    facts = _current_facts(sources, certificates[0])
    mismatch = key_mismatch(certificates[0], key)
    if mismatch is not None:
        raise sources.refuse(
            f"The private key in {sources.key} does not go with the first certificate in "
            f"{sources.certificate} ({mismatch})."
        )
    chain = b"".join(certificates)
    return Authority(
        cert_path=cert_path,
        key_path=sources.key,
        certificate_pem=chain,
        chain_pem=b"" if facts.is_root else chain,
        key_pem=key,
        subject=facts.subject,
        fingerprint=pem.fingerprint(certificates[0]),
        not_before=facts.not_before,
        not_after=facts.not_after,
    )


def _current_facts(sources: _Sources, certificate: bytes) -> Facts:
    try:
        facts = inspect(certificate)
    except ssl.SSLError as error:
        raise sources.refuse(
            f"The certificate in {sources.certificate} is damaged ({error.reason or error})."
        ) from error
    if facts is None:
        raise sources.refuse(
            f"The first certificate in {sources.certificate} may not sign others: it is not a "
            "certificate authority (basicConstraints CA:TRUE, keyUsage keyCertSign)."
        )
    now = datetime.datetime.now(datetime.UTC)
    if facts.not_after <= now:
        raise sources.refuse(
            f"The certificate authority in {sources.certificate} expired on "
            f"{facts.not_after:%Y-%m-%d}."
        )
    if facts.not_before > now:
        raise sources.refuse(
            f"The certificate authority in {sources.certificate} is not valid before "
            f"{facts.not_before:%Y-%m-%d %H:%M} UTC; the clock here says {now:%Y-%m-%d %H:%M}."
        )
    return facts


def _new_key_file() -> bytes:
    from magneto_serge.tls.minting import make_authority

    key, certificate = make_authority(datetime.datetime.now(datetime.UTC))
    return key + certificate


def _publish_certificate(authority: Authority) -> None:
    """Write the key-free file for clients, unless it says the same already."""
    path = authority.cert_path
    try:
        if path.is_file() and path.read_bytes() == authority.certificate_pem:
            return
        _make_folder(path.parent)
        atomic.publish(path, authority.certificate_pem, _PUBLIC_MODE)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _keep(key_path: Path) -> Path | None:
    """Copy a key file that is about to be replaced; the same content is kept once."""
    if not key_path.exists():
        return None
    content = key_path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    backup = key_path.with_name(_BACKUP_NAME.format(digest))
    atomic.claim(backup, content, KEY_MODE)
    return backup


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"{path} cannot be read ({error.strerror or error}). {remedy}"
        ) from error


def _unwritable(folder: Path, error: OSError) -> CertificateError:
    return CertificateError(
        f"The certificate authority cannot be kept in {folder} ({error.strerror or error}). "
        "Make that folder writable, or choose another with data_dir (MAGNETO_DATA_DIR)."
    )
