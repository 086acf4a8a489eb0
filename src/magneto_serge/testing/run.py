"""The one proxy of a test run, the sessions that tests open in it, and what they did.

The proxy starts when the first test needs it and serves until the run is over; under pytest-xdist
each worker has its own. A session belongs to a test: what still runs when the test is over is
refused, and never served from a later test's cassette.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from magneto_serge.app import MagnetoProxy
from magneto_serge.capture.activate import activate
from magneto_serge.errors import DriftError, ReplayMiss, UnplayedError
from magneto_serge.sessions import CassetteSession
from magneto_serge.testing.results import Results, SessionRecord


class Run:
    """A run of tests in this process; ``results`` fill as sessions are closed."""

    def __init__(self) -> None:
        self.results = Results(records=[], owned=set())
        self._proxy: MagnetoProxy | None = None

    @property
    def proxy(self) -> MagnetoProxy:
        """The proxy, started on a free port of this machine when first asked for."""
        if self._proxy is None:
            overrides: dict[str, Any] = {"port": 0, "host": "127.0.0.1", "mode": "auto"}
            overrides |= {"reverse": None, "reverse_tls": False, "proxy_auth": None}
            self._proxy = MagnetoProxy(**overrides).start()
        return self._proxy

    def open(
        self,
        test: str,
        name: str,
        more: tuple[str, ...],
        settings: Mapping[str, Any],
        *,
        in_context: bool = False,
    ) -> OpenSession:
        """Open a session for a test and lead this process to it; see :func:`activate`."""
        overrides = dict(settings)
        mode = overrides.pop("mode", None)
        session = self.proxy.session(name, mode, more=more, **overrides)
        try:
            return OpenSession(self, test, session, in_context=in_context)
        except BaseException:
            session.abort()
            raise

    def forget(self) -> None:
        """Forget what happened."""
        self.results = Results(records=[], owned=set())

    def close(self) -> None:
        """Stop the proxy."""
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.stop()


class OpenSession:
    """A test's session while it runs."""

    def __init__(
        self, run: Run, test: str, session: CassetteSession, *, in_context: bool = False
    ) -> None:
        self.session = session
        self.tolerant = False  # whether refused requests are the test's own business
        self._run = run
        self._test = test
        self._began = time.perf_counter()
        self._end: Callable[[], None] | None = activate(session, in_context=in_context)

    def explain(self) -> str:
        """Return what was refused, as text; empty where nothing was."""
        return "\n".join(miss.explain() for miss in self.session.misses)

    def raise_misses(self) -> None:
        """Raise ReplayMiss where a request was refused, DriftError where an answer has changed.

        UnplayedError where ``unplayed = fail`` or the mode wants everything played.
        """
        __tracebackhide__ = True  # pytest: the explanation is what counts
        session = self.session
        if misses := session.misses:
            raise ReplayMiss.of(misses)
        if session.has_to_play_all and (unplayed := session.unplayed) is not None:
            raise UnplayedError(unplayed.explain())
        if session.verifies and session.verdicts.drifted:
            raise DriftError(session.verdicts.story(session.drifts))

    def close(self, *, outcome: str = "passed", save: bool = True) -> Path | None:
        """End the session, and save what it recorded or forget it; note what happened."""
        if self._end is None:
            return None
        end, self._end = self._end, None
        end()
        session = self.session
        recorded, plays = session.recorded, tuple(session.play_counts)
        path = session.cassette_path
        saved: Path | None = None
        try:
            if save:
                saved = session.finish()
            else:
                session.abort()
        finally:
            self._run.results.records.append(
                SessionRecord(
                    test=self._test,
                    cassette=str(saved or path),
                    mode=str(session.mode),
                    outcome=outcome,
                    recorded=recorded,
                    saved=saved is not None or not recorded,
                    plays=plays,
                    stale=session.stale,
                    misses=tuple(miss.explain() for miss in session.misses),
                    duration_ms=round((time.perf_counter() - self._began) * 1000, 3),
                )
            )
        return saved


_shared = Run()


def shared() -> Run:
    """Return the run of this process; its proxy stops when the process ends, or on ``close``."""
    return _shared
