"""A connection to an origin: whose its bytes are, when it can be used, what its end means."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.upstream import UpstreamConnection
from magneto_serge.wire.events import PeerBrokeProtocol, ResponseReceived, StreamEnded

from .mock_loop import MockLoop
from .mock_transport import MockTransport

ORIGIN = Origin("http", "origin.test", 80)


class Script:
    """An exchange that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def upstream_said(self, events: list[Any], size: int) -> None:
        """Note the kinds of events, and the size."""
        self.told.append(([type(event) for event in events], size))

    def upstream_lost(self, events: list[Any], error: Exception | None) -> None:
        """Note the kinds of the last events, and the error."""
        self.told.append(([type(event) for event in events], error))

    def upstream_writable(self, writable: bool) -> None:
        """Note it."""
        self.told.append(writable)


def connected(
    peer: tuple[Any, ...] | None = ("192.0.2.7", 80),
) -> tuple[UpstreamConnection, MockTransport]:
    """Return a connection and the origin's end."""
    connection = UpstreamConnection(ORIGIN, None, 65_536)
    transport = MockTransport(MockLoop(), connection, peer)
    connection.connection_made(transport)
    return connection, transport


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (("192.0.2.7", 80), "192.0.2.7:80"),
        (("2001:db8::1", 443, 0, 0), "[2001:db8::1]:443"),
        (None, ""),
    ],
)
def test_peer_is_an_address_and_a_port(peer: tuple[Any, ...] | None, text: str) -> None:
    """IPv6 in brackets; unknown where the transport does not tell."""
    assert connected(peer)[0].peer == text


def test_bytes_belong_to_the_exchange_in_hand() -> None:
    """It gets the events, and how many bytes they came in."""
    connection, transport = connected()
    script = Script()
    connection.begin(script, "GET")  # type: ignore[arg-type]
    assert not connection.usable
    transport.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert script.told == [([ResponseReceived], 38)]
    connection.finish()
    assert connection.usable
    assert connection.reused


def test_bytes_for_nobody_end_the_connection() -> None:
    """Whatever an origin says unasked (RFC 9112 §9.2)."""
    connection, transport = connected()
    transport.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert transport.aborted
    assert not connection.usable


def test_broken_connection_is_not_usable() -> None:
    """After bytes that are no HTTP nothing can be read on it."""
    connection, transport = connected()
    script = Script()
    connection.begin(script, "GET")  # type: ignore[arg-type]
    transport.send(b"HTTP/1.1 204 No Content\r\n\r\nnonsense")
    assert script.told[0][0] == [ResponseReceived, PeerBrokeProtocol]
    connection.finish()
    assert not connection.usable


def test_end_may_complete_a_response() -> None:
    """A body delimited by the end is complete; one with a length is not."""
    for head, last in ((b"", StreamEnded), (b"Content-Length: 9\r\n", PeerBrokeProtocol)):
        connection, transport = connected()
        script = Script()
        connection.begin(script, "GET")  # type: ignore[arg-type]
        transport.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nbody")
        transport.half_close()
        assert script.told[-1] == ([last], None)


def test_error_completes_nothing() -> None:
    """After a reset nobody knows if the body was whole."""
    connection, transport = connected()
    script = Script()
    connection.begin(script, "GET")  # type: ignore[arg-type]
    transport.send(b"HTTP/1.1 200 OK\r\n\r\nbody")
    error = ConnectionResetError()
    transport.hang_up(error)
    assert script.told[-1] == ([], error)


def test_pool_hears_of_the_end() -> None:
    """Idle or not, once."""
    connection, transport = connected()
    lost: list[UpstreamConnection] = []
    connection.when_lost = lost.append
    transport.hang_up()
    assert lost == [connection]


def test_full_connection_tells_its_exchange() -> None:
    """When it takes no more and when it does; without an exchange nobody is told."""
    connection, transport = connected()
    script = Script()
    transport.choke()
    transport.write(bytes(100_000))
    assert not connection.writable
    transport.drain()
    assert connection.writable
    connection.begin(script, "GET")  # type: ignore[arg-type]
    transport.choke()
    transport.write(bytes(100_000))
    transport.drain()
    assert script.told == [False, True]


class Options:
    """A socket that notes the options that are set; ``refuses`` them where it is closed."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.set: list[tuple[int, int, int]] = []
        self._refuses = refuses

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Note it."""
        if self._refuses:
            raise OSError(9, "Bad file descriptor")
        self.set.append((level, option, value))


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux alone can be asked to")
@pytest.mark.parametrize(
    ("said", "times"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"), 1),
        ((b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 2\r\n\r\nok"), 0),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", b"k"), 0),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), 0),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"), 1),
    ],
)
def test_a_head_that_comes_alone_is_acknowledged_at_once(
    said: tuple[bytes, ...], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its origin may hold the content back until then (Nagle); of anything else it waits not."""
    connection, transport = connected()
    options = Options()
    monkeypatch.setattr(transport, "get_extra_info", lambda name: options)
    connection.begin(Script(), "GET")
    for piece in said:
        transport.send(piece)
    assert options.set == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)] * times


def test_a_socket_that_cannot_acknowledge_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be closed by now, or no socket of TCP; the head goes on all the same."""
    connection, transport = connected()
    monkeypatch.setattr(transport, "get_extra_info", lambda name: Options(refuses=True))
    script = Script()
    connection.begin(script, "GET")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    transport.send(head)
    assert script.told == [([ResponseReceived], len(head))]
