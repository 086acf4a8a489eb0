"""`MagnetoProxy`: its life, its sessions, and what it tells others about how to reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magneto_serge import app
from magneto_serge.app import MagnetoProxy
from magneto_serge.config import Settings
from magneto_serge.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    ConfigError,
    ProxyError,
)
from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.replay.decisions import FORWARD, FORWARD_AND_KEEP, Decision
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shelves import Recording
from magneto_serge.storage.store import CassetteStore

MakeProxy = Callable[..., MagnetoProxy]


class Listener:
    """What the sockets would do: listening is remembered, and may fail."""

    def __init__(self) -> None:
        self.started = 0
        self.stopped = 0
        self.error: Exception | None = None


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Replace the sockets of every proxy."""
    listener = Listener()

    async def start(server: ProxyServer) -> None:
        if listener.error is not None:
            raise listener.error
        listener.started += 1
        server.port = 4242

    async def stop(server: ProxyServer) -> None:
        listener.stopped += 1

    monkeypatch.setattr(ProxyServer, "start", start)
    monkeypatch.setattr(ProxyServer, "stop", stop)
    return listener


@pytest.fixture
def make_proxy(listener: Listener, tmp_path: Path) -> MakeProxy:
    """Return a maker of proxies that listen on nothing, with cassettes in ``tmp_path``."""

    def make(**overrides: Any) -> MagnetoProxy:
        return MagnetoProxy(tmp_path / "cassettes", data_dir=tmp_path / "data", **overrides)

    return make


def asked(target: str = "/", *fields: tuple[str, str]) -> Request:
    """Return a request to an origin."""
    return Request("GET", "http", "origin.test", 80, target, Headers.of(*fields))


def answered(target: str = "/", *fields: tuple[str, str]) -> Interaction:
    """Return an interaction."""
    response = Response(200, "OK", Headers.of(("Content-Length", "2")), b"ok")
    return Interaction(asked(target, *fields), response)


def decide(proxy: MagnetoProxy, target: str = "/") -> Decision:
    """Ask the session in use as a connection does, and record what it wants kept."""
    session = proxy._server.session
    decision = session.decide(asked(target))
    if isinstance(decision, Miss):
        proxy._server.missed(decision)
    if decision == FORWARD_AND_KEEP:
        assert session.sink is not None
        session.sink.record(answered(target))
    return decision


def saved(tmp_path: Path, name: str) -> list[str]:
    """Return the targets in a saved cassette, in order."""
    store = CassetteStore(tmp_path / "cassettes")
    return [interaction.request.target for interaction in store.load(name)]


def record(proxy: MagnetoProxy, name: str, *targets: str) -> None:
    """Record a cassette."""
    proxy.use(name, Mode.RECORD)
    for target in targets:
        decide(proxy, target)
    proxy.stop_recording()


def break_off(proxy: MagnetoProxy, name: str) -> None:
    """Record something, and leave the block with an exception."""
    with proxy:
        proxy.start_recording(name)
        decide(proxy)
        raise ZeroDivisionError


# --- life ----------------------------------------------------------------------------------------

USES: dict[str, Callable[[MagnetoProxy], object]] = {
    "start_recording": lambda proxy: proxy.start_recording("tape"),
    "stop_recording": lambda proxy: proxy.stop_recording(),
    "replay": lambda proxy: proxy.replay("tape"),
    "use": lambda proxy: proxy.use("tape"),
    "mode": lambda proxy: setattr(proxy, "mode", Mode.PASSTHROUGH),
    "port": lambda proxy: proxy.port,
    "url": lambda proxy: proxy.url,
    "env": lambda proxy: proxy.env(),
}


@pytest.mark.parametrize("use", USES)
def test_stopped_proxy_says_so(use: str, make_proxy: MakeProxy) -> None:
    """Whatever needs a running proxy is an error after its end, and says what to do."""
    proxy = make_proxy()
    with proxy:
        pass
    with pytest.raises(ProxyError, match="has stopped: make a new MagnetoProxy"):
        USES[use](proxy)


