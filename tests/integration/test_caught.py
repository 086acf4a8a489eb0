"""Connections of this process that were led to the proxy: what they speak decides."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from magneto_serge import MagnetoProxy, Mode

from .conftest import MakeProxy
from .origin import Origin

GET = b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n"


class Greeter:
    """A server on 127.0.0.1 that speaks ``greeting``, or says back in capitals what it hears."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(10)
                if self.greeting:
                    connection.sendall(self.greeting)
                while heard := connection.recv(1000):
                    connection.sendall(heard.upper())

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def silent() -> Iterator[Greeter]:
    """A server that waits for its client to speak."""
    greeter = Greeter()
    yield greeter
    greeter.close()


@pytest.fixture
def greeter() -> Iterator[Greeter]:
    """A server that speaks first."""
    greeter = Greeter(b"220 ready\r\n")
    yield greeter
    greeter.close()


def lead(proxy: MagnetoProxy, port: int, key: str | None = None) -> socket.socket:
    """Return a connection to the proxy that was meant for ``port`` of this machine."""
    sock = socket.socket()
    sock.settimeout(10)
    sock.bind(("127.0.0.1", 0))
    proxy.expect(sock.getsockname()[1], "127.0.0.1", port, key)
    sock.connect(proxy.address)
    return sock


def test_http_is_recorded(origin: Origin, make_proxy: MakeProxy) -> None:
    """A request in origin-form belongs to the destination, and to the session."""
    proxy = make_proxy()
    session = proxy.session("led", "record")
    with lead(proxy, origin.port, session.key) as client:
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert session.recorded == 1


@pytest.mark.parametrize("cut", [1, 3, 4, 20])
def test_request_line_in_pieces(origin: Origin, make_proxy: MakeProxy, cut: int) -> None:
    """However little of a request line has come, it is taken for one."""
    proxy = make_proxy(mode=Mode.PASSTHROUGH)
    with lead(proxy, origin.port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(GET[:cut])
        client.sendall(GET[cut:])
        assert client.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "said", [b"ping\r\n", b"PING\r\n", b"*1\r\n", b"\x00\x00\x00\x08", b"G T\n"]
)
def test_another_protocol_is_passed_on(silent: Greeter, make_proxy: MakeProxy, said: bytes) -> None:
    """What is neither HTTP nor TLS goes to its destination unread, in replay too."""
    proxy = make_proxy(mode=Mode.PASSTHROUGH)
    with lead(proxy, silent.port) as client:
        client.sendall(said)
        assert client.recv(100) == said.upper()
        client.sendall(b"more")
        assert client.recv(100) == b"MORE"


def test_server_that_speaks_first(greeter: Greeter, make_proxy: MakeProxy) -> None:
    """A client that waits for its server's greeting gets it, and both are joined."""
    proxy = make_proxy(mode=Mode.PASSTHROUGH)
    with lead(proxy, greeter.port) as client:
        assert client.recv(100) == greeter.greeting
        client.sendall(b"ehlo")
        assert client.recv(100) == b"EHLO"


def test_client_that_takes_its_time(origin: Origin, make_proxy: MakeProxy) -> None:
    """An HTTP client that connects long before it asks is recorded all the same."""
    proxy = make_proxy()
    session = proxy.session("slow", "record")
    with lead(proxy, origin.port, session.key) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert session.recorded == 1


def test_nobody_listens(make_proxy: MakeProxy) -> None:
    """Where nobody is, another protocol's connection ends, and HTTP gets an answer."""
    proxy = make_proxy(mode=Mode.PASSTHROUGH)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with lead(proxy, port) as client:
        client.sendall(b"ping\r\n")
        assert client.recv(100) == b""
    with lead(proxy, port) as client:
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 502")


def test_ignored_host_is_joined_at_once(greeter: Greeter, make_proxy: MakeProxy) -> None:
    """A host that the session ignores is not listened to."""
    proxy = make_proxy(ignore_hosts=["127.0.0.1"])
    with lead(proxy, greeter.port) as client:
        assert client.recv(100) == greeter.greeting


def test_session_that_is_over(origin: Origin, make_proxy: MakeProxy) -> None:
    """A connection of a finished session is closed, and a later one refused."""
    proxy = make_proxy()
    session = proxy.session("over", "record")
    idle = lead(proxy, origin.port, session.key)
    idle.sendall(GET)
    assert idle.recv(1000).startswith(b"HTTP/1.1 200")
    session.finish()
    while idle.recv(1000):
        pass
    idle.close()
    with lead(proxy, origin.port, session.key) as client:
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 502")


def test_pinned_client_of_the_proxy(origin: Origin, make_proxy: MakeProxy) -> None:
    """A connection that was expected speaks for its session, whatever its credentials say."""
    proxy = make_proxy()
    session = proxy.session("pinned", "record")
    with socket.socket() as client:
        client.settimeout(10)
        client.bind(("127.0.0.1", 0))
        proxy.expect(client.getsockname()[1], *proxy.address, session.key)
        client.connect(proxy.address)
        url = origin.url("/json").encode()
        client.sendall(
            b"GET %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic eDp5\r\n\r\n" % url
        )
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert session.recorded == 1
