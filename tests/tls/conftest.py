"""What the tests of certificates share: an authority, authorities of a user's own, handshakes."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from magneto_serge.tls import trust
from magneto_serge.tls.authority import Authority

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority of ours, made once for all tests that only read it."""
    return Authority.load_or_create(tmp_path_factory.mktemp("data") / "magneto")


class OwnAuthority:
    """A certificate authority as a user might bring it; written to ``folder`` as two files."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "Own CA",
        key: Any = None,
        ski: bytes | None = b"",
        is_ca: bool = True,
        days: tuple[int, int] = (-10, 10),
        issuer: OwnAuthority | None = None,
        passphrase: bytes | None = None,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if ski is not None:
            builder = builder.add_extension(self._identifier(ski), critical=False)
        if issuer is not None:
            aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            builder = builder.add_extension(aki, critical=False)
        signer = issuer.key if issuer else self.key
        algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        self.certificate = builder.sign(signer, algorithm)
        self.pem = self.certificate.public_bytes(Encoding.PEM)
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        self.key_pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        stem = name.lower().replace(" ", "-")
        self.cert_path = folder / f"{stem}.pem"
        self.key_path = folder / f"{stem}.key"
        self.cert_path.write_bytes(self.pem)
        self.key_path.write_bytes(self.key_pem)

    def _identifier(self, ski: bytes) -> x509.SubjectKeyIdentifier:
        if ski:
            return x509.SubjectKeyIdentifier(ski)
        return x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., OwnAuthority]:
    """Make authorities of a user's own in the test's folder."""

    def make(**options: Any) -> OwnAuthority:
        return OwnAuthority(tmp_path, **options)

    return make


Handshake = Callable[..., tuple[ssl.SSLObject, ssl.SSLObject]]


@pytest.fixture
def handshake() -> Handshake:
    """Shake hands in memory; return ``(client, server)``, or raise what the client met."""
    return shake_hands


def shake_hands(
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    name: str | None,
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Carry bytes between two TLS engines until both are done, and the tickets after that."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    pending = [client, server]
    while pending:
        pending = [side for side in pending if not finished(side)]
    server.write(b"x")
    assert client.read(1) == b"x"
    return client, server


def finished(side: ssl.SSLObject) -> bool:
    """Take a handshake as far as it goes now; a refusal by the server is the client's to see."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        if side.server_side:
            return True
        raise
    return True


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """Return a client that trusts our authority alone, as strictly as OpenSSL can check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.certificate_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.fixture
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a file with two authorities all that this system trusts."""
    path = tmp_path / "system-trust.pem"
    first, second = (OwnAuthority(tmp_path, name=f"System {n}") for n in (1, 2))
    path.write_bytes(b"# a comment\n" + first.pem + b"\n" + second.pem)
    nowhere = str(tmp_path / "nowhere")
    paths = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", nowhere, "SSL_CERT_DIR", nowhere)
    monkeypatch.setattr(trust.ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(trust, "SYSTEM_FILES", (path,))
    monkeypatch.setattr(trust, "sys", SimpleNamespace(platform="linux"))
    return path
