"""Puts the parts together: :class:`MagnetoProxy`.

The proxy owns a server on an event loop (its own thread's, or the caller's in ``async with``), the
folder of cassettes, the certificates, and at most one session at a time. Everything that costs
time is made when first needed: certificates when a client wants TLS, a recorder when something is
to be kept.
"""

from __future__ import annotations

import atexit
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from magneto_serge.config import Settings, load_settings
from magneto_serge.config_values import RemoteFolder, convert
from magneto_serge.errors import ConfigError, MagnetoError, ProxyError
from magneto_serge.messages import DEFAULT_PORTS
from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.server import REACHED_BY, ProxyServer
from magneto_serge.replay.engine import Session, Stats
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode, policy_for
from magneto_serge.replay.redaction import redact, without_proxy_fields
from magneto_serge.runner import LoopThread
from magneto_serge.storage.store import store_of
from magneto_serge.trust import Trust

if TYPE_CHECKING:
    from magneto_serge.storage.recorder import Recorder

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
        if cassette_dir is not None:
            overrides["cassette_dir"] = cassette_dir
        if settings is None:
            settings = load_settings(overrides)
        elif overrides:
            settings = _replace(settings, overrides)
        self.settings = settings
        self.trust = Trust(settings)
        self._store = store_of(settings)
        self._session = self._idle_session()
        self._recorder: Recorder | None = None
        self._replace = False
        self._misses: list[Miss] = []
        self._reverse = _origin_of(settings.reverse) if settings.reverse else None
        self._server = ProxyServer(
            settings,
            self._session,
            client_tls=self.trust.client_tls,
            upstream_tls=self.trust.upstream_tls,
            reverse=self._reverse,
            on_miss=self._on_miss,
        )
        self._thread: LoopThread | None = None
        self._state = "new"

    # --- running ---------------------------------------------------------------------------

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
            self._drop_recorder()
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
            self._drop_recorder()
            return
        self._state = "stopped"
        atexit.unregister(self.stop)
        thread, self._thread = self._thread, None
        try:
            thread.call(self._server.stop())
        finally:
            thread.close()
            self._end_session()

    def __enter__(self) -> MagnetoProxy:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(self.stop, error)

    async def __aenter__(self) -> MagnetoProxy:
        self._begin()
        try:
            await self._server.start()
        except BaseException:
            self._state = "stopped"
            self._drop_recorder()
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
            await asyncio.to_thread(self._leave, self._end_session, error)

    def _begin(self) -> None:
        if self._state != "new":
            raise ProxyError("This proxy was started before: make a new MagnetoProxy")
        self._state = "running"
        if self.settings.insecure:
            log.warning("INSECURE: the certificates of origins are not verified")

    def _leave(self, finish: Callable[[], object], error: BaseException | None) -> None:
        """Finish; an error already on its way is not covered up by one of ours."""
        count = self._recorder.count if self._recorder is not None else 0
        name = self._session.name
        try:
            finish()
        except MagnetoError as trouble:
            if error is None:
                raise
            log.error("%s", trouble)
        else:
            if error is not None and count:
                log.warning(
                    "The block ended with %s: saved the %d interactions recorded so far in %r",
                    type(error).__name__,
                    count,
                    name,
                )

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
        chosen = _mode(mode if mode is not None else self.settings.mode)
        self._end_session()
        session = self._new_session(name, chosen)
        try:
            self._equip(session, chosen)
        except BaseException:
            self._drop_recorder()
            raise
        self._session = self._server.session = session

    def start_recording(self, name: str) -> None:
        """Record into the cassette ``name``; in hybrid mode add to it, otherwise replace it."""
        self.use(name, Mode.HYBRID if self.settings.mode == Mode.HYBRID else Mode.RECORD)

    def stop_recording(self) -> Path | None:
        """End the session; return the saved cassette's path, None where nothing was recorded.

        An exchange that has not ended by now is not in the cassette. Raises CassetteError where
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
        chosen = _mode(mode)
        self._equip(self._session, chosen)
        self._session.mode = chosen

    @property
    def cassette_name(self) -> str | None:
        """The name of the cassette in use."""
        return self._session.name

    def _new_session(self, name: str | None, mode: Mode) -> Session:
        return Session(
            name, mode, ignore_hosts=self.settings.ignore_hosts, redacted=self.settings.redact
        )

    def _idle_session(self) -> Session:
        """Return what answers while no cassette is in use: only passthrough lets anything by."""
        return self._new_session(None, _mode(self.settings.mode))

    def _equip(self, session: Session, mode: Mode) -> None:
        """Give a session what a mode needs: recordings to play, a recorder to keep."""
        name = session.name
        if name is None:
            return
        exists = self._store.exists(name)
        policy = policy_for(mode, cassette_exists=exists)
        if policy.replays and session.cassette is None and (exists or policy.needs_cassette):
            session.cassette = self._store.open(name).shelves()
        if policy.keeps:
            if self._recorder is None:
                self._recorder = self._store.recorder(
                    name, redact=redact if self.settings.redact else without_proxy_fields
                )
            session.sink = self._recorder
            self._replace = self._replace or policy.replaces
        session.mode = mode

    def _end_session(self) -> Path | None:
        self._session = self._server.session = self._idle_session()
        recorder, self._recorder = self._recorder, None
        replace, self._replace = self._replace, False
        return None if recorder is None else recorder.finish(replace=replace)

    def _drop_recorder(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.abort()

    # --- what happened ---------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        """Counts since the start."""
        return self._server.stats

    @property
    def misses(self) -> list[Miss]:
        """The requests that were refused since the start, oldest first; the first thousand."""
        return list(self._misses)

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

    def _authority(self) -> str:
        host = REACHED_BY.get(self.settings.host, self.settings.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

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
        variables = self.trust.variables(os.environ if environ is None else environ)
        if self._reverse is not None:
            return {"MAGNETO_URL": self.url, **variables}
        credentials = ""
        if self.settings.proxy_auth:
            user, _, password = self.settings.proxy_auth.partition(":")
            credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@"
        url = f"http://{credentials}{self._authority()}"
        bypass = ",".join(self.settings.ignore_hosts)
        for name, value in (
            *((name, url) for name in ("http_proxy", "https_proxy", "all_proxy")),
            ("no_proxy", bypass),
        ):
            variables[name] = variables[name.upper()] = value
        variables["NODE_USE_ENV_PROXY"] = "1"
        return variables


_MISSES_KEPT = 1000


def _mode(value: Mode | str) -> Mode:
    try:
        return Mode(value)
    except ValueError:
        accepted = ", ".join(Mode)
        raise ConfigError(f"There is no mode {str(value)!r}: choose among {accepted}") from None


def _replace(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    import msgspec

    unknown = overrides.keys() - set(settings.__struct_fields__)
    if unknown:
        raise ConfigError(f"There is no such setting: {', '.join(sorted(unknown))}")
    values = {name: convert(name, value, f"argument {name}") for name, value in overrides.items()}
    return msgspec.structs.replace(settings, **values)


def _origin_of(url: str) -> Origin:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigError(f"reverse {url}: {host!r} is not a host name") from None
    return Origin(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme])
