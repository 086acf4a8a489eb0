"""Taking the port, and saying why it cannot be had.

The port can be taken long before anything accepts on it: the system completes connections for a
socket that listens, and keeps them until somebody does. So the command takes it as soon as it knows
its settings, and a client that comes while the rest is imported and the cassette is read waits for
its answer instead of being refused. Half of what starting takes is behind that line, so this module
imports next to nothing: no ``asyncio``, no ``ssl``.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from magneto_serge.errors import ProxyError

if TYPE_CHECKING:
    from magneto_serge.config import Settings

BACKLOG = 1024  # connections the kernel keeps for us; capped by net.core.somaxconn


def take(settings: Settings) -> socket.socket | None:
    """Return a socket that listens where ``settings`` say; None where the host is a name.

    An address is what the default is; what a name stands for is left to the event loop. Raises
    ProxyError where the port cannot be had.
    """
    host = settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    try:
        return socket.create_server((host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ProxyError(cannot_listen(settings, error)) from None


def share(taken: socket.socket, count: int) -> list[socket.socket]:
    """Return ``count`` sockets that listen on the port of ``taken``, which is the first of them.

    Linux spreads new connections over them by a hash of both addresses. The port was taken by one
    that did not share it, so it is nobody else's: sharing is allowed from now on, and only to
    processes of the same user. Raises ProxyError where the port cannot be shared.
    """
    found = [taken]
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(count - 1):
            more = socket.socket(taken.family, taken.type)
            found.append(more)
            if taken.family == socket.AF_INET6:
                more.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            more.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            more.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            more.bind(taken.getsockname())
            more.listen(BACKLOG)
    except OSError as error:
        host, port = taken.getsockname()[:2]
        for each in found:
            each.close()
        raise ProxyError(f"{host}:{port} cannot be shared by workers: {error.strerror}") from None
    return found


def cannot_listen(settings: Settings, error: OSError) -> str:
    """Say why ``settings.port`` cannot be had, and what to do about it."""
    address = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} on {settings.host} is in use. "
            "Choose another with -p PORT, or -p 0 for any that is free"
        )
    if error.errno == errno.EACCES:
        return f"Listening on {address} needs privileges; ports from 1024 on do not"
    return f"Cannot listen on {address}: {error.strerror or error}"
