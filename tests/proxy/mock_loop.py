"""An event loop that a test turns by hand: callbacks, timers and tasks, and no I/O at all.

Nothing runs but in :meth:`MockLoop.run` and :meth:`MockLoop.advance`, in the order in which it
was scheduled, and time passes only where a test says so. An exception in a callback reaches the
test as it is: a protocol that lets one out fails its test.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from types import SimpleNamespace
from typing import Any


class Later:
    """A timer."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback

    def __lt__(self, other: Later) -> bool:
        return self.when < other.when

    def cancel(self) -> None:
        """Make it do nothing."""
        self.callback = lambda: None


class Pending:
    """What a coroutine waits for, until the test settles it."""

    def __init__(self, loop: MockLoop) -> None:
        self._loop = loop
        self._task: MockTask | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self.settled = False

    def __await__(self) -> Generator[Pending, None, Any]:
        if not self.settled:
            yield self
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self, task: MockTask) -> None:
        """Wake ``task`` when settled."""
        self._task = task

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        """Let the coroutine go on with a result or an error."""
        self.settled = True
        self._result, self._error = result, error
        if self._task is not None:
            self._loop.call_soon(self._task.step)


class MockTask:
    """A coroutine on its way; only as much of ``asyncio.Task`` as the proxy uses."""

    def __init__(self, loop: MockLoop, work: Coroutine[Any, Any, Any]) -> None:
        self._loop = loop
        self._work = work
        self._callbacks: list[Callable[[Any], None]] = []
        self._cancelling = False
        self._error: BaseException | None = None
        self.finished = False
        loop.call_soon(self.step)

    def step(self) -> None:
        """Go on to the next thing to wait for."""
        if self.finished:
            return
        try:
            if self._cancelling:
                waiting = self._work.throw(asyncio.CancelledError())
            else:
                waiting = self._work.send(None)
        except StopIteration:
            self._finish(None)
        except BaseException as error:  # noqa: BLE001  # as a task does
            self._finish(error)
        else:
            waiting.wait(self)

    def _finish(self, error: BaseException | None) -> None:
        self.finished = True
        self._error = error
        for callback in self._callbacks:
            callback(self)

    def cancel(self) -> bool:
        """Throw CancelledError in at the next turn; True, as a task says that has not ended."""
        self._cancelling = True
        self._loop.call_soon(self.step)
        return True

    def cancelled(self) -> bool:
        """Tell whether it ended by that."""
        return isinstance(self._error, asyncio.CancelledError)

    def exception(self) -> BaseException | None:
        """Return what it ended with."""
        return self._error

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back at the end."""
        self._callbacks.append(callback)


class TlsLayer(asyncio.BufferedProtocol):
    """Stands in for asyncio's TLS protocol: keeps what comes, and gives up its buffer by bits."""

    def __init__(self, loop: MockLoop, inner: Any, context: Any, how: dict[str, Any]) -> None:
        self.pending = Pending(loop)
        self.inner = inner
        self.context = context
        self.how = how
        self.received = b""
        self._buffer = bytearray(7)
        self._made = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._made = True

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return room for a little."""
        assert self._made, "bytes before connection_made are lost"
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was put there."""
        self.received += self._buffer[:nbytes]

    def data_received(self, data: bytes) -> None:
        """Take what the mock transport delivers."""
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, as a handshake does that loses its connection."""
        if not self.pending.settled:
            self.pending.settle(error=exc or ConnectionResetError("lost in the handshake"))


class MockLoop:
    """A loop without I/O; ``now`` is its clock, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._ready: deque[Callable[[], None]] = deque()
        self._timers: list[Later] = []
        self.tls: list[TlsLayer] = []

    def pending(self) -> Pending:
        """Return something to wait for."""
        return Pending(self)

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        """Run ``callback`` in the next turn."""
        self._ready.append(lambda: callback(*args))

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> Later:
        """Run ``callback`` when ``delay`` seconds have been advanced over."""
        timer = Later(self.now + delay, lambda: callback(*args))
        heapq.heappush(self._timers, timer)
        return timer

    def time(self) -> float:
        """Return what the clock says, in seconds."""
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> Later:
        """Run ``callback`` when the clock has come to ``when``."""
        return self.call_later(when - self.now, callback, *args)

    def create_task(self, work: Coroutine[Any, Any, Any]) -> MockTask:
        """Run a coroutine."""
        return MockTask(self, work)

    async def create_server(self, factory: Callable[[], Any], *_: Any, **__: Any) -> Any:
        """Pretend to listen on port 8888; ``accept`` makes a protocol for a new connection."""
        self.accept = factory
        socket = SimpleNamespace(getsockname=lambda: ("127.0.0.1", 8888))
        return SimpleNamespace(sockets=[socket], close=lambda: None)

    async def start_tls(self, transport: Any, protocol: Any, context: Any, **how: Any) -> Any:
        """Put a layer between transport and protocol, and wait until the test settles it."""
        layer = TlsLayer(self, protocol, context, how)
        self.tls.append(layer)
        transport.pause_reading()
        transport.set_protocol(layer)
        self.call_soon(layer.connection_made, transport)
        self.call_soon(transport.resume_reading)
        return await layer.pending

    def run(self) -> None:
        """Turn until nothing is ready."""
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)  # type: ignore[arg-type]
        try:
            while self._ready:
                self._ready.popleft()()
        finally:
            asyncio._set_running_loop(outer)

    def run_until_complete(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine that waits for nothing but us."""
        task = self.create_task(work)
        self.run()
        assert task.finished
        if (error := task.exception()) is not None:
            raise error

    def advance(self, seconds: float) -> None:
        """Let time pass, timers firing on the way."""
        end = self.now + seconds
        self.run()
        while self._timers and self._timers[0].when <= end:
            timer = heapq.heappop(self._timers)
            self.now = timer.when
            timer.callback()
            self.run()
        self.now = end
