"""uvloop: an event loop that connects and looks names up without Python's sockets.

Under it a client's connection is made with one of Python's, which ``sockets`` leads, and handed
over; the proxy is on this machine, so connecting takes no time worth waiting for.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from magneto_serge.capture import scopes
from magneto_serge.capture.patches import Patches

_installed: list[Patches] = []


def install() -> None:
    """Lead the connections of uvloop's loops from now on."""
    uvloop = sys.modules.get("uvloop")
    if uvloop is None:
        return
    patches = Patches(
        (uvloop.Loop, "create_connection", _create_connection),
        (uvloop.Loop, "getaddrinfo", _getaddrinfo),
    )
    patches.install()
    _installed.append(patches)


def uninstall() -> None:
    """Put uvloop back as it was."""
    while _installed:
        _installed.pop().uninstall()


async def _create_connection(
    self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
) -> Any:
    real = _installed[-1].real["create_connection"]
    if host is None or scopes.current() is None:
        return await real(self, protocol_factory, host, port, **options)
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        await self.sock_connect(_nonblocking(sock), found[0][4])
    except BaseException:
        sock.close()
        raise
    if options.get("ssl") and options.get("server_hostname") is None:
        options["server_hostname"] = host
    for name in ("family", "proto", "flags", "local_addr", "happy_eyeballs_delay", "interleave"):
        options.pop(name, None)
    return await real(self, protocol_factory, sock=sock, **options)


def _nonblocking(sock: socket.socket) -> socket.socket:
    sock.setblocking(False)
    return sock


async def _getaddrinfo(self: Any, host: Any, port: Any, **options: Any) -> Any:
    from magneto_serge.capture.sockets import stands_for

    if stands_for(host, port) is not None:
        return socket.getaddrinfo(host, port, **options)
    return await _installed[-1].real["getaddrinfo"](self, host, port, **options)
