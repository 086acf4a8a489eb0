"""The table of commands, help, and errors that become exit codes."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from magneto_serge import _version, errors
from magneto_serge.cli.main import COMMANDS, cli


def invoke(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, arguments, prog_name="magneto")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Result:
    """Run a command that raises ``error``."""

    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "get_command", lambda *_: broken)
    return invoke("list")


def test_the_version_is_printed() -> None:
    """One line, for scripts and bug reports."""
    assert invoke("--version").output == f"magneto {_version.__version__}\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_with_its_summary(option: str) -> None:
    """Without importing any of them."""
    result = invoke(option)
    assert result.exit_code == 0
    for name, (_, _, summary) in COMMANDS.items():
        assert f"{name} " in result.output
        assert summary in result.output


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_explains_itself(
    name: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both spellings, everywhere."""
    # click keeps the help option of a command from its first use, in another test maybe.
    command = cli.get_command(click.Context(cli), name)
    monkeypatch.setattr(command, "_help_option", None, raising=False)
    result = invoke(name, option)
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: magneto {name} ")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "ca"])
def test_every_command_has_an_example(name: str) -> None:
    """An example is understood before an explanation is."""
    assert f"Examples:\n    magneto {name}" in invoke(name, "-h").output


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "ca"])
def test_the_summary_is_the_first_sentence_of_the_commands_own_help(name: str) -> None:
    """The table of summaries cannot go stale."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name][2]


def test_a_misspelt_command_gets_the_nearest() -> None:
    """Exit status 2, as for every usage error."""
    result = invoke("recrod", "x")
    assert result.exit_code == 2
    assert "No such command 'recrod'. Did you mean record?" in result.output


def test_a_command_like_no_other_gets_the_list() -> None:
    """Nothing is guessed."""
    assert "Commands: record, replay, strict, auto" in invoke("zzzz").output


def test_a_misspelt_option_gets_the_nearest() -> None:
    """click knows how."""
    result = invoke("record", "x", "--reverce", "y")
    assert result.exit_code == 2
    assert "--reverse" in result.output


ERRORS = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, errors.MagnetoError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_our_errors_are_one_message_and_an_exit_code(
    kind: type[errors.MagnetoError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a traceback; the code tells what kind it was."""
    result = failing(monkeypatch, kind("what, where, what next"))
    assert result.exit_code == kind.exit_code
    assert result.stderr == "magneto: what, where, what next\n"


def test_an_error_of_the_system_is_a_message_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no mistake of ours."""
    result = failing(monkeypatch, OSError(28, "No space left on device", "/x"))
    assert result.exit_code == 1
    assert result.stderr == "magneto: [Errno 28] No space left on device: '/x'\n"


def test_ctrl_c_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 130, as a shell has it."""
    result = failing(monkeypatch, KeyboardInterrupt())
    assert (result.exit_code, result.output) == (130, "")


def test_a_reader_that_went_away_is_no_error_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """`magneto show x | head` prints what head wants and nothing else."""
    assert failing(monkeypatch, BrokenPipeError(32, "Broken pipe")).stderr == ""


SLOW = {"rich", "cryptography", "asyncio", "ssl", "subprocess", "tomllib", "platformdirs"}


@pytest.mark.parametrize("module", ["main", "run"])
def test_nothing_slow_is_imported_before_it_is_needed(module: str) -> None:
    """Starting takes as long as its imports; help and options need none of these."""
    code = f"import sys, magneto_serge.cli.{module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert SLOW & set(loaded.stdout.split()) == set()


def test_the_package_runs_as_a_module() -> None:
    """`python -m magneto_serge` is the same command."""
    command = [sys.executable, "-m", "magneto_serge", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == f"magneto {_version.__version__}\n"
