"""The steps are made out to this machine, and complete for every system."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from magneto_serge.tls.authority import Authority
from magneto_serge.tls.install_help import install_help, this_system

SYSTEMS = ["debian", "alpine", "fedora", "suse", "arch", "macos", "windows", "linux"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_steps_name_the_file_and_the_programs(authority: Authority, system: str) -> None:
    """Every system gets its own section first, then each program; nothing is left to fill in."""
    text = install_help(authority, system)
    assert "This system" in text.split("\n\n")[1]
    for program in ("Firefox", "Chrome", "Java", "Node", "Python", "Docker", "iOS"):
        assert program in text
    assert str(authority.cert_path) in text
    assert "{" not in text


@pytest.mark.parametrize("system", SYSTEMS)
def test_lines_fit_a_terminal(authority: Authority, system: str) -> None:
    """Apart from the path, no line is longer than 100 columns."""
    short = msgspec.structs.replace(authority, cert_path=Path("/d/ca.pem"))
    assert max(len(line) for line in install_help(short, system).splitlines()) <= 100


def test_path_with_a_space_is_quoted(authority: Authority) -> None:
    """macOS keeps data in "Application Support"; the command must survive being pasted."""
    spaced = Path("/Users/me/Application Support/ca.pem")
    moved = msgspec.structs.replace(authority, cert_path=spaced)
    assert f"-k ~/Library/Keychains/login.keychain-db '{spaced}'" in install_help(moved, "macos")
    assert f'-addstore Root "{spaced}"' in install_help(moved, "windows")


@pytest.mark.parametrize(
    ("platform", "os_release", "system"),
    [
        ("darwin", "", "macos"),
        ("win32", "", "windows"),
        ("linux", "ID=debian\n", "debian"),
        ("linux", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ("linux", 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ("linux", "ID=manjaro\nID_LIKE=arch\n", "arch"),
        ("linux", "ID=alpine\n", "alpine"),
        ("linux", 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ("linux", "ID=nixos\n", "linux"),
        ("linux", "garbage", "linux"),
        ("freebsd14", "", "linux"),
    ],
)
def test_system_is_recognised(platform: str, os_release: str, system: str) -> None:
    """Derivatives are treated as what they derive from; the rest gets general advice."""
    assert this_system(platform, os_release) == system
