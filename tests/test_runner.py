"""A loop on a thread of its own: work goes there and results come back."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from magneto_serge.runner import LoopThread, new_event_loop


def test_work_runs_on_the_thread() -> None:
    """On its loop, under its name, and not on ours; the thread never keeps a program alive."""

    async def where() -> tuple[threading.Thread, asyncio.AbstractEventLoop]:
        return threading.current_thread(), asyncio.get_running_loop()

    runner = LoopThread("magneto-1234")
    try:
        thread, loop = runner.call(where())
        assert thread is not threading.current_thread()
        assert (thread.name, thread.daemon) == ("magneto-1234", True)
        assert runner.call(where()) == (thread, loop)
    finally:
        runner.close()
    assert not thread.is_alive()
    assert loop.is_closed()


def test_errors_come_back() -> None:
    """An exception of the work is raised where it was asked for; the thread goes on."""

    async def fail() -> None:
        raise ZeroDivisionError

    async def succeed() -> int:
        return 1

    runner = LoopThread("magneto")
    try:
        with pytest.raises(ZeroDivisionError):
            runner.call(fail())
        assert runner.call(succeed()) == 1
    finally:
        runner.close()


def test_many_at_once() -> None:
    """Each has its own loop."""

    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    runners = [LoopThread(f"magneto-{number}") for number in range(5)]
    try:
        assert len({id(runner.call(loop())) for runner in runners}) == 5
    finally:
        for runner in runners:
            runner.close()


def test_fastest_loop_there_is() -> None:
    """uvloop where it is installed."""
    uvloop = pytest.importorskip("uvloop")
    loop = new_event_loop()
    loop.close()
    assert isinstance(loop, uvloop.Loop)


def test_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own loop where it is not: on Windows."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    loop.close()
    assert isinstance(loop, asyncio.BaseEventLoop)
