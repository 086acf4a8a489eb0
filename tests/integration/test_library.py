"""The library as its users write it: blocks, decorators, threads, loops, mistakes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from magneto_serge import (
    CassetteBusyError,
    CassetteNotFoundError,
    ConfigError,
    MagnetoProxy,
    Mode,
    ProxyError,
    ReplayMissError,
    use_cassette,
)

from . import routes
from .certificates import ThrowawayAuthority
from .conftest import MakeOrigin, MakeProxy
from .doors import Door
from .origin import Origin


@pytest.fixture(autouse=True)
def at_home(
    tmp_path: Path,
    data_dir: Path,
    origin_authority: ThrowawayAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Work in an empty folder, with the settings that every user has from somewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGNETO_DATA_DIR", str(data_dir))
    monkeypatch.setenv("MAGNETO_UPSTREAM_CA", str(origin_authority.pem))


def fetch(url: str, proxy: str | None = None) -> bytes:
    """Get ``url`` with urllib, through ``proxy`` or the one that the environment names."""
    handlers = [urllib.request.ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
    with urllib.request.build_opener(*handlers).open(url, timeout=10) as response:
        body = response.read()
        assert isinstance(body, bytes)
        return body


def urls_in(path: Path) -> list[str]:
    """Return the URLs recorded in a cassette, by reading it as the JSON that it is."""
    found = []
    for interaction in json.loads(path.read_text())["interactions"]:
        request = interaction["request"]
        found.append(request["url"])
    return found


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


# ------------------------------------------------------------------ many at once


def test_many_proxies_in_one_process(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Proxies at work at the same time keep their cassettes apart."""
    origin = make_origin()
    proxies = [make_proxy() for _ in range(4)]
    for number, proxy in enumerate(proxies):
        proxy.start_recording(f"number-{number}")

    def work(number: int) -> None:
        for request in range(5):
            fetch(origin.url(f"/echo?proxy={number}&request={request}"), proxies[number].url)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for number, proxy in enumerate(proxies):
        path = proxy.stop_recording()
        assert path is not None
        assert urls_in(path) == [
            origin.url(f"/echo?proxy={number}&request={request}") for request in range(5)
        ]


def test_threads_lose_no_request(origin: Origin, make_proxy: MakeProxy) -> None:
    """Forty requests from eight threads are forty recordings, and replay as forty."""
    proxy = make_proxy()
    urls = [origin.url(f"/echo?n={number}") for number in range(40)]
    proxy.start_recording("threads")
    with ThreadPoolExecutor(8) as pool:
        recorded = list(pool.map(lambda url: fetch(url, proxy.url), urls))
    path = proxy.stop_recording()
    assert path is not None
    assert sorted(urls_in(path)) == sorted(urls)
    origin.stop()
    proxy.replay("threads")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda url: fetch(url, proxy.url), urls)) == recorded


def test_recording_while_it_is_switched(origin: Origin, make_proxy: MakeProxy) -> None:
    """Traffic may flow while cassettes and modes change: no request fails or is half recorded."""
    proxy = make_proxy(mode=Mode.PASSTHROUGH)
    stop = False

    def hammer(_: int) -> int:
        count = 0
        while not stop:
            assert fetch(origin.url("/json"), proxy.url) == b'{"ok": true}'
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(hammer, number) for number in range(4)]
        for turn in range(10):
            proxy.start_recording(f"turn-{turn}")
            seen = proxy.stats.requests
            origin.wait_for(lambda goal=seen + 4: proxy.stats.requests > goal)  # type: ignore[misc]  # a bound default
            proxy.mode = Mode.PASSTHROUGH
            proxy.mode = Mode.RECORD
            assert proxy.stop_recording() is not None
        stop = True
        assert sum(future.result() for future in futures) > 0


# ------------------------------------------------------------------ modes


def test_mode_is_switched_on_a_living_connection(plain_door: Door) -> None:
    """A new mode holds from the next request on, for connections that are already there."""
    proxy, origin = plain_door.proxy, plain_door.origin
    proxy.start_recording("live")
    with plain_door.open() as client:
        origin.on("/now", routes.response(b"recorded"))
        assert client.ask(plain_door.request("/now")).body == b"recorded"
        proxy.stop_recording()
        origin.on("/now", routes.response(b"live"))
        proxy.replay("live")
        assert client.ask(plain_door.request("/now")).body == b"recorded"
        proxy.mode = Mode.PASSTHROUGH
        assert client.ask(plain_door.request("/now")).body == b"live"
        proxy.mode = "replay"
        assert client.ask(plain_door.request("/now")).body == b"recorded"
    assert proxy.cassette_name == "live"
    assert proxy.mode is Mode.REPLAY


