"""The listener and the books: who is connected, what is under way, what was counted.

One :class:`ProxyServer` lives on one event loop. It owns the listening socket, the client
connections, the pool of origin connections and one timer; the session it asks for decisions can be
exchanged while traffic flows.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from magneto_serge.config import Settings, is_loopback
from magneto_serge.errors import ProxyError
from magneto_serge.proxy.caught import Caught, CaughtClient
from magneto_serge.proxy.client import ClientConnection
from magneto_serge.proxy.credentials import Credentials
from magneto_serge.proxy.dial import Dialer, Origin
from magneto_serge.proxy.listening import BACKLOG, cannot_listen, take
from magneto_serge.proxy.pool import Pool
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.engine import InteractionSink, Session
from magneto_serge.replay.misses import Miss
from magneto_serge.wire.targets import parse_absolute

log = logging.getLogger("magneto_serge.proxy")

_SETTLING_TURNS = 50
_SETTLING_PAUSE = 0.005  # seconds
_AUTHORITIES_KEPT = 1024
# Where a client on this machine reaches a proxy that listens everywhere.
REACHED_BY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_UNSPECIFIED = frozenset(("0.0.0.0", "::"))  # connecting there reaches this machine


class Destination(NamedTuple):
    """Where an absolute-form target leads, and what to ask there."""

    origin: Origin
    userinfo: str | None
    target: str


def _destination(target: str) -> Destination:
    absolute = parse_absolute(target)
    host, port, userinfo = absolute.authority
    return Destination(Origin(absolute.scheme, host, port), userinfo, absolute.target)


class Connection(Protocol):
    """What the books ask of a client's connection, whatever it has become."""

    transport: asyncio.Transport
    user: str | None

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""

    def sweep(self, interval: float) -> None:
        """Close what has waited too long."""

    def close_when_idle(self) -> None:
        """Close now, or after the answer under way."""


class Waiting(Protocol):
    """What has to wait when the disk is behind."""

    def hold_for_disk(self) -> None:
        """Stop reading."""

    def release_from_disk(self) -> None:
        """Go on."""


