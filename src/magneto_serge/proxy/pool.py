"""Idle connections to origins, kept for reuse; the newest is used first.

A connection that has idled may have been closed by the origin a moment ago without our knowing.
A request that can be repeated takes any and is retried once on a fresh connection; one that cannot
(RFC 9110 §9.2.2) takes a connection only when it has idled for less than one sweep, a second at
most: no server in common use closes that early (Node 5 s, gunicorn 2 s, nginx 75 s).
"""

from __future__ import annotations

from magneto_serge.proxy.dial import Dialer, Origin
from magneto_serge.proxy.upstream import UpstreamConnection

IDLE_LIMIT = 256  # connections kept idle for one origin
IDLE_SECONDS = 30.0


class Pool:
    """The idle connections of one proxy."""

    def __init__(self, dialer: Dialer, max_header_size: int) -> None:
        self.dialer = dialer
        self._max_header_size = max_header_size
        self._idle: dict[Origin, list[UpstreamConnection]] = {}
        self._all: set[UpstreamConnection] = set()

    def take(self, origin: Origin, *, repeatable: bool) -> UpstreamConnection | None:
        """Return an idle connection to ``origin`` that the request may use, or None."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle[-1]
            if not repeatable and connection.ticks:
                return None
            idle.pop()
            if not connection.transport.is_closing():  # all else that `usable` asks, it was
                return connection
        return None

    async def dial(self, origin: Origin, *, tunnel: bool = False) -> UpstreamConnection:
        """Open a connection; raises DialError.

        ``tunnel``: an upstream proxy is asked to CONNECT even for http.
        """
        proxy = None if tunnel else self.dialer.proxy_for(origin)
        _, connection = await self.dialer.open(
            origin,
            lambda: UpstreamConnection(origin, proxy, self._max_header_size),
            tunnel=tunnel,
        )
        assert isinstance(connection, UpstreamConnection)  # noqa: S101  # what the factory made
        if not connection.transport.is_closing():
            connection.when_lost = self._forget
            self._all.add(connection)
        return connection

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection for reuse; close it where there are enough, or it cannot be used."""
        idle = self._idle.get(connection.origin)
        if idle is None:
            idle = self._idle[connection.origin] = []
        if connection.usable and len(idle) < IDLE_LIMIT:
            idle.append(connection)
        else:
            connection.transport.close()

    def sweep(self, interval: float) -> None:
        """Close what has idled too long; ``interval`` is the time since the last sweep, in s."""
        for origin in list(self._idle):
            idle = self._idle[origin]
            for connection in idle:
                connection.ticks += 1
            while idle and idle[0].ticks * interval > IDLE_SECONDS:
                idle.pop(0).transport.close()
            if not idle:
                del self._idle[origin]

    def close(self) -> None:
        """Close everything, in use or not."""
        self._idle.clear()
        for connection in list(self._all):
            connection.transport.abort()

    def _forget(self, connection: UpstreamConnection) -> None:
        self._all.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)