def test_record_replaces_and_hybrid_appends(plain_door: Door) -> None:
    """`record` begins anew; `hybrid` replays what there is and adds what is missing."""
    proxy, origin = plain_door.proxy, plain_door.origin
    for path in ("/json", "/empty"):
        proxy.use("tape", Mode.RECORD)
        plain_door.ask(path)
        saved = proxy.stop_recording()
    assert saved is not None
    assert urls_in(saved) == [origin.url("/empty")]
    proxy.use("tape", Mode.HYBRID)
    heard = len(origin.received)
    for path in ("/empty", "/json", "/json"):
        assert plain_door.ask(path).status == 200
    assert len(origin.received) == heard + 2  # what hybrid has just recorded is not replayed
    proxy.stop_recording()
    assert urls_in(saved) == [origin.url("/empty"), origin.url("/json"), origin.url("/json")]


def test_without_a_cassette_nothing_passes(origin: Origin, make_proxy: MakeProxy) -> None:
    """A proxy in `auto` that was given no cassette refuses, and says what to call."""
    answer = Door("absolute", make_proxy(mode=Mode.AUTO), origin).ask("/json")
    assert answer.status == 502
    assert "start_recording" in answer.problem["remedy"]
    assert origin.connections == 0


def test_miss_is_an_error_of_the_block(origin: Origin) -> None:
    """Code that swallows the 502 does not hide it: leaving the block raises, with the nearest."""
    with use_cassette("strict"):
        fetch(origin.url("/echo?page=1"))
    with pytest.raises(ReplayMissError, match="query page: asked '2', recorded '1'"):  # noqa: SIM117
        with use_cassette("strict"), pytest.raises(urllib.error.HTTPError) as caught:
            fetch(origin.url("/echo?page=2"))
    caught.value.close()


def test_error_of_the_block_goes_before_a_miss(origin: Origin) -> None:
    """The block's own exception is the one that is raised."""
    with use_cassette("strict"):
        fetch(origin.url("/json"))
    with pytest.raises(urllib.error.HTTPError) as caught, use_cassette("strict"):
        fetch(origin.url("/empty"))
    caught.value.close()


def test_secrets_stay_off_the_disk(plain_door: Door, tmp_path: Path) -> None:
    """Credentials in fields and queries are in no file, and another one replays all the same."""
    proxy = plain_door.proxy
    proxy.start_recording("secret")
    plain_door.ask("/json?api_key=s3cr3t-1", fields="Authorization: Bearer s3cr3t-2\r\n")
    proxy.stop_recording()
    files = [path for path in (tmp_path / "cassettes").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"s3cr3t" in path.read_bytes()]
    proxy.replay("secret")
    assert plain_door.ask("/json?api_key=another").status == 200


# ------------------------------------------------------------------ beginnings and ends


