"""Real WebSocket clients: each holds the same conversation and tells what it heard.

``client(way, lines)`` says each of ``lines`` when the one before was answered, and returns what the
server said: ``str`` and ``bytes``, and at the end the close code and reason.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import picows
import uvloop
import websockets.asyncio.client
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

import websocket

Heard = list["str | bytes | tuple[int, str]"]
Lines = list["str | bytes"]

LINES: Lines = ["héllo 🎙", bytes(range(256)), '{"n": 1}', "x" * 70_000, b"", b"\0" * 126, "bye"]


class Way(NamedTuple):
    """Where to: ``url``, through ``proxy`` (None: nobody tells the client), trusting ``ca``.

    ``ca`` None: whatever a new context trusts.
    """

    url: str
    proxy: str | None
    ca: Path | None

    @property
    def context(self) -> ssl.SSLContext | None:
        """A client side context that trusts ``ca``, for ``wss``."""
        return ssl.create_default_context(cafile=self.ca) if self.url[:4] == "wss:" else None


Client = Callable[[Way, Lines], Heard]


def _end(error: ConnectionClosed) -> tuple[int, str]:
    close = error.rcvd
    return (1006, "") if close is None else (close.code, close.reason)


def by_websockets(way: Way, lines: Lines) -> Heard:
    """Python's websockets, with asyncio."""

    async def run() -> Heard:
        heard: Heard = []
        connect = websockets.asyncio.client.connect
        async with connect(way.url, proxy=way.proxy or True, ssl=way.context) as connection:
            try:
                for line in lines:
                    heard.append(await connection.recv())
                    await connection.send(line)
                heard.append(await connection.recv())
            except ConnectionClosed as error:
                heard.append(_end(error))
        return heard

    return asyncio.run(run())


def by_websockets_sync(way: Way, lines: Lines) -> Heard:
    """Python's websockets, with threads: one reads while another writes.

    Over TLS 1.2: until Python 3.13 nothing keeps two threads from using one ``ssl`` object at once,
    and where a session ticket of TLS 1.3 comes while the request is written, that may never leave
    (without any proxy too: once in some hundred connections on a busy machine).
    """
    heard: Heard = []
    connect, context = websockets.sync.client.connect, way.context
    if context is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(way.url, proxy=way.proxy or True, ssl=context) as connection:
        try:
            for line in lines:
                heard.append(connection.recv())
                connection.send(line)
            heard.append(connection.recv())
        except ConnectionClosed as error:
            heard.append(_end(error))
    return heard


def by_aiohttp(way: Way, lines: Lines) -> Heard:
    """Python's aiohttp."""

    async def run() -> Heard:
        heard: Heard = []
        trust = way.proxy is None
        async with (
            aiohttp.ClientSession(trust_env=trust) as session,
            session.ws_connect(way.url, proxy=way.proxy, ssl=way.context or True) as socket,
        ):
            for line in [*lines, None]:
                message = await socket.receive()
                if message.type is aiohttp.WSMsgType.CLOSE:
                    heard.append((message.data, message.extra or ""))
                    break
                heard.append(message.data)
                if isinstance(line, bytes):
                    await socket.send_bytes(line)
                elif line is not None:
                    await socket.send_str(line)
        return heard

    return asyncio.run(run())


def by_websocket_client(way: Way, lines: Lines) -> Heard:
    """Python's websocket-client."""
    options: dict[str, Any] = {"sslopt": {"context": way.context}} if way.context else {}
    if way.proxy:
        proxy = urlsplit(way.proxy)
        options |= {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port}
        options |= {"proxy_type": "http", "http_no_proxy": ["nowhere.invalid"]}
    connection = websocket.create_connection(way.url, 20, **options)
    heard: Heard = []
    for line in [*lines, ""]:
        opcode, data = connection.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            heard.append((int.from_bytes(data[:2], "big"), data[2:].decode()))
            break
        text = opcode == websocket.ABNF.OPCODE_TEXT
        heard.append(data.decode() if text else data)
        connection.send_binary(line) if isinstance(line, bytes) else connection.send(line)
    connection.shutdown()
    return heard


class _Listener(picows.WSListener):
    def __init__(self, lines: Lines) -> None:
        self.heard: Heard = []
        self._lines = iter(lines)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Keep it, and say the next line; these servers send messages in one frame."""
        if frame.msg_type == picows.WSMsgType.CLOSE:
            self.heard.append((int(frame.get_close_code()), frame.get_close_reason() or ""))
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        text = frame.msg_type == picows.WSMsgType.TEXT
        payload = frame.get_payload_as_bytes()
        self.heard.append(payload.decode() if text else payload)
        line = next(self._lines)
        if isinstance(line, bytes):
            transport.send(picows.WSMsgType.BINARY, line)
        else:
            transport.send(picows.WSMsgType.TEXT, line.encode())


def by_picows(way: Way, lines: Lines) -> Heard:
    """Python's picows, which has no compression."""

    async def run() -> Heard:
        transport, listener = await picows.ws_connect(
            lambda: _Listener(lines), way.url, ssl_context=way.context, proxy=way.proxy
        )
        await asyncio.wait_for(transport.wait_disconnected(), 20)
        assert isinstance(listener, _Listener)
        return listener.heard

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


# --- JavaScript -----------------------------------------------------------------------------------

NODE = Path(__file__).parent / "node"


def to_json(lines: Lines) -> list[dict[str, Any]]:
    """Write lines for ``node/converse.mjs``."""
    return [{"text": each} if isinstance(each, str) else {"binary": [*each]} for each in lines]


def from_json(told: list[dict[str, Any]]) -> Heard:
    """Read what ``node/converse.mjs`` heard."""
    heard: Heard = []
    for each in told:
        if "code" in each:
            heard.append((each["code"], each["reason"]))
        else:
            heard.append(each["text"] if "text" in each else bytes(each["binary"]))
    return heard


def by_node(way: Way, lines: Lines, module: Path | None = None) -> Heard:
    """Node: the ``ws`` at ``module``, or the one that it has built in."""
    environ = {**os.environ, "NODE_EXTRA_CA_CERTS": str(way.ca)}
    if module is not None:
        environ["WS_MODULE"] = str(module)
    done = subprocess.run(
        ["node", "--no-warnings", "--experimental-websocket", str(NODE / "websocket.mjs")],
        input=json.dumps({"url": way.url, "proxy": way.proxy, "lines": to_json(lines)}),
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return from_json(json.loads(done.stdout))
