"""Connections kept for reuse: which one is taken, by whom, and for how long they are kept."""

from __future__ import annotations

from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.pool import IDLE_LIMIT, Pool
from magneto_serge.proxy.upstream import UpstreamConnection

from .mock_loop import MockLoop
from .mock_transport import MockTransport
from .stage import ScriptedDialer

ORIGIN = Origin("http", "origin.test", 80)


class Shelf:
    """A pool on a mock loop."""

    def __init__(self) -> None:
        self.loop = MockLoop()
        self.dialer = ScriptedDialer(self.loop)
        self.pool = Pool(self.dialer, 65_536)  # type: ignore[arg-type]

    def connect(self, origin: Origin = ORIGIN) -> tuple[UpstreamConnection, MockTransport]:
        """Have the pool open a connection."""
        made: list[UpstreamConnection] = []

        async def dial() -> None:
            made.append(await self.pool.dial(origin))

        self.loop.create_task(dial())
        self.loop.run()
        transport = self.dialer.waiting.pop().accept()
        return made[0], transport

    def keep(self, origin: Origin = ORIGIN) -> tuple[UpstreamConnection, MockTransport]:
        """Have the pool open a connection and get it back after use."""
        connection, transport = self.connect(origin)
        connection.finish()
        self.pool.give_back(connection)
        return connection, transport


def test_newest_connection_is_used_first() -> None:
    """It is the one that the origin is least likely to have closed."""
    shelf = Shelf()
    first, _ = shelf.keep()
    second, _ = shelf.keep()
    assert shelf.pool.take(ORIGIN, repeatable=True) is second
    assert shelf.pool.take(ORIGIN, repeatable=True) is first
    assert shelf.pool.take(ORIGIN, repeatable=True) is None


def test_connections_belong_to_their_origin() -> None:
    """Scheme, host and port must be the same."""
    shelf = Shelf()
    shelf.keep()
    for other in (
        ORIGIN._replace(scheme="https"),
        ORIGIN._replace(host="a"),
        ORIGIN._replace(port=81),
    ):
        assert shelf.pool.take(other, repeatable=True) is None


def test_request_that_cannot_be_repeated_takes_a_fresh_one() -> None:
    """After one sweep a connection is only for requests that can be sent again."""
    shelf = Shelf()
    connection, _ = shelf.keep()
    shelf.pool.sweep(1.0)
    assert shelf.pool.take(ORIGIN, repeatable=False) is None
    assert shelf.pool.take(ORIGIN, repeatable=True) is connection
    connection.finish()
    shelf.pool.give_back(connection)
    assert shelf.pool.take(ORIGIN, repeatable=False) is connection


def test_closed_connection_is_not_taken() -> None:
    """Lost while idle: it is out of the pool; closing: it is passed over."""
    shelf = Shelf()
    kept, _ = shelf.keep()
    _, lost = shelf.keep()
    _, closing = shelf.keep()
    lost.hang_up()
    closing.closing = True
    assert shelf.pool.take(ORIGIN, repeatable=True) is kept
    assert shelf.pool.take(ORIGIN, repeatable=True) is None


def test_connection_that_closed_at_once_is_not_remembered() -> None:
    """A connection that is gone when it is handed over is nobody's any more."""
    shelf = Shelf()
    made: list[UpstreamConnection] = []

    async def dial() -> None:
        made.append(await shelf.pool.dial(ORIGIN))

    shelf.loop.create_task(dial())
    shelf.loop.run()
    shelf.dialer.waiting.pop().accept(closed=True)
    assert not made[0].usable
    assert shelf.pool._all == set()


def test_idle_connections_are_closed_in_time() -> None:
    """After half a minute a connection is closed; one that was used meanwhile is not."""
    shelf = Shelf()
    _, old = shelf.keep()
    used, young = shelf.keep()
    for _ in range(30):
        shelf.pool.sweep(1.0)
        assert shelf.pool.take(ORIGIN, repeatable=True) is used
        used.finish()
        shelf.pool.give_back(used)
    assert old.open
    shelf.pool.sweep(1.0)
    assert not old.open
    assert young.open
    for _ in range(31):
        shelf.pool.sweep(1.0)
    assert not young.open
    assert shelf.pool._idle == {}


def test_only_so_many_are_kept_for_one_origin() -> None:
    """Beyond the limit a connection is closed when it comes back."""
    shelf = Shelf()
    transports = [shelf.keep()[1] for _ in range(IDLE_LIMIT + 2)]
    assert [transport.open for transport in transports].count(False) == 2


def test_connection_that_broke_the_protocol_is_not_kept() -> None:
    """A connection on which something unreadable came is closed when it comes back."""
    shelf = Shelf()
    connection, transport = shelf.connect()
    connection.begin(Ignorant(), "GET")  # type: ignore[arg-type]
    transport.send(b"nonsense")
    connection.finish()
    shelf.pool.give_back(connection)
    assert not transport.open
    assert shelf.pool.take(ORIGIN, repeatable=True) is None


def test_closing_the_pool_closes_all() -> None:
    """Idle or in use: every connection is broken off."""
    shelf = Shelf()
    _, idle = shelf.keep()
    _, used = shelf.connect()
    shelf.pool.close()
    shelf.loop.run()
    assert idle.aborted
    assert used.aborted
    assert shelf.pool._all == set()
    assert shelf.pool.take(ORIGIN, repeatable=True) is None


class Ignorant:
    """An exchange that does not care what is said."""

    def upstream_said(self, events: list[object], size: int) -> None:
        """Hear it."""
