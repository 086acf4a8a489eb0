"""A thread with an event loop of its own, for those who have none: synchronous users.

uvloop where it is installed (everywhere but Windows), asyncio's own loop otherwise.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop of the fastest kind there is."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class ProxyThread(threading.Thread):
    """A thread of the proxy's own: what it connects to is never led back to the proxy."""


class LoopThread:
    """Runs a loop in a daemon thread from construction until :meth:`close`."""

    def __init__(self, name: str) -> None:
        self._loop = new_event_loop()
        self._thread = ProxyThread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop the loop and wait for the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
