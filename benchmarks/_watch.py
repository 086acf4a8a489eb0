"""Who used the processors during a measurement: the program under test, or somebody else.

On a machine with other work, HAProxy slows down like everybody, and a ratio to it says nothing in
either direction. So the time that the cores were busy is compared with the time that our own
programs used: what remains is foreign (time stolen by a virtual machine's host included), and a
measurement with more than a little of it is shown and judged by nobody. From /proc/stat, so on
Linux; elsewhere nothing is known, and nothing is called foreign.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Self

from benchmarks._programs import Program, cores

TOLERATED = 0.1  # cores that other work may take during a measurement that is judged
_SAMPLE = 0.5  # seconds over which a machine is looked at before it is called quiet
_STAT = Path("/proc/stat")


class Watch:
    """Over a ``with``: how many cores ``program`` used, and how many others took, on average.

    ``ours`` are the further programs of the measurement; this process is ours as well, and so is a
    child that was started and awaited within the ``with``.
    """

    used = 0.0
    foreign = 0.0

    def __init__(self, program: Program, *ours: Program) -> None:
        self._program = program
        self._ours = ours

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        clock, used, own, busy = (
            after - before for before, after in zip(self._began, self._now(), strict=True)
        )
        self.used = used / clock
        self.foreign = max(0.0, (busy - used - own) / clock)

    def _now(self) -> tuple[float, float, float, float]:
        own = sum(program.cpu_seconds() for program in self._ours)
        for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF):
            usage = resource.getrusage(who)
            own += usage.ru_utime + usage.ru_stime
        return (time.perf_counter(), self._program.cpu_seconds(), own, busy_seconds())


class Patience:
    """How long a benchmark waits, in all its measurements together, for other work to end."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def is_over(self) -> bool:
        """Say whether it has run out."""
        return time.monotonic() >= self._deadline

    def wait_for_quiet(self) -> None:
        """Return when next to nothing runs, or when patience is over."""
        while not self.is_over():
            before = busy_seconds()
            time.sleep(_SAMPLE)
            if (busy_seconds() - before) / _SAMPLE <= TOLERATED:
                return


def busy_seconds() -> float:
    """Return for how long (s, since boot) our two cores have been busy; all cores without pinning.

    0 where the system does not say.
    """
    if not _STAT.exists():
        return 0.0
    pair = cores()
    names = {"cpu"} if pair is None else {f"cpu{core}" for core in pair}
    lines = (line.split() for line in _STAT.read_text(encoding="ascii").splitlines())
    # proc(5): user, nice, system, idle, iowait, irq, softirq, steal
    busy = [fields[1:4] + fields[6:9] for fields in lines if fields[0] in names]
    return sum(int(ticks) for fields in busy for ticks in fields) / os.sysconf("SC_CLK_TCK")
