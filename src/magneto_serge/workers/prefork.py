"""A proxy whose serving is done by worker processes: what the command runs for ``--workers N``.

To the command it is a :class:`~magneto_serge.app.MagnetoProxy` like another: settings, cassette,
scripts and port are read, opened and taken by this process alone, before it forks, so that a
mistake is told once, and what was read is in memory once. From then on it serves nobody: it adds up
what the workers report, answers for all of them what is asked of the proxy itself, and draws the
conclusions at the end, from counters that they share (``replay.plays``).

What only one process can do is refused, not done by halves: recording (a cassette has one writer),
verifying, sessions of their own for single clients, and templates that can be repeated.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magneto_serge.app import MagnetoProxy
from magneto_serge.control.api import Answer, ControlApi
from magneto_serge.control.serving import enable_control
from magneto_serge.errors import ConfigError, OneProcessError, ProxyError
from magneto_serge.messages import Request
from magneto_serge.proxy.listening import share, take
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.engine import MISSES_KEPT
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode, policy_for
from magneto_serge.replay.plays import Plays
from magneto_serge.replay.shared import SharedShelves
from magneto_serge.sessions import CassetteSession, mode_of

from .crew import Crew, Ends
from .worker import Parent, work

if TYPE_CHECKING:
    import socket

    from magneto_serge.config import Settings
    from magneto_serge.replay.shelves import Shelves

_LOOK = 1.0  # seconds that a look at the counters may take


def check_platform() -> None:
    """Raise ConfigError where several processes cannot share a port as they must here."""
    if sys.platform != "linux":
        raise ConfigError(
            f"workers (--workers) needs Linux, which spreads the connections of one port over "
            f"processes (SO_REUSEPORT); this is {sys.platform}. Leave it out: one process serves"
        )


class PreforkProxy(MagnetoProxy):
    """A proxy of ``settings.workers`` processes; Linux, and the main thread of a program only.

    Raises ConfigError elsewhere.
    """

    def __init__(self, settings: Settings) -> None:
        check_platform()
        self._plays = Plays(settings.workers)
        self._crew: Crew | None = None
        self._taken: socket.socket | None = None
        self._untold: deque[Miss] = deque(maxlen=MISSES_KEPT)  # in a worker
        super().__init__(settings.cassette_dir, settings=settings)
        self._ask = ControlApi(self).answer
        enable_control(self, self._answer)

    # --- running ---------------------------------------------------------------------------

    def listen(self, taken: socket.socket | None = None) -> None:
        """Take the port, or go on with ``taken``; see :meth:`MagnetoProxy.listen`.

        Raises ConfigError for a host name, which can stand for several addresses.
        """
        taken = take(self.settings) if taken is None else taken
        if taken is None:
            raise ConfigError(
                f"workers (--workers) need an address to listen on, not a name such as "
                f"{self.settings.host}: --host 127.0.0.1"
            )
        self._taken = taken

    def start(self) -> PreforkProxy:
        """Start the workers; returns when all of them accept connections.

        Raises ProxyError where the proxy was started before, or is not listening.
        """
        taken = self._taken
        if taken is None:
            raise ProxyError("This proxy has no port yet: listen() first")
        self._begin()
        sockets = share(taken, self.settings.workers)
        self._server.port = taken.getsockname()[1]
        replay = self._session.replay
        for drawing in (replay.faults, replay.pace):
            if drawing is not None:
                drawing.draw_by(self._plays.in_turn)
        self._plays.open(0 if replay.cassette is None else len(replay.cassette))
        gc.freeze()  # a collection in a worker would write to, and so copy, what all of them share

        def become(number: int, ends: Ends) -> None:
            self._become(number, ends, sockets)

        self._crew = Crew(self._answer, self._take_in)
        try:
            self._crew.start(self.settings.workers, become)
        finally:
            for each in sockets:
                each.close()
        return self

    def _become(self, number: int, ends: Ends, sockets: Sequence[socket.socket]) -> None:
        """Be a worker from here on."""
        for other, each in enumerate(sockets):
            if other != number:
                each.close()
        self._plays.become(number)
        self._server.listen(sockets[number])
        self._crew = None
        parent = Parent(ends.messages)
        self._ask = parent.ask
        work(self._server, self._session.replay, ends, parent, self._told)

    def stop(self) -> None:
        """End the workers, and tell what all of them together have found.

        Raises ProxyError where one of them had ended before.
        """
        crew, running = self._crew, self._state == "running"
        self._state = "stopped"
        if self._taken is not None:
            self._taken.close()
        if crew is None or not running:
            self._abort()
            return
        crew.stop(self.settings.shutdown_timeout)
        self._leave(self._error)
        if crew.trouble is not None:
            raise crew.trouble

    # --- sessions --------------------------------------------------------------------------

    def shelves(self, *arguments: Any, **options: Any) -> Shelves:
        """Return shelves that are played from by all workers."""
        return SharedShelves(self._plays, *arguments, **options)

    def use(self, name: str, mode: Mode | str | None = None) -> None:
        """Begin the session on the cassette ``name``; before :meth:`start`.

        Raises OneProcessError where it would be recorded or compared.
        """
        settings = self.settings.for_cassette(name)
        if settings.templates and settings.template_seed is not None:
            raise OneProcessError(
                "template_seed makes answers depend on how often each recording was played before, "
                "which is certain in one process only: use one worker (--workers 1)"
            )
        chosen = mode_of(mode if mode is not None else settings.mode)
        _refuse(chosen, exists=self._store.exists(name), name=name)
        super().use(name, mode)
        # A cassette that is too old can be recorded anew (`stale`), which nothing else has told.
        _refuse(self.mode, exists=True, name=name)

    def session(self, *arguments: Any, **options: Any) -> CassetteSession:
        """Refuse: a session is opened in one process, and a client can be another's."""
        raise OneProcessError(
            "Sessions of their own need one process: start the proxy with one worker"
        )

    def switch(self, session: CassetteSession, mode: Mode | str) -> None:
        """Switch the mode in every worker. Raises OneProcessError for one that records."""
        chosen = mode_of(mode)
        _refuse(chosen, exists=session.replay.cassette is not None, name=session.cassette_name)
        if self._crew is not None:
            self._crew.tell("mode", chosen.value)
        super().switch(session, chosen)

    # --- what happened ---------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        """Counts of all workers since the start. Raises ProxyError where one has died."""
        crew = self._crew
        if crew is None:
            return super().stats
        if self._state == "running":
            crew.tell("report", patience=_LOOK)
            if crew.trouble is not None:
                raise crew.trouble
        return crew.stats

    def _take_in(self, misses: list[Miss]) -> None:
        """Enter what a worker has refused into the books of the whole."""
        for miss in misses:
            super()._on_miss(miss)
            self._session.replay.misses.append(miss)

    def _answer(self, request: Request) -> Answer:
        """Carry out what is asked of the proxy itself: here, or in a worker by its parent."""
        return self._ask(request)

    # --- in a worker -----------------------------------------------------------------------

    def _on_miss(self, miss: Miss) -> None:
        self._untold.append(miss)

    def _told(self) -> list[Miss]:
        """Hand over what was refused since the last time."""
        told = list(self._untold)
        self._untold.clear()
        return told


def _refuse(mode: Mode, *, exists: bool, name: str | None) -> None:
    """Raise OneProcessError for a mode in which something would be recorded or compared."""
    policy = policy_for(mode, cassette_exists=exists)
    if not policy.keeps:
        return
    if mode is Mode.AUTO:
        what = f"there is no cassette {name!r} yet, so that this would record it"
    elif policy.compares:
        what = "verifying is done by one process"
    else:
        what = f"the mode {mode} records, and a cassette has one writer"
    raise OneProcessError(
        f"Several workers can replay, play strictly and pass through, but {what}: "
        "use one worker (--workers 1)"
    )
