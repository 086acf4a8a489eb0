"""WebSockets with the clients and servers that people really use: recorded, then played alone."""

from __future__ import annotations

import gc
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from magneto_serge import Cassette, MagnetoProxy, use_cassette

from . import websocket_servers
from .certificates import ThrowawayAuthority
from .conftest import MakeProxy
from .websocket_clients import (
    LINES,
    NODE,
    Client,
    Heard,
    Way,
    by_aiohttp,
    by_node,
    by_picows,
    by_websocket_client,
    by_websockets,
    by_websockets_sync,
    from_json,
    to_json,
)
from .websocket_servers import FAREWELL, GREETING, NodeServer, Server

CLIENTS: dict[str, Client] = {
    "websockets": by_websockets,
    "websockets-sync": by_websockets_sync,
    "aiohttp": by_aiohttp,
    "websocket-client": by_websocket_client,
    "picows": by_picows,
}
ECHOED: Heard = [GREETING, *LINES[:-1], FAREWELL]

StartServer = Callable[..., Server]

# Some of these libraries leave half-closed TLS connections to a loop that ends: not our business.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()  # what they have left is theirs, and not found in the test after them


@pytest.fixture(scope="session")
def chain(origin_authority: ThrowawayAuthority) -> Path:
    """A PEM file with a key and a certificate for loopback."""
    before = {*origin_authority.folder.iterdir()}
    origin_authority.server_context("localhost", "127.0.0.1")
    (made,) = {*origin_authority.folder.iterdir()} - before
    return made


