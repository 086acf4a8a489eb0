"""Real WebSocket servers, each on a loopback port of its own: they greet, echo, and close on "bye".

All close with :data:`FAREWELL`. ``start(kind, chain)`` gives a :class:`Server`; with ``chain``, a
PEM file with a key and its certificates, it speaks TLS.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import picows
import uvloop
from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

GREETING = "welcome"
FAREWELL = (4001, "so long")

Stop = Callable[[], Awaitable[Any]]


class Server:
    """A server on ``port``; ``stop`` frees it."""

    port = 0

    def stop(self) -> None:
        """End it."""


class _InLoop(Server):
    """One that runs on an event loop in a thread of its own."""

    def __init__(self, start: Callable[..., Awaitable[tuple[int, Stop]]], *options: Any) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=start.__name__)
        self._thread.start()
        self.port, self._stop = self._call(start(*options))

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def stop(self) -> None:
        """End it, and its loop."""
        if not self._loop.is_closed():
            self._call(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


# --- websockets -----------------------------------------------------------------------------------


async def echo(connection: ServerConnection) -> None:
    """Speak as all servers here do."""
    await connection.send(GREETING)
    try:
        async for message in connection:
            if message == "bye":
                await connection.close(*FAREWELL)
            else:
                await connection.send(message)
    except ConnectionClosed:
        return  # without a closing handshake: a client that was killed


async def _websockets(
    context: ssl.SSLContext | None, handler: Any = echo, options: Any = None
) -> tuple[int, Stop]:
    server = await serve(handler, "127.0.0.1", 0, ssl=context, **(options or {}))

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    return next(iter(server.sockets)).getsockname()[1], stop


def serve_websockets(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo,
    context: ssl.SSLContext | None = None,
    **options: Any,
) -> Server:
    """Start a server of ``websockets`` with a handler and options of its own."""
    return _InLoop(_websockets, context, handler, options)


# --- aiohttp --------------------------------------------------------------------------------------


async def _aiohttp(context: ssl.SSLContext | None) -> tuple[int, Stop]:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(GREETING)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            elif message.data == "bye":
                await socket.close(code=FAREWELL[0], message=FAREWELL[1].encode())
            else:
                await socket.send_str(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return runner.addresses[0][1], runner.cleanup


# --- picows ---------------------------------------------------------------------------------------


class _Echo(picows.WSListener):
    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Greet."""
        transport.send(picows.WSMsgType.TEXT, GREETING.encode())

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Echo; these clients send messages in one frame."""
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_reason())
            transport.disconnect()
        elif payload == b"bye":
            transport.send_close(picows.WSCloseCode(FAREWELL[0]), FAREWELL[1])
        else:
            transport.send(frame.msg_type, payload)


async def _picows(context: ssl.SSLContext | None) -> tuple[int, Stop]:
    server = await picows.ws_create_server(lambda _: _Echo(), "127.0.0.1", 0, ssl=context)

    async def stop() -> None:
        server.close()  # who is still connected is cut off with the loop

    return server.sockets[0].getsockname()[1], stop


# --- Node -----------------------------------------------------------------------------------------


class NodeServer(Server):
    """Node's ``ws``, which is at ``module``."""

    def __init__(self, module: Path, chain: Path | None) -> None:
        script = Path(__file__).parent / "node" / "websocket_server.mjs"
        tls = {"TLS_CHAIN": str(chain)} if chain else {}
        self._process = subprocess.Popen(
            ["node", str(script)],
            env={**os.environ, "WS_MODULE": str(module), **tls},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


_STARTERS = {"websockets": _websockets, "aiohttp": _aiohttp, "picows": _picows}


def start(kind: str, chain: Path | None = None) -> Server:
    """Start a server of a Python library by name."""
    context = None
    if chain is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
    return _InLoop(_STARTERS[kind], context)