class ProxyServer:
    """A proxy on the running loop.

    ``session`` may be replaced at any time; ``sessions`` are those that clients choose by the user
    name in their proxy credentials, and ``selective`` says that there has been one. ``expected``
    are the connections of this process that are led here, by their source ports.
    ``client_tls(name)`` gives the context for a client that wants to speak TLS with ``name``;
    ``upstream_tls()`` the one towards origins; both are called when first needed. ``reverse`` makes
    it a reverse proxy of that origin.
    """

    def __init__(
        self,
        settings: Settings,
        session: Session,
        *,
        client_tls: Callable[[str], ssl.SSLContext],
        upstream_tls: Callable[[], ssl.SSLContext],
        reverse: Origin | None = None,
        on_miss: Callable[[Miss], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.session = session
        self.sessions: dict[str, Session] = {}
        self.selective = False
        self.own: Session | None = None  # answers what is asked of the proxy itself
        self.expected: dict[int, Caught] = {}
        self._own_listeners: dict[str, asyncio.Server] = {}
        self.stats = Stats()
        self.tls_context = client_tls
        self.draining = False
        self.host = settings.host
        self.port = settings.port
        self.pool = Pool(Dialer(settings, upstream_tls), settings.max_header_size)
        self.missed: Callable[[Miss], None] = self._count_miss
        self._on_miss = on_miss
        self._reverse = reverse
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._authorities: dict[str, Destination] = {}
        self.guarded = settings.proxy_auth is not None
        self.credentials = Credentials(settings.proxy_auth)
        self._held: set[Waiting] = set()
        self._server: asyncio.Server | None = None
        self._taken: socket.socket | None = None  # listens, and nobody accepts yet
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None

    # --- start and stop ----------------------------------------------------------------------

    def listen(self, taken: socket.socket | None = None) -> None:
        """Take the port before the start, or go on with the socket that has ``taken`` it.

        Raises ProxyError where it cannot be had; see ``listening``.
        """
        self._taken = take(self.settings) if taken is None else taken

    def release(self) -> None:
        """Give back the port, where it was taken and there is to be no start."""
        if self._taken is not None:
            self._taken.close()
            self._taken = None

    async def start(self) -> None:
        """Listen; returns when connections are accepted. Raises ProxyError where that fails."""
        self.loop = asyncio.get_running_loop()
        tls = None
        if self._reverse is not None and self.settings.reverse_tls:
            tls = self.tls_context(REACHED_BY.get(self.host, self.host))
        try:
            taken, self._taken = self._taken, None
            place: dict[str, Any] = {"sock": taken}
            if taken is None:
                place = {"host": self.settings.host, "port": self.settings.port}
            self._server = await self.loop.create_server(
                self._accept,
                **place,
                ssl=tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=self.settings.header_timeout if tls else None,
            )
        except OSError as error:
            raise ProxyError(cannot_listen(self.settings, error)) from None
        self.port = self._server.sockets[0].getsockname()[1]
        limits = (self.settings.idle_timeout, self.settings.header_timeout)
        self._interval = min(1.0, *(limit / 4 for limit in limits))
        self._timer = self.loop.call_later(self._interval, self._sweep)

    async def stop(self) -> None:
        """Accept nothing more, let what is under way finish (bounded), close everything."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self.draining = True
        for listener in (server, *self._own_listeners.values()):
            listener.close()
        for connection in list(self._connections):
            connection.close_when_idle()
        if self._under_way():
            self._drained = self.loop.create_future()
            try:
                async with asyncio.timeout(self.settings.shutdown_timeout):
                    await self._drained
            except TimeoutError:
                pass
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._connections):
            connection.transport.abort()
        self.pool.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        # Aborted transports tell their protocols in the next turn of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _under_way(self) -> bool:
        """Whether an answer is not complete, or has not been sent to its last byte."""
        return any(
            connection.busy or connection.transport.get_write_buffer_size()
            for connection in self._connections
        )

    async def settle(self, sink: InteractionSink) -> None:
        """Wait a moment for exchanges that are recorded into ``sink`` and about to end.

        A client hangs up with the last event of a stream, or with the last byte that it wants: then
        its exchange ends when we hear of that. One that goes on is not waited for; a stream is
        recorded as far as it went.
        """
        for turn in range(_SETTLING_TURNS):
            under_way = self._recorded_into(sink)
            if not under_way:
                return
            for each in under_way:
                if turn and each.hung_up:  # it may be half-closed, but nearly always has left
                    each.close_when_idle()
            await asyncio.sleep(_SETTLING_PAUSE)
        for each in self._recorded_into(sink):
            each.recording_ends()

    def _recorded_into(self, sink: InteractionSink) -> list[ClientConnection]:
        return [
            each
            for each in self._connections
            if isinstance(each, ClientConnection) and each.records_into is sink
        ]

    def _sweep(self) -> None:
        self._timer = self.loop.call_later(self._interval, self._sweep)
        for connection in list(self._connections):
            connection.sweep(self._interval)
        self.pool.sweep(self._interval)

    # --- the books ---------------------------------------------------------------------------

    def _accept(self) -> ClientConnection:
        return ClientConnection(self, self._reverse)

    def client_for(self, origin: Origin | None, user: str | None = None) -> ClientConnection:
        """Return the protocol for a client that speaks to ``origin`` through a tunnel.

        ``user`` is the one that its CONNECT named. ``origin`` None: the client was caught, speaks
        as to a proxy, and belongs to ``user`` whatever its requests say.
        """
        if origin is not None:
            return ClientConnection(self, origin, in_tunnel=True, user=user)
        client = ClientConnection(self)
        client.pin(user)
        return client

    def admit(self, connection: Connection) -> bool:
        """Enter a connection; False where there are too many."""
        if len(self._connections) >= self.settings.max_connections:
            return False
        self._connections.add(connection)
        return True

    def take_in(self, connection: Connection) -> None:
        """Enter what stands in for a connection that was entered before."""
        self._connections.add(connection)

    def dismiss(self, connection: Connection) -> None:
        """Strike a connection off."""
        self._connections.discard(connection)
        drained = self._drained
        if drained is not None and not drained.done() and not self._under_way():
            drained.set_result(None)

    def lead(self, client: ClientConnection) -> bool:
        """Give a new connection to whom it belongs, if it was expected; False: it was not."""
        peer = client.transport.get_extra_info("peername")
        caught = self.expected.pop(peer[1], None) if peer else None
        if caught is None:
            return False
        protocol = CaughtClient(self, caught.host, caught.port, caught.user)
        client.transport.set_protocol(protocol)
        protocol.connection_made(client.transport)
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that ends with the proxy."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A fault of ours, please report it", exc_info=error)

    def uncount(self, recorded: int) -> None:
        """Take interactions off the count of those recorded; callable from any thread."""
        try:
            self.loop.call_soon_threadsafe(self._uncount, recorded)
        except (AttributeError, RuntimeError):  # not started, or stopped: nobody counts
            self._uncount(recorded)

    def _uncount(self, recorded: int) -> None:
        self.stats.recorded -= recorded

    def _count_miss(self, miss: Miss) -> None:
        self.stats.missed += 1
        self._on_miss(miss)

    # --- questions that connections ask --------------------------------------------------------

    def open_session(self, user: str, session: Session) -> None:
        """Serve ``session`` to the clients that give ``user`` as their user name."""
        self.sessions[user] = session
        self.selective = True

    def close_session(self, user: str) -> None:
        """Serve a session no more, and end the connections that belong to it.

        A client that keeps connections for later (in a pool, from one test to the next) sees that
        they are closed and opens new ones. Callable from any thread.
        """
        self.sessions.pop(user, None)
        try:
            self.loop.call_soon_threadsafe(self._close_connections_of, user)
        except (AttributeError, RuntimeError):
            pass  # not started, or stopped: nobody is connected

    async def listen_for(self, user: str) -> int:
        """Listen on one more port, whose clients belong to ``user`` without saying so.

        A browser sends credentials to a proxy only when it is asked for them. Returns the port; it
        is closed with the session.
        """
        listener = self._own_listeners.get(user)
        if listener is None:
            listener = await self.loop.create_server(
                lambda: self.client_for(None, user), self.settings.host, 0
            )
            self._own_listeners[user] = listener
        return int(listener.sockets[0].getsockname()[1])

    def _close_connections_of(self, user: str) -> None:
        listener = self._own_listeners.pop(user, None)
        if listener is not None:
            listener.close()
        for connection in list(self._connections):
            if connection.user == user:
                connection.close_when_idle()

    def session_for(self, user: str | None) -> Session | None:
        """Return the session of a user name, None where it is over or never was."""
        return self.session if user is None else self.sessions.get(user)

    def is_self(self, host: str) -> bool:
        """Whether a request would come straight back to us; the caller has compared the port."""
        return host == self.host or host in _UNSPECIFIED or is_loopback(host)

    def absolute_target(self, target: str) -> Destination:
        """Take an absolute-form target apart; authorities seen before are not parsed again."""
        slash = target.find("/", target.find("://") + 3)
        if slash < 0:
            return _destination(target)
        prefix = target[:slash]
        known = self._authorities.get(prefix)
        if known is None:
            known = _destination(target)
            if "?" in prefix or "://" not in prefix:
                return known
            if len(self._authorities) >= _AUTHORITIES_KEPT:
                self._authorities.clear()
            self._authorities[prefix] = known
        return Destination(known.origin, known.userinfo, target[slash:])

    # --- a disk that is behind -----------------------------------------------------------------

    def hold_for_disk(self, exchange: Waiting, sink: InteractionSink) -> None:
        """Stop an exchange's reading until the recorder has caught up."""
        exchange.hold_for_disk()
        if not self._held:
            sink.when_drained(self._disk_drained)
        self._held.add(exchange)

    def _disk_drained(self) -> None:
        """Called by the writer thread; the loop may be gone by then, and then nobody waits."""
        try:
            self.loop.call_soon_threadsafe(self._release_held)
        except RuntimeError:
            pass

    def _release_held(self) -> None:
        held, self._held = self._held, set()
        for exchange in held:
            exchange.release_from_disk()