def test_exception_in_the_block_still_saves(
    origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """What was recorded before the exception is saved, and the log says so."""

    def work() -> None:
        with MagnetoProxy("cassettes", port=0) as proxy:
            proxy.start_recording("broken")
            fetch(origin.url("/json"), proxy.url)
            raise ZeroDivisionError

    with caplog.at_level(logging.WARNING, "magneto_serge"), pytest.raises(ZeroDivisionError):
        work()
    assert urls_in(Path("cassettes/broken.json")) == [origin.url("/json")]
    assert "ZeroDivisionError" in caplog.text
    assert "saved" in caplog.text


def test_stop_is_idempotent(origin: Origin) -> None:
    """Stopping twice, or inside the block, or before the start, is no mistake."""
    proxy = MagnetoProxy("cassettes", port=0)
    proxy.start()
    proxy.start_recording("twice")
    fetch(origin.url("/json"), proxy.url)
    proxy.stop()
    proxy.stop()
    assert Path("cassettes/twice.json").exists()
    with MagnetoProxy("cassettes", port=0) as inner:
        inner.stop()
    MagnetoProxy("cassettes", port=0).stop()


USES: dict[str, Callable[[MagnetoProxy], Any]] = {
    "url": lambda proxy: proxy.url,
    "port": lambda proxy: proxy.port,
    "env": lambda proxy: proxy.env(),
    "use": lambda proxy: proxy.use("x"),
    "start_recording": lambda proxy: proxy.start_recording("x"),
    "stop_recording": lambda proxy: proxy.stop_recording(),
    "replay": lambda proxy: proxy.replay("x"),
    "mode": lambda proxy: setattr(proxy, "mode", Mode.RECORD),
    "start": lambda proxy: proxy.start(),
}


@pytest.mark.parametrize("use", USES)
def test_use_after_stop_is_a_clear_error(use: str) -> None:
    """Whatever is asked of a stopped proxy says that it has stopped."""
    with MagnetoProxy("cassettes", port=0) as proxy:
        pass
    with pytest.raises(ProxyError, match=r"stopped|before"):
        USES[use](proxy)


# A session may be begun before the start, so that the first request finds it.
BEFORE_START = {"start", "use", "start_recording", "replay"}


@pytest.mark.parametrize("use", sorted(USES.keys() - BEFORE_START))
def test_use_before_start_is_a_clear_error(use: str) -> None:
    """What needs a running proxy says so when it does not run yet."""
    with pytest.raises(ProxyError, match="start"):
        USES[use](MagnetoProxy("cassettes", port=0))


def test_port_in_use(make_proxy: MakeProxy) -> None:
    """A port that somebody has is an error that names it, and the way out."""
    first = make_proxy()
    with pytest.raises(ProxyError, match=rf"{first.port}.*in use"):
        MagnetoProxy("cassettes", port=first.port).start()


def test_replay_without_a_cassette(proxy: MagnetoProxy, origin: Origin) -> None:
    """A cassette that does not exist is an error at once, which names the nearest."""
    proxy.start_recording("github")
    fetch(origin.url("/json"), proxy.url)
    proxy.stop_recording()
    with pytest.raises(CassetteNotFoundError, match="github"):
        proxy.replay("githib")


def test_two_recorders_of_one_cassette(make_proxy: MakeProxy, origin: Origin) -> None:
    """Recording a cassette that somebody is recording is an error; the first one goes on."""
    first, second = make_proxy(), make_proxy()
    first.start_recording("shared")
    fetch(origin.url("/json"), first.url)
    with pytest.raises(CassetteBusyError, match=str(os.getpid())):
        second.start_recording("shared")
    path = first.stop_recording()
    assert path is not None
    assert urls_in(path) == [origin.url("/json")]


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../b", "nul\x00", "", "x" * 300])
def test_name_that_leaves_the_folder(name: str, proxy: MagnetoProxy) -> None:
    """A cassette name cannot lead out of the cassette folder."""
    with pytest.raises(ConfigError):
        proxy.start_recording(name)


@pytest.mark.parametrize("mode", ["", "vcr", "Record"])
def test_mode_that_does_not_exist(mode: str, proxy: MagnetoProxy) -> None:
    """An unknown mode names those that there are."""
    with pytest.raises(ConfigError, match="passthrough"):
        proxy.mode = mode


def test_nothing_recorded_leaves_the_older_cassette(proxy: MagnetoProxy, origin: Origin) -> None:
    """Stopping a recording in which nothing happened changes no file."""
    proxy.start_recording("kept")
    fetch(origin.url("/json"), proxy.url)
    path = proxy.stop_recording()
    assert path is not None
    before = path.read_bytes()
    proxy.start_recording("kept")
    assert proxy.stop_recording() is None
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["kept.json"]


def test_program_that_forgets_to_stop(origin: Origin, tmp_path: Path) -> None:
    """A program that ends without `stop` has its recording saved."""
    script = (
        "import sys, urllib.request\n"
        "from magneto_serge import MagnetoProxy\n"
        "proxy = MagnetoProxy('cassettes', port=0).start()\n"
        "proxy.start_recording('forgotten')\n"
        "handler = urllib.request.ProxyHandler({'http': proxy.url})\n"
        "urllib.request.build_opener(handler).open(sys.argv[1]).read()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, origin.url("/json")],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert urls_in(tmp_path / "cassettes" / "forgotten.json") == [origin.url("/json")]
