"""The guard before the network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from magneto_serge.capture import scopes
from magneto_serge.capture.scopes import Scope
from magneto_serge.errors import NetworkBlockedError
from magneto_serge.runner import ProxyThread
from magneto_serge.testing.blocking import Guard


@pytest.fixture
def guard() -> Iterator[Guard]:
    """A guard over sockets that only note what got past it."""
    guard = Guard()
    guard.install()
    yield guard
    guard.uninstall()


@pytest.fixture
def passed(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What got past the guard."""
    found: list[object] = []
    real = guard._patches.real
    monkeypatch.setitem(real, "connect", lambda sock, address: found.append(address))
    monkeypatch.setitem(real, "connect_ex", lambda sock, address: found.append(address) or 0)
    monkeypatch.setitem(real, "sendto", lambda sock, data, *where: found.append(where[-1]) or 0)
    addresses = [(socket.AF_INET, 1, 6, "", ("192.0.2.9", 0))]
    monkeypatch.setitem(real, "getaddrinfo", lambda host, *_, **__: found.append(host) or addresses)
    return found


def connect(*address: object) -> None:
    """Connect a socket."""
    with socket.socket() as sock:
        sock.connect(address)


def test_refusal_names_the_line(guard: Guard, passed: list[object]) -> None:
    """The error says where to, and which line of the test tried."""
    guard.block((), __file__)
    with pytest.raises(NetworkBlockedError, match=r"192\.0\.2\.1:80") as caught:
        connect("192.0.2.1", 80)
    assert "test_blocking.py:" in str(caught.value)
    assert "in connect" in str(caught.value)
    assert passed == []


def test_every_way_out(guard: Guard, passed: list[object]) -> None:
    """connect_ex, datagrams and look-ups are ways out too."""
    guard.block((), __file__)
    with socket.socket() as sock, pytest.raises(NetworkBlockedError):
        sock.connect_ex(("127.0.0.1", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(NetworkBlockedError):
        sock.sendto(b"x", ("192.0.2.1", 53))
    with pytest.raises(NetworkBlockedError, match=r"looking up api\.test"):
        socket.getaddrinfo("api.test", 80)
    assert passed == []


def test_allowed_hosts(guard: Guard, passed: list[object]) -> None:
    """Names, addresses and patterns are let by, and what an allowed name resolves to."""
    guard.block(("API.test", "127.*", "10.0.0.1:5432"), __file__)
    socket.getaddrinfo("api.test", 443)
    for address in (("192.0.2.9", 443), ("127.0.0.1", 1), ("10.0.0.1", 5432)):
        connect(*address)
    with pytest.raises(NetworkBlockedError):
        connect("10.0.0.1", 5433)
    assert len(passed) == 4


def test_what_one_test_was_allowed(guard: Guard, passed: list[object]) -> None:
    """The addresses of a name that one test may reach are not for the next one."""
    guard.block(("api.test",), __file__)
    socket.getaddrinfo("api.test", 443)
    guard.block((), __file__)
    with pytest.raises(NetworkBlockedError):
        connect("192.0.2.9", 443)


def test_proxy_is_no_way_out(guard: Guard, passed: list[object]) -> None:
    """The proxy of an open session is always reached."""
    guard.block((), __file__)
    scope = Scope(SimpleNamespace(address=("127.0.0.1", 4321)))  # type: ignore[arg-type]  # all that is asked
    scopes.enter_process(scope)
    connect("127.0.0.1", 4321)
    scopes.leave_process(scope)
    with pytest.raises(NetworkBlockedError):
        connect("127.0.0.1", 4321)
    assert len(passed) == 1


def test_proxy_s_own_thread(guard: Guard, passed: list[object]) -> None:
    """What the proxy itself connects to is the recording's business."""
    guard.block((), __file__)
    thread = ProxyThread(target=connect, args=("192.0.2.1", 80))
    thread.start()
    thread.join()
    assert passed == [("192.0.2.1", 80)]


def test_another_thread_is_named(guard: Guard, passed: list[object]) -> None:
    """Where no line of the test is on the stack, the thread is named."""
    guard.block((), "/elsewhere/test_x.py")
    said: list[str] = []

    def attempt() -> None:
        try:
            connect("192.0.2.1", 80)
        except NetworkBlockedError as error:
            said.append(str(error))

    thread = threading.Thread(target=attempt, name="worker")
    thread.start()
    thread.join()
    assert said[0].startswith("test_x.py, thread worker:")


def test_local_sockets_and_addresses(guard: Guard, passed: list[object]) -> None:
    """Nothing leaves this machine by a local socket, nor by looking up an address."""
    guard.block((), __file__)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/nowhere")
    socket.getaddrinfo("127.0.0.1", 80)
    socket.getaddrinfo("localhost", 80)
    assert passed == ["/nowhere", "127.0.0.1", "localhost"]


def test_off(guard: Guard, passed: list[object]) -> None:
    """Between tests everything is let by."""
    guard.block((), __file__)
    guard.on = False
    connect("192.0.2.1", 80)
    assert len(passed) == 1
