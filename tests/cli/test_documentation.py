"""docs/cli.md and docs/configuration.md name everything there is, and nothing there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from magneto_serge import errors
from magneto_serge.cli.child import CommandNotExecutableError, CommandNotFoundError
from magneto_serge.cli.interrupts import EXIT_AT_ONCE
from magneto_serge.cli.main import COMMANDS, cli
from magneto_serge.cli.options import FLAGS
from magneto_serge.config import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")


def command(name: str) -> click.Command:
    """Return a command of ours."""
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def options(name: str) -> Iterator[str]:
    """Yield every spelling of every option of a command."""
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            yield from parameter.opts
            yield from parameter.secondary_opts


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    """By its name."""
    assert f"magneto {name}" in CLI


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "ca"])
def test_every_option_is_documented(name: str) -> None:
    """In each of its spellings."""
    missing = [option for option in options(name) if not re.search(rf"`{option}[` ]", CLI)]
    assert missing == []


def test_every_option_in_the_documentation_exists() -> None:
    """Nothing is promised that was taken away."""
    known = {option for name in COMMANDS if name != "ca" for option in options(name)}
    known |= {"-h", "--help", "--version"}
    promised = set(re.findall(r"`(--?[a-z][a-z-]*)[` ]", CLI))
    assert promised - known == set()


def test_every_exit_code_is_documented() -> None:
    """Those of the tree, of the shell's convention, and of the second signal."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in kinds if issubclass(each, errors.MagnetoError)}
    codes |= {CommandNotFoundError.exit_code, CommandNotExecutableError.exit_code, EXIT_AT_ONCE, 0}
    table = CLI.partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == codes
    assert "| 128+N |" in table


def rows() -> dict[str, str]:
    """Return the documented settings and their defaults."""
    return dict(re.findall(r"^\| `([a-z_]+)` \| (\S+) \|", CONFIGURATION, re.MULTILINE))


def test_every_setting_is_documented_and_no_other() -> None:
    """One row each."""
    assert set(rows()) == {field.name for field in msgspec.structs.fields(Settings)}


def in_toml(value: Any) -> str:
    """Return a default as the documentation has it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def test_every_default_in_the_documentation_is_the_default() -> None:
    """Written as in a file."""
    fields = msgspec.structs.fields(Settings)
    assert rows() == {field.name: in_toml(getattr(Settings(), field.name)) for field in fields}


def test_defaults_in_the_help_are_the_defaults() -> None:
    """Where a flag's help names one in brackets, it is that of the setting."""
    spelt = {True: "on", False: "off", 4 * 1024**2: "4M", 64 * 1024: "64k", 2 * 1024**3: "2G"}
    for flag in FLAGS:
        default = getattr(Settings(), flag.setting)
        named = re.search(r"\[([\w./]+)\]\.?", flag.help.replace("[:PORT]", ""))
        if named and flag.setting not in ("no_proxy", "upstream_proxy"):
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert named[1] in (spelt.get(default), shown), flag.setting
