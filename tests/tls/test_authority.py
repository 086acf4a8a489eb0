"""An authority is made once, kept safely, and refused with a reason where it could not work."""

from __future__ import annotations

import datetime
import logging
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from magneto_serge.errors import CertificateError
from magneto_serge.tls import authority as module
from magneto_serge.tls import minting
from magneto_serge.tls.authority import Authority, retired_certificates

LOAD = "import sys, pathlib; from magneto_serge.tls.authority import Authority; "


def mode(path: Path) -> int:
    """Return the permission bits of ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


def test_made_on_first_use_and_found_again(tmp_path: Path) -> None:
    """The second load finds what the first one made."""
    first = Authority.load_or_create(tmp_path / "data")
    assert Authority.load_or_create(tmp_path / "data") == first
    assert first.cert_path == tmp_path / "data" / "ca.pem"
    assert first.cert_path.read_bytes() == first.certificate_pem


def test_only_the_owner_can_read_the_key(tmp_path: Path) -> None:
    """Key file 0600 in a folder 0700; the certificate for clients has no key in it."""
    made = Authority.load_or_create(tmp_path / "deep" / "data")
    assert mode(made.key_path) == 0o600
    assert mode(tmp_path / "deep" / "data") == 0o700
    assert mode(made.cert_path) == 0o644
    assert b"PRIVATE" not in made.cert_path.read_bytes()
    assert made.key_is_private
    assert sorted(path.name for path in made.cert_path.parent.iterdir()) == ["ca-key.pem", "ca.pem"]


def test_the_profile(authority: Authority) -> None:
    """EC P-256, ten years, CA with pathlen 0, keyCertSign, matching identifiers, random serial."""
    certificate = x509.load_pem_x509_certificate(authority.certificate_pem)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life == datetime.timedelta(days=3650)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    ski = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    aki = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert ski.digest == aki.key_identifier
    assert certificate.serial_number.bit_length() > 100


def test_what_it_says_of_itself_is_what_the_certificate_says(authority: Authority) -> None:
    """Facts read by ``ssl`` agree with ``cryptography``."""
    certificate = x509.load_pem_x509_certificate(authority.certificate_pem)
    assert authority.not_before == certificate.not_valid_before_utc
    assert authority.not_after == certificate.not_valid_after_utc
    common_name = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    assert authority.subject == f"O=Magneto-Serge, CN={common_name}"


def test_its_key_stays_out_of_its_repr(authority: Authority) -> None:
    """An authority in a log line or a traceback does not give its key away."""
    assert "PRIVATE" not in repr(authority)


def test_two_authorities_share_neither_name_nor_serial(tmp_path: Path) -> None:
    """Trust stores that know issuers by name keep two of ours apart."""
    made = [Authority.load_or_create(tmp_path / name) for name in "ab"]
    certificates = [x509.load_pem_x509_certificate(each.certificate_pem) for each in made]
    assert certificates[0].subject != certificates[1].subject
    assert certificates[0].serial_number != certificates[1].serial_number


def test_loading_does_not_need_cryptography(authority: Authority) -> None:
    """An authority that exists is loaded without the slow import."""
    code = f"{LOAD}Authority.load_or_create(pathlib.Path(sys.argv[1])); "
    check = "sys.exit('cryptography' in sys.modules)"
    subprocess.run([sys.executable, "-c", code + check, authority.cert_path.parent], check=True)


def test_processes_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    """Of two processes that find no authority, both end up with the one."""
    code = (
        "import magneto_serge.tls.minting, cryptography.x509; "
        f"{LOAD}sys.stdin.readline(); "
        "print(Authority.load_or_create(pathlib.Path(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = {process.communicate(timeout=60)[0] for process in processes}
    assert printed == {Authority.load_or_create(tmp_path / "data").fingerprint + "\n"}
    assert len(list((tmp_path / "data").iterdir())) == 2


def test_the_loser_of_a_race_takes_the_winners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process was faster between look and write, its authority is ours too."""
    make = minting.make_authority
    winners: list[Authority] = []

    def slowly(now: datetime.datetime) -> tuple[bytes, bytes]:
        monkeypatch.setattr(minting, "make_authority", make)
        winners.append(Authority.load_or_create(tmp_path))
        return make(now)

    monkeypatch.setattr(minting, "make_authority", slowly)
    assert Authority.load_or_create(tmp_path) == winners[0]