@pytest.fixture(scope="session")
def node_ws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Node's ``ws``, installed once; skipped where npm's registry cannot be reached."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("ws")
    options = ["--prefer-offline", "--fetch-retries=0", "--no-audit", "--no-fund", "--no-save"]
    command = ["npm", "install", *options, "--prefix", str(folder), "ws@8"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm took longer than 30 seconds")
    if done.returncode:
        pytest.skip(f"npm cannot install ws here: {done.stderr[-200:]}")
    return folder / "node_modules" / "ws" / "wrapper.mjs"


@pytest.fixture
def start_server(chain: Path, request: pytest.FixtureRequest) -> Iterator[StartServer]:
    """Start servers: ``start_server("picows", tls=True)``."""
    servers: list[Server] = []

    def start(kind: str = "websockets", *, tls: bool = False) -> Server:
        server: Server
        if kind == "node":
            server = NodeServer(request.getfixturevalue("node_ws"), chain if tls else None)
        else:
            server = websocket_servers.start(kind, chain if tls else None)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def record_and_replay(
    proxy: MagnetoProxy, server: Server, talk: Callable[[], Heard], path: str = "/talk"
) -> Path:
    """Have a conversation, and have it again with the server gone; returns the cassette."""
    proxy.use("tape", "record")
    assert talk() == ECHOED
    cassette = proxy.stop_recording()
    assert cassette is not None
    with Cassette.open(cassette) as recorded:
        (only,) = recorded[:]
        assert only.request.target == path
        assert only.websocket is not None
        said = [each for each in only.websocket.messages if each.kind in ("text", "binary")]
        assert [_shown(each) for each in said if each.sender == "client"] == LINES
        assert [_shown(each) for each in said if each.sender == "server"] == ECHOED[:-1]
        close = only.websocket.close
        assert close is not None
        assert (close.code, close.reason, close.by) == (*FAREWELL, "server")
    server.stop()
    proxy.use("tape", "replay")
    assert talk() == ECHOED
    assert [miss for miss in proxy.misses if miss.url.endswith(path)] == []
    assert proxy.all_played
    return cassette


def _shown(message: Any) -> str | bytes:
    return message.data.decode() if message.kind == "text" else message.data


def url_of(server: Server, tls: bool) -> str:
    """Return where a server is."""
    return f"{'wss' if tls else 'ws'}://{'localhost' if tls else '127.0.0.1'}:{server.port}/talk"


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_client_through_the_proxy(
    client: Client, tls: bool, start_server: StartServer, make_proxy: MakeProxy
) -> None:
    """Whichever client, and however it asks a proxy: the replay says what the server said."""
    server, proxy = start_server(tls=tls), make_proxy()
    way = Way(url_of(server, tls), proxy.url, proxy.ca_path)
    record_and_replay(proxy, server, lambda: client(way, LINES))


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_client_of_a_reverse_proxy(
    client: Client, tls: bool, start_server: StartServer, make_proxy: MakeProxy
) -> None:
    """A client that knows of no proxy speaks with us as with the server."""
    server = start_server(tls=tls)
    origin = url_of(server, tls).replace("ws", "http", 1).removesuffix("/talk")
    proxy = make_proxy(reverse=origin, reverse_tls=tls)
    way = Way(proxy.url.replace("http", "ws", 1).rstrip("/") + "/talk", None, proxy.ca_path)
    record_and_replay(proxy, server, lambda: client(way, LINES))


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("kind", ["aiohttp", "picows", "node"])
def test_server(kind: str, tls: bool, start_server: StartServer, make_proxy: MakeProxy) -> None:
    """Whichever server: it is not missed in replay."""
    server, proxy = start_server(kind, tls=tls), make_proxy()
    way = Way(url_of(server, tls), proxy.url, proxy.ca_path)
    record_and_replay(proxy, server, lambda: by_websockets_sync(way, LINES))


@pytest.mark.needs("node")
@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_ws_of_node(
    tls: bool, node_ws: Path, start_server: StartServer, make_proxy: MakeProxy
) -> None:
    """Node's `ws`, told by its user how to connect."""
    server, proxy = start_server(tls=tls), make_proxy()
    way = Way(url_of(server, tls), proxy.url, proxy.ca_path)
    record_and_replay(proxy, server, lambda: by_node(way, LINES, node_ws))


@pytest.mark.needs("node")
@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_built_in_websocket_of_node(
    tls: bool, start_server: StartServer, make_proxy: MakeProxy
) -> None:
    """Node's own WebSocket, which knows of no proxy, with a reverse one."""
    script = "process.exit(typeof WebSocket === 'function' ? 0 : 1)"
    asked = ["node", "--no-warnings", "--experimental-websocket", "-e", script]
    if subprocess.run(asked, capture_output=True, timeout=20, check=False).returncode:
        pytest.skip("this Node has no WebSocket")
    server = start_server(tls=tls)
    proxy = make_proxy(reverse=url_of(server, tls).replace("ws", "http", 1).removesuffix("/talk"))
    way = Way(proxy.url.replace("http", "ws", 1).rstrip("/") + "/talk", None, proxy.ca_path)
    record_and_replay(proxy, server, lambda: by_node(way, LINES))


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_chromium(tls: bool, start_server: StartServer, make_proxy: MakeProxy) -> None:
    """A page in a browser: it asks for a tunnel for both schemes, and compresses."""
    playwright = pytest.importorskip("playwright.sync_api")
    # What the browser asks its maker of its own accord, by whichever name, is no part of this.
    server, proxy = start_server(tls=tls), make_proxy(record_only=["path=/talk"])
    script = (NODE / "converse.mjs").read_text().replace("export ", "")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"],
            proxy={"server": proxy.url, "bypass": "<-loopback>,*.com,*.net"},
        )
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.set_content(f"<script>{script}</script>")
        task = {"url": url_of(server, tls), "lines": to_json(LINES)}

        def talk() -> Heard:
            run = "({ url, lines }) => converse(new WebSocket(url), lines)"
            return from_json(page.evaluate(run, task))

        try:
            record_and_replay(proxy, server, talk)
        finally:
            browser.close()


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_client_that_nobody_tells(
    client: Client, tls: bool, start_server: StartServer, origin_authority: ThrowawayAuthority
) -> None:
    """In a `use_cassette` block a client needs to be told nothing, not even whom to trust."""
    server = start_server(tls=tls)
    # picows has a TLS of its own, which asks the context that it is given and not Python.
    way = Way(url_of(server, tls), None, None if client is by_picows else origin_authority.pem)
    with use_cassette("tape"):
        assert client(way, LINES) == ECHOED
    server.stop()
    with use_cassette("tape", "replay") as proxy:
        assert client(way, LINES) == ECHOED
    assert proxy.misses == []
