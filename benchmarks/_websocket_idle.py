"""What an open WebSocket in which nothing is said costs a program, in resident memory."""

from __future__ import annotations

import resource
import time
from contextlib import ExitStack

from benchmarks._programs import BenchmarkError, Program
from benchmarks._websocket_traffic import connect

_FIRST = 10  # open before the memory is read: what the first ones bring along is not theirs


def idle(program: Program, count: int) -> float:
    """Start ``program`` and return the KB (of 1,000 bytes) of each of ``count`` open WebSockets.

    Raises BenchmarkError where they cannot all be open at once.
    """
    least = 2 * count + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < least:
        raise BenchmarkError(f"skipped: {least} open files needed, {hard} allowed (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, least), hard))
    with ExitStack() as stack, program:
        for _ in range(_FIRST):
            stack.enter_context(connect(program.port, "/echo/256")[0])
        time.sleep(0.2)
        before = program.memory()
        for _ in range(count):
            stack.enter_context(connect(program.port, "/echo/256")[0])
        time.sleep(0.2)
        return (program.memory() - before) / count / 1000
