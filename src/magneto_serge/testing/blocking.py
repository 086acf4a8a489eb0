"""``--block-network``: sockets of this process that lead anywhere but to the proxy are refused.

A refusal is an error that names the destination and the line of the test that tried. It is no
OSError, so a client that retries or swallows those does not hide it. Hosts may be allowed: names,
addresses, shell patterns, with a port or without. Local sockets (AF_UNIX) and the proxy's own
threads are none of it; nor are clients that are not written in Python.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from magneto_serge.capture import scopes
from magneto_serge.capture.patches import Patches
from magneto_serge.errors import NetworkBlockedError
from magneto_serge.runner import ProxyThread

_INTERNET = (socket.AF_INET, socket.AF_INET6)


class Guard:
    """Refuses while it is ``on``; the proxies of open sessions are always allowed."""

    def __init__(self) -> None:
        self.on = False
        self._allowed: tuple[str, ...] = ()
        self._resolved: set[str] = set()  # addresses of allowed names
        self._tests = ""
        self._patches = Patches(
            (socket.socket, "connect", _method(self._connect)),
            (socket.socket, "connect_ex", _method(self._connect_ex)),
            (socket.socket, "sendto", _method(self._sendto)),
            (socket, "getaddrinfo", self._getaddrinfo),
        )

    def install(self) -> None:
        """Stand in the way from now on."""
        self._patches.install()

    def uninstall(self) -> None:
        """Put the standard library back as it was."""
        self._patches.uninstall()

    def block(self, allowed: Iterable[str], tests: str) -> None:
        """Refuse from now on what is not ``allowed``; errors name lines of the file ``tests``."""
        self._allowed = tuple(pattern.lower() for pattern in allowed)
        self._resolved.clear()  # what another test was allowed
        self._tests = tests
        self.on = True

    def allows(self, host: str, port: int) -> bool:
        """Whether a connection may be made."""
        if not self.on or host in self._resolved or _is_our_proxy(host, port):
            return True
        if isinstance(threading.current_thread(), ProxyThread):
            return True
        return self._names(host, port)

    def _names(self, host: str, port: int) -> bool:
        host = host.lower()
        return any(
            fnmatchcase(host, pattern) or fnmatchcase(f"{host}:{port}", pattern)
            for pattern in self._allowed
        )

    def _check(self, sock: socket.socket, address: Any) -> None:
        if sock.family not in _INTERNET:
            return
        host, port = str(address[0]).removeprefix("::ffff:"), int(address[1])
        if not self.allows(host, port):
            raise NetworkBlockedError(self._refusal(f"a connection to {host}:{port}"))

    def _refusal(self, what: str) -> str:
        return (
            f"{self._place()}: {what} is refused: the network is blocked (--block-network). "
            "Mark the test with @pytest.mark.magneto to record it, or allow the host "
            "(--allowed-hosts)"
        )

    def _place(self) -> str:
        """Return the line of the test's file that led here; that of the caller where none did."""
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self._tests:
                return f"{Path(self._tests).name}:{frame.f_lineno}, in {frame.f_code.co_name}"
            if frame.f_back is None:
                break
            frame = frame.f_back
        return f"{Path(self._tests).name}, thread {threading.current_thread().name}"

    # --- what is replaced ------------------------------------------------------------------

    def _connect(self, sock: socket.socket, address: Any) -> None:
        self._check(sock, address)
        self._patches.real["connect"](sock, address)

    def _connect_ex(self, sock: socket.socket, address: Any) -> int:
        self._check(sock, address)
        return int(self._patches.real["connect_ex"](sock, address))

    def _sendto(self, sock: socket.socket, data: Any, *where: Any) -> int:
        self._check(sock, where[-1])
        return int(self._patches.real["sendto"](sock, data, *where))

    def _getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        """Look names up that are allowed, and remember their addresses; refuse the others."""
        name = host.decode("idna") if isinstance(host, bytes) else host
        if not self.on or not isinstance(name, str) or _is_local(name):
            return self._patches.real["getaddrinfo"](host, port, *args, **kwargs)
        if not self.allows(name, port if isinstance(port, int) else 0):
            raise NetworkBlockedError(self._refusal(f"looking up {name}"))
        found = self._patches.real["getaddrinfo"](host, port, *args, **kwargs)
        if self._names(name, port if isinstance(port, int) else 0):
            self._resolved.update(str(each[4][0]) for each in found)
        return found


def _is_our_proxy(host: str, port: int) -> bool:
    return any(scope.session.address == (host, port) for scope in scopes.in_process())


def _method(bound: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that becomes a method of the sockets on which it is called."""

    def call(sock: socket.socket, *args: Any) -> Any:
        return bound(sock, *args)

    return call


def _is_local(name: str) -> bool:
    """Whether nobody is asked for a name: an address, or this machine."""
    from ipaddress import ip_address

    if name in ("localhost", ""):
        return True
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