@pytest.mark.parametrize("use", ["stop_recording", "mode", "port", "url", "env"])
def test_new_proxy_says_so(use: str, make_proxy: MakeProxy) -> None:
    """So it is before the start, for what cannot be prepared then."""
    with pytest.raises(ProxyError, match=r"has not been started: start\(\) it first"):
        USES[use](make_proxy())


def test_session_may_be_there_before_the_port(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """A cassette chosen before the start is in use from the first request."""
    proxy = make_proxy()
    proxy.use("tape", Mode.RECORD)
    with proxy:
        decide(proxy)
    assert saved(tmp_path, "tape") == ["/"]


def test_proxy_that_was_never_started(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """Stopping it is nothing, and leaves nothing of a session that was prepared."""
    proxy = make_proxy()
    proxy.use("tape", Mode.RECORD)
    proxy.stop()
    proxy.stop()
    assert list(tmp_path.rglob("*tape*")) == []


def test_starting_twice_is_an_error(make_proxy: MakeProxy) -> None:
    """A proxy lives once."""
    with make_proxy() as proxy, pytest.raises(ProxyError, match="was started before"):
        proxy.start()
    with pytest.raises(ProxyError, match="was started before"):
        proxy.start()


def test_stopping_twice_is_nothing(make_proxy: MakeProxy, listener: Listener) -> None:
    """The second time, and leaving the block after it, do nothing."""
    with make_proxy() as proxy:
        proxy.stop()
        proxy.stop()
    assert listener.stopped == 1


def test_start_that_fails(make_proxy: MakeProxy, listener: Listener, tmp_path: Path) -> None:
    """The error is passed on, the thread ends, and no journal stays."""
    listener.error = ProxyError("Port 1 is in use")
    proxy = make_proxy()
    proxy.use("tape", Mode.RECORD)
    with pytest.raises(ProxyError, match="Port 1"):
        proxy.start()
    assert list(tmp_path.rglob("*tape*")) == []
    with pytest.raises(ProxyError, match="has stopped"):
        _ = proxy.port


def test_async_start_that_fails(make_proxy: MakeProxy, listener: Listener, tmp_path: Path) -> None:
    """So it is in ``async with``."""
    listener.error = ProxyError("Port 1 is in use")
    proxy = make_proxy()
    proxy.use("tape", Mode.RECORD)

    async def main() -> None:
        async with proxy:
            pass

    with pytest.raises(ProxyError, match="Port 1"):
        asyncio.run(main())
    assert list(tmp_path.rglob("*tape*")) == []


def test_async_block_runs_on_the_callers_loop(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """It saves at its end like the other; ``stop`` is not for it."""

    async def main() -> None:
        async with make_proxy() as proxy:
            assert proxy._thread is None
            proxy.start_recording("tape")
            decide(proxy)
            with pytest.raises(ProxyError, match="async with"):
                proxy.stop()
        await proxy.__aexit__(None, None, None)

    asyncio.run(main())
    assert saved(tmp_path, "tape") == ["/"]


def test_async_stop_that_fails_still_saves(
    make_proxy: MakeProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens while the sockets are closed, the recording is on the disk."""

    async def stop(server: ProxyServer) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(ProxyServer, "stop", stop)

    async def main() -> None:
        async with make_proxy() as proxy:
            proxy.start_recording("tape")
            decide(proxy)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert saved(tmp_path, "tape") == ["/"]


def test_stop_that_fails_still_saves(
    make_proxy: MakeProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a thread of its own too."""

    async def stop(server: ProxyServer) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ProxyServer, "stop", stop)
    proxy = make_proxy().start()
    proxy.start_recording("tape")
    decide(proxy)
    with pytest.raises(ZeroDivisionError):
        proxy.stop()
    assert saved(tmp_path, "tape") == ["/"]


def test_exception_in_the_block_saves_and_says_so(
    make_proxy: MakeProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The exception goes its way; the log says what was saved."""
    with pytest.raises(ZeroDivisionError):
        break_off(make_proxy(), "tape")
    assert saved(tmp_path, "tape") == ["/"]
    assert "ended with ZeroDivisionError: saved the 1 interactions" in caplog.text


def test_trouble_with_saving_is_raised(
    make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an error of the block, unless the block has one already: then it is logged."""

    def finish(recorder: object, *, replace: bool) -> None:
        raise CassetteError("the disk is full")

    monkeypatch.setattr("magneto_serge.storage.recorder.Recorder.finish", finish)
    with pytest.raises(CassetteError, match="the disk is full"), make_proxy() as proxy:
        proxy.start_recording("tape")
    with pytest.raises(ZeroDivisionError):
        break_off(make_proxy(), "tape2")
    assert "the disk is full" in caplog.text


def test_insecure_is_said_loudly(make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever turns verification off reads so in the log."""
    with make_proxy(insecure=True):
        assert "INSECURE" in caplog.text


# --- settings ------------------------------------------------------------------------------------


def test_settings_come_from_arguments_and_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Arguments first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGNETO_PORT", "1234")
    monkeypatch.setenv("MAGNETO_IDLE_TIMEOUT", "7")
    proxy = MagnetoProxy("tapes", port=0, mode=Mode.RECORD)
    settings = proxy.settings
    assert (settings.port, settings.idle_timeout, settings.mode) == (0, 7.0, "record")
    assert settings.cassette_dir == Path("tapes")
    assert proxy.host == "127.0.0.1"


def test_settings_given_whole_are_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``Settings`` leaves the environment out; single arguments still go before it."""
    monkeypatch.setenv("MAGNETO_PORT", "1234")
    proxy = MagnetoProxy(settings=Settings(idle_timeout=7.0), port=0, host="::1")
    settings = proxy.settings
    assert (settings.port, settings.idle_timeout, settings.host) == (0, 7.0, "::1")


@pytest.mark.parametrize("settings", [None, Settings()])
@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"prot": 1}, "there is no such setting"),
        ({"port": "many"}, "port"),
        ({"reverse": "ftp://origin.test"}, "reverse"),
        ({"host": "0.0.0.0"}, "credentials"),
        ({"mode": "rewind"}, "mode"),
    ],
)
def test_wrong_settings(settings: Settings | None, override: dict[str, Any], words: str) -> None:
    """They are refused when the proxy is made, however the others came."""
    with pytest.raises(ConfigError, match=f"(?i){words}"):
        MagnetoProxy(settings=settings, **override)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Origin.test", Origin("http", "origin.test", 80)),
        ("https://origin.test:8443", Origin("https", "origin.test", 8443)),
        ("http://[2001:db8::1]", Origin("http", "2001:db8::1", 80)),
        ("http://bücher.test", Origin("http", "xn--bcher-kva.test", 80)),
    ],
)
def test_reverse_names_an_origin(url: str, origin: Origin) -> None:
    """The upstream's URL, host in lower case and as it is on the wire."""
    proxy = MagnetoProxy(port=0, reverse=url)
    assert proxy._reverse == origin
    assert origin.host_field.isascii()


