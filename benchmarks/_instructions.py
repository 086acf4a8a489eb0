"""Bytecode instructions of ours that something executes: counted, so the same on every machine.

A count does not depend on who else uses the processor, so a test can hold it, where it can hold no
time. It sees no work in C: a look-up in a dictionary and a scan of a list are one instruction each.
What it shows is whether our own code does more for the thousandth request than for the tenth, and
more than it did last month. Versions of Python compile differently, so a ceiling is for the one
that needs most, and comparisons are made within one process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import magneto_serge

_OURS = str(Path(magneto_serge.__file__).parent)


def executed(work: Callable[[], object]) -> int:
    """Return how many instructions of the package ``work()`` executes, in this thread."""
    count = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "opcode":
            count += 1
        return step

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
