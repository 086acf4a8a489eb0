"""Which session code belongs to: its context's, its thread's, the process's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from magneto_serge.capture import scopes
from magneto_serge.capture.scopes import Scope
from magneto_serge.runner import ProxyThread

from .doors import PaperDoor, session


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    """Let scopes be handed on for a test."""
    scopes.PATCHES.install()
    yield
    scopes.PATCHES.uninstall()
    assert scopes.in_process() == []
    assert scopes.current() is None


@pytest.fixture
def scope() -> Scope:
    """A scope that is open nowhere."""
    return Scope(session(PaperDoor()))


def in_thread(kind: type[threading.Thread] = threading.Thread) -> Scope | None:
    """Return the scope that a new thread belongs to."""
    found: list[Scope | None] = []
    thread = kind(target=lambda: found.append(scopes.current()))
    thread.start()
    thread.join()
    return found[0]


def test_nobody_s_code() -> None:
    """Where no session is open, no code belongs to one."""
    assert scopes.current() is None
    assert in_thread() is None


def test_last_of_the_process(scope: Scope) -> None:
    """Code without a scope of its own has the one that was opened last."""
    other = Scope(scope.session)
    scopes.enter_process(scope)
    scopes.enter_process(other)
    assert scopes.current() is other
    scopes.leave_process(other)
    assert scopes.current() is scope
    scopes.leave_process(scope)


def test_context_before_process(scope: Scope) -> None:
    """A context that has entered a scope has that one, and its tasks and threads have it too."""
    other = Scope(scope.session)
    scopes.enter_process(other)

    async def in_task() -> Scope | None:
        return await asyncio.create_task(asyncio.to_thread(scopes.current))

    def inside() -> None:
        leave = scopes.enter_context(scope)
        assert scopes.current() is scope
        assert in_thread() is scope
        assert asyncio.run(in_task()) is scope
        leave()
        assert scopes.current() is other

    copy_context().run(inside)
    assert scopes.current() is other
    scopes.leave_process(other)


def test_thread_keeps_the_scope_it_was_started_in(scope: Scope) -> None:
    """A thread that outlives its session belongs to it still, and not to the next one."""
    scopes.enter_process(scope)
    go, found = threading.Event(), []
    thread = threading.Thread(target=lambda: (go.wait(10), found.append(scopes.current())))
    thread.start()
    scopes.leave_process(scope)
    later = Scope(scope.session)
    scopes.enter_process(later)
    go.set()
    thread.join()
    scopes.leave_process(later)
    assert found == [scope]
    assert scope.over


def test_work_belongs_to_who_submits_it(scope: Scope) -> None:
    """A pool's thread that was started in one session works for another when that hands it work."""
    with ThreadPoolExecutor(1) as pool:
        scopes.enter_process(scope)
        assert pool.submit(scopes.current).result() is scope
        scopes.leave_process(scope)
        later = Scope(scope.session)
        scopes.enter_process(later)
        assert pool.submit(scopes.current).result() is later
        scopes.leave_process(later)


def test_proxy_s_threads_belong_to_nobody(scope: Scope) -> None:
    """What the proxy connects to is never led back to it, nor what works for the proxy."""
    scopes.enter_process(scope)
    assert in_thread(ProxyThread) is None
    found: list[Scope | None] = []

    def work() -> None:
        found.append(in_thread())
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(scopes.current).result())

    thread = ProxyThread(target=work)
    thread.start()
    thread.join()
    scopes.leave_process(scope)
    assert found == [None, None]