def test_reverse_that_is_no_name() -> None:
    """A host that cannot be written as a domain name is a wrong setting."""
    with pytest.raises(ConfigError, match="not a host name"):
        MagnetoProxy(port=0, reverse=f"http://{'ü' * 70}.test")


# --- sessions ------------------------------------------------------------------------------------


def test_auto_records_once_and_replays_afterwards(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """Whether there is a cassette decides, when the session begins."""
    with make_proxy() as proxy:
        proxy.use("tape")
        assert proxy.cassette_name == "tape"
        assert decide(proxy, "/a") == FORWARD_AND_KEEP
        proxy.use("tape")
        assert isinstance(decide(proxy, "/a"), Recording)
        assert isinstance(decide(proxy, "/b"), Miss)
        assert proxy.mode is Mode.AUTO
    assert saved(tmp_path, "tape") == ["/a"]


def test_next_session_saves_the_one_before(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """Nothing is lost by going on to another cassette."""
    with make_proxy() as proxy:
        proxy.start_recording("one")
        decide(proxy, "/1")
        proxy.start_recording("two")
        assert saved(tmp_path, "one") == ["/1"]
        decide(proxy, "/2")
    assert saved(tmp_path, "two") == ["/2"]


def test_record_replaces(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """What is recorded anew takes the place of the older cassette."""
    with make_proxy() as proxy:
        record(proxy, "tape", "/old")
        record(proxy, "tape", "/new", "/newer")
    assert saved(tmp_path, "tape") == ["/new", "/newer"]


@pytest.mark.parametrize("how", ["setting", "argument"])
def test_hybrid_adds(how: str, make_proxy: MakeProxy, tmp_path: Path) -> None:
    """It replays what there is, records the rest, and never replays what it has just recorded."""
    with make_proxy(mode="hybrid" if how == "setting" else "auto") as proxy:
        record(proxy, "tape", "/old")
        if how == "setting":
            proxy.start_recording("tape")
        else:
            proxy.use("tape", "hybrid")
        assert isinstance(decide(proxy, "/old"), Recording)
        assert decide(proxy, "/new") == FORWARD_AND_KEEP
        assert decide(proxy, "/new") == FORWARD_AND_KEEP
        proxy.stop_recording()
    assert saved(tmp_path, "tape") == ["/old", "/new", "/new"]


def test_stop_recording_returns_the_path(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """The saved cassette's, or None where nothing was recorded; then nothing is in use."""
    with make_proxy() as proxy:
        proxy.start_recording("sub/tape")
        decide(proxy)
        assert proxy.stop_recording() == tmp_path / "cassettes" / "sub" / "tape.json"
        assert proxy.cassette_name is None
        assert proxy.stop_recording() is None
        proxy.start_recording("empty")
        assert proxy.stop_recording() is None
        assert not (tmp_path / "cassettes" / "empty.json").exists()


def test_without_a_cassette_only_passthrough_lets_by(make_proxy: MakeProxy) -> None:
    """There is nothing to replay, and nowhere to record."""
    for mode in Mode:
        with make_proxy(mode=mode) as proxy:
            assert proxy.cassette_name is None
            decision = decide(proxy)
            if mode is Mode.PASSTHROUGH:
                assert decision == FORWARD
            else:
                assert isinstance(decision, Miss)


def test_cassette_that_does_not_exist(make_proxy: MakeProxy) -> None:
    """Replaying it is an error at once; what was in use has ended."""
    with make_proxy() as proxy:
        record(proxy, "tape", "/")
        with pytest.raises(CassetteNotFoundError, match="tape"):
            proxy.replay("tapes")
        assert proxy.cassette_name is None


@pytest.mark.parametrize("name", ["../out", "/abs", "a\0b", ""])
def test_name_that_cannot_be(name: str, make_proxy: MakeProxy) -> None:
    """A name that leads out of the folder is refused."""
    with make_proxy() as proxy, pytest.raises(ConfigError):
        proxy.start_recording(name)


def test_mode_that_does_not_exist(make_proxy: MakeProxy) -> None:
    """The message names those that do, and the session in use goes on."""
    with make_proxy() as proxy:
        proxy.start_recording("tape")
        with pytest.raises(ConfigError, match="auto, record, replay"):
            proxy.use("tape", "rewind")
        with pytest.raises(ConfigError, match="auto, record, replay"):
            proxy.mode = "rewind"  # type: ignore[assignment]
        assert (proxy.cassette_name, proxy.mode) == ("tape", Mode.RECORD)


def test_cassette_that_somebody_records(make_proxy: MakeProxy) -> None:
    """It is busy; the other one goes on."""
    with make_proxy() as one, make_proxy() as two:
        one.start_recording("tape")
        with pytest.raises(CassetteBusyError):
            two.start_recording("tape")
        assert two.cassette_name is None
        decide(one)


def test_mode_switched_to_replay_loads_the_cassette(make_proxy: MakeProxy) -> None:
    """A session that began without its recordings gets them with the mode that needs them."""
    with make_proxy() as proxy:
        record(proxy, "tape", "/")
        proxy.use("tape", Mode.PASSTHROUGH)
        assert decide(proxy) == FORWARD
        proxy.mode = Mode.REPLAY
        assert isinstance(decide(proxy), Recording)
        assert proxy.mode is Mode.REPLAY


def test_mode_switched_to_record_gets_a_recorder(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """What is recorded from then on replaces the cassette when the session ends."""
    with make_proxy() as proxy:
        record(proxy, "tape", "/old")
        proxy.replay("tape")
        proxy.mode = "record"  # type: ignore[assignment]
        assert decide(proxy, "/new") == FORWARD_AND_KEEP
        proxy.mode = Mode.PASSTHROUGH
        assert decide(proxy, "/live") == FORWARD
    assert saved(tmp_path, "tape") == ["/new"]


def test_mode_that_cannot_be_switched_to(make_proxy: MakeProxy) -> None:
    """Replay without a cassette is an error, and the mode stays what it was."""
    with make_proxy() as proxy:
        proxy.start_recording("tape")
        with pytest.raises(CassetteNotFoundError):
            proxy.mode = Mode.REPLAY
        assert proxy.mode is Mode.RECORD
        assert decide(proxy) == FORWARD_AND_KEEP


def test_mode_without_a_cassette_is_the_session_s(make_proxy: MakeProxy) -> None:
    """With no cassette in use, passthrough can be switched on and off."""
    with make_proxy() as proxy:
        proxy.mode = Mode.PASSTHROUGH
        assert decide(proxy) == FORWARD
        proxy.mode = Mode.REPLAY
        assert isinstance(decide(proxy), Miss)


@pytest.mark.parametrize("redact", [True, False])
def test_secrets_stay_off_the_disk_unless_asked(
    redact: bool, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """What is recorded is masked before it is written."""
    with make_proxy(redact=redact) as proxy:
        proxy.start_recording("tape")
        sink = proxy._server.session.sink
        assert sink is not None
        sink.record(answered("/?password=hunter2", ("Authorization", "Bearer hunter2")))
    text = (tmp_path / "cassettes" / "tape.json").read_text()
    assert ("hunter2" in text) is not redact


def test_ignored_hosts_reach_the_session(make_proxy: MakeProxy) -> None:
    """Hosts to leave alone are forwarded and not kept, in every session."""
    with make_proxy(ignore_hosts=("origin.*",)) as proxy:
        assert decide(proxy) == FORWARD
        proxy.start_recording("tape")
        assert decide(proxy) == FORWARD


# --- what happened -------------------------------------------------------------------------------


def test_misses_are_kept_and_logged(
    make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, over all sessions, and not without a limit; the list is the caller's own."""
    monkeypatch.setattr(app, "_MISSES_KEPT", 3)
    with make_proxy() as proxy:
        for number in range(5):
            decide(proxy, f"/{number}")
        misses = proxy.misses
        assert [miss.request.target for miss in misses if miss.request] == ["/0", "/1", "/2"]
        misses.clear()
        assert len(proxy.misses) == 3
        assert proxy.stats.missed == 5
        assert "http://origin.test/4" in caplog.text


def test_a_client_leaves_this_machine_alone_too(tmp_path: Path) -> None:
    """With `ignore_localhost` a child is told not to ask the proxy for it."""
    script = tmp_path / "own.py"
    script.write_text(
        "from magneto_serge import register_matcher\n"
        "register_matcher('named-by-settings', lambda request: request.method)\n"
    )
    # A script runs before the rules are compiled, which may name what it registers.
    with MagnetoProxy(
        tmp_path,
        port=0,
        data_dir=tmp_path,
        ignore_hosts=["a.example"],
        ignore_localhost=True,
        scripts=[script],
        match_on=["path", "named-by-settings"],
    ) as proxy:
        assert proxy.env()["NO_PROXY"] == "a.example,localhost,127.0.0.1,::1"
