"""Real clients of the process under test: none knows of a proxy, all are recorded and replayed."""

from __future__ import annotations

import asyncio
import http.client
import io
import multiprocessing
import os
import socket
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import certifi
import curl_cffi
import httpx
import pycurl
import pytest
import requests
import urllib3
import uvloop

from magneto_serge import Headers, Interaction, Request, Response, use_cassette
from magneto_serge.storage.store import CassetteStore

from .certificates import ThrowawayAuthority
from .conftest import MakeOrigin
from .origin import Origin
from .tapes import urls_in

pytestmark = pytest.mark.usefixtures("at_home")

# Made before any session: what a module under test does when it is imported.
POOL = urllib3.PoolManager()
CLIENT = httpx.Client()
SESSION = requests.Session()
IMPERSONATOR = curl_cffi.Session()


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    """Close what lives as long as this module."""
    yield
    POOL.clear()
    CLIENT.close()
    SESSION.close()
    IMPERSONATOR.close()


def by_http_client(url: str) -> bytes:
    """Ask with the standard library's plainest client."""
    parts = urllib3.util.parse_url(url)
    assert parts.host is not None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.host, parts.port, timeout=10)
    connection.request("GET", parts.request_uri)
    with connection.getresponse() as response:
        body = response.read()
    connection.close()
    return body


def by_urllib(url: str) -> bytes:
    """Ask with urllib.request."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


async def _aiohttp(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()


async def _httpx(url: str) -> bytes:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).content


def under_uvloop(work: Callable[[str], Coroutine[Any, Any, bytes]], url: str) -> bytes:
    """Ask in uvloop, which connects without Python's sockets."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work(url))


def by_pycurl(url: str, authorities: str | None = None) -> bytes:
    """Ask with libcurl's oldest binding."""
    body = io.BytesIO()
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.WRITEDATA, body)
    if authorities:
        handle.setopt(pycurl.CAINFO, authorities)
    handle.perform()
    assert handle.getinfo(pycurl.RESPONSE_CODE) == 200
    handle.close()
    return body.getvalue()


CLIENTS: dict[str, Callable[[str], bytes]] = {
    "http.client": by_http_client,
    "urllib.request": by_urllib,
    "urllib3, made before": lambda url: POOL.request("GET", url).data,
    "urllib3": lambda url: urllib3.PoolManager().request("GET", url).data,
    "requests, made before": lambda url: SESSION.get(url, timeout=10).content,
    "requests": lambda url: requests.get(url, timeout=10).content,
    "httpx, made before": lambda url: CLIENT.get(url).content,
    "httpx": lambda url: httpx.get(url).content,
    "httpx, async, without environment": lambda url: asyncio.run(_httpx(url)),
    "aiohttp": lambda url: asyncio.run(_aiohttp(url)),
    "aiohttp, in uvloop": lambda url: under_uvloop(_aiohttp, url),
    "httpx, in uvloop, without environment": lambda url: under_uvloop(_httpx, url),
    "pycurl": by_pycurl,
    "pycurl, with authorities of its own": lambda url: by_pycurl(url, certifi.where()),
    "curl_cffi": lambda url: curl_cffi.get(url).content,
    "curl_cffi, made before": lambda url: IMPERSONATOR.get(url).content,
}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("tls", [False, True])
def test_client_records_and_replays(
    make_origin: MakeOrigin, origin_authority: ThrowawayAuthority, name: str, tls: bool
) -> None:
    """Every client is recorded, and replayed when the origin is gone, over HTTP and HTTPS."""
    origin = make_origin(tls=tls)
    url = origin.url("/echo?client")
    ask = CLIENTS[name]
    with use_cassette("client", upstream_ca=origin_authority.pem):
        first = ask(url)
    origin.stop()
    with use_cassette("client") as proxy:
        assert ask(url) == first
        assert ask(url) == first
        assert proxy.stats.replayed == 2
    assert urls_in(Path("cassettes/client.json")) == [url]


def test_names_are_not_looked_up() -> None:
    """In replay not even the name of the origin is asked for: there is no such name."""
    request = Request("GET", "http", "no-such-name.invalid", 80, "/")
    response = Response(200, "OK", Headers.of(("Content-Length", "2")), b"ok")
    CassetteStore(Path("cassettes")).save("names", [Interaction(request, response)])
    with use_cassette("names", "replay"):
        for name in CLIENTS:
            assert CLIENTS[name]("http://no-such-name.invalid/") == b"ok", name


