"""`use_cassette`: the environment is ours for the block, and given back whatever happens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.app import MagnetoProxy
from magneto_serge.errors import (
    CassetteNotFoundError,
    ConfigError,
    MagnetoError,
    ProxyError,
    ReplayMiss,
    UnplayedError,
)
from magneto_serge.messages import Interaction, Request, Response
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.replay.decisions import FORWARD_AND_KEEP
from magneto_serge.replay.misses import Miss
from magneto_serge.storage.store import CassetteStore
from magneto_serge.use import use_cassette

REQUEST = Request("GET", "http", "origin.test", 80, "/path")


@pytest.fixture(autouse=True)
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have proxies pretend to listen, each on a port of its own."""
    ports = iter(range(4001, 5000))

    async def start(server: ProxyServer) -> None:
        server.port = next(ports)

    async def stop(server: ProxyServer) -> None:
        pass

    monkeypatch.setattr(ProxyServer, "start", start)
    monkeypatch.setattr(ProxyServer, "stop", stop)


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep cassettes and certificates in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGNETO_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def same_environment(places: None) -> Iterator[None]:
    """Fail a test after which our variables are not as they were."""
    before = ours()
    yield
    assert ours() == before


def ours() -> dict[str, str]:
    """Return the environment but for what pytest keeps in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}


def send(proxy: MagnetoProxy, request: Request = REQUEST) -> None:
    """Have a request arrive, and its answer recorded where that is wanted."""
    session = proxy._server.session
    decision = session.decide(request)
    if isinstance(decision, Miss):
        proxy._server.missed(decision)
    elif decision == FORWARD_AND_KEEP:
        assert session.sink is not None
        session.sink.record(Interaction(request, Response(200)))


def recorded(name: str = "tape") -> int:
    """Return how many interactions a cassette holds."""
    return len(CassetteStore(Path("cassettes")).load(name))


# --- blocks --------------------------------------------------------------------------------------


def test_first_run_records_and_the_next_replays() -> None:
    """In the default mode, whether there is a cassette decides."""
    with use_cassette("tape") as proxy:
        assert proxy.cassette_name == "tape"
        send(proxy)
    assert recorded() == 1
    with use_cassette("tape") as proxy:
        send(proxy)
        assert proxy.stats.missed == 0


def test_environment_names_the_proxy() -> None:
    """Inside, clients find proxy and trust; afterwards what was there before is back."""
    os.environ.update(HTTP_PROXY="http://before.test:1", no_proxy="here.test")
    with use_cassette("tape") as proxy:
        assert os.environ["HTTP_PROXY"] == proxy.url
        assert os.environ["no_proxy"] == ""
        assert Path(os.environ["SSL_CERT_FILE"]).is_file()
    assert os.environ.pop("HTTP_PROXY") == "http://before.test:1"
    assert os.environ.pop("no_proxy") == "here.test"
    assert "SSL_CERT_FILE" not in os.environ


def test_block_within_a_block() -> None:
    """The inner one's proxy is in the environment, then the outer one's again."""
    with use_cassette("outer") as outer:
        with use_cassette("inner") as inner:
            assert os.environ["HTTP_PROXY"] == inner.url
        assert os.environ["HTTP_PROXY"] == outer.url


def test_async_block() -> None:
    """``async with`` does the same on the running loop."""

    async def main() -> None:
        async with use_cassette("tape") as proxy:
            assert os.environ["HTTP_PROXY"] == proxy.url
            send(proxy)

    asyncio.run(main())
    assert recorded() == 1


def test_settings_may_be_given() -> None:
    """Folder and mode, and any other setting by its name."""
    with use_cassette("tape", "record", cassette_dir="tapes", redact=False) as proxy:
        assert proxy.settings.cassette_dir == Path("tapes")
        assert proxy.settings.redact is False
        assert proxy.mode == "record"
        assert proxy.settings.port == 0


# --- what may go wrong ---------------------------------------------------------------------------


def leave_with_an_error(cassette: use_cassette) -> None:
    """Record something, and break off."""
    with cassette as proxy:
        send(proxy)
        raise ZeroDivisionError


def test_exception_in_the_block() -> None:
    """It goes its way; the recording is saved and the environment given back."""
    with pytest.raises(ZeroDivisionError):
        leave_with_an_error(use_cassette("tape"))
    assert recorded() == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"mode": "replay"}, CassetteNotFoundError),
        ({"mode": "rewind"}, ConfigError),
        ({"nonsense": 1}, ConfigError),
        ({"proxy_auth": "nocolon"}, ConfigError),
    ],
)
def test_block_that_cannot_begin(arguments: dict[str, object], error: type[MagnetoError]) -> None:
    """The error comes before anything was changed."""
    with pytest.raises(error):
        use_cassette("tape", **arguments).__enter__()  # type: ignore[arg-type]


def test_async_block_that_cannot_begin() -> None:
    """So it does in ``async with``."""

    async def main() -> None:
        await use_cassette("tape", "replay").__aenter__()

    with pytest.raises(CassetteNotFoundError):
        asyncio.run(main())


def test_trust_that_cannot_be_had(tmp_path: Path) -> None:
    """A folder that cannot be written stops the block before it begins, and the proxy with it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MagnetoError):
        use_cassette("tape", data_dir=tmp_path / "file").__enter__()


