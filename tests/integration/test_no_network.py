"""Replay opens no connection, resolves no name and shakes no hand: proved, not promised.

Once from inside, with everything that could leave the process replaced by a failure that is also
counted; and once from outside, in a network namespace that has nothing but its own loopback, while
the origin is alive and would have heard.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magneto_serge import MagnetoProxy

from . import routes
from .conftest import MakeOrigin, MakeProxy
from .doors import KINDS, Door
from .wire_client import Answer, WireClient

OUTGOING = [
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "getaddrinfo",
    "getnameinfo",
    "sock_connect",
    "start_tls",
]


def seal(monkeypatch: pytest.MonkeyPatch, allowed: set[int]) -> list[str]:
    """Make every way out fail, but the test's own connections to the ports in ``allowed``.

    Returns the list of attempts, which grows.
    """
    attempts: list[str] = []

    def refuse(name: str, *arguments: object) -> Any:
        attempts.append(f"{name}{arguments}")
        raise OSError(f"{name}: the network is sealed")

    real_connect = socket.socket.connect

    def connect(sock: socket.socket, address: Any) -> None:
        if address[1] not in allowed:
            refuse("connect", address)
        real_connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    real_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if port not in allowed:
            refuse("getaddrinfo", host, port)
        return real_getaddrinfo(host, port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for loop in loop_classes():
        for name in OUTGOING:
            if name != "start_tls":  # used towards clients, which is no way out
                monkeypatch.setattr(loop, name, failing(name, refuse), raising=False)
    return attempts


def failing(name: str, refuse: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine method that refuses."""

    async def method(_: object, *arguments: object, **named: object) -> Any:
        return refuse(name, *arguments, named)

    return method


def loop_classes() -> list[type]:
    """Return the event loops that there are: asyncio's, and uvloop's where it is installed."""
    classes: list[type] = [asyncio.BaseEventLoop]
    try:
        import uvloop
    except ImportError:
        return classes
    return [*classes, uvloop.Loop]


def play(doors: list[Door]) -> list[Answer]:
    """Say everything through every door."""
    answers = []
    for door in doors:
        for call in routes.CALLS.values():
            with door.open() as client:
                request = (
                    door.request(call.path, call.method)
                    if call.body is None
                    else door.sized(call.path, call.method, call.body)
                )
                answers.append(client.ask(request, call.method))
        answers.append(door.ask("/reset"))
        with door.open() as client:
            assert client.send(door.request("/truncated")).broken()
    return answers


def test_everything_replays_with_the_network_sealed(
    make_origin: MakeOrigin, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All answers and failures replay through every way in, and nothing even tries to get out."""
    doors = []
    for kind in KINDS:
        origin = make_origin(tls=kind == "tls")
        settings = {"reverse": origin.url("")} if kind == "reverse" else {}
        doors.append(Door(kind, make_proxy(redact=False, **settings), origin))
    for door in doors:
        door.proxy.start_recording(f"sealed-{door.kind}")
    recorded = play(doors)
    for door in doors:
        door.proxy.stop_recording()
        door.origin.stop()
        door.proxy.replay(f"sealed-{door.kind}")
    attempts = seal(monkeypatch, {door.proxy.port for door in doors})
    assert [answer.seen for answer in play(doors)] == [answer.seen for answer in recorded]
    assert attempts == []
    assert [door.proxy.misses for door in doors] == [[]] * len(doors)


@pytest.mark.parametrize(
    "request_line",
    [
        "GET http://nowhere.example/ HTTP/1.1",
        "GET http://127.0.0.1:9/ HTTP/1.1",
        "POST http://nowhere.example/ HTTP/1.1",
        "OPTIONS http://nowhere.example HTTP/1.1",
    ],
)
def test_miss_does_not_reach_out(
    request_line: str, plain_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no recording is refused without a look-up, too; so is an upgrade."""
    proxy = plain_door.proxy
    proxy.start_recording("little")
    plain_door.ask("/json")
    proxy.stop_recording()
    proxy.replay("little")
    attempts = seal(monkeypatch, {proxy.port})
    for extra in ("", "Connection: Upgrade\r\nUpgrade: websocket\r\n"):
        with WireClient((proxy.host, proxy.port)) as client:
            head = f"{request_line}\r\nHost: nowhere.example\r\nContent-Length: 0\r\n{extra}\r\n"
            assert client.ask(head.encode()).status == 502
    assert attempts == []
    assert len(proxy.misses) == 2


def test_miss_in_a_tunnel_does_not_reach_out(
    plain_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake with the client needs nobody else; the refusal comes through it."""
    proxy = plain_door.proxy
    proxy.start_recording("little")
    plain_door.ask("/json")
    proxy.stop_recording()
    proxy.replay("little")
    attempts = seal(monkeypatch, {proxy.port})
    with WireClient((proxy.host, proxy.port)).tunnel("nowhere.example:443") as client:
        client.start_tls(proxy.ssl_context(), "nowhere.example")
        assert client.ask(b"GET / HTTP/1.1\r\nHost: nowhere.example\r\n\r\n").status == 502
    assert attempts == []


def may_unshare() -> bool:
    """Whether this user may make a network namespace."""
    command = ["unshare", "--user", "--map-root-user", "--net", "true"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="needs unshare and leave to use it")
def test_replay_in_a_namespace_without_a_network(
    make_origin: MakeOrigin, proxy: MagnetoProxy, data_dir: Path
) -> None:
    """With no network at all every answer is there, and the living origin hears nothing."""
    plain, secure = make_origin(), make_origin(tls=True)
    paths = ("/json", "/chunked", "/echo?q=1")
    urls = [origin.url(path) for origin in (plain, secure) for path in paths]
    proxy.start_recording("alone")
    bodies: list[str] = []
    for kind, origin in (("absolute", plain), ("tls", secure)):
        door = Door(kind, proxy, origin)
        bodies += [door.ask(path).body.decode() for path in paths]
    saved = proxy.stop_recording()
    assert saved is not None
    heard = len(plain.received) + len(secure.received)
    task = {
        "cassettes": str(saved.parent),
        "data_dir": str(data_dir),
        "name": "alone",
        "urls": urls,
        "port": plain.port,
    }
    script = Path(__file__).with_name("replay_alone.py")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, str(script)],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"outside": False, "bodies": bodies, "misses": 0}
    assert len(plain.received) + len(secure.received) == heard
