"""A proxy on a stage: clients and origins are scripts, the loop turns when the script says so.

::

    stage = Stage()
    client = stage.client()
    client.send(ask())                      # a segment from the client
    origin = stage.answer_dial()            # the proxy dialled; the connection stands
    assert origin.take() == b"GET / ..."    # what the origin got
    origin.send(answer(b"hello"))           # a segment from the origin
    assert client.take() == b"HTTP/1.1 200 OK..."
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from magneto_serge.config import Settings
from magneto_serge.messages import FailureKind, Interaction
from magneto_serge.proxy.client import ClientConnection
from magneto_serge.proxy.dial import DialError, Origin, UpstreamProxy
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.shelves import Shelves

from .mock_loop import MockLoop
from .mock_transport import MockTransport
from .sink import FakeSink


class Dial:
    """A connection that the proxy wants; the script lets it succeed or fail."""

    def __init__(
        self, loop: MockLoop, origin: Origin, factory: Callable[[], Any], tunnel: bool
    ) -> None:
        self.origin = origin
        self.tunnel = tunnel
        self.factory = factory
        self._loop = loop
        self.pending = loop.pending()

    def accept(
        self,
        peer: tuple[Any, ...] | None = ("192.0.2.7", 80),
        *,
        choked: bool = False,
        closed: bool = False,
    ) -> MockTransport:
        """Let it succeed; return the origin's end: ``choked`` or ``closed`` from the first."""
        protocol = self.factory()
        transport = MockTransport(self._loop, protocol, peer)
        protocol.connection_made(transport)
        if choked:
            transport.choke()
        if closed:
            transport.hang_up()
        self.pending.settle((transport, protocol))
        self._loop.run()
        return transport

    def fail(self, kind: FailureKind = FailureKind.REFUSED, detail: str = "refused") -> None:
        """Let it fail."""
        self.pending.settle(error=DialError(kind, detail))
        self._loop.run()


class ScriptedDialer:
    """Stands in for the dialer; keeps the dials that wait for an end."""

    def __init__(self, loop: MockLoop) -> None:
        self._loop = loop
        self.waiting: list[Dial] = []
        self.proxy: UpstreamProxy | None = None

    def proxy_for(self, origin: Origin) -> UpstreamProxy | None:
        """Return the upstream proxy that the script has set."""
        return self.proxy

    async def open(
        self, origin: Origin, protocol: Callable[[], Any], *, tunnel: bool = False
    ) -> tuple[Any, Any]:
        """Wait for the script."""
        dial = Dial(self._loop, origin, protocol, tunnel)
        self.waiting.append(dial)
        try:
            connection: tuple[Any, Any] = await dial.pending
        except asyncio.CancelledError:
            self.waiting.remove(dial)
            raise
        return connection


class Stage:
    """A running :class:`ProxyServer` with mocks for everything that touches the world."""

    def __init__(
        self,
        mode: Mode = Mode.PASSTHROUGH,
        recordings: Iterable[Interaction] | None = None,
        *,
        reverse: Origin | None = None,
        redacted: bool = True,
        client_tls: Callable[[str], Any] = lambda name: None,
        **settings: Any,
    ) -> None:
        self.loop = MockLoop()
        self.sink = FakeSink()
        self.misses: list[Miss] = []
        secrets = SecretRules() if redacted else None
        self.session = Session(
            "tape",
            mode,
            cassette=None if recordings is None else Shelves(recordings, secrets=secrets),
            sink=self.sink,
            ignore_hosts=settings.get("ignore_hosts", ()),
        )
        self.server = ProxyServer(
            Settings(**{"port": 0, **settings}),
            self.session,
            client_tls=client_tls,
            upstream_tls=lambda: None,  # type: ignore[arg-type, return-value]
            reverse=reverse,
            on_miss=self.misses.append,
        )
        self.dialer = ScriptedDialer(self.loop)
        self.server.pool.dialer = self.dialer  # type: ignore[assignment]
        self.loop.run_until_complete(self.server.start())

    @property
    def stats(self) -> dict[str, int]:
        """The counters that are not zero."""
        counts = {
            name: getattr(self.server.stats, name) for name in self.server.stats.__struct_fields__
        }
        return {name: count for name, count in counts.items() if count}

    def client(self, origin: Origin | None = None, *, half_close: bool = True) -> MockTransport:
        """Have a client connect; ``origin``: as if through a tunnel to it."""
        protocol: ClientConnection = (
            self.loop.accept() if origin is None else self.server.client_for(origin)
        )
        transport = MockTransport(self.loop, protocol, half_close=half_close)
        protocol.connection_made(transport)
        self.loop.run()
        return transport

    def answer_dial(self, **how: Any) -> MockTransport:
        """Let the oldest dial succeed, as `Dial.accept` does; return the origin's end."""
        return self.dialer.waiting.pop(0).accept(**how)

    def fail_dial(self, kind: FailureKind = FailureKind.REFUSED, detail: str = "refused") -> None:
        """Let the oldest dial fail."""
        self.dialer.waiting.pop(0).fail(kind, detail)

    @property
    def dials(self) -> int:
        """How many dials wait."""
        return len(self.dialer.waiting)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, sweeps and all."""
        self.loop.advance(seconds)
