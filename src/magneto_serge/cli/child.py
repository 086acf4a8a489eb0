"""The user's own command, run with the proxy in its environment.

It keeps our stdin, stdout, stderr, process group and current folder: nothing about it changes but
the variables. Its exit status becomes ours, as a shell has it: 128+N where signal N killed it, 127
where it was not found, 126 where it is not executable; those two are found out before the proxy
starts wherever possible, so that no cassette is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGHUP, SIGINT

from magneto_serge.errors import MagnetoError

from .interrupts import Interrupts

INTERRUPTED = 130  # 128 + SIGINT


class CommandNotFoundError(MagnetoError):
    """There is no such program."""

    exit_code = 127


class CommandNotExecutableError(MagnetoError):
    """There is such a file, but it cannot be run."""

    exit_code = 126


def check(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Make sure that ``command`` can be started, as far as one can tell without starting it.

    Raises CommandNotFoundError or CommandNotExecutableError.
    """
    program = command[0]
    path = environ.get("PATH", os.defpath)
    if shutil.which(program, path=path):
        return
    folders = [""] if os.sep in program else path.split(os.pathsep)
    for candidate in (Path(folder, program) for folder in folders):
        if candidate.is_dir() and os.sep in program:
            raise CommandNotExecutableError(f"cannot run {program}: it is a folder")
        if candidate.is_file():
            raise CommandNotExecutableError(
                f"cannot run {candidate}: it is not executable; `chmod +x {candidate}` makes it so"
            )
    raise CommandNotFoundError(f"command not found: {program}{_looks_like_shell(program)}")


def _looks_like_shell(program: str) -> str:
    if not set(program) & set(" |;&<>$"):
        return ""
    return ". It looks like shell syntax, which needs a shell: -- sh -c '...'"


def run(command: Sequence[str], environ: Mapping[str, str], interrupts: Interrupts) -> int:
    """Run ``command`` to its end and return its status, 128+N for signal N.

    A signal that comes before it starts keeps it from starting. Raises CommandNotFoundError or
    CommandNotExecutableError where it cannot start.
    """
    if interrupts.requested():
        return INTERRUPTED
    try:
        child = subprocess.Popen(command, env=dict(environ))
    except FileNotFoundError as error:  # found before, so what is missing is its interpreter
        raise CommandNotFoundError(
            f"cannot run {command[0]}: the interpreter named in its first line was not found"
        ) from error
    except OSError as error:
        raise CommandNotExecutableError(f"cannot run {command[0]}: {error.strerror}") from error
    interrupts.forward_to = lambda number: _forward(child, number)
    if interrupts.requested():  # it came while the child was being made
        child.terminate()
    try:
        status = interrupts.outlive(child)
    finally:
        interrupts.forward_to = None
    return status if status >= 0 else 128 - status


def _forward(child: subprocess.Popen[bytes], number: int) -> None:
    """Hand a signal on, unless the terminal has given it to the child already.

    Ctrl-C and hanging up reach every process of the foreground group, the child included; a second
    SIGINT could make it give up what the first one made it finish in good order.
    """
    if not (number in (SIGINT, SIGHUP) and in_foreground()):
        child.send_signal(number)  # does nothing once the child has ended


def in_foreground() -> bool:
    """Tell whether our process group is the one that the terminal's keys send signals to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
