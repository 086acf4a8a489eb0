"""Leaves are what the strictest clients accept, and their issuer is found by its identifier."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from magneto_serge.errors import CertificateError
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.minting import Minter
from magneto_serge.tls.names import SubjectName

NOW = datetime.datetime.now(datetime.UTC)


def mint(authority: Authority, name: SubjectName = "a.example") -> x509.Certificate:
    """Return the leaf for ``name`` alone, without its chain."""
    return x509.load_pem_x509_certificate(Minter(authority).mint(name, NOW)[0])


def test_name_stands_in_the_san_alone(authority: Authority) -> None:
    """RFC 5280 §4.2.1.6: with an empty subject the SAN is critical, and it has the one name."""
    leaf = mint(authority)
    assert list(leaf.subject) == []
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert san.critical
    assert list(san.value) == [x509.DNSName("a.example")]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_address_is_an_ip_san(authority: Authority, address: str) -> None:
    """RFC 9110 §4.3.5: an IP address is matched by an iPAddress SAN, never by a dNSName."""
    ip = ipaddress.ip_address(address)
    san = mint(authority, ip).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(san.value) == [x509.IPAddress(ip)]


def test_the_profile(authority: Authority) -> None:
    """serverAuth, digitalSignature, no CA; alive now, and for under 197 days in all."""
    leaf = mint(authority)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < datetime.timedelta(days=197)


def test_serial_numbers_are_random(authority: Authority) -> None:
    """The same issuer never gives a number twice, for the same name neither."""
    minter = Minter(authority)
    leaves = [x509.load_pem_x509_certificate(minter.mint("a.example", NOW)[0]) for _ in range(50)]
    assert len({leaf.serial_number for leaf in leaves}) == 50
    assert min(leaf.serial_number.bit_length() for leaf in leaves) > 64


def test_all_leaves_share_one_key(authority: Authority, own: Callable[..., Any]) -> None:
    """The key is the process's, whatever the name and whoever signs."""
    given = own()
    other = Authority.load_or_create(
        given.cert_path.parent, ca_cert=given.cert_path, ca_key=given.key_path
    )
    assert mint(authority).public_key() == mint(other, "b.example").public_key()


@pytest.mark.parametrize("ski", [b"", b"chosen by somebody", None])
def test_authority_key_identifier_is_the_actual_one(
    own: Callable[..., Any], tmp_path: Path, ski: bytes | None
) -> None:
    """RFC 5280 §4.2.1.1: leaves name their issuer's own identifier, however that was made."""
    given = own(ski=ski)
    authority = Authority.load_or_create(tmp_path, ca_cert=given.cert_path, ca_key=given.key_path)
    aki = mint(authority).extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    by_hash = x509.SubjectKeyIdentifier.from_public_key(given.key.public_key()).digest
    assert aki.key_identifier == (ski or by_hash)


def test_leaf_does_not_outlive_its_authority(own: Callable[..., Any], tmp_path: Path) -> None:
    """A leaf lies within its issuer's time, and none is signed after that."""
    given = own(days=(0, 5))
    minter = Minter(
        Authority.load_or_create(tmp_path, ca_cert=given.cert_path, ca_key=given.key_path)
    )
    pem, not_after = minter.mint("a.example", NOW)
    leaf = x509.load_pem_x509_certificate(pem)
    assert leaf.not_valid_after_utc == not_after == given.certificate.not_valid_after_utc
    assert leaf.not_valid_before_utc == given.certificate.not_valid_before_utc
    with pytest.raises(CertificateError, match=r"expired.*magneto ca rotate"):
        minter.mint("a.example", NOW + datetime.timedelta(days=6))


def test_authority_that_cannot_sign_leaves(authority: Authority, own: Callable[..., Any]) -> None:
    """A key of a kind that no client accepts is refused by name."""
    key = dsa.generate_private_key(1024)
    given = own(key=key)
    strange = Authority(
        cert_path=given.cert_path,
        key_path=given.key_path,
        certificate_pem=given.pem,
        chain_pem=b"",
        key_pem=given.key_pem,
        subject="CN=Own CA",
        fingerprint=authority.fingerprint,
        not_before=authority.not_before,
        not_after=authority.not_after,
    )
    with pytest.raises(CertificateError, match=r"own-ca\.key is a .*DSA"):
        Minter(strange)


KEYS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("ski", [b"", None])
def test_openssl_verifies_leaves_of_own_authorities(
    own: Callable[..., Any], tmp_path: Path, kind: str, ski: bytes | None
) -> None:
    """``openssl verify`` accepts what an authority of any usual kind signed."""
    given = own(key=KEYS[kind](), ski=ski)
    authority = Authority.load_or_create(tmp_path, ca_cert=given.cert_path, ca_key=given.key_path)
    verify(tmp_path, authority, "a.example", "-verify_hostname", "a.example")


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("a.example", "-verify_hostname"),
        ("my_service", "-verify_hostname"),
        ("xn--bcher-kva.example", "-verify_hostname"),
        ("127.0.0.1", "-verify_ip"),
        ("::1", "-verify_ip"),
    ],
)
def test_openssl_verifies_our_leaves_strictly(
    authority: Authority, tmp_path: Path, name: str, option: str
) -> None:
    """``openssl verify -x509_strict`` finds nothing to object to in what we sign."""
    subject = ipaddress.ip_address(name) if option == "-verify_ip" else name
    verify(tmp_path, authority, subject, "-x509_strict", option, name)


@pytest.mark.needs("openssl")
def test_openssl_verifies_a_chain(own: Callable[..., Any], tmp_path: Path) -> None:
    """A leaf of an intermediate is verified from the root, with the chain that we send."""
    root = own(name="Root")
    middle = own(name="Middle", issuer=root)
    authority = Authority.load_or_create(tmp_path, ca_cert=middle.cert_path, ca_key=middle.key_path)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(authority.chain_pem)
    verify(tmp_path, authority, "a.example", "-untrusted", chain, trust=root.cert_path)


def verify(
    folder: Path,
    authority: Authority,
    name: SubjectName,
    *options: str | Path,
    trust: Path | None = None,
) -> None:
    """Run ``openssl verify`` on a leaf for ``name``, for the purpose of a TLS server."""
    leaf = folder / "leaf.pem"
    leaf.write_bytes(Minter(authority).mint(name, NOW)[0])
    command = [
        "openssl",
        "verify",
        "-purpose",
        "sslserver",
        "-CAfile",
        trust or authority.cert_path,
    ]
    done = subprocess.run([*command, *options, leaf], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
