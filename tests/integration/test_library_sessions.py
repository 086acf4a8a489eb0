"""Sessions of the library: many at once, modes that change, misses, secrets."""

from __future__ import annotations

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from magneto_serge import (
    Mode,
    ReplayMiss,
    use_cassette,
)

from . import routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door
from .origin import Origin
from .tapes import fetch, urls_in

pytestmark = pytest.mark.usefixtures("at_home")


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
    with pytest.raises(ReplayMiss, match="query page: asked '2', recorded '1'"):  # noqa: SIM117
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


def test_secrets_stay_off_the_disk(origin: Origin, make_proxy: MakeProxy, tmp_path: Path) -> None:
    """Credentials in fields and queries are in no file, and another one replays all the same."""
    proxy = make_proxy()
    plain_door = Door("absolute", proxy, origin)
    proxy.start_recording("secret")
    plain_door.ask("/json?api_key=s3cr3t-1", fields="Authorization: Bearer s3cr3t-2\r\n")
    proxy.stop_recording()
    files = [path for path in (tmp_path / "cassettes").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"s3cr3t" in path.read_bytes()]
    proxy.replay("secret")
    other = "Authorization: Bearer another\r\n"
    assert plain_door.ask("/json?api_key=another", fields=other).status == 200
    refused = plain_door.ask("/json?api_key=another")
    assert refused.status == 502
    assert b"recorded with credentials, and this request has none" in refused.body
