"""The library as its users write it: blocks, decorators, loops, children."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from magneto_serge import (
    MagnetoProxy,
    Mode,
    use_cassette,
)

from .conftest import MakeOrigin, MakeProxy
from .origin import Origin
from .tapes import fetch

pytestmark = pytest.mark.usefixtures("at_home")


def test_example_of_the_documentation(any_origin: Origin) -> None:
    """The code of the README works as it stands."""
    url = any_origin.url("/json")

    with MagnetoProxy("cassettes", port=0, mode=Mode.AUTO) as proxy:
        proxy.start_recording("github")
        with httpx.Client(proxy=proxy.url, verify=proxy.ssl_context()) as client:
            client.get(url)
        assert proxy.stop_recording() == Path("cassettes/github.json").resolve()
        proxy.replay("github")
        any_origin.stop()
        with httpx.Client(proxy=proxy.url, verify=proxy.ssl_context()) as client:
            assert client.get(url).json() == {"ok": True}
        proxy.mode = Mode.PASSTHROUGH
        with httpx.Client(proxy=proxy.url, verify=proxy.ssl_context()) as client:
            assert client.get(url).status_code == 502

    with use_cassette("github", mode="auto"):
        assert fetch(url) == b'{"ok": true}'


def test_first_run_records_and_the_second_replays(any_origin: Origin) -> None:
    """`use_cassette` in its default mode needs the network once."""
    with use_cassette("once") as proxy:
        assert proxy.mode is Mode.AUTO
        first = fetch(any_origin.url("/json"))
    any_origin.stop()
    with use_cassette("once"):
        assert fetch(any_origin.url("/json")) == first


def test_decorated_function(origin: Origin) -> None:
    """As a decorator, each call is a session of its own and results pass through."""

    @use_cassette("decorated")
    def work(path: str, *, times: int) -> list[bytes]:
        """Say what it does."""
        return [fetch(origin.url(path)) for _ in range(times)]

    assert work("/json", times=2) == [b'{"ok": true}'] * 2
    origin.stop()
    assert work("/json", times=2) == [b'{"ok": true}'] * 2
    assert work.__doc__ == "Say what it does."
    assert "HTTP_PROXY" not in os.environ


def test_decorated_coroutine_function(origin: Origin) -> None:
    """A coroutine function is decorated just so."""

    @use_cassette("decorated")
    async def work(path: str) -> bytes:
        async with httpx.AsyncClient() as client:
            return (await client.get(origin.url(path))).content

    assert asyncio.run(work("/json")) == b'{"ok": true}'
    origin.stop()
    assert asyncio.run(work("/json")) == b'{"ok": true}'


def test_async_block_runs_in_the_callers_loop(any_origin: Origin) -> None:
    """`async with` needs no thread: proxy and client share the running loop."""
    url = any_origin.url("/json")

    async def ask(proxy: MagnetoProxy) -> bytes:
        async with httpx.AsyncClient(proxy=proxy.url, verify=proxy.ssl_context()) as client:
            return (await client.get(url)).content

    async def main() -> None:
        async with MagnetoProxy("cassettes", port=0) as proxy:
            proxy.start_recording("async")
            assert await ask(proxy) == b'{"ok": true}'
            assert proxy.stop_recording() is not None
        await asyncio.to_thread(any_origin.stop)
        async with use_cassette("async", Mode.REPLAY) as proxy:
            assert await ask(proxy) == b'{"ok": true}'

    asyncio.run(main())


def test_environment_is_given_back(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the block put into the environment is gone after it, what it replaced is back."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/somewhere/else.pem")
    before = dict(os.environ)
    with use_cassette("env") as proxy:
        assert os.environ["HTTPS_PROXY"] == os.environ["http_proxy"] == proxy.url
        assert os.environ["REQUESTS_CA_BUNDLE"] != "/somewhere/else.pem"
        fetch(origin.url("/json"))
    assert dict(os.environ) == before


@pytest.mark.needs("curl")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_child_process_is_recorded(scheme: str, make_origin: MakeOrigin) -> None:
    """A child inherits proxy and trust: whatever it is written in, it is recorded."""
    origin = make_origin(tls=scheme == "https")
    command = ["curl", "--silent", "--show-error", origin.url("/json")]
    for phase in ("record", "replay"):
        with use_cassette("child"):
            done = subprocess.run(command, capture_output=True, timeout=20, check=False)
        assert done.stdout == b'{"ok": true}', (phase, done.stderr)
        origin.stop()


def test_env_for_a_child_is_complete(make_proxy: MakeProxy) -> None:
    """`env()` names the proxy in both cases, with credentials, and our trust for everyone."""
    proxy = make_proxy(proxy_auth="user:p@ss", ignore_hosts=("localhost",))
    env = proxy.env()
    url = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        assert env[name] == env[name.upper()] == url
    assert env["no_proxy"] == env["NO_PROXY"] == "localhost"
    for name in (
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "AWS_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "PIP_CERT",
        "DENO_CERT",
    ):
        assert proxy.ca_path.read_text().strip() in Path(env[name]).read_text(), name
