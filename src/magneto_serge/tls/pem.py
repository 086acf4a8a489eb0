"""PEM text: find certificates and private keys in files that people and systems wrote.

Rules of the room:

* A certificate comes out in one canonical form (LF, 64 columns, RFC 7468 §2), so that two copies
  of it are equal as bytes; comments, keys and whatever else the file holds never come along.
* A block that is not base64 is left out: OpenSSL refuses a whole file for one such block.
* ``ssl`` loads keys from files only; :func:`as_file` lends bytes a path that nobody else can read.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import os
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:X509 )?CERTIFICATE-----(.*?)-----END (?:X509 )?CERTIFICATE-----", re.DOTALL
)
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL
)
_DER_SEQUENCE = b"\x30"


def certificates(text: bytes) -> list[bytes]:
    """Return the certificates in ``text``, canonical PEM each, in order, without repeats."""
    found = (_canonical(match[1]) for match in _CERTIFICATE.finditer(text))
    return unique(block for block in found if block is not None)


def unique(blocks: Iterable[bytes]) -> list[bytes]:
    """Return ``blocks`` in order, each once."""
    return list(dict.fromkeys(blocks))


def private_key(text: bytes) -> bytes | None:
    """Return the first private key block in ``text``, or None."""
    match = _PRIVATE_KEY.search(text)
    return match[0] + b"\n" if match else None


def is_encrypted(key: bytes) -> bool:
    """Tell whether a private key block needs a passphrase (PKCS #8 or RFC 1421 §4.6 headers)."""
    return b"ENCRYPTED" in key


def read_certificates(path: Path) -> list[bytes]:
    """Return the certificates in a PEM or DER file, or in the files of a folder.

    In a folder, what cannot be read is passed over: such folders are full of dangling links.
    Raises OSError where ``path`` itself cannot be read.
    """
    if not path.is_dir():
        status = path.stat()
        return list(_unchanged_file(path, status.st_mtime_ns, status.st_size))
    blocks: list[bytes] = []
    for entry in sorted(path.iterdir()):
        try:
            blocks += _file_certificates(entry) if entry.is_file() else []
        except OSError:
            continue
    return unique(blocks)


@functools.lru_cache(maxsize=16)
def _unchanged_file(path: Path, _mtime_ns: int, _size: int) -> tuple[bytes, ...]:
    """A system's trust is 220 kB and 5 ms of parsing, and read for each session of a test run."""
    return tuple(_file_certificates(path))


def _file_certificates(path: Path) -> list[bytes]:
    content = path.read_bytes()
    if content.startswith(_DER_SEQUENCE):  # no PEM text begins with "0": RFC 7468 §2
        return [ssl.DER_cert_to_PEM_cert(content).encode("ascii")]
    return certificates(content)


def _canonical(body: bytes) -> bytes | None:
    text = b"".join(body.split())
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    if not der.startswith(_DER_SEQUENCE):
        return None
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % b"\n".join(lines)


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 of a PEM certificate's DER as ``openssl x509`` prints it: ``AB:CD:…``."""
    return hashlib.sha256(der(certificate)).digest().hex(":").upper()


def sha1(text: bytes) -> str:
    """Return the SHA-1 of the first certificate in ``text``, by which key chains name it."""
    first = der(certificates(text)[0])
    return hashlib.sha1(first, usedforsecurity=False).hexdigest().upper()


def der(certificate: bytes) -> bytes:
    """Return the DER of one canonical PEM certificate."""
    return base64.b64decode(b"".join(certificate.splitlines()[1:-1]))


@contextmanager
def as_file(content: bytes) -> Iterator[str]:
    """Lend ``content`` a path for the length of a ``with``; only this process's user can read it.

    On Linux it is anonymous memory and never reaches a disk; elsewhere (or where /proc is not
    mounted) it is a temporary file of mode 0600, gone on leaving.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("pem")
        try:
            path = f"/proc/self/fd/{fd}"
            if os.path.exists(path):
                os.write(fd, content)
                yield path
                return
        finally:
            os.close(fd)
    with _temporary_file(content) as path:
        yield path


@contextmanager
def _temporary_file(content: bytes) -> Iterator[str]:
    import tempfile

    fd, path = tempfile.mkstemp(suffix=".pem")  # 0600 and O_EXCL
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        yield path
    finally:
        os.unlink(path)