def test_miss_is_an_error_of_the_block() -> None:
    """Code that took the refusal for an answer is told at the end, with the whole story."""
    with use_cassette("tape") as proxy:
        send(proxy)
    with pytest.raises(ReplayMiss) as caught, use_cassette("tape") as proxy:
        send(proxy, Request("GET", "http", "origin.test", 80, "/other"))
    story = "1 request had no recording to replay:\nGET http://origin.test/o"
    assert str(caught.value).startswith(story)
    assert [miss.url for miss in caught.value.misses if isinstance(miss, Miss)] == [
        "http://origin.test/other"
    ]
    assert "nearest: #1 GET http://origin.test/path" in str(caught.value)


def test_miss_in_an_async_block() -> None:
    """So it is in ``async with``."""

    async def main() -> None:
        async with use_cassette("tape") as proxy:
            send(proxy)
        async with use_cassette("tape") as proxy:
            send(proxy, Request("GET", "http", "origin.test", 80, "/other"))

    with pytest.raises(ReplayMiss):
        asyncio.run(main())


@pytest.mark.parametrize(("mode", "settings"), [("strict", {}), ("replay", {"unplayed": "fail"})])
def test_what_was_not_played_is_an_error_of_the_block(mode: str, settings: dict[str, Any]) -> None:
    """Where everything has to be played; the recordings are named."""
    with use_cassette("tape") as proxy:
        send(proxy)
    with (
        pytest.raises(UnplayedError, match="1 of 1 recordings of 'tape' were not played") as caught,
        use_cassette("tape", mode, **settings),
    ):
        pass
    assert "#1 GET http://origin.test/path" in str(caught.value)
    with use_cassette("tape", mode, **settings) as proxy:
        send(proxy)


def test_what_was_not_played_can_be_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """`unplayed = warn` logs it; `ignore`, the default, says nothing."""
    with use_cassette("tape") as proxy:
        send(proxy)
    with use_cassette("tape"):
        pass
    assert "not played" not in caplog.text
    with use_cassette("tape", unplayed="warn"):
        pass
    assert "1 of 1 recordings of 'tape' were not played" in caplog.text


def test_plays_are_counted_and_can_start_over() -> None:
    """As in VCR.py: `play_counts`, `all_played`, `rewind()`."""
    with use_cassette("tape") as proxy:
        send(proxy)
    with use_cassette("tape") as proxy:
        assert proxy.play_counts == [0]
        assert not proxy.all_played
        send(proxy)
        assert proxy.play_counts == [1]
        assert proxy.all_played
        proxy.rewind()
        assert proxy.play_counts == [0]


def test_exception_goes_before_a_miss() -> None:
    """The block's own exception is the one that is raised."""
    with use_cassette("tape") as proxy:
        send(proxy)

    def replay() -> None:
        with use_cassette("tape") as proxy:
            send(proxy, Request("GET", "http", "origin.test", 80, "/other"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replay()


def test_leaving_without_entering() -> None:
    """It is an error that says so."""
    with pytest.raises(ProxyError, match="without having been entered"):
        use_cassette("tape").__exit__(None, None, None)


# --- decorators ----------------------------------------------------------------------------------


def test_decorated_function() -> None:
    """Arguments and results pass through; name and docstring stay."""

    @use_cassette("tape")
    def fetch(one: int, *, two: int) -> tuple[str, int]:
        """Fetch."""
        return os.environ["HTTP_PROXY"], one + two

    url, total = fetch(1, two=2)
    assert url.startswith("http://127.0.0.1:")
    assert total == 3
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch.")


def test_each_call_is_a_session_of_its_own() -> None:
    """A second call, or one within the first, has its own proxy."""
    urls: list[str] = []

    @use_cassette("tape", "passthrough")
    def fetch(depth: int) -> None:
        urls.append(os.environ["HTTP_PROXY"])
        if depth:
            fetch(depth - 1)
            assert os.environ["HTTP_PROXY"] == urls[0]

    fetch(1)
    assert len(set(urls)) == 2


def test_decorated_coroutine_function() -> None:
    """It stays a coroutine function; the block lasts until it has ended."""

    @use_cassette("tape")
    async def fetch(number: int) -> tuple[bool, int]:
        await asyncio.sleep(0)
        return "HTTP_PROXY" in os.environ, number

    assert asyncio.iscoroutinefunction(fetch)
    assert asyncio.run(fetch(3)) == (True, 3)


def test_decorated_generator_function() -> None:
    """The block lasts until the generator has ended; what it is sent and returns pass through."""

    @use_cassette("tape")
    def steps() -> Generator[bool, str, str]:
        told = yield "HTTP_PROXY" in os.environ
        return told

    generator = steps()
    assert next(generator)
    with pytest.raises(StopIteration) as stopped:
        generator.send("done")
    assert stopped.value.value == "done"
    assert "HTTP_PROXY" not in os.environ


def test_decorated_async_generator_function() -> None:
    """The block lasts until the generator has ended."""

    @use_cassette("tape")
    async def steps() -> AsyncIterator[bool]:
        yield "HTTP_PROXY" in os.environ

    async def all_steps() -> list[bool]:
        return [step async for step in steps()]

    assert asyncio.run(all_steps()) == [True]
    assert "HTTP_PROXY" not in os.environ


@pytest.mark.parametrize("wrong", ["sync", "async"])
def test_decorated_function_that_fails(wrong: str) -> None:
    """Its exception passes through."""

    @use_cassette("tape")
    def fetch() -> None:
        raise ZeroDivisionError

    @use_cassette("tape")
    async def fetch_async() -> None:
        raise ZeroDivisionError

    calls: dict[str, Callable[[], object]] = {
        "sync": fetch,
        "async": lambda: asyncio.run(fetch_async()),
    }
    with pytest.raises(ZeroDivisionError):
        calls[wrong]()
