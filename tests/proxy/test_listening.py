"""Why a port cannot be had, in words; sockets are in ``tests/integration/test_listening.py``."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from magneto_serge.config import Settings
from magneto_serge.proxy.listening import cannot_listen, take


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EADDRINUSE, "Port 80 on ::1 is in use. Choose another with -p PORT"),
        (errno.EACCES, "Listening on ::1:80 needs privileges; ports from 1024 on do not"),
        (errno.EADDRNOTAVAIL, "Cannot listen on ::1:80: not here"),
    ],
)
def test_what_went_wrong_and_what_to_do(number: int, said: str) -> None:
    """The address is named, and a remedy where there is one."""
    settings = Settings(host="::1", port=80)
    assert cannot_listen(settings, OSError(number, "not here")).startswith(said)


def test_a_name_is_left_to_the_event_loop() -> None:
    """It may stand for several addresses."""
    assert take(Settings(host="localhost")) is None


def test_taking_the_port_imports_nothing_heavy() -> None:
    """Whatever is imported before the port is taken, a client has to wait for."""
    code = "import sys, magneto_serge.cli.run, magneto_serge.proxy.listening; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"asyncio", "ssl", "uvloop", "httptools", "magneto_serge.replay.engine"}
