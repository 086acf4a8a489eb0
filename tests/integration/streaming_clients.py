"""Clients reading a stream as it comes: the pieces that each gives its user, and their moments."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable

import aiohttp
import httpx
import requests
import urllib3

from .exchange import PATIENCE
from .system_programs import NODE, run_program

Heard = list[tuple[str, float]]
"""Pieces, with the seconds since the first."""

Listen = Callable[[str, str | None], Heard]
"""Reads the stream at a URL, through a proxy or not."""


def timed(pieces: Iterable[bytes]) -> Heard:
    """Note when each piece comes; empty ones are none."""
    found = [(piece.decode("latin-1"), time.monotonic()) for piece in pieces if piece]
    return [(text, at - found[0][1]) for text, at in found]


def listen_requests(url: str, proxy: str | None) -> Heard:
    """Python's requests, by lines; of a stream without chunks it waits for what it asked for."""
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": proxy} if proxy else {}
        with session.get(url, stream=True, timeout=PATIENCE) as response:
            return timed(response.iter_lines(chunk_size=1))


def listen_urllib3(url: str, proxy: str | None) -> Heard:
    """Python's urllib3."""
    with urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager() as pool:
        response = pool.request("GET", url, preload_content=False, timeout=PATIENCE)
        return timed(response.stream(1, decode_content=True))


def listen_httpx(url: str, proxy: str | None) -> Heard:
    """Python's httpx, by lines."""
    with (
        httpx.Client(proxy=proxy, trust_env=False, timeout=PATIENCE) as client,
        client.stream("GET", url) as response,
    ):
        return timed(line.encode() for line in response.iter_lines())


def listen_aiohttp(url: str, proxy: str | None) -> Heard:
    """Python's aiohttp, by lines."""

    async def listen() -> Heard:
        limit = aiohttp.ClientTimeout(PATIENCE)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(url, proxy=proxy) as response,
        ):
            found = [(line.decode("latin-1"), time.monotonic()) async for line in response.content]
        return [(text, at - found[0][1]) for text, at in found]

    return asyncio.run(listen())


def listen_fetch(url: str, proxy: str | None) -> Heard:
    """Node's fetch, by what arrives; it knows no proxy, so ``url`` is a reverse proxy's."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    task = {"base": f"{scheme}://{authority}", "path": slash + path}
    output = run_program(["node", str(NODE / "stream.mjs")], json.dumps(task).encode())
    return [(text, ms / 1000) for text, ms in json.loads(output)]


def listen_curl(url: str, proxy: str | None) -> Heard:
    """The curl program, without a buffer; it says what came, not when."""
    command = ["curl", "--disable", "-sSN", "--proxy", proxy or "", url]
    return [(run_program(command, b"").decode("latin-1"), 0.0)]


FORWARD: dict[str, Listen] = {
    "requests": listen_requests,
    "urllib3": listen_urllib3,
    "httpx": listen_httpx,
    "aiohttp": listen_aiohttp,
    "curl": listen_curl,
}
