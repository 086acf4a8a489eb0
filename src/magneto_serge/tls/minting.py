"""Sign certificates: our authority's own, and leaves for the hosts that clients ask for.

The profile is the strictest that clients check today, so that all of them accept it: RFC 5280 as
``openssl verify -x509_strict`` reads it, and the CA/Browser Forum's limit of 200 days for leaves.

* Serial numbers are random (159 bits), never counted: two runs must not give an issuer the same
  number twice, which browsers refuse.
* A leaf's authority key identifier is the authority's *actual* subject key identifier, whatever
  method made it; verifiers look the issuer up by it (RFC 5280 §4.2.1.1).
* Names stand in the SAN alone; the subject is empty and the SAN therefore critical (§4.2.1.6).
* All leaves of a process share one key: making it costs more than signing with it.

``cryptography`` takes 60 ms to import, so it is imported where it is used.
"""

from __future__ import annotations

import datetime
import functools
import secrets
import threading
from typing import TYPE_CHECKING

from magneto_serge.errors import CertificateError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
        PrivateKeyTypes,
    )
    from cryptography.hazmat.primitives.hashes import SHA256

    from magneto_serge.tls.authority import Authority
    from magneto_serge.tls.names import SubjectName

AUTHORITY_LIFETIME = datetime.timedelta(days=3650)
LEAF_LIFETIME = datetime.timedelta(days=190)  # from not_before; the limit is 200, Apple's too
BACKDATED = datetime.timedelta(days=1)  # for clients whose clock is behind ours


def make_authority(now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return a new authority as ``(key, certificate)``, PEM each: EC P-256, self-signed.

    The subject ends in eight random hexadecimal digits: two authorities of one name confuse trust
    stores that look issuers up by name alone.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Magneto-Serge"),
            x509.NameAttribute(
                x509.NameOID.COMMON_NAME, f"Magneto-Serge CA {secrets.token_hex(4)}"
            ),
        ]
    )
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(ski, critical=False)
        .add_extension(aki, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _key_pem(key), _certificate_pem(certificate)


class Minter:
    """Signs leaves with the key of ``authority``.

    Raises CertificateError on construction where the key is of a kind that cannot sign leaves.
    """

    def __init__(self, authority: Authority) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self._not_before = authority.not_before
        self._not_after = authority.not_after
        self._chain = authority.chain_pem
        try:
            self._certificate = x509.load_pem_x509_certificate(authority.certificate_pem)
            self._aki = _authority_key_identifier(self._certificate)
            key = load_pem_private_key(authority.key_pem, password=None)
        except (ValueError, TypeError) as error:
            raise CertificateError(
                f"The certificate authority {authority.cert_path} cannot be used: {error}."
            ) from error
        self._key, self._hash = _signing_key(key, authority)

    def mint(self, name: SubjectName, now: datetime.datetime) -> tuple[bytes, datetime.datetime]:
        """Return ``(PEM, not_after)``: the leaf for ``name``, its chain and its private key.

        Raises CertificateError once the authority has expired.
        """
        from cryptography import x509

        not_before = max(now - BACKDATED, self._not_before)
        not_after = min(now - BACKDATED + LEAF_LIFETIME, self._not_after)
        if not_after <= now:
            raise CertificateError(
                f"The certificate authority has expired ({self._not_after:%Y-%m-%d}). "
                "Make a new one with `magneto ca rotate`, or give a current ca_cert."
            )
        key = leaf_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(_alternative_name(name), critical=True)
            .add_extension(self._aki, critical=False)
        )
        for extension, critical in _leaf_extensions():
            builder = builder.add_extension(extension, critical)
        certificate = builder.sign(self._key, self._hash)
        return _certificate_pem(certificate) + self._chain + _leaf_key_pem(), not_after


def leaf_key() -> EllipticCurvePrivateKey:
    """Return the key that every leaf of this process is for."""
    with _leaf_key_lock:
        return _leaf_key()


_leaf_key_lock = threading.Lock()  # functools.cache alone would let two threads make two


@functools.cache
def _leaf_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def _leaf_key_pem() -> bytes:
    return _key_pem(leaf_key())


@functools.cache
def _leaf_extensions() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """What all leaves have in common, with whether it is critical."""
    from cryptography import x509
    from cryptography.x509 import oid

    return (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(leaf_key().public_key()), False),
    )


def _alternative_name(name: SubjectName) -> x509.SubjectAlternativeName:
    from cryptography import x509

    if isinstance(name, str):
        return x509.SubjectAlternativeName([x509.DNSName(name)])
    return x509.SubjectAlternativeName([x509.IPAddress(name)])


def _authority_key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The authority's own SKI where it has one, else the hash of its key (RFC 5280 §4.2.1.2)."""
    from cryptography import x509

    try:
        ski = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        ski = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)


def _signing_key(
    key: PrivateKeyTypes, authority: Authority
) -> tuple[CertificateIssuerPrivateKeyTypes, SHA256 | None]:
    """Return the key and the hash it signs with; EdDSA brings its own (RFC 8410 §3)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return key, None
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key, SHA256()
    raise CertificateError(
        f"The key in {authority.key_path} is a {type(key).__name__}, which cannot sign TLS "
        "certificates that clients accept. Use an EC or RSA key."
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