def test_certificate_for_clients_is_restored(tmp_path: Path) -> None:
    """The key file is the truth: a lost or altered ca.pem is written again."""
    made = Authority.load_or_create(tmp_path)
    for damage in (made.cert_path.unlink, lambda: made.cert_path.write_text("old")):
        damage()
        assert Authority.load_or_create(tmp_path) == made
        assert made.cert_path.read_bytes() == made.certificate_pem


def test_lost_key_is_not_replaced_silently(tmp_path: Path) -> None:
    """Somebody may trust a certificate whose key is gone: the user decides."""
    made = Authority.load_or_create(tmp_path)
    made.key_path.unlink()
    with pytest.raises(CertificateError, match=r"ca-key.pem is gone.*magneto ca rotate"):
        Authority.load_or_create(tmp_path)


def test_damaged_key_file_names_the_remedy(tmp_path: Path) -> None:
    """A truncated key file is refused with what to do, not with a traceback."""
    made = Authority.load_or_create(tmp_path)
    made.key_path.write_bytes(made.key_path.read_bytes()[:100])
    with pytest.raises(CertificateError, match=r"ca-key.pem.*magneto ca rotate"):
        Authority.load_or_create(tmp_path)


def test_key_that_others_can_read_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody opened the key's mode: the log says how to close it."""
    made = Authority.load_or_create(tmp_path)
    made.key_path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert not Authority.load_or_create(tmp_path).key_is_private
    assert f"chmod 600 {made.key_path}" in caplog.text


def test_expired_authority_of_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten years later the error names the command that makes a new one."""
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=4000)
    key, certificate = minting.make_authority(old)
    (tmp_path / "ca-key.pem").write_bytes(key + certificate)
    with pytest.raises(CertificateError, match=r"expired on .*magneto ca rotate"):
        Authority.load_or_create(tmp_path)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where the folder cannot be made, the error names it and the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match=r"file/data.*MAGNETO_DATA_DIR"):
        Authority.load_or_create(tmp_path / "file" / "data")


def test_relative_folder_gives_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child with another working directory finds the files."""
    monkeypatch.chdir(tmp_path)
    assert Authority.load_or_create(Path("data")).cert_path == tmp_path / "data" / "ca.pem"


# Rotation


def test_rotation_makes_a_new_one_and_keeps_the_old(tmp_path: Path) -> None:
    """After a rotation the new authority is in use and the old one is kept, private, whole."""
    old = Authority.load_or_create(tmp_path)
    content = old.key_path.read_bytes()
    new, backup = Authority.rotate(tmp_path)
    assert new.fingerprint != old.fingerprint
    assert Authority.load_or_create(tmp_path) == new
    assert new.cert_path.read_bytes() == new.certificate_pem
    assert backup is not None
    assert backup.read_bytes() == content
    assert mode(backup) == mode(new.key_path) == 0o600
    assert retired_certificates(tmp_path) == [old.certificate_pem]


def test_rotation_works_where_there_is_nothing_yet(tmp_path: Path) -> None:
    """The first authority may be made by a rotation; there is no backup then."""
    new, backup = Authority.rotate(tmp_path / "data")
    assert backup is None
    assert Authority.load_or_create(tmp_path / "data") == new


def test_rotation_mends_what_loading_refuses(tmp_path: Path) -> None:
    """The remedy that errors name works: damaged and lost keys are replaced."""
    (tmp_path / "ca-key.pem").write_text("damaged")
    new, backup = Authority.rotate(tmp_path)
    assert backup is not None
    assert backup.read_text() == "damaged"
    new.key_path.unlink()
    assert Authority.rotate(tmp_path)[0] == Authority.load_or_create(tmp_path)


