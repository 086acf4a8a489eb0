"""A bundle adds to what a program trusted, never replaces it, and never disturbs a reader."""

from __future__ import annotations

import logging
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.errors import CertificateError
from magneto_serge.tls import atomic, pem
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.bundle import TRUST_VARIABLES, trust_variables, write_bundle
from magneto_serge.tls.minting import Minter


@pytest.fixture
def data(authority: Authority) -> Path:
    """Return the folder that the shared authority lives in."""
    return authority.cert_path.parent


def held(path: Path) -> list[bytes]:
    """Return the certificates in a file."""
    return pem.certificates(path.read_bytes())


def test_system_trust_is_still_in_it(authority: Authority, data: Path, system_file: Path) -> None:
    """Everything that the system trusts comes first, our authority last."""
    path = write_bundle(authority, data, {})
    assert path == data / "ca-bundle.pem"
    assert held(path) == [*held(system_file), authority.certificate_pem]


def test_bundle_is_nothing_but_certificates(
    authority: Authority, data: Path, system_file: Path
) -> None:
    """No comment and no key: Java and Node read it as it is, and ``ssl`` loads all of it."""
    content = write_bundle(authority, data, {}).read_bytes()
    assert b"#" not in content
    assert b"".join(pem.certificates(content)) == content
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=content.decode())
    assert len(context.get_ca_certs()) == 3


@pytest.mark.usefixtures("system_file")
@pytest.mark.parametrize("variable", TRUST_VARIABLES)
def test_what_the_user_named_is_in_it(
    authority: Authority, data: Path, own: Callable[..., Any], variable: str
) -> None:
    """A variable that we are about to replace keeps its effect."""
    given = own()
    given.cert_path.write_bytes(given.key_pem + given.pem)
    path = write_bundle(authority, data, {variable: str(given.cert_path)})
    assert given.pem in held(path)
    assert b"PRIVATE" not in path.read_bytes()


@pytest.mark.usefixtures("system_file")
def test_a_folder_may_be_named(
    authority: Authority, data: Path, own: Callable[..., Any], tmp_path: Path
) -> None:
    """REQUESTS_CA_BUNDLE may name a folder."""
    folder = tmp_path / "certs"
    folder.mkdir()
    given = own()
    given.cert_path.rename(folder / "corporate.pem")
    assert given.pem in held(write_bundle(authority, data, {"REQUESTS_CA_BUNDLE": str(folder)}))


@pytest.mark.usefixtures("system_file")
def test_missing_file_is_reported_and_passed_over(
    authority: Authority, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable that names nothing costs a warning, not the run."""
    with caplog.at_level(logging.WARNING):
        path = write_bundle(authority, data, {"SSL_CERT_FILE": "/no/such.pem", "PIP_CERT": ""})
    assert path == data / "ca-bundle.pem"
    assert "SSL_CERT_FILE names /no/such.pem" in caplog.text
    assert "PIP_CERT" not in caplog.text


@pytest.mark.usefixtures("system_file")
def test_unchanged_bundle_is_not_written(
    authority: Authority, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second proxy leaves the file alone that a first one's child may be reading."""
    path = write_bundle(authority, data, {})

    def fail(*_: object) -> None:
        pytest.fail("the bundle was written again")

    monkeypatch.setattr(atomic, "publish", fail)
    assert write_bundle(authority, data, {}) == path


def test_bundle_follows_the_system(authority: Authority, data: Path, system_file: Path) -> None:
    """When the system's trust changes, so does the bundle."""
    before = held(write_bundle(authority, data, {}))
    system_file.write_bytes(before[0])
    assert held(write_bundle(authority, data, {})) == [before[0], authority.certificate_pem]


@pytest.mark.usefixtures("system_file")
def test_different_settings_have_different_files(
    authority: Authority, data: Path, own: Callable[..., Any]
) -> None:
    """Proxies with other certificates, or another authority, do not overwrite each other's."""
    corporate, mine = own(name="Corporate"), own(name="Mine")
    used = Authority.load_or_create(data, ca_cert=mine.cert_path, ca_key=mine.key_path)
    environ = {"SSL_CERT_FILE": str(corporate.cert_path)}
    paths = {write_bundle(who, data, env) for who in (authority, used) for env in ({}, environ)}
    assert len(paths) == 4
    assert mine.pem not in held(data / "ca-bundle.pem")


@pytest.mark.usefixtures("system_file")
def test_proxy_in_a_proxy_arrives_at_the_same_file(
    authority: Authority, data: Path, own: Callable[..., Any]
) -> None:
    """Our own bundle in the environment changes nothing, however often it is nested."""
    environ = {"SSL_CERT_FILE": str(own().cert_path)}
    outer = write_bundle(authority, data, environ)
    assert write_bundle(authority, data, trust_variables(outer)) == outer
    plain = write_bundle(authority, data, {})
    assert write_bundle(authority, data, trust_variables(plain)) == plain


@pytest.mark.usefixtures("system_file")
def test_rotated_authority_is_trusted_no_longer(tmp_path: Path) -> None:
    """After a rotation the old certificate leaves the bundle, though a shell still names it."""
    old = Authority.load_or_create(tmp_path)
    path = write_bundle(old, tmp_path, {})
    new, _ = Authority.rotate(tmp_path)
    assert write_bundle(new, tmp_path, trust_variables(path)) == path
    assert old.certificate_pem not in held(path)
    assert held(path)[-1] == new.certificate_pem


@pytest.mark.usefixtures("system_file")
def test_relative_folder_gives_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child in another folder finds the bundle, under its plain name."""
    monkeypatch.chdir(tmp_path)
    made = Authority.load_or_create(Path("data"))
    assert write_bundle(made, Path("data"), {}) == tmp_path / "data" / "ca-bundle.pem"


@pytest.mark.usefixtures("system_file")
def test_bundle_goes_where_asked(authority: Authority, data: Path, tmp_path: Path) -> None:
    """With ``output`` the file is written there, and its folder made."""
    path = write_bundle(authority, data, {}, output=tmp_path / "deep" / "trust.pem")
    assert path == tmp_path / "deep" / "trust.pem"
    assert held(path)[-1] == authority.certificate_pem


def test_place_that_cannot_be_written_is_named(
    authority: Authority, data: Path, tmp_path: Path
) -> None:
    """The error says which file and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match=r"file/trust\.pem cannot be written"):
        write_bundle(authority, data, {}, output=tmp_path / "file" / "trust.pem")


def test_every_variable_names_the_bundle() -> None:
    """A child is told in each dialect."""
    assert trust_variables(Path("/b.pem")) == dict.fromkeys(TRUST_VARIABLES, "/b.pem")


@pytest.mark.needs("openssl")
@pytest.mark.usefixtures("system_file")
def test_openssl_verifies_with_the_bundle(authority: Authority, data: Path, tmp_path: Path) -> None:
    """``openssl verify`` accepts our leaf with the bundle as its only trust."""
    import datetime

    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(Minter(authority).mint("a.example", datetime.datetime.now(datetime.UTC))[0])
    bundle = write_bundle(authority, data, {})
    command = ["openssl", "verify", "-no-CApath", "-CAfile", bundle, leaf]
    assert subprocess.run(command, capture_output=True).returncode == 0
