"""Python's HTTP clients, in process. Proxy and trust are given explicitly to each."""

from __future__ import annotations

import asyncio
import http.client
import urllib.request
from urllib.error import HTTPError

import aiohttp
import httpx
import requests
import urllib3

from .exchange import PATIENCE
from .routes import Call
from .seen import Seen, Way, latin1


def run_requests(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Python's requests."""
    seen = {}
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(way.ca)
        if way.proxy:
            session.proxies = {"http": way.proxy, "https": way.proxy}
        for name, call in calls.items():
            with session.request(
                call.method,
                way.base + call.path,
                data=call.body,
                stream=True,
                allow_redirects=False,
                timeout=PATIENCE,
            ) as response:
                body = response.raw.read(decode_content=False)
                headers = latin1(response.raw.headers.iteritems())
                seen[name] = Seen.of(response.status_code, response.reason, headers, body)
    return seen


def run_urllib3(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Python's urllib3."""
    seen = {}
    pool: urllib3.PoolManager = (
        urllib3.ProxyManager(way.proxy, ca_certs=str(way.ca))
        if way.proxy
        else urllib3.PoolManager(ca_certs=str(way.ca))
    )
    with pool:
        for name, call in calls.items():
            response = pool.request(
                call.method,
                way.base + call.path,
                body=call.body,
                preload_content=False,
                retries=False,
                timeout=PATIENCE,
            )
            body = response.read(decode_content=False)
            headers = latin1(response.headers.iteritems())
            seen[name] = Seen.of(response.status, response.reason, headers, body)
            response.release_conn()
    return seen


def run_httpx(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Python's httpx."""
    seen = {}
    with httpx.Client(
        proxy=way.proxy, verify=way.context, trust_env=False, timeout=PATIENCE
    ) as client:
        for name, call in calls.items():
            with client.stream(call.method, way.base + call.path, content=call.body) as response:
                body = b"".join(response.iter_raw())
            reason = response.extensions["reason_phrase"]
            seen[name] = Seen.of(response.status_code, reason, response.headers.raw, body)
    return seen


def run_aiohttp(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Python's aiohttp."""

    async def run() -> dict[str, Seen]:
        seen = {}
        limit = aiohttp.ClientTimeout(PATIENCE)
        async with aiohttp.ClientSession(auto_decompress=False, timeout=limit) as session:
            for name, call in calls.items():
                async with session.request(
                    call.method,
                    way.base + call.path,
                    data=call.body,
                    proxy=way.proxy,
                    ssl=way.context,
                    allow_redirects=False,
                ) as response:
                    body = await response.read()
                    headers = list(response.raw_headers)
                    seen[name] = Seen.of(response.status, response.reason, headers, body)
        return seen

    return asyncio.run(run())


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def run_urllib(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Python's own urllib.request."""
    seen = {}
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": way.proxy, "https": way.proxy} if way.proxy else {}),
        urllib.request.HTTPSHandler(context=way.context),
        _NoRedirects(),
    )
    for name, call in calls.items():
        request = urllib.request.Request(way.base + call.path, call.body, method=call.method)
        response: http.client.HTTPResponse | HTTPError
        try:
            response = opener.open(request, timeout=PATIENCE)
        except HTTPError as error:
            response = error
        with response:
            headers = latin1(response.headers.raw_items())
            seen[name] = Seen.of(response.status or 0, response.reason, headers, response.read())
    return seen
