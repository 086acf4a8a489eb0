"""``magneto ca``: look at the certificate authority, hand it to programs, replace it.

Each command works on the authority that the proxy would use with the same settings, and makes it
on first use. What a script may want to capture (a path) is all that stands on stdout.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magneto_serge.config import Settings, load_settings
from magneto_serge.errors import ConfigError

if TYPE_CHECKING:
    from magneto_serge.tls.authority import Authority

_PATH = click.Path(path_type=Path)


def _authority_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which authority is meant; absent ones come from the settings."""
    for name, metavar, text in (
        ("--ca-key", "FILE", "Its private key (PEM), unless it is in the same file."),
        ("--ca-cert", "FILE", "A certificate authority of your own (PEM)."),
        ("--data-dir", "FOLDER", "Where our certificate authority is kept."),
    ):
        command = click.option(name, type=_PATH, metavar=metavar, help=text)(command)
    return command


def _settings(**options: Path | None) -> Settings:
    return load_settings({name: value for name, value in options.items() if value is not None})


def _authority(settings: Settings) -> Authority:
    from magneto_serge.tls.authority import Authority

    return Authority.load_or_create(
        settings.data_folder, ca_cert=settings.ca_cert, ca_key=settings.ca_key
    )


@click.group()
def ca() -> None:
    """The certificate authority that HTTPS is recorded with."""


@ca.command()
@_authority_options
def path(**options: Any) -> None:
    """Print the path of the certificate that clients must trust."""
    click.echo(_authority(_settings(**options)).cert_path)


@ca.command()
@_authority_options
def show(**options: Any) -> None:
    """Print whose certificate it is, its fingerprint, how long it is valid, where it is kept."""
    authority = _authority(_settings(**options))
    for label, value in (
        ("subject", authority.subject),
        ("sha256", authority.fingerprint),
        ("valid", f"{authority.not_before:%Y-%m-%d} to {authority.not_after:%Y-%m-%d} (UTC)"),
        ("certificate", authority.cert_path),
        ("key", f"{authority.key_path} ({_key_mode(authority)})"),
    ):
        click.echo(f"{label:<12} {value}")


def _key_mode(authority: Authority) -> str:
    if os.name == "nt":
        return "protected by the folder's access list"
    mode = f"mode {stat.S_IMODE(authority.key_path.stat().st_mode):04o}"
    if authority.key_is_private:
        return f"{mode}: only its owner can read it"
    return f"{mode}: OTHERS CAN READ IT, run chmod 600 on it"


@ca.command()
@click.option("-o", "--output", type=_PATH, metavar="FILE", help="Write it there instead.")
@_authority_options
def bundle(output: Path | None, **options: Any) -> None:
    """Write the system's trust and our certificate into one PEM file; print its path."""
    from magneto_serge.tls.bundle import write_bundle

    settings = _settings(**options)
    written = write_bundle(_authority(settings), settings.data_folder, os.environ, output=output)
    click.echo(written)


@ca.command("install-help")
@_authority_options
def install_help(**options: Any) -> None:
    """Print the steps that make this system, browsers, Java, Node and Docker trust it."""
    from magneto_serge.tls import install_help as steps

    authority = _authority(_settings(**options))
    system = steps.this_system(sys.platform, _os_release())
    click.echo(steps.install_help(authority, system), nl=False)


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text(errors="replace")
    except OSError:
        return ""


@ca.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@_authority_options
def rotate(yes: bool, **options: Any) -> None:
    """Replace our certificate authority by a new one; the old one is kept as a backup."""
    from magneto_serge.tls.authority import Authority
    from magneto_serge.tls.bundle import write_bundle

    settings = _settings(**options)
    folder = settings.data_folder
    if settings.ca_cert is not None:
        raise ConfigError(
            f"ca_cert is set ({settings.ca_cert}): the certificate authority in use is your own, "
            "and only the one that we made can be rotated. Replace your files, or unset ca_cert."
        )
    if not yes:
        question = f"Make a new certificate authority in {folder}? What trusts the old one will "
        click.confirm(f"{question}refuse us until it trusts the new one", abort=True, err=True)
    authority, backup = Authority.rotate(folder)
    write_bundle(authority, folder, os.environ)
    if backup is not None:
        click.echo(f"The old one is kept in {backup}", err=True)
    click.echo("Stop proxies that are still running, and see: magneto ca install-help", err=True)
    click.echo(authority.cert_path)
