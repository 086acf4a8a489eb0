"""Named ways for an origin to misbehave: steps of a script, one idea each.

A fault ends its exchange by raising :class:`~.origin.HungUp`, except those that merely wait.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

from .exchange import PATIENCE, Exchange, HungUp


def close(_: Exchange) -> None:
    """End the connection in good order: FIN, and close_notify where there is TLS."""
    raise HungUp


def linger(exchange: Exchange) -> None:
    """End our side, then wait for the other's: what it still sends cannot turn into a RST."""
    exchange.stream.socket.shutdown(socket.SHUT_WR)
    exchange.stream.to_end()
    raise HungUp


def reset(exchange: Exchange) -> None:
    """Break the connection off with a RST: no FIN, no close_notify."""
    sock = exchange.stream.socket
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with exchange.origin.changed:
        exchange.origin._sockets.discard(sock)
    sock.close()
    raise HungUp


def cut(exchange: Exchange) -> None:
    """End the TCP connection with a FIN, but without TLS's close_notify."""
    exchange.stream.socket.shutdown(socket.SHUT_RDWR)
    raise HungUp


def stay_silent(exchange: Exchange) -> None:
    """Never answer; returns when the other side gives up."""
    exchange.stream.to_end()
    raise HungUp


def close_if_reused(exchange: Exchange) -> None:
    """Hang up on any request but a connection's first: what a stale pooled connection looks like.

    Closing only once the request is here makes the race certain: the proxy cannot have known.
    """
    if exchange.nth > 1:
        raise HungUp


def flood(size: int, *, piece: int = 65_536) -> Callable[[Exchange], None]:
    """Send ``size`` bytes as fast as they are taken; counts in ``origin.stalled`` when not."""

    def send(exchange: Exchange) -> None:
        origin, sock = exchange.origin, exchange.stream.socket
        block = bytes(range(256)) * (piece // 256)
        left = size
        deadline = time.monotonic() + PATIENCE
        sock.settimeout(0.2)
        while left and time.monotonic() < deadline:
            try:
                taken = sock.send(block[: min(left, piece)])
            except TimeoutError:
                taken = 0
            with origin.changed:
                origin.sent += taken
                origin.stalled += not taken
                origin.changed.notify_all()
            left -= taken
            if taken:
                deadline = time.monotonic() + PATIENCE
        sock.settimeout(PATIENCE)

    return send
