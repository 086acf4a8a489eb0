"""Which session a piece of code belongs to: by its context, its thread, or the whole process.

A :class:`Scope` is a session that is open in this process. Code belongs to

1. the scope of its context (:mod:`contextvars`), which blocks in threads and tasks enter;
2. otherwise the one in which the work of its thread was handed over (``Thread.start``,
   ``ThreadPoolExecutor.submit``);
3. otherwise the one that was opened last and serves the whole process.

A scope that is over is still found by its threads and contexts, so what an earlier test left
running is told so, and never served from a later test's cassette.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from magneto_serge.capture.patches import Patches
from magneto_serge.runner import ProxyThread
from magneto_serge.sessions import CassetteSession

_in_context: ContextVar[Scope | None] = ContextVar("magneto_scope", default=None)
_in_work = threading.local()
_in_process: list[Scope] = []
_ATTRIBUTE = "_magneto_scope"


class Scope:
    """A session that is open in this process; ``over`` when it has been closed."""

    __slots__ = ("over", "session")

    def __init__(self, session: CassetteSession) -> None:
        self.session = session
        self.over = False


def current() -> Scope | None:
    """Return the scope that the calling code belongs to; None: no session has to do with it."""
    thread = threading.current_thread()
    if isinstance(thread, ProxyThread):
        return None
    found = _in_context.get() or getattr(_in_work, "scope", None)
    found = found or getattr(thread, _ATTRIBUTE, None)
    if found is None and _in_process:
        return _in_process[-1]
    return found if isinstance(found, Scope) else None


def enter_process(scope: Scope) -> None:
    """Make ``scope`` that of all code that has none of its own."""
    _in_process.append(scope)


def leave_process(scope: Scope) -> None:
    """End a scope; those that were opened before it and are not over have their turn again."""
    scope.over = True
    if scope in _in_process:
        _in_process.remove(scope)


def enter_context(scope: Scope) -> Callable[[], None]:
    """Make ``scope`` that of this context alone; return what undoes it."""
    before = _in_context.get()
    _in_context.set(scope)

    def leave() -> None:
        if _in_context.get() is scope:
            _in_context.set(before)

    return leave


def in_process() -> list[Scope]:
    """Return the scopes that are open."""
    return list(_in_process)


# --- handing the scope on ------------------------------------------------------------------------

_NOBODY = object()  # whose work is the proxy's: not to be led by whatever session there is


def _handed_on() -> object:
    return _NOBODY if isinstance(threading.current_thread(), ProxyThread) else current()


def _start_within(self: threading.Thread) -> None:
    if not hasattr(self, _ATTRIBUTE):
        setattr(self, _ATTRIBUTE, _handed_on())
    _real["start"](self)


def _submit_within(
    self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Future[Any]:
    scope = _handed_on()

    def work() -> Any:
        before = getattr(_in_work, "scope", None)
        _in_work.scope = scope
        try:
            return fn(*args, **kwargs)
        finally:
            _in_work.scope = before

    submitted: Future[Any] = _real["submit"](self, work)
    return submitted


PATCHES = Patches(
    (threading.Thread, "start", _start_within), (ThreadPoolExecutor, "submit", _submit_within)
)
_real = PATCHES.real
