"""The listener and the books: starting, stopping in order, and the questions connections ask."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from magneto_serge.config import Settings
from magneto_serge.errors import ClientProtocolError, ProxyError
from magneto_serge.messages import Interaction
from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shelves import Shelves
from magneto_serge.wire.targets import parse_absolute

from .mock_transport import MockTransport
from .sink import FakeSink
from .stage import ScriptedDialer, Stage
from .traffic import URL, answer, ask, read_answers, recorded


class Awaited(asyncio.Future[Any]):
    """A future that a script settles."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)

    def settle(self, result: Any) -> None:
        """Let whoever waits go on."""
        self.set_result(result)


class ListeningLoop(asyncio.SelectorEventLoop):
    """A loop that pretends to listen, on port 4242."""

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__()
        self.error = error
        self.listening = False
        self.asked: dict[str, Any] = {}

    async def create_server(self, factory: Any, host: Any, port: Any, **how: Any) -> Any:  # type: ignore[override]
        """Listen, or fail."""
        if self.error is not None:
            raise self.error
        self.asked = {"host": host, "port": port, **how}
        self.accept = factory
        self.listening = True
        socket = SimpleNamespace(getsockname=lambda: ("127.0.0.1", 4242))
        return SimpleNamespace(sockets=[socket], close=self._deaf)

    def _deaf(self) -> None:
        self.listening = False

    def pending(self) -> Any:
        """Return something to wait for."""
        return Awaited(self)

    def run(self) -> None:
        """Do nothing: mock transports ask for a turn, this loop turns by itself."""


class House:
    """A proxy server on such a loop."""

    def __init__(
        self,
        loop: ListeningLoop,
        mode: Mode = Mode.PASSTHROUGH,
        recordings: list[Interaction] | None = None,
        origin: Origin | None = None,
        **settings: Any,
    ) -> None:
        self.loop = loop
        self.sink = FakeSink()
        self.missed: list[Miss] = []
        cassette = None if recordings is None else Shelves(recordings)
        self.server = ProxyServer(
            Settings(**settings),
            Session("tape", mode, cassette=cassette, sink=self.sink),
            client_tls=lambda name: f"context for {name}",  # type: ignore[arg-type, return-value]
            upstream_tls=lambda: None,  # type: ignore[arg-type, return-value]
            reverse=origin,
            on_miss=self.missed.append,
        )
        self.dialer = ScriptedDialer(loop)  # type: ignore[arg-type]
        self.server.pool.dialer = self.dialer  # type: ignore[assignment]

    async def client(self, data: bytes = b"") -> MockTransport:
        """Have a client connect, and say something."""
        protocol = self.loop.accept()
        transport = MockTransport(self.loop, protocol)  # type: ignore[arg-type]
        protocol.connection_made(transport)
        if data:
            transport.send(data)
        await turns()
        return transport


