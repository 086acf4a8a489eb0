"""WebSockets in recorded time, with real clients.

All bounds are lower ones that follow from cause and effect, so that a busy machine breaks none: an
answer is recorded after the question that it waited for, and replayed after it.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections.abc import Iterator

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.sync.client import connect

from magneto_serge import Cassette, MagnetoProxy
from magneto_serge.messages import Conversation

from .conftest import MakeProxy
from .websocket_clients import (
    Client,
    Way,
    by_aiohttp,
    by_picows,
    by_websocket_client,
    by_websockets,
    by_websockets_sync,
)
from .websocket_servers import FAREWELL, GREETING, Server, serve_websockets

CLIENTS: dict[str, Client] = {
    "websockets": by_websockets,
    "websockets-sync": by_websockets_sync,
    "aiohttp": by_aiohttp,
    "websocket-client": by_websocket_client,
    "picows": by_picows,
}
PACE = 0.04  # seconds that the server thinks before it says anything
CLOCK = 0.002  # seconds by which a loop's clock may be early

# Some of these libraries leave half-closed connections to a loop that ends: not our business.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


async def _think(connection: ServerConnection) -> None:
    await asyncio.sleep(PACE)
    await connection.send(GREETING)
    async for message in connection:
        await asyncio.sleep(PACE)
        if message == "bye":
            await connection.close(*FAREWELL)
        else:
            await connection.send(message)


async def _tick(connection: ServerConnection) -> None:
    for number in range(5):
        await asyncio.sleep(PACE)
        await connection.send(str(number))


@pytest.fixture
def slow_server() -> Iterator[Server]:
    """A server that thinks before it says anything."""
    server = serve_websockets(_think)
    yield server
    server.stop()


def only_conversation(proxy: MagnetoProxy) -> Conversation:
    """Save the recording, and return what was said."""
    path = proxy.stop_recording()
    assert path is not None
    with Cassette.open(path) as cassette:
        (only,) = cassette[:]
    assert only.websocket is not None
    return only.websocket


def thought(talk: Conversation) -> float:
    """Return the seconds that the server took for its answers, together."""
    taken, asked = 0.0, 0.0
    for message in talk.messages:
        if message.sender == "client":
            asked = message.at_ms
        elif asked:
            taken += message.at_ms - asked
    assert talk.close is not None
    return (taken + talk.close.at_ms - asked) / 1000


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_answers_take_as_long_as_they_took(
    client: Client, slow_server: Server, make_proxy: MakeProxy
) -> None:
    """With ``recorded`` a conversation takes its time, with ``scale:300`` three times as much."""
    proxy = make_proxy(latency="recorded")
    lines: list[str | bytes] = ["one", b"two", "bye"]

    def talk(through: MagnetoProxy) -> float:
        began = time.monotonic()
        heard = client(Way(f"ws://127.0.0.1:{slow_server.port}/", through.url, None), lines)
        assert heard == [GREETING, "one", b"two", FAREWELL]
        return time.monotonic() - began

    proxy.use("tape", "record")
    talk(proxy)
    recorded = thought(only_conversation(proxy))
    assert recorded >= 3 * (PACE - CLOCK)
    slow_server.stop()
    proxy.use("tape", "replay")
    assert talk(proxy) >= recorded - 3 * CLOCK
    slower = make_proxy(latency="scale:300")
    slower.use("tape", "replay")
    assert talk(slower) >= 3 * recorded - 3 * CLOCK


@pytest.mark.parametrize(("latency", "factor"), [("recorded", 1), ("scale:50", 0.5)])
def test_what_nobody_has_asked_for(latency: str, factor: float, make_proxy: MakeProxy) -> None:
    """Each message comes no sooner after the handshake than it came, one by one."""
    server, proxy = serve_websockets(_tick), make_proxy(latency=latency)
    url = f"ws://127.0.0.1:{server.port}/"
    try:
        proxy.use("tape", "record")
        with connect(url, proxy=proxy.url) as connection:
            live = list(connection)
        recorded = only_conversation(proxy)
    finally:
        server.stop()
    proxy.use("tape", "replay")
    began = time.monotonic()
    with connect(url, proxy=proxy.url) as connection:
        arrivals = [(text, time.monotonic() - began) for text in connection]
    assert [text for text, _ in arrivals] == live == [str(number) for number in range(5)]
    for (_, at), message in zip(arrivals, recorded.messages, strict=True):
        assert at >= message.at_ms / 1000 * factor - CLOCK


def test_at_once(slow_server: Server, make_proxy: MakeProxy) -> None:
    """Without a latency nobody waits: a conversation of a minute is over in a moment."""
    proxy = make_proxy()
    way = Way(f"ws://127.0.0.1:{slow_server.port}/", proxy.url, None)
    lines: list[str | bytes] = ["one", "bye"]
    proxy.use("tape", "record")
    by_websockets_sync(way, lines)
    path = proxy.stop_recording()
    assert path is not None
    later = re.sub(r'"ms": ([\d.]+)', lambda at: f'"ms": {float(at[1]) * 1000}', path.read_text())
    path.write_text(later)
    proxy.use("tape", "replay")
    assert by_websockets_sync(way, lines) == [GREETING, "one", FAREWELL]
