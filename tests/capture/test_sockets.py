"""Sockets and names, led: without a connection being made."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from magneto_serge.capture import scopes, sockets
from magneto_serge.capture.scopes import Scope

from .doors import PaperDoor, session

DOOR = ("127.0.0.1", 4321)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[PaperDoor]:
    """A session for the whole process, and sockets that only note where they connect to."""
    door = PaperDoor(DOOR)
    scope = Scope(session(door, ignore_hosts=("ignored.test", "10.0.0.1:5432")))
    scopes.enter_process(scope)
    sockets.PATCHES.install()
    yield door
    sockets.PATCHES.uninstall()
    scopes.leave_process(scope)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where sockets were connected to in the end."""
    found: list[object] = []
    real = sockets.PATCHES.real
    monkeypatch.setitem(real, "connect", lambda self, address: found.append(address))
    monkeypatch.setitem(real, "connect_ex", lambda self, address: found.append(address) or 0)
    return found


def connect(address: object, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> int:
    """Connect a socket; return the port that it got for itself."""
    with socket.socket(family, kind) as sock:
        sock.connect(address)  # type: ignore[arg-type]
        return int(sock.getsockname()[1])


def test_name_leads_to_the_proxy(door: PaperDoor, connected: list[object]) -> None:
    """A name's address stands for the name, and the proxy knows which source port means it."""
    [(family, kind, _, _, address)] = socket.getaddrinfo("API.test", 443, type=socket.SOCK_STREAM)
    assert (family, kind) == (socket.AF_INET, socket.SOCK_STREAM)
    assert address[0].startswith("198.18.")
    port = connect(address)
    assert connected == [DOOR]
    assert door.expected == [(port, "api.test", 443, "key")]
    assert socket.gethostbyname("api.test") == address[0]


def test_socket_of_the_other_family(door: PaperDoor, connected: list[object]) -> None:
    """A client that insists on IPv6 reaches the proxy by its mapped address (RFC 4291 §2.5.5.2)."""
    address = socket.getaddrinfo("six.test", 80, socket.AF_INET6)[0][4]
    port = connect(address, socket.AF_INET6)
    assert connected == [("::ffff:127.0.0.1", DOOR[1])]
    assert door.expected == [(port, "six.test", 80, "key")]


def test_address_is_led_like_a_name(door: PaperDoor, connected: list[object]) -> None:
    """A literal address needs no name; localhost is no exception."""
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", 8000)) == 0
    assert connected == [DOOR]
    assert [each[1:] for each in door.expected] == [("127.0.0.1", 8000, "key")]


def test_client_that_knows_a_proxy(door: PaperDoor, connected: list[object]) -> None:
    """A connection to a proxy, ours or another's, is led like any: what it says will tell."""
    ports = [connect(DOOR), connect(("127.0.0.1", 9999))]
    assert connected == [DOOR, DOOR]
    assert door.expected == [
        (ports[0], *DOOR, "key"),
        (ports[1], "127.0.0.1", 9999, "key"),
    ]


def test_bound_socket_keeps_its_port(door: PaperDoor, connected: list[object]) -> None:
    """A client that has chosen its source port keeps it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        sock.connect(("192.0.2.1", 80))
    assert door.expected == [(port, "192.0.2.1", 80, "key")]


@pytest.mark.parametrize(
    ("address", "family", "kind"),
    [
        (("10.0.0.1", 5432), socket.AF_INET, socket.SOCK_STREAM),
        (("192.0.2.1", 53), socket.AF_INET, socket.SOCK_DGRAM),
        ("/tmp/a.socket", socket.AF_UNIX, socket.SOCK_STREAM),
    ],
)
def test_what_is_left_alone(
    door: PaperDoor, connected: list[object], address: object, family: int, kind: int
) -> None:
    """Ignored hosts, datagrams and local sockets go where they wanted to."""
    with socket.socket(family, kind) as sock:
        sock.connect(address)  # type: ignore[arg-type]
    assert connected == [address]
    assert door.expected == []


def test_names_that_are_looked_up(door: PaperDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignored names and addresses are the system's business."""
    asked: list[object] = []
    real = sockets.PATCHES.real
    monkeypatch.setitem(real, "getaddrinfo", lambda host, *_: asked.append(host) or [])
    for host in ("ignored.test", "192.0.2.1", "::1", None, ""):
        socket.getaddrinfo(host, 80)
    assert asked == ["ignored.test", "192.0.2.1", "::1", None, ""]


def test_code_of_a_session_that_is_over(door: PaperDoor, connected: list[object]) -> None:
    """It is refused at once, and told why; no later session serves it."""
    scope = Scope(session(PaperDoor()))
    leave = scopes.enter_context(scope)
    scope.over = True
    with pytest.raises(ConnectionRefusedError, match="is over"):
        connect(("192.0.2.1", 80))
    leave()
    assert connected == []
