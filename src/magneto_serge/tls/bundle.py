"""One PEM file for programs that take their trust from a file: the system's, the user's and ours.

Such a program's own trust is *replaced* by the file, so the file must hold everything the program
trusted before: what the system trusts, and what the user had named in the same variables. Ours
comes last. Nothing but certificates is copied; a key in a user's file stays where it is.

The file is ``ca-bundle.pem`` in the data folder. With an authority of the user's own, or with
certificates from the environment, it is ``ca-bundle-XXXXXXXXXXXX.pem``, named after those, so that
two proxies with different settings do not overwrite each other's. It is replaced atomically, and
only when it changed: a child that is reading it is never disturbed. A proxy within a proxy names
our own file in its environment, and arrives at the same file again; an authority that was
rotated away is left out, wherever it still is named.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from magneto_serge.errors import CertificateError
from magneto_serge.tls import atomic, pem, trust
from magneto_serge.tls.authority import CERTIFICATE_FILE, retired_certificates

if TYPE_CHECKING:
    from magneto_serge.tls.authority import Authority

TRUST_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, Python's ssl, httpx, Go, Ruby, Rust's native-certs, uv
    "REQUESTS_CA_BUNDLE",  # requests
    "CURL_CA_BUNDLE",  # curl, and requests
    "NODE_EXTRA_CA_CERTS",  # Node, Bun
    "AWS_CA_BUNDLE",  # boto3, the AWS command
    "GIT_SSL_CAINFO",  # git
    "PIP_CERT",  # pip
    "DENO_CERT",  # Deno
)
_PUBLIC_MODE = 0o644

_log = logging.getLogger(__name__)


def trust_variables(bundle: Path) -> dict[str, str]:
    """Return the environment that makes a child trust ``bundle``: every variable, that path."""
    return dict.fromkeys(TRUST_VARIABLES, str(bundle))


def write_bundle(
    authority: Authority,
    data_dir: Path,
    environ: Mapping[str, str],
    *,
    output: Path | None = None,
) -> Path:
    """Write the bundle unless it is there already; return its absolute path.

    It goes into ``data_dir``, or to the file ``output``. What ``environ`` names and cannot be read
    is passed over with a warning. Raises CertificateError where the file cannot be written.
    """
    system = trust.system_certificates()
    retired = retired_certificates(data_dir)
    named = [block for block in _named_by(environ) if block not in retired]
    path = output or data_dir / _file_name(authority, data_dir, system, named)
    _write(path.absolute(), _joined(authority, system, named))
    return path.absolute()


def _write(path: Path, content: bytes) -> None:
    try:
        if not (path.is_file() and path.read_bytes() == content):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.publish(path, content, _PUBLIC_MODE)
    except OSError as error:
        raise CertificateError(
            f"The trust bundle {path} cannot be written ({error.strerror or error}). Make that "
            "folder writable, or choose another with data_dir (MAGNETO_DATA_DIR)."
        ) from error


def _joined(authority: Authority, system: list[bytes], named: list[bytes]) -> bytes:
    ours = pem.certificates(authority.certificate_pem)
    others = [block for block in pem.unique(system + named) if block not in ours]
    return b"".join(others + ours)


def _file_name(
    authority: Authority, data_dir: Path, system: list[bytes], named: list[bytes]
) -> str:
    known = {*system, *pem.certificates(authority.certificate_pem)}
    special = [block for block in named if block not in known]
    if authority.cert_path != data_dir.absolute() / CERTIFICATE_FILE:
        special.append(authority.certificate_pem)
    if not special:
        return "ca-bundle.pem"
    return f"ca-bundle-{hashlib.sha256(b''.join(special)).hexdigest()[:12]}.pem"


def _named_by(environ: Mapping[str, str]) -> list[bytes]:
    """Return the certificates in the files and folders that the trust variables name."""
    sources: dict[str, str] = {}
    for variable in TRUST_VARIABLES:
        if environ.get(variable):
            sources.setdefault(environ[variable], variable)
    blocks: list[bytes] = []
    for path, variable in sources.items():
        try:
            blocks += pem.read_certificates(Path(path))
        except OSError as error:
            reason = error.strerror or error
            _log.warning("%s names %s, which cannot be read (%s)", variable, path, reason)
    return pem.unique(blocks)
