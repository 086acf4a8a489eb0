"""Puts the parts together: :class:`MagnetoProxy`.

The proxy owns a server on an event loop (its own thread's, or the caller's in ``async with``), the
folder of cassettes, the certificates, and the sessions: its own, and those that clients name.
Everything that costs time is made when first needed: certificates when a client wants TLS, a
recorder when something is to be kept.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import ssl
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from magneto_serge.config import Settings, load_settings
from magneto_serge.config_values import RemoteFolder, convert
from magneto_serge.errors import ConfigError, MagnetoError, ProxyError
from magneto_serge.messages import DEFAULT_PORTS
from magneto_serge.proxy.caught import Caught
from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.server import REACHED_BY, ProxyServer
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.engine import InteractionSink, Session
from magneto_serge.replay.hooks import EVERYWHERE, Hooks
from magneto_serge.replay.misses import Miss, Unplayed
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shelves import Shelves
from magneto_serge.runner import LoopThread
from magneto_serge.scripts import hooks_from
from magneto_serge.sessions import CassetteSession, mode_of
from magneto_serge.storage.store import store_of
from magneto_serge.trust import Trust

if TYPE_CHECKING:
    import socket

    from magneto_serge.replay.drift import Verdict
    from magneto_serge.replay.verdicts import Verdicts

F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger("magneto_serge")


class MagnetoProxy:
    """A record/replay proxy.

    ``cassette_dir`` is where cassettes live, a folder or a URL; the other settings come from
    ``overrides`` (fields of :class:`~magneto_serge.config.Settings`: ``port=0``,
    ``mode=Mode.AUTO``, ``reverse=URL``, ...), then from ``MAGNETO_*``, then from the configuration
    file, unless ``settings`` gives them all.

    Use it in ``with`` (the proxy runs on a thread of its own), in ``async with`` (it runs on the
    running loop), or call :meth:`start` and :meth:`stop`. Raises ConfigError for bad settings.
    """

    def __init__(
        self,
        cassette_dir: str | Path | RemoteFolder | None = None,
        *,
        settings: Settings | None = None,
        **overrides: Any,
    ) -> None:
        _in_one_process(overrides)
        if cassette_dir is not None:
            overrides["cassette_dir"] = cassette_dir
        if settings is None:
            settings = load_settings(overrides)
        elif overrides:
            settings = _replace(settings, overrides)
        self.settings = settings
        self.trust = Trust(settings)
        self._store = store_of(settings)
        self._named: dict[str, CassetteSession] = {}
        self._keys = count(1)
        self._hooks = Hooks()
        self._loaded: dict[object, Hooks] = {}
        self._session = self._idle_session()
        self._misses: list[Miss] = []
        self._unplayed: list[Unplayed] = []
        self._verified: CassetteSession | None = None
        self._reverse = _origin_of(settings.reverse) if settings.reverse else None
        self._server = ProxyServer(
            settings,
            self._session.replay,
            client_tls=self.trust.client_tls,
            upstream_tls=self.trust.upstream_tls,
            reverse=self._reverse,
            on_miss=self._on_miss,
        )
        self._thread: LoopThread | None = None
        self._state = "new"
        self._error: BaseException | None = None  # that ended our `with` block

    # --- running ---------------------------------------------------------------------------

    def listen(self, taken: socket.socket | None = None) -> None:
        """Take the port already; clients that come before :meth:`start` wait for it.

        For whoever has something to read before the start; ``taken`` is a socket that listens
        already. Raises ProxyError where the port cannot be had.
        """
        self._server.listen(taken)

    def start(self) -> MagnetoProxy:
        """Listen, on a thread of its own; returns when connections are accepted.

        Raises ProxyError where the port cannot be had, or the proxy was started before.
        """
        self._begin()
        thread = LoopThread(f"magneto-{self.settings.port}")
        try:
            thread.call(self._server.start())
        except BaseException:
            thread.close()
            self._state = "stopped"
            self._abort()
            raise
        self._thread = thread
        # A program that ends without stop() must not lose what it recorded.
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Let exchanges under way finish (bounded), save what was recorded, close everything.

        Calling it again does nothing. Raises CassetteError where saving fails; the journal is
        kept then, and the error says where.
        """
        if self._state == "running" and self._thread is None:
            raise ProxyError("This proxy runs on your event loop: leave its `async with` block")
        if self._state != "running" or self._thread is None:
            self._state = "stopped"
            self._abort()
            return
        self._state = "stopped"
        atexit.unregister(self.stop)
        thread, self._thread = self._thread, None
        try:
            thread.call(self._server.stop())
        finally:
            thread.close()
            self._leave(self._error)

    def __enter__(self) -> MagnetoProxy:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._error = error
        self.stop()

    async def __aenter__(self) -> MagnetoProxy:
        self._begin()
        try:
            await self._server.start()
        except BaseException:
            self._state = "stopped"
            self._abort()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import asyncio

        if self._state != "running":
            return
        self._state = "stopped"
        try:
            await self._server.stop()
        finally:
            await asyncio.to_thread(self._leave, error)

    def _begin(self) -> None:
        if self._state != "new":
            raise ProxyError("This proxy was started before: make a new MagnetoProxy")
        self._state = "running"
        if self.settings.insecure:
            log.warning("INSECURE: the certificates of origins are not verified")

    def _leave(self, error: BaseException | None) -> None:
        """End every session and save; raises the first trouble where no error is on its way."""
        trouble: BaseException | None = error
        for session in (*self._named.values(), self._session):
            try:
                session.leave(trouble)
            except MagnetoError as first:
                trouble = first
        if trouble is not error and trouble is not None:
            raise trouble

    def _abort(self) -> None:
        self._server.release()
        for session in (*self._named.values(), self._session):
            session.abort()

    def _running(self) -> None:
        if self._state != "running":
            state = "has not been started" if self._state == "new" else "has stopped"
            remedy = "start() it first" if self._state == "new" else "make a new MagnetoProxy"
            raise ProxyError(f"This proxy {state}: {remedy}")

    # --- sessions --------------------------------------------------------------------------

    def use(self, name: str, mode: Mode | str | None = None) -> None:
        """Begin a session on the cassette ``name``; an earlier one is ended and saved.

        ``mode`` None is the settings'. Returns when the next request is treated so. Raises
        CassetteNotFoundError where the mode needs a cassette and there is none, CassetteError for
        one that cannot be read, CassetteBusyError where somebody else is recording it, ConfigError
        for a bad name or mode. May be called before :meth:`start`, so that the first request finds
        the session.
        """
        if self._state == "stopped":
            self._running()
        settings = self.settings.for_cassette(name)
        chosen = mode_of(mode if mode is not None else settings.mode)
        self._end_session()
        store = self._store if settings is self.settings else store_of(settings)
        session = CassetteSession(name, chosen, settings, store, self)
        self._session, self._server.session = session, session.replay

    def session(
        self,
        name: str,
        mode: Mode | str | None = None,
        *,
        key: str | None = None,
        more: tuple[str, ...] = (),
        **overrides: Any,
    ) -> CassetteSession:
        """Open one more session, for the clients that name it, beside all others.

        Its ``url`` and ``env()`` are this proxy's with the user name ``key`` in it (made from the
        cassette's name unless given); ``overrides`` are settings, of this session alone; the
        cassettes named in ``more`` are replayed as if they stood at the end of this one. What is
        still under way when it is finished is refused from then on, and never served from another
        session. Raises as :meth:`use` does, ConfigError for a key in use, and in reverse mode,
        where clients have no way to name a session.
        """
        self._running()
        if self._reverse is not None:
            raise ConfigError("In reverse mode there is one session for all: use() a cassette")
        if key is None:
            key = f"{_KEY.sub('-', name)}-{next(self._keys)}"
        if ":" in key or not key or key in self._named:
            state = "is in use" if key in self._named else "cannot be used: it is a user name"
            raise ConfigError(f"The session key {key!r} {state}; choose another")
        _in_one_process(overrides)
        settings = self.settings.for_cassette(name)
        settings = _replace(settings, overrides) if overrides else settings
        store = self._store if settings is self.settings else store_of(settings)
        chosen = mode_of(mode if mode is not None else settings.mode)
        session = CassetteSession(name, chosen, settings, store, self, key, more)
        self._named[key] = session
        self._server.open_session(key, session.replay)
        return session

    @property
    def sessions(self) -> list[CassetteSession]:
        """The sessions that are open beside the proxy's own."""
        return list(self._named.values())

    def answer_itself_with(self, session: Session) -> None:
        """Let ``session`` answer what is asked of the proxy itself; see ``control``."""
        self._server.own = session

    def settle(self, sink: InteractionSink) -> None:
        """Wait a moment for exchanges that are recorded into ``sink`` and about to end."""
        if self._thread is not None and self._state == "running":
            self._thread.call(self._server.settle(sink))

    def forget(self, session: CassetteSession) -> None:
        """Serve a session no more; called by the session when it ends."""
        if session.key is not None:
            self._named.pop(session.key, None)
            self._server.close_session(session.key)

    def start_recording(self, name: str) -> None:
        """Record into the cassette ``name``; in hybrid mode add to it, otherwise replace it."""
        self.use(name, Mode.HYBRID if self.settings.mode == Mode.HYBRID else Mode.RECORD)

    def stop_recording(self) -> Path | None:
        """End the session; return the saved cassette's path, None where nothing was recorded.

        An exchange that has not ended by now, nor does in the next quarter of a second, is not in
        the cassette; a stream or a WebSocket is, as far as it went. Raises CassetteError where
        saving fails; the journal is kept then, and the error says where.
        """
        self._running()
        return self._end_session()

    def replay(self, name: str) -> None:
        """Replay the cassette ``name``; what it does not hold is refused."""
        self.use(name, Mode.REPLAY)

    @property
    def mode(self) -> Mode:
        """The mode of the session; setting it takes effect with the next request."""
        return self._session.mode

    @mode.setter
    def mode(self, mode: Mode | str) -> None:
        self._running()
        self.switch(self._session, mode)

    def switch(self, session: CassetteSession, mode: Mode | str) -> None:
        """Switch the mode of a session of this proxy's; takes effect with the next request."""
        session.mode = mode_of(mode)

    def shelves(self, *arguments: Any, **options: Any) -> Shelves:
        """Return the shelves that a cassette is played from; called by a session."""
        return Shelves(*arguments, **options)

    @property
    def current(self) -> CassetteSession:
        """The session that serves whoever names no other; a new one with every cassette in use."""
        return self._session

    @property
    def cassette_name(self) -> str | None:
        """The name of the cassette in use."""
        return self._session.cassette_name

    def _idle_session(self) -> CassetteSession:
        """Return what answers while no cassette is in use: only passthrough lets anything by."""
        return CassetteSession(None, mode_of(self.settings.mode), self.settings, self._store, self)

    def _end_session(self) -> Path | None:
        ended, self._session = self._session, self._idle_session()
        self._server.session = self._session.replay
        if ended.verifies:
            self._verified = ended
        return ended.finish()

    # --- hooks -----------------------------------------------------------------------------

    def before_record(self, function: F) -> F:
        """Register a hook of this proxy; see :func:`magneto_serge.before_record`."""
        return self._hooks.before_record(function)

    def before_replay(self, function: F) -> F:
        """Register a hook of this proxy; see :func:`magneto_serge.before_replay`."""
        return self._hooks.before_replay(function)

    def on_miss(self, function: F) -> F:
        """Register a hook of this proxy; see :func:`magneto_serge.on_miss`."""
        return self._hooks.on_miss(function)

    def on_message(self, function: F) -> F:
        """Register a hook of this proxy; see :func:`magneto_serge.on_message`."""
        return self._hooks.on_message(function)

    def hooks_for(self, settings: Settings) -> Hooks:
        """Return what a session with these settings has of hooks; called by the session.

        A script is run once, however many sessions there are.
        """
        chosen = (settings.scripts, settings.hooks)
        found = self._loaded.get(chosen)
        if found is None:
            loaded = hooks_from(*chosen) if any(chosen) else []
            found = self._loaded[chosen] = Hooks(EVERYWHERE, *loaded, self._hooks)
        return found

    def uncount(self, recorded: int) -> None:
        """Correct the count of what was recorded; called by a session when it ends."""
        self._server.uncount(recorded)

    # --- what happened ---------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        """Counts since the start."""
        return self._server.stats

    @property
    def misses(self) -> list[Miss]:
        """The requests that were refused since the start, oldest first; the first thousand."""
        return list(self._misses)

    @property
    def unplayed(self) -> list[Unplayed]:
        """What sessions that have ended did not play, though they had to, oldest first.

        They had to with ``unplayed = fail``, and in the mode ``strict``.
        """
        return list(self._unplayed)

    @property
    def verdicts(self) -> Verdicts:
        """What verifying has found: of the cassette in use, else of the last one that was."""
        session = self._session
        return (session if session.verifies else self._verified or session).verdicts

    @property
    def verifies(self) -> bool:
        """Whether anything has been compared, or will be."""
        return self._session.verifies or self._verified is not None

    @property
    def drifts(self) -> list[Verdict]:
        """What is not as it was recorded, and what was never recorded, as it was found."""
        return self.verdicts.drifts

    def tell_unplayed(self, found: Unplayed) -> None:
        """Take note of what a session that ends had to play and did not; called by the session."""
        self._unplayed.append(found)

    @property
    def play_counts(self) -> list[int]:
        """How often each recording of the cassette in use was played, in recorded order."""
        return self._session.play_counts

    @property
    def all_played(self) -> bool:
        """Whether every recording of the cassette in use was played at least once."""
        return self._session.all_played

    def rewind(self) -> None:
        """Start the cassette in use over: the next request gets the first of its recordings."""
        self._session.rewind()

    def _on_miss(self, miss: Miss) -> None:
        if len(self._misses) < _MISSES_KEPT:
            self._misses.append(miss)
        log.warning("Refused: %s", miss.explain())

    # --- how to reach it ---------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The address listened on."""
        return self.settings.host

    @property
    def port(self) -> int:
        """The port listened on. Raises ProxyError unless running."""
        self._running()
        return self._server.port

    @property
    def url(self) -> str:
        """The URL to use as proxy, or to send requests to in reverse mode."""
        scheme = "https" if self.settings.reverse and self.settings.reverse_tls else "http"
        return f"{scheme}://{self._authority()}"

    def url_for(self, key: str | None) -> str:
        """Return the proxy's URL with credentials: those of a session, and of ``proxy_auth``."""
        user, _, password = (self.settings.proxy_auth or "").partition(":")
        if key is not None:  # some clients send no user name without a password
            user, password = key, password or "session"
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        return f"http://{credentials}{self._authority()}"

    def _authority(self) -> str:
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        """Where a client on this machine connects to: host and port."""
        return (REACHED_BY.get(self.settings.host, self.settings.host), self.port)

    def port_for(self, key: str) -> int:
        """Return a port whose clients belong to the session ``key`` without saying so.

        Raises ProxyError in ``async with``, where the loop that would open it is the caller's.
        """
        if self._thread is None:
            raise ProxyError("A session has no port of its own where the loop is yours")
        return self._thread.call(self._server.listen_for(key))

    def expect(self, source_port: int, host: str, port: int, key: str | None) -> None:
        """Take the connection from ``source_port`` for one of session ``key`` to ``host:port``.

        Called by this process before it connects.
        """
        self._server.expected[source_port] = Caught(host, port, key)

    @property
    def ca_path(self) -> Path:
        """The PEM file of our certificate authority; made on first use."""
        return self.trust.authority.cert_path

    def ssl_context(self) -> ssl.SSLContext:
        """Return a client context that trusts the system's authorities and ours."""
        return self.trust.own_client()

    def env(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables that send a child through this proxy.

        Proxy variables in both cases, and every common variable for the trust in our authority:
        a file with the system's authorities, those that ``environ`` (default ``os.environ``)
        names, and ours. In reverse mode, where there is no proxy to name, ``MAGNETO_URL``.
        """
        return self.env_for(None, environ)

    def env_for(self, key: str | None, environ: Mapping[str, str] | None) -> dict[str, str]:
        """Return the variables of :meth:`env` for the session ``key``."""
        variables = self.trust.variables(os.environ if environ is None else environ)
        if self._reverse is not None:
            return {"MAGNETO_URL": self.url, **variables}
        url = self.url_for(key)
        local = _LOCALHOST if self.settings.ignore_localhost else ()
        bypass = ",".join((*self.settings.ignore_hosts, *local))
        for name, value in (
            *((name, url) for name in ("http_proxy", "https_proxy", "all_proxy")),
            ("no_proxy", bypass),
        ):
            variables[name] = variables[name.upper()] = value
        variables["NODE_USE_ENV_PROXY"] = "1"
        return variables


_MISSES_KEPT = 1000
_LOCALHOST = ("localhost", "127.0.0.1", "::1")
_KEY = re.compile(r"[^A-Za-z0-9._-]+")  # what a user name in a URL had better not hold


def _in_one_process(overrides: Mapping[str, Any]) -> None:
    """Refuse to be given workers: those that a file asks for are the command's affair."""
    if overrides.get("workers", 1) != 1:
        raise ConfigError(
            "argument workers: a proxy in your own program is one process. Several are the "
            "command's to start: magneto replay NAME --workers N"
        )


def _replace(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    unknown = overrides.keys() - set(settings.__struct_fields__)
    if unknown:
        raise ConfigError(f"There is no such setting: {', '.join(sorted(unknown))}")
    values = {name: convert(name, value, f"argument {name}") for name, value in overrides.items()}
    return settings.changed(values)


def _origin_of(url: str) -> Origin:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigError(f"reverse {url}: {host!r} is not a host name") from None
    return Origin(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme])
