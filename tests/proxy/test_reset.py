"""Breaking off with a reset: the socket is told to, wherever the transport hides it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from magneto_serge.proxy.reset import reset

from .mock_loop import MockLoop
from .mock_transport import MockTransport


class StandIn:
    """What uvloop hands out for a socket: a number, and no options."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._sock.fileno()


class WithSocket(MockTransport):
    """A transport that knows its socket."""

    sock: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the socket."""
        return self.sock if name == "socket" else default


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """Return a TCP socket that is connected to nothing."""
    with socket.socket() as sock:
        yield sock


def transport_of(sock: Any) -> WithSocket:
    """Return a transport with this socket."""
    transport = WithSocket(MockLoop(), asyncio.Protocol())
    transport.sock = sock
    return transport


def lingers(sock: socket.socket) -> tuple[int, int]:
    """Return SO_LINGER: on or off, and the seconds."""
    value = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    on, seconds = struct.unpack("ii", value)
    return bool(on), seconds


def test_socket_is_told_not_to_linger(sock: socket.socket) -> None:
    """SO_LINGER with no time makes the close a RST; the descriptor itself stays the loop's."""
    transport = transport_of(StandIn(sock))
    reset(transport)
    assert lingers(sock) == (True, 0)
    assert transport.aborted
    assert sock.fileno() >= 0


def test_transport_without_a_socket_is_aborted() -> None:
    """Where there is no socket to tell, breaking off is all that can be done."""
    transport = transport_of(None)
    reset(transport)
    assert transport.aborted


def test_closing_transport_keeps_its_socket_alone(sock: socket.socket) -> None:
    """A transport that closes already may have given its descriptor to somebody else."""
    transport = transport_of(StandIn(sock))
    transport.close()
    reset(transport)
    assert lingers(sock)[0] is False
