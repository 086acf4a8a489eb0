"""PEM text is read however it was written, and certificates come out in one form."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.tls import pem
from magneto_serge.tls.authority import Authority


def test_certificate_comes_out_canonical_whatever_the_line_ends(authority: Authority) -> None:
    """CRLF, indentation and long lines make no difference to what is read."""
    body = b"".join(authority.certificate_pem.splitlines()[1:-1])
    one_line = b"-----BEGIN CERTIFICATE-----\r\n  %b\r\n-----END CERTIFICATE-----" % body
    assert pem.certificates(one_line) == [authority.certificate_pem]


def test_keys_and_comments_never_come_along(authority: Authority) -> None:
    """Only certificates are taken from a file that holds more."""
    text = b"# mine: \xe9\n" + authority.key_pem + authority.certificate_pem + b"junk"
    assert pem.certificates(text) == [authority.certificate_pem]


def test_repeats_are_dropped(authority: Authority) -> None:
    """The same certificate twice is one certificate."""
    assert len(pem.certificates(authority.certificate_pem * 2)) == 1


@pytest.mark.parametrize("body", [b"", b"not base64!", b"AAAA"])
def test_damaged_block_is_left_out(authority: Authority, body: bytes) -> None:
    """A block that is not base64 of DER does not spoil the certificates around it."""
    damaged = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % body
    assert pem.certificates(damaged + authority.certificate_pem) == [authority.certificate_pem]


@given(st.binary(max_size=200))
def test_anything_may_be_read(noise: bytes) -> None:
    """No bytes make the reader fail, and bytes without a certificate hold none."""
    assert pem.certificates(noise) == []


def test_private_key_is_found_in_a_combined_file(authority: Authority) -> None:
    """A key is found beside a certificate, in either order."""
    both = authority.certificate_pem + authority.key_pem
    assert pem.private_key(both) == authority.key_pem
    assert pem.private_key(authority.certificate_pem) is None


def test_encrypted_keys_are_known_in_both_dialects() -> None:
    """PKCS #8 says ENCRYPTED in its label, the older form in a header."""
    assert pem.is_encrypted(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert pem.is_encrypted(b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n")
    assert not pem.is_encrypted(b"-----BEGIN EC PRIVATE KEY-----\nMHcC")


def test_der_file_is_read(authority: Authority, tmp_path: Path) -> None:
    """A .cer file in DER, as Windows exports it, is read like PEM."""
    path = tmp_path / "ca.cer"
    path.write_bytes(pem.der(authority.certificate_pem))
    assert pem.read_certificates(path) == [authority.certificate_pem]


def test_folder_is_read_past_what_cannot_be(authority: Authority, tmp_path: Path) -> None:
    """Dangling links, sub-folders and other files in a folder are passed over."""
    (tmp_path / "a.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "b.txt").write_text("hello")
    (tmp_path / "c.0").symlink_to("gone")
    (tmp_path / "d").mkdir()
    assert pem.read_certificates(tmp_path) == [authority.certificate_pem]


def test_changed_file_is_read_again(authority: Authority, tmp_path: Path) -> None:
    """What is remembered of a file is forgotten when the file changes."""
    path = tmp_path / "trust.pem"
    path.write_bytes(authority.certificate_pem)
    assert len(pem.read_certificates(path)) == 1
    path.write_bytes(b"nothing")
    assert pem.read_certificates(path) == []


def test_missing_file_is_the_callers_business(tmp_path: Path) -> None:
    """A path that cannot be read raises OSError."""
    with pytest.raises(OSError, match="No such file"):
        pem.read_certificates(tmp_path / "gone")


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(("algorithm", "ours"), [("sha256", "fingerprint"), ("sha1", "sha1")])
def test_fingerprints_are_openssls(authority: Authority, algorithm: str, ours: str) -> None:
    """Fingerprints read as ``openssl x509 -fingerprint`` prints them."""
    printed = subprocess.run(
        ["openssl", "x509", "-in", authority.cert_path, "-noout", "-fingerprint", f"-{algorithm}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.partition("=")[2]
    found = getattr(pem, ours)(authority.certificate_pem)
    assert found.replace(":", "") == printed.strip().replace(":", "")


@pytest.mark.parametrize("memory", [True, False])
def test_lent_file_is_private_and_gone_afterwards(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, memory: bool
) -> None:
    """A key lent to ``ssl`` is never readable by others and leaves nothing behind."""
    if memory and not hasattr(os, "memfd_create"):
        pytest.skip("needs memfd_create, which this system does not have")
    if not memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with pem.as_file(authority.certificate_pem + authority.key_pem) as path:
        assert path.startswith("/proc/self/fd/") is memory
        if not memory:
            assert os.stat(path).st_mode & 0o777 == 0o600
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    assert not os.path.exists(path)


def test_lent_file_is_on_disk_where_proc_is_not_mounted(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc an anonymous file has no path, and a temporary one takes its place."""
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: "/proc/" not in path and exists(path))
    with pem.as_file(authority.certificate_pem) as path:
        assert Path(path).read_bytes() == authority.certificate_pem
