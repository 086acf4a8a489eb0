"""``magneto ca`` prints what scripts capture, and changes nothing without being told to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from magneto_serge.cli.ca import ca
from magneto_serge.errors import CertificateError, ConfigError
from magneto_serge.tls import pem
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.bundle import TRUST_VARIABLES

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder, from the environment, that does not exist yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGNETO_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def run(data: Path) -> Run:
    """Run ``magneto ca`` with arguments; errors of ours come out as they were raised."""

    def invoke(*arguments: str, typed: str = "") -> Result:
        result = CliRunner().invoke(ca, arguments, input=typed)
        if isinstance(result.exception, CertificateError | ConfigError):
            raise result.exception
        return result

    return invoke


def test_path_is_all_that_path_prints(run: Run, data: Path) -> None:
    """The certificate is made on first use, and its path alone is on stdout."""
    assert run("path").stdout == f"{data / 'ca.pem'}\n"
    assert (data / "ca.pem").exists()


def test_data_dir_option_wins(run: Run, data: Path, tmp_path: Path) -> None:
    """An argument goes before the environment."""
    printed = run("path", "--data-dir", str(tmp_path / "other")).stdout
    assert printed == f"{tmp_path / 'other' / 'ca.pem'}\n"
    assert not data.exists()


def test_show_prints_the_facts(run: Run, data: Path) -> None:
    """Subject, fingerprint, validity, files, and whether the key's mode is right."""
    made = Authority.load_or_create(data)
    printed = run("show").stdout
    for fact in (made.subject, made.fingerprint, f"{made.not_after:%Y-%m-%d}", made.cert_path):
        assert str(fact) in printed
    assert "mode 0600: only its owner can read it" in printed
    made.key_path.chmod(0o640)
    assert "mode 0640: OTHERS CAN READ IT" in run("show").stdout


@pytest.mark.needs("openssl")
def test_fingerprint_is_what_openssl_prints(run: Run) -> None:
    """The fingerprint can be compared with another tool's."""
    path = run("path").stdout.strip()
    command = ["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip().partition("=")[2] in run("show").stdout


def test_own_authority_is_shown(run: Run, data: Path, tmp_path: Path) -> None:
    """``--ca-cert`` and ``--ca-key`` choose another authority, here as everywhere."""
    other = Authority.load_or_create(tmp_path / "other")
    options = ("--ca-cert", str(other.cert_path), "--ca-key", str(other.key_path))
    assert other.fingerprint in run("show", *options).stdout
    assert run("path", *options).stdout == f"{other.cert_path}\n"
    assert not data.exists()


def test_bundle_prints_its_path(run: Run, data: Path) -> None:
    """The bundle is written into the data folder and ends in our certificate."""
    path = Path(run("bundle").stdout.removesuffix("\n"))
    assert path == data / "ca-bundle.pem"
    assert pem.certificates(path.read_bytes())[-1] == (data / "ca.pem").read_bytes()


def test_bundle_is_written_where_asked(run: Run, tmp_path: Path) -> None:
    """``-o`` chooses the file; a relative path comes out absolute."""
    assert run("bundle", "-o", "trust.pem").stdout == f"{tmp_path / 'trust.pem'}\n"
    assert (tmp_path / "trust.pem").exists()


def test_install_help_is_made_out_to_our_file(run: Run, data: Path) -> None:
    """The steps name the real path."""
    printed = run("install-help").stdout
    assert printed.startswith(f"The certificate to trust is {data / 'ca.pem'}\n")
    assert "Firefox" in printed


def test_rotate_asks_first(run: Run, data: Path) -> None:
    """Anything but a yes leaves the authority as it was."""
    made = Authority.load_or_create(data)
    for typed in ("n\n", "", "\n"):
        assert run("rotate", typed=typed).exit_code == 1
    assert Authority.load_or_create(data) == made


@pytest.mark.parametrize(("arguments", "typed"), [(["--yes"], ""), ([], "y\n")])
def test_rotate_replaces_and_keeps(run: Run, data: Path, arguments: list[str], typed: str) -> None:
    """A new authority is in use, the bundle is new too, and the backup is named."""
    old = Authority.load_or_create(data)
    result = run("rotate", *arguments, typed=typed)
    assert result.stdout == f"{data / 'ca.pem'}\n"
    new = Authority.load_or_create(data)
    assert new.fingerprint != old.fingerprint
    assert pem.certificates((data / "ca-bundle.pem").read_bytes())[-1] == new.certificate_pem
    assert str(next(data.glob("ca-key.old-*.pem"))) in result.stderr


def test_rotate_leaves_an_own_authority_alone(run: Run, tmp_path: Path) -> None:
    """What the user brought is the user's to replace."""
    other = Authority.load_or_create(tmp_path / "other")
    with pytest.raises(ConfigError, match="is your own"):
        run("rotate", "--yes", "--ca-cert", str(other.cert_path))


def test_errors_are_ours(run: Run, data: Path) -> None:
    """A damaged authority is the error that the main command turns into a message."""
    data.mkdir()
    (data / "ca-key.pem").write_text("damaged")
    with pytest.raises(CertificateError, match="magneto ca rotate"):
        run("show")


def test_documentation_has_every_command_and_variable() -> None:
    """docs/certificates.md knows each command, its options, and each variable that we set."""
    page = (Path(__file__).parents[2] / "docs" / "certificates.md").read_text(encoding="utf-8")
    for name, command in ca.commands.items():
        assert f"### `magneto ca {name}" in page
        for option in command.params:
            assert option.opts[0] in page
    for variable in TRUST_VARIABLES:
        assert f"| `{variable}` |" in page