def test_blocks_in_threads_do_not_mix(origin: Origin) -> None:
    """Blocks at once in several threads record what their own thread asks, with any client."""
    asking = threading.Barrier(4, timeout=20)

    def work(number: int) -> None:
        with use_cassette(f"thread-{number}"):
            asking.wait()
            for name in ("urllib3", "requests", "httpx", "urllib.request"):
                CLIENTS[name](origin.url(f"/echo?thread={number}&client={name[:5]}"))
            asking.wait()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for number in range(4):
        assert urls_in(Path(f"cassettes/thread-{number}.json")) == [
            origin.url(f"/echo?thread={number}&client={name}")
            for name in ("urlli", "reque", "httpx", "urlli")
        ]


def test_blocks_in_tasks_do_not_mix(origin: Origin) -> None:
    """Blocks at once in several tasks of one loop record what their own task asks."""

    async def work(number: int, asking: asyncio.Barrier) -> None:
        async with use_cassette(f"task-{number}"):
            await asking.wait()
            for _ in range(3):
                await _aiohttp(origin.url(f"/echo?task={number}"))
                await _httpx(origin.url(f"/echo?task={number}"))
            await asking.wait()

    async def main() -> None:
        asking = asyncio.Barrier(3)
        await asyncio.gather(*(work(number, asking) for number in range(3)))

    asyncio.run(main())
    for number in range(3):
        urls = [origin.url(f"/echo?task={number}")] * 6
        assert urls_in(Path(f"cassettes/task-{number}.json")) == urls


def test_eight_threads_lose_nothing(origin: Origin) -> None:
    """Forty requests in each of eight threads are 320 recordings, and 320 replays."""

    def work(number: int) -> list[bytes]:
        return [POOL.request("GET", origin.url(f"/echo?t={number}&n={n}")).data for n in range(40)]

    with use_cassette("many"), ThreadPoolExecutor(8) as pool:
        recorded = list(pool.map(work, range(8)))
    assert len(urls_in(Path("cassettes/many.json"))) == 320
    origin.stop()
    with use_cassette("many") as proxy, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == recorded
        assert proxy.stats.replayed == 320


def test_thread_that_is_left_over(origin: Origin) -> None:
    """A thread of an earlier block is not served from a later one's cassette, and is told why."""
    go = threading.Event()
    said: list[str] = []

    def late() -> None:
        go.wait(20)
        try:
            POOL.request("GET", origin.url("/json"), retries=False)
        except urllib3.exceptions.HTTPError as error:
            said.append(str(error))

    with use_cassette("earlier"):
        POOL.request("GET", origin.url("/json"))
        thread = threading.Thread(target=late)
        thread.start()
    with use_cassette("later", "record") as later:
        go.set()
        thread.join()
        assert later.stats.requests == 0
    assert "is over" in said[0]


def test_other_protocols_go_on(origin: Origin) -> None:
    """A connection that does not speak HTTP, to a database say, works as without us."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello " + connection.recv(100))

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            use_cassette("database", "record") as proxy,
            socket.create_connection(server.getsockname(), timeout=10) as client,
        ):
            client.sendall(b"\x00\x00\x00\x08binary")
            assert client.recv(100) == b"hello \x00\x00\x00\x08binary"
            assert proxy.stats.requests == 0
        thread.join()


def ask_in_a_child(url: str, name: str, port: int) -> None:
    """Ask as a child process does that was forked while a session is open; end with 0 if good."""
    try:
        good = CLIENTS[name](url) and len(talk(port)) > 0
    except Exception:  # noqa: BLE001  # whatever it is, the test says
        good = False
    os._exit(0 if good else 1)


def talk(port: int) -> bytes:
    """Speak another protocol."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"\x00binary")
        return client.recv(100)


@pytest.mark.parametrize(
    "name", ["urllib3", "aiohttp", "requests", "httpx, in uvloop, without environment"]
)
def test_forked_children_are_led(origin: Origin, name: str) -> None:
    """A child that multiprocessing forks is recorded too; what is not HTTP works there as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100))

        thread = threading.Thread(target=serve)
        thread.start()
        context = multiprocessing.get_context("fork")
        with use_cassette("forked", "record") as proxy:
            child = context.Process(
                target=ask_in_a_child, args=(origin.url("/json"), name, server.getsockname()[1])
            )
            child.start()
            child.join(20)
            assert child.exitcode == 0
            assert proxy.stats.recorded == 1
        thread.join(10)
    assert urls_in(Path("cassettes/forked.json")) == [origin.url("/json")]


def test_clients_are_as_before(origin: Origin) -> None:
    """After the block every client goes to its origin itself, old connections included."""
    with use_cassette("block"):
        for name in CLIENTS:
            CLIENTS[name](origin.url("/json"))
    for name in CLIENTS:
        assert CLIENTS[name](origin.url("/json")), name
    assert urls_in(Path("cassettes/block.json")) == [origin.url("/json")] * len(CLIENTS)
