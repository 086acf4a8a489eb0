"""The flags: each setting has one, and only what was typed is handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from magneto_serge.cli.options import (
    FLAGS,
    ProxyCommand,
    given_command,
    given_settings,
    proxy_options,
)
from magneto_serge.config import Settings


class Typed:
    """A command with all flags, and what it was given when it was last run."""

    def __init__(self) -> None:
        self.settings: dict[str, object] = {}
        self.command: tuple[str, ...] = ()

        @click.command("record", cls=ProxyCommand)
        @click.argument("name")
        @proxy_options
        @click.pass_context
        def record(ctx: click.Context, /, name: str, **_: Any) -> None:
            self.settings, self.command = given_settings(ctx), given_command(ctx)

        self._command = record

    def line(self, *arguments: str) -> Result:
        """Type a line."""
        return CliRunner().invoke(self._command, arguments)


@pytest.fixture
def typed() -> Typed:
    """A command nothing was given to yet."""
    return Typed()


def test_every_setting_has_a_flag() -> None:
    """But the mode, which is the command itself, and the tables for single cassettes."""
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    assert {flag.setting for flag in FLAGS} == fields - {"mode", "cassettes"}


def test_only_what_was_typed_is_handed_on(typed: Typed) -> None:
    """A flag's default must not hide the environment and the file."""
    typed.line("x", "-p", "0")
    assert typed.settings == {"port": 0}


def test_values_are_converted_as_in_every_other_source(typed: Typed) -> None:
    """A size is a size, a path a path."""
    typed.line("x", "--max-body-in-memory", "16M", "-d", "tapes", "--idle-timeout", "2.5")
    assert typed.settings == {
        "memory_limit": 16 * 1024 * 1024,
        "cassette_dir": Path("tapes"),
        "idle_timeout": 2.5,
    }


def test_a_flag_can_take_back_what_a_file_says(typed: Typed) -> None:
    """Each switch has its opposite, and a URL can be none."""
    typed.line("x", "--no-insecure", "--no-redact", "--upstream-proxy", "")
    assert typed.settings == {"insecure": False, "redact": False, "upstream_proxy": None}


def test_hosts_may_be_repeated(typed: Typed) -> None:
    """One flag for each host."""
    typed.line("x", "--ignore-host", "a", "--ignore-host", "*.b")
    assert typed.settings == {"ignore_hosts": ("a", "*.b")}


def test_a_wrong_value_names_the_flag_and_what_is_accepted(typed: Typed) -> None:
    """Exit status 2."""
    result = typed.line("x", "--port", "eighty")
    assert result.exit_code == 2
    assert "'-p' / '--port': 'eighty' is not a whole number from 0 to 65535" in result.output


def test_a_wrong_secret_is_not_repeated(typed: Typed) -> None:
    """It was typed once too often already."""
    result = typed.line("x", "--proxy-auth", "hunter2")
    assert "expected USER:PASSWORD" in result.output
    assert "hunter2" not in result.output


def test_all_after_the_dashes_is_the_users_command(typed: Typed) -> None:
    """Options of ours included, and further dashes too."""
    typed.line("x", "-q", "--", "curl", "-p", "--port", "--", "-h")
    assert typed.settings == {"quiet": True}
    assert typed.command == ("curl", "-p", "--port", "--", "-h")


def test_without_dashes_there_is_no_command(typed: Typed) -> None:
    """The proxy stands alone."""
    typed.line("x")
    assert typed.command == ()


def test_dashes_without_a_command_are_a_mistake(typed: Typed) -> None:
    """A script's variable was empty, probably."""
    result = typed.line("x", "--")
    assert result.exit_code == 2
    assert "There is no command after --." in result.output


@pytest.mark.parametrize("line", [("x", "curl", "http://a/"), ("x", "curl", "-sS", "http://a/")])
def test_a_command_without_dashes_is_told_where_to_go(typed: Typed, line: tuple[str, ...]) -> None:
    """The commonest mistake of all."""
    result = typed.line(*line)
    assert result.exit_code == 2
    assert "A command to run goes after --: record NAME -- COMMAND ..." in result.output


def test_an_unknown_option_alone_is_just_that(typed: Typed) -> None:
    """There is no command in sight to be told about."""
    result = typed.line("x", "--loud")
    assert "No such option" in result.output
    assert "goes after --" not in result.output


def test_help_is_in_sections(typed: Typed) -> None:
    """And shows where a command goes."""
    help_text = typed.line("--help").output
    assert "NAME [-- COMMAND ...]" in help_text
    titles = ("Listening:", "Cassettes:", "Reaching origins:", "Limits (S: seconds):", "Options:")
    places = [help_text.index(title) for title in titles]
    assert places == sorted(places)
