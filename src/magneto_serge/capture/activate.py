"""Open a session in this process, and end it again.

Everything that leads the process is installed with the first session, and put back with the last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from magneto_serge.capture import (
    browsers,
    environment,
    libcurl,
    loops,
    openers,
    scopes,
    sockets,
    trust,
)
from magneto_serge.capture.scopes import Scope
from magneto_serge.sessions import CassetteSession

_lock = threading.Lock()
_open: set[Scope] = set()


def activate(session: CassetteSession, *, in_context: bool = False) -> Callable[[], None]:
    """Lead this process to ``session``; return what ends that.

    ``in_context``: code in the caller's context (its thread or task) belongs to this session even
    while others are open; all other code belongs to the one that was opened last. A reverse proxy
    is only named in the environment: it is not for whatever this process connects to.
    """
    session.watch()
    layer = environment.add(session.env(environment.before()))
    if session.settings.reverse is not None:
        return lambda: environment.remove(layer)
    scope = Scope(session)
    _begin(scope)
    scopes.enter_process(scope)
    leave_context = scopes.enter_context(scope) if in_context else None

    def end() -> None:
        if leave_context is not None:
            leave_context()
        scopes.leave_process(scope)
        _end(scope)
        environment.remove(layer)

    return end


def _begin(scope: Scope) -> None:
    with _lock:
        if not _open:
            openers.remember()
            for each in (scopes, sockets, trust):
                each.PATCHES.install()
            for other in (browsers, libcurl, loops):
                other.install()
        _open.add(scope)


def _end(scope: Scope) -> None:
    with _lock:
        _open.discard(scope)
        if not _open:
            for other in (loops, libcurl, browsers):
                other.uninstall()
            for each in (trust, sockets, scopes):
                each.PATCHES.uninstall()
            openers.restore()
