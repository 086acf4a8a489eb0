"""The user's command: its environment, its status, its signals."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from magneto_serge.cli import child
from magneto_serge.cli.child import CommandNotExecutableError, CommandNotFoundError
from magneto_serge.cli.interrupts import Interrupts


def run_python(code: str, environ: dict[str, str] | None = None) -> int:
    """Run a line of Python as the user's command."""
    with Interrupts() as interrupts:
        return child.run(
            [sys.executable, "-c", code], {**os.environ, **(environ or {})}, interrupts
        )


def test_the_status_is_the_commands() -> None:
    """Whatever it is."""
    assert [run_python(f"raise SystemExit({code})") for code in (0, 1, 77)] == [0, 1, 77]


def test_killed_by_a_signal_is_128_and_its_number() -> None:
    """As a shell has it."""
    assert run_python("import os; os.kill(os.getpid(), 9)") == 128 + 9


def test_the_command_sees_our_variables() -> None:
    """They replace those it would have had."""
    code = "import os; raise SystemExit(os.environ['HTTP_PROXY'] != 'http://127.0.0.1:1')"
    assert run_python(code, {"HTTP_PROXY": "http://127.0.0.1:1"}) == 0


def test_a_signal_sent_to_us_reaches_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """And we live on to hear how it ended."""
    monkeypatch.setattr(child, "in_foreground", lambda: False)
    tell_parent = "os.kill(os.getppid(), signal.SIGTERM)"
    code = f"import os, signal; {tell_parent}; signal.pause()"
    assert run_python(code) == 128 + signal.SIGTERM


def test_ctrl_c_on_a_terminal_is_not_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal has sent it to the whole foreground group already; SIGTERM it never sends."""
    monkeypatch.setattr(child, "in_foreground", lambda: True)
    code = (
        "import os, signal; os.kill(os.getppid(), signal.SIGINT);"
        "os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
    )
    assert run_python(code) == 128 + signal.SIGTERM


def test_a_signal_before_the_command_starts_keeps_it_from_starting(tmp_path: Path) -> None:
    """Ctrl-C while the proxy starts means: not at all."""
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert child.run(["touch", str(tmp_path / "x")], os.environ, interrupts) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_does_not_exist_is_not_found() -> None:
    """Status 127, as a shell has it."""
    with pytest.raises(CommandNotFoundError, match="command not found: no-such-program") as caught:
        child.check(["no-such-program"], os.environ)
    assert caught.value.exit_code == 127


def test_shell_syntax_is_pointed_out() -> None:
    """A quoted pipeline is one word, and there is no shell to take it apart."""
    with pytest.raises(CommandNotFoundError, match="needs a shell: -- sh -c"):
        child.check(["curl x | jq"], os.environ)


def test_a_file_without_the_permission_is_not_executable(tmp_path: Path) -> None:
    """Status 126, found by path or in PATH; the message says what to do."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    for command, path in ((str(script), ""), ("script", str(tmp_path))):
        with pytest.raises(CommandNotExecutableError, match=r"chmod \+x") as caught:
            child.check([command], {"PATH": path})
        assert caught.value.exit_code == 126


def test_a_folder_is_not_executable(tmp_path: Path) -> None:
    """A slash too many, usually."""
    with pytest.raises(CommandNotExecutableError, match="it is a folder"):
        child.check([str(tmp_path)], os.environ)


def test_a_program_in_path_is_fine() -> None:
    """Nothing is raised."""
    child.check(["sh"], os.environ)


def test_a_script_without_its_interpreter_is_not_found(tmp_path: Path) -> None:
    """That can only be known by starting it."""
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with Interrupts() as interrupts, pytest.raises(CommandNotFoundError, match="interpreter"):
        child.run([str(script)], os.environ, interrupts)


def test_what_is_no_program_is_not_executable(tmp_path: Path) -> None:
    """The system says why."""
    script = tmp_path / "script"
    script.write_bytes(b"\x00\x01\x02")
    script.chmod(0o755)
    with Interrupts() as interrupts, pytest.raises(CommandNotExecutableError, match="format"):
        child.run([str(script)], os.environ, interrupts)


def test_without_a_terminal_we_are_not_in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI there is nobody to send Ctrl-C to two processes."""

    def no_terminal(*_: object) -> int:
        raise OSError

    monkeypatch.setattr(os, "open", no_terminal)
    assert not child.in_foreground()