def test_rotation_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the old authority stays in use."""
    old = Authority.load_or_create(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.atomic, "publish", fail)
    with pytest.raises(CertificateError, match="No space left"):
        Authority.rotate(tmp_path)
    monkeypatch.undo()
    assert Authority.load_or_create(tmp_path) == old


# An authority of the user's own


def test_own_authority_in_two_files(own: Callable[..., Any], tmp_path: Path) -> None:
    """A certificate and its key are used where they are, and nothing is written."""
    given = own()
    data = tmp_path / "data"
    used = Authority.load_or_create(data, ca_cert=given.cert_path, ca_key=given.key_path)
    assert used.cert_path == given.cert_path
    assert used.certificate_pem == given.pem
    assert used.subject == "CN=Own CA"
    assert not data.exists()


def test_own_authority_in_one_file(own: Callable[..., Any], tmp_path: Path) -> None:
    """From a combined file, what clients are handed is a copy without the key."""
    given = own()
    given.cert_path.write_bytes(given.key_pem + given.pem)
    used = Authority.load_or_create(tmp_path / "data", ca_cert=given.cert_path)
    assert used.cert_path.parent == tmp_path / "data"
    assert used.cert_path.read_bytes() == given.pem
    assert used.key_path == given.cert_path


def test_own_intermediate_brings_its_chain(own: Callable[..., Any], tmp_path: Path) -> None:
    """What signs may be an intermediate: servers send it, clients are given the whole file."""
    root = own(name="Root")
    middle = own(name="Middle", issuer=root)
    middle.cert_path.write_bytes(middle.pem + root.pem)
    used = Authority.load_or_create(tmp_path, ca_cert=middle.cert_path, ca_key=middle.key_path)
    assert used.subject == "CN=Middle"
    assert used.certificate_pem == used.chain_pem == middle.pem + root.pem


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"is_ca": False}, "may not sign others"),
        ({"days": (-10, -1)}, "expired on"),
        ({"days": (1, 10)}, "not valid before"),
        ({"passphrase": b"secret"}, "has a passphrase.*openssl pkey"),
    ],
)
def test_own_authority_that_cannot_work(
    own: Callable[..., Any], tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    """Each reason for which clients would refuse our leaves is found at the start, and named."""
    given = own(**options)
    with pytest.raises(CertificateError, match=reason) as refused:
        Authority.load_or_create(tmp_path, ca_cert=given.cert_path, ca_key=given.key_path)
    assert "own-ca." in str(refused.value)


def test_own_key_of_another_certificate(own: Callable[..., Any], tmp_path: Path) -> None:
    """A key that does not belong to the certificate is refused, naming both files."""
    one, other = own(name="One"), own(name="Other")
    with pytest.raises(CertificateError, match=r"other\.key does not go with .*one\.pem"):
        Authority.load_or_create(tmp_path, ca_cert=one.cert_path, ca_key=other.key_path)


def test_own_files_that_are_not_what_they_should_be(
    own: Callable[..., Any], tmp_path: Path
) -> None:
    """Missing files, files without certificate or key, and a key alone each get their reason."""
    given = own()
    key, cert, gone = given.key_path, given.cert_path, tmp_path / "gone"
    damaged = tmp_path / "damaged.pem"
    damaged.write_bytes(b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n")
    for ca_cert, ca_key, reason in (
        (gone, key, "gone cannot be read"),
        (cert, gone, "gone cannot be read"),
        (tmp_path, key, "cannot be read"),
        (key, key, "no PEM certificate in .*own-ca.key"),
        (cert, None, "no PEM private key in .*own-ca.pem"),
        (damaged, key, "damaged"),
        (None, key, "ca_cert is not"),
    ):
        with pytest.raises(CertificateError, match=reason):
            Authority.load_or_create(tmp_path, ca_cert=ca_cert, ca_key=ca_key)
