"""Why a port cannot be had, in words; sockets are in ``tests/integration/test_listening.py``."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys

import pytest

from magneto_serge.config import Settings
from magneto_serge.errors import ProxyError
from magneto_serge.proxy.listening import cannot_listen, share, take


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


@pytest.mark.skipif(sys.platform != "linux", reason="SO_REUSEPORT as Linux has it")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_several_sockets_share_what_was_taken(host: str) -> None:
    """They listen on the very port, and nobody who does not ask for sharing gets it beside them."""
    taken = take(Settings(host=host, port=0))
    assert taken is not None
    sockets = share(taken, 3)
    assert sockets[0] is taken
    assert len({each.getsockname() for each in sockets}) == 1
    assert len({each.fileno() for each in sockets}) == 3
    with pytest.raises(ProxyError, match="is in use"):
        take(Settings(host=host, port=taken.getsockname()[1]))
    for each in sockets:
        each.close()


@pytest.mark.skipif(sys.platform != "linux", reason="SO_REUSEPORT as Linux has it")
def test_a_port_that_cannot_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays open, and the port is named."""
    taken = take(Settings(port=0))
    assert taken is not None
    port = taken.getsockname()[1]

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ProxyError, match=f"127.0.0.1:{port} cannot be shared .*Cannot allocate"):
        share(taken, 2)
    assert taken.fileno() == -1
