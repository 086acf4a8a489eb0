"""SIGINT, SIGTERM and SIGHUP while a proxy runs.

* Without a child, the first one asks to stop: :meth:`Interrupts.wait` returns. A second one, while
  stopping takes too long for somebody, ends the process at once; the journal keeps what was
  recorded until then.
* With a child (``forward_to`` is set), signals are the child's: what it does about them is its
  own affair, and we end when it ends.

The main thread waits on a pipe that the interpreter writes to when a signal arrives, whichever
thread the system hands it to; waiting on a lock instead could sleep through it.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_AT_ONCE = 130


class Ending(Protocol):
    """What can be outlived: a child process."""

    def poll(self) -> int | None:
        """Return the status that it ended with, None before."""


class Interrupts:
    """A context in which the stopping signals are ours; to be entered in the main thread."""

    def __init__(self) -> None:
        self.forward_to: Callable[[int], None] | None = None
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in STOPPING:
            before = signal.getsignal(number)
            if number is signal.SIGHUP and before is signal.SIG_IGN:
                continue  # started by nohup: it shall outlive its terminal
            self._before[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a signal, or ``timeout`` seconds; tell whether stopping was asked for."""
        if not self.count:
            select.select([self._reader], [], [], timeout)
            self._drain()
        return self.count > 0

    def outlive(self, child: Ending) -> int:
        """Wait until ``child`` has ended and return its status; signals are handed on meanwhile.

        Not by ``child.wait()``: a signal that comes just before it blocks would be heard when the
        child has ended, which may be waiting for that very signal. In the pipe it is not lost.
        """
        before = signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while (status := child.poll()) is None:
                select.select([self._reader], [], [])
                self._drain()
        finally:
            signal.signal(signal.SIGCHLD, before)
        return status

    def requested(self) -> bool:
        """Tell whether stopping was asked for, without waiting."""
        return self.count > 0

    def _drain(self) -> None:
        try:
            while os.read(self._reader, 512):
                pass
        except BlockingIOError:
            pass

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self.forward_to is not None:
            self.forward_to(number)
            return
        self.count += 1
        if self.count > 1:
            os._exit(EXIT_AT_ONCE)
