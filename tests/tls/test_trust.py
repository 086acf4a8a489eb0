"""The system's trust is found wherever this kind of system keeps it."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from magneto_serge.tls import pem, trust


def use_paths(monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    """Let OpenSSL have been built for the paths given, and for nothing else."""
    values = {"cafile": None, "capath": None, "openssl_cafile": "/no/file", **found}
    values = {"openssl_capath": "/no/folder", **values}
    monkeypatch.setattr(trust.ssl, "get_default_verify_paths", lambda: SimpleNamespace(**values))


def trusted(context: ssl.SSLContext) -> list[bytes]:
    """Return the authorities that ``context`` has loaded, as PEM."""
    ders = context.get_ca_certs(binary_form=True)
    return sorted(ssl.DER_cert_to_PEM_cert(der).encode() for der in ders)


def test_openssls_own_file_is_listed_first(
    own: Callable[..., Any], system_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What OpenSSL was built for counts, before the places where distributions differ."""
    given = own()
    use_paths(monkeypatch, openssl_cafile=str(given.cert_path))
    assert trust.system_certificates() == [given.pem]


def test_distributions_file_is_listed(system_file: Path) -> None:
    """A Python built for another system finds this system's file."""
    assert trust.system_certificates() == pem.certificates(system_file.read_bytes())


def test_folder_is_listed_where_there_is_no_file(
    own: Callable[..., Any], system_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may keep its trust in a folder of single files only."""
    system_file.unlink()
    folder = tmp_path / "certs"
    folder.mkdir()
    given = own()
    (folder / "0123abcd.0").write_bytes(given.pem)
    use_paths(monkeypatch, openssl_capath=str(folder))
    assert trust.system_certificates() == [given.pem]


def test_system_without_trust_lists_nothing(system_file: Path) -> None:
    """A container without ca-certificates is no error here."""
    system_file.unlink()
    assert trust.system_certificates() == []


def test_keychains_are_listed_on_macos(
    own: Callable[..., Any], system_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS ``security`` lists the trust; where it fails, the file serves."""
    monkeypatch.setattr(trust, "sys", SimpleNamespace(platform="darwin"))
    given = own()
    answer = SimpleNamespace(stdout=b"keychain: x\n" + given.pem)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert trust.system_certificates() == [given.pem]

    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", fail)
    assert trust.system_certificates() == pem.certificates(system_file.read_bytes())


def test_stores_are_listed_on_windows(
    own: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows the ROOT and CA stores are listed, X.509 entries only, each once."""
    monkeypatch.setattr(trust, "sys", SimpleNamespace(platform="win32"))
    given = own()
    entries = [(pem.der(given.pem), "x509_asn", True), (b"?", "pkcs_7_asn", True)]
    monkeypatch.setattr(ssl, "enum_certificates", lambda _: entries, raising=False)
    assert trust.system_certificates() == [given.pem]


def test_context_gets_the_distributions_file(system_file: Path) -> None:
    """Where OpenSSL's defaults are empty, a context loads what the system has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_system_trust(context)
    assert trusted(context) == sorted(pem.certificates(system_file.read_bytes()))


def test_ssl_cert_file_counts_for_a_context(
    own: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE is honoured as every OpenSSL program honours it."""
    given = own()
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(given.cert_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_system_trust(context)
    assert given.pem in trusted(context)


def test_folder_counts_for_a_context_if_openssl_can_use_it(
    own: Callable[..., Any], system_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is OpenSSL's to search when its names are hashes; otherwise the file is loaded."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "corporate.pem").write_bytes(own().pem)
    use_paths(monkeypatch, capath=str(folder))
    unhashed = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_system_trust(unhashed)
    assert len(trusted(unhashed)) == 2
    (folder / "0123abcd.0").symlink_to("corporate.pem")
    hashed = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(tmp_path / "nowhere"))
    trust.load_system_trust(hashed)
    assert trusted(hashed) == []


def test_system_without_trust_is_reported(
    system_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every connection is going to fail: the log says why before the first does."""
    system_file.unlink()
    with caplog.at_level(logging.WARNING):
        trust.load_system_trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert "ca-certificates" in caplog.text