async def turns() -> None:
    """Let the loop turn a few times."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(script: Callable[[House], Awaitable[None]], *how: Any, **settings: Any) -> None:
    """Start a house, run a script in it, and stop it."""
    loop = ListeningLoop()

    async def main() -> None:
        house = House(loop, *how, **settings)
        await house.server.start()
        await script(house)
        await house.server.stop()
        assert house.server._connections == set()
        assert house.server._tasks == set()
        assert not loop.listening

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


# --- start ---------------------------------------------------------------------------------------


def test_port_is_known_once_it_listens() -> None:
    """Port 0 becomes the port that was free."""

    async def script(house: House) -> None:
        assert house.loop.asked["port"] == 0
        assert house.server.port == 4242
        assert house.loop.asked["ssl"] is None

    run(script, port=0)


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_reverse_tls_listens_with_our_certificate(host: str, name: str) -> None:
    """For clients without SNI it is made for the address that they reach us by."""

    async def script(house: House) -> None:
        assert house.loop.asked["ssl"] == f"context for {name}"
        assert house.loop.asked["ssl_handshake_timeout"] == 7.0

    reverse = Origin("http", "origin.test", 80)
    settings = {"reverse": "http://origin.test", "reverse_tls": True, "header_timeout": 7.0}
    run(script, Mode.PASSTHROUGH, None, reverse, host=host, **settings)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRINUSE, "in use"), "Port 80 on 127.0.0.1 is in use. Choose another"),
        (OSError(errno.EACCES, "denied"), "needs privileges"),
        (OSError(errno.EADDRNOTAVAIL, "no such address"), "127.0.0.1:80: no such address"),
        (OSError("odd"), "odd"),
    ],
)
def test_port_that_cannot_be_had(error: OSError, words: str) -> None:
    """It is said in words, with what to do."""
    loop = ListeningLoop(error)

    async def main() -> None:
        await House(loop, port=80).server.start()

    with asyncio.Runner(loop_factory=lambda: loop) as runner, pytest.raises(ProxyError) as caught:
        runner.run(main())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "interval"),
    [({}, 1.0), ({"idle_timeout": 2.0}, 0.5), ({"header_timeout": 0.4}, 0.1)],
)
def test_sweeps_come_often_enough(settings: dict[str, float], interval: float) -> None:
    """Every second, or four times in the shortest limit."""
    assert Stage(**settings).server._interval == interval


def test_one_bad_sweep_is_not_the_last() -> None:
    """An error in a sweep leaves the timer running for everybody else."""
    stage = Stage()
    client = stage.client()
    (connection,) = stage.server._connections

    def broken(_: float) -> None:
        raise ZeroDivisionError

    stage.server.pool = SimpleNamespace(sweep=broken)  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        stage.pass_time(1)
    with pytest.raises(ZeroDivisionError):
        stage.pass_time(1)
    assert connection.ticks == 2  # type: ignore[attr-defined]
    assert client.open


# --- stop ----------------------------------------------------------------------------------------


def test_stopping_before_starting_is_nothing() -> None:
    """So is stopping twice."""
    loop = ListeningLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(House(loop).server.stop())

    async def script(house: House) -> None:
        await house.server.stop()

    run(script)


def test_idle_connections_end_at_once() -> None:
    """Nothing is waited for where nothing is under way."""

    async def script(house: House) -> None:
        client = await house.client()
        await house.server.stop()
        assert not client.open
        assert not client.aborted

    run(script, shutdown_timeout=1000.0)


def test_exchange_under_way_is_finished() -> None:
    """Stopping waits for the answer, and for its last byte to be taken."""

    async def script(house: House) -> None:
        client = await house.client(ask())
        client.choke()
        stopping = asyncio.create_task(house.server.stop())
        await turns()
        assert not house.loop.listening
        origin = house.dialer.waiting.pop().accept()
        await turns()
        origin.send(answer(b"hello"))
        await turns()
        assert not stopping.done()
        client.drain()
        await stopping
        (only,) = read_answers(client.take(), ["GET"])
        assert (only.body, only.headers["connection"]) == (b"hello", "close")
        assert not client.aborted

    run(script, shutdown_timeout=1000.0)


def test_written_answer_is_sent() -> None:
    """An answer that was complete before the stop, but is not taken yet, is not cut off."""

    async def script(house: House) -> None:
        client = await house.client()
        client.choke()
        client.send(ask())
        await turns()
        stopping = asyncio.create_task(house.server.stop())
        await turns()
        assert not stopping.done()
        client.drain()
        await stopping
        assert read_answers(client.take(), ["GET"])[0].body == b"hello"
        assert not client.aborted

    run(script, Mode.REPLAY, [recorded(body=b"hello")], shutdown_timeout=1000.0)


def test_stopping_does_not_wait_for_ever() -> None:
    """After the shutdown timeout what is still under way is broken off, dials and all."""

    async def script(house: House) -> None:
        waiting = await house.client(ask())
        dialling = await house.client(ask())
        origin = house.dialer.waiting.pop(0).accept()
        await turns()
        await house.server.stop()
        assert waiting.aborted
        assert dialling.aborted
        assert origin.aborted
        assert house.dialer.waiting == []

    run(script, shutdown_timeout=0.0)


def test_kept_connections_end_with_the_proxy() -> None:
    """The pool is emptied."""

    async def script(house: House) -> None:
        await house.client(ask())
        origin = house.dialer.waiting.pop().accept()
        await turns()
        origin.send(answer())
        await turns()
        assert origin.open
        await house.server.stop()
        assert origin.aborted

    run(script)


# --- tasks ---------------------------------------------------------------------------------------


def test_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A task that fails as none should is logged with its trace, and asks to be reported."""

    async def broken() -> None:
        raise ZeroDivisionError("oh")

    async def script(house: House) -> None:
        house.server.spawn(broken())
        await turns()

    run(script)
    assert "please report it" in caplog.text
    assert "ZeroDivisionError: oh" in caplog.text


# --- questions -----------------------------------------------------------------------------------


TARGETS = [
    "http://a.test/",
    "http://a.test/b?c",
    "http://a.test//b",
    "http://a.test?b=/c",
    "http://a.test?b",
    "http://a.test",
    "HTTP://A.test/",
    "http://u:p@a.test/",
    "http://u:p@a.test:81/x",
    "https://[::1]:8443/x?y=/z",
    "https://a.test:443/http://b.test/",
]


@pytest.mark.parametrize("target", TARGETS)
def test_remembered_authorities_are_read_the_same(target: str) -> None:
    """Whether an authority was seen before or not, its targets lead to the same place."""
    server = Stage().server
    parsed = parse_absolute(target)
    host, port, userinfo = parsed.authority
    for _ in range(3):
        found = server.absolute_target(target)
        assert found.origin == Origin(parsed.scheme, host, port)
        assert (found.userinfo, found.target) == (userinfo, parsed.target)


@pytest.mark.parametrize("target", ["origin.test:80", "ftp://a.test/", "http:///x", "x/y", "://a/"])
def test_what_is_no_absolute_form_is_refused(target: str) -> None:
    """Every time it comes."""
    server = Stage().server
    for _ in range(2):
        with pytest.raises(ClientProtocolError):
            server.absolute_target(target)


def test_remembered_authorities_are_bounded() -> None:
    """A client that names ever new hosts does not fill memory."""
    server = Stage().server
    for number in range(3000):
        server.absolute_target(f"http://{number}.test/")
    assert len(server._authorities) <= 1024


def test_misses_are_counted_and_told() -> None:
    """Each refusal counts, and reaches whoever wants to know."""
    stage = Stage(Mode.REPLAY, [])
    stage.client().send(ask() * 2)
    assert stage.stats["missed"] == len(stage.misses) == 2


def test_session_can_be_exchanged_while_traffic_flows() -> None:
    """The next request asks the new session; one under way is recorded where it began."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    new = FakeSink()
    stage.server.session = Session("other", Mode.RECORD, sink=new)
    origin.send(answer())
    client.send(ask(f"{URL}/other"))
    origin.send(answer())
    assert [each.request.target for each in stage.sink.interactions] == ["/"]
    assert [each.request.target for each in new.interactions] == ["/other"]
