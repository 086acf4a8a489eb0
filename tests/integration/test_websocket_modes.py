"""WebSockets in every mode with a real client and server, and when the mode is switched under them.

What holds for a conversation is decided when it is opened: a switch is about the next one. What was
being recorded goes on being recorded until the recording is saved, and is in the cassette as far as
it went, without an end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from magneto_serge import Cassette, MagnetoProxy, Mode
from magneto_serge.cli.timeline import timeline

from .conftest import MakeProxy
from .websocket_servers import serve_websockets


class Parrot:
    """A server that answers each message with its own ``name`` and the message."""

    def __init__(self) -> None:
        self.name = "then"
        self._server = serve_websockets(self._answer)
        self.port = self._server.port
        self.stop = self._server.stop

    async def _answer(self, connection: ServerConnection) -> None:
        try:
            async for message in connection:
                await connection.send(f"{self.name}: {message!s}")
        except ConnectionClosed:
            return  # a client that was cut off


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    """A server."""
    parrot = Parrot()
    yield parrot
    parrot.stop()


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> MagnetoProxy:
    """A proxy."""
    return make_proxy()


def opened(proxy: MagnetoProxy, parrot: Parrot, path: str = "/") -> ClientConnection:
    """Connect through the proxy."""
    return connect(f"ws://127.0.0.1:{parrot.port}{path}", proxy=proxy.url, close_timeout=2)


def ask(connection: ClientConnection, line: str) -> str | bytes:
    """Say a line and return the answer."""
    connection.send(line)
    return connection.recv(timeout=10)


def once(proxy: MagnetoProxy, parrot: Parrot, line: str, path: str = "/") -> str | bytes:
    """Open a connection, say a line, and close it."""
    with opened(proxy, parrot, path) as connection:
        return ask(connection, line)


def record(proxy: MagnetoProxy, parrot: Parrot, *lines: str) -> None:
    """Record a conversation for each line."""
    proxy.start_recording("tape")
    for line in lines:
        assert once(proxy, parrot, line) == f"then: {line}"
    assert proxy.stop_recording()


def said_in(path: Path | None) -> list[tuple[list[str], int | None]]:
    """Return what was said in each conversation of a cassette, and its close code."""
    assert path is not None
    found = []
    with Cassette.open(path, verify=True) as cassette:
        for talk in (each.websocket for each in cassette):
            assert talk is not None
            texts = [m.data.decode() for m in talk.messages if isinstance(m.data, bytes)]
            found.append((texts, talk.close and talk.close.code))
    return found


def test_passthrough(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """It is relayed, and nothing is kept."""
    proxy.use("tape", Mode.PASSTHROUGH)
    assert once(proxy, parrot, "hi") == "then: hi"
    assert proxy.stop_recording() is None
    assert proxy.stats.recorded == 0


def test_hybrid(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """What was recorded is replayed, anything else is asked and added."""
    record(proxy, parrot, "hi")
    parrot.name = "now"
    proxy.use("tape", Mode.HYBRID)
    assert once(proxy, parrot, "hi") == "then: hi"
    assert once(proxy, parrot, "new", "/new") == "now: new"
    assert once(proxy, parrot, "newer", "/new") == "now: newer"  # never its own recording
    assert said_in(proxy.stop_recording()) == [
        (["hi", "then: hi"], 1000),
        (["new", "now: new"], 1000),
        (["newer", "now: newer"], 1000),
    ]


def test_auto(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """It is recorded the first time, and replayed the second, with nobody there."""
    for _ in range(2):
        proxy.use("tape", Mode.AUTO)
        assert once(proxy, parrot, "hi") == "then: hi"
        proxy.stop_recording()
        parrot.stop()


def test_strict(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """Each conversation once: one connection too many is refused."""
    record(proxy, parrot, "one", "two")
    proxy.use("tape", Mode.STRICT)
    for line in ("one", "two"):
        assert once(proxy, parrot, line) == f"then: {line}"
    with pytest.raises(InvalidStatus) as refused:
        once(proxy, parrot, "one")
    assert refused.value.response.status_code == 502


def found(proxy: MagnetoProxy) -> list[tuple[str, int, list[str]]]:
    """End verifying, and return what it has found: outcome, number, fields."""
    session = proxy.current
    proxy.stop_recording()  # a conversation is over when its connections are
    return [
        (str(each.outcome), each.number, [field for field, *_ in each.differences])
        for each in session.verdicts.kept
    ]


def test_verify(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """The client talks with the service as it is now; what that says otherwise is told."""
    record(proxy, parrot, "one", "two")
    proxy.use("tape", Mode.VERIFY)
    assert once(proxy, parrot, "one") == "then: one"
    parrot.name = "now"
    assert once(proxy, parrot, "two") == "now: two"
    assert once(proxy, parrot, "three", "/new") == "now: three"
    assert found(proxy) == [
        ("same", 1, []),
        ("changed", 2, ["websocket[0]"]),
        ("new", 0, []),
    ]
    assert proxy.stats.recorded == 2


def test_verify_of_what_has_not_ended(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """A conversation that is open when verifying ends is compared as far as it went."""
    record(proxy, parrot, "one")
    parrot.name = "now"
    proxy.use("tape", Mode.VERIFY)
    with opened(proxy, parrot) as connection:
        assert ask(connection, "one") == "now: one"
        session = proxy.current
        proxy.stop_recording()
        (verdict,) = session.verdicts.kept
        assert [field for field, *_ in verdict.differences] == ["websocket[0]", "websocket.close"]
        assert ask(connection, "on") == "now: on"


def test_stop_recording_with_a_conversation_open(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """It is in the cassette as far as it went, marked as unfinished, and goes on undisturbed."""
    proxy.start_recording("tape")
    with opened(proxy, parrot) as connection:
        assert ask(connection, "in time") == "then: in time"
        path = proxy.stop_recording()
        assert ask(connection, "late") == "then: late"
    assert said_in(path) == [(["in time", "then: in time"], None)]
    assert path is not None
    with Cassette.open(path) as cassette:
        talk = cassette[0].websocket
        assert talk is not None
        *_, (_, last) = timeline(talk, reveal=False)
    assert last.strip() == "still open when the recording ended"
    proxy.replay("tape")
    with opened(proxy, parrot) as connection:
        assert ask(connection, "in time") == "then: in time"
        with pytest.raises(TimeoutError):
            connection.recv(timeout=0.05)  # nobody knows how it went on: it stays open
    assert proxy.misses == []


def test_another_recording_with_a_conversation_open(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """What began in one recording is no part of the next, which has what begins in it."""
    proxy.use("first", Mode.RECORD)
    with opened(proxy, parrot) as connection:
        assert ask(connection, "one") == "then: one"
        first = proxy.current.cassette_path
        proxy.use("second", Mode.RECORD)
        assert ask(connection, "nowhere") == "then: nowhere"
        assert once(proxy, parrot, "two") == "then: two"
        second = proxy.stop_recording()
    assert said_in(first) == [(["one", "then: one"], None)]
    assert said_in(second) == [(["two", "then: two"], 1000)]


def test_from_recording_to_replay(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """The next connection is replayed; the one that is recorded is recorded to its end."""
    record(proxy, parrot, "older")
    parrot.name = "now"
    proxy.use("tape", Mode.HYBRID)
    with opened(proxy, parrot, "/new") as connection:
        assert ask(connection, "one") == "now: one"
        proxy.mode = Mode.REPLAY
        assert once(proxy, parrot, "older") == "then: older"
        with pytest.raises(InvalidStatus):
            once(proxy, parrot, "one", "/new")
        assert ask(connection, "two") == "now: two"
    assert said_in(proxy.stop_recording()) == [
        (["older", "then: older"], 1000),
        (["one", "now: one", "two", "now: two"], 1000),
    ]


def test_from_replay_to_passthrough(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """A conversation that is replayed is replayed to its end; the next one is relayed."""
    proxy.start_recording("tape")
    with opened(proxy, parrot) as connection:
        for line in ("one", "two"):
            assert ask(connection, line) == f"then: {line}"
    proxy.stop_recording()
    parrot.name = "now"
    proxy.replay("tape")
    with opened(proxy, parrot) as connection:
        assert ask(connection, "one") == "then: one"
        proxy.mode = Mode.PASSTHROUGH
        assert once(proxy, parrot, "one") == "now: one"
        assert ask(connection, "two") == "then: two"
        connection.send("three")
        with pytest.raises(ConnectionClosed) as ended:
            connection.recv(timeout=10)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1008
    assert len(proxy.misses) == 1


def test_from_passthrough_to_recording(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """A conversation whose beginning nobody has heard is not recorded."""
    proxy.use("tape", Mode.PASSTHROUGH)
    with opened(proxy, parrot) as connection:
        assert ask(connection, "unheard") == "then: unheard"
        proxy.mode = Mode.RECORD
        assert ask(connection, "unheard too") == "then: unheard too"
        assert once(proxy, parrot, "heard") == "then: heard"
    assert said_in(proxy.stop_recording()) == [(["heard", "then: heard"], 1000)]


def test_a_named_session_that_ends(proxy: MagnetoProxy, parrot: Parrot) -> None:
    """Its conversations are saved as far as they went, and their clients told to go away: 1001."""
    session = proxy.session("tape", Mode.RECORD)
    url = f"ws://127.0.0.1:{parrot.port}/"
    with connect(url, proxy=session.url, close_timeout=2) as connection:
        assert ask(connection, "one") == "then: one"
        path = session.finish()
        with pytest.raises(ConnectionClosed) as ended:
            connection.recv(timeout=10)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1001
    assert said_in(path) == [(["one", "then: one"], None)]


def test_a_proxy_that_stops(make_proxy: MakeProxy, parrot: Parrot) -> None:
    """Stopping is no end of a conversation either; both ends are told: 1001."""
    proxy = make_proxy()
    proxy.use("tape", Mode.RECORD)
    path = proxy.current.cassette_path
    with opened(proxy, parrot) as connection:
        assert ask(connection, "one") == "then: one"
        proxy.stop()
        with pytest.raises(ConnectionClosed) as ended:
            connection.recv(timeout=10)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1001
    assert said_in(path) == [(["one", "then: one"], None)]


def test_a_cassette_that_is_renewed(make_proxy: MakeProxy, parrot: Parrot) -> None:
    """A cassette that is too old is recorded anew where only WebSockets have answered, too."""
    proxy = make_proxy(max_age="1d", stale="re-record")
    proxy.start_recording("tape")
    once(proxy, parrot, "hi")
    path = proxy.stop_recording()
    assert path is not None
    path.write_text(re.sub(r'"started": "\d+', '"started": "2001', path.read_text()))
    parrot.name = "now"
    proxy.use("tape", Mode.AUTO)
    assert once(proxy, parrot, "hi") == "now: hi"
    assert said_in(proxy.stop_recording()) == [(["hi", "now: hi"], 1000)]
