"""A proxy without a command of the user's: it runs until it is asked to stop.

On a terminal a live line counts what goes by; elsewhere nothing is printed but lines that stay.
Either way each miss is explained when it happens, while whoever caused it is still looking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from magneto_serge.units import count, size

from .interrupts import Interrupts
from .screen import Screen

if TYPE_CHECKING:
    from magneto_serge.replay.decisions import Stats
    from magneto_serge.replay.misses import Miss

PERIOD = 0.25  # seconds between two looks at the counters


class Counted(Protocol):
    """What is watched of a proxy: ``app.MagnetoProxy`` is one."""

    @property
    def stats(self) -> Stats:
        """The counters."""

    @property
    def misses(self) -> Sequence[Miss]:
        """The first thousand refusals, oldest first."""


def until_interrupted(
    proxy: Counted, misses: MissReporter, screen: Screen, interrupts: Interrupts, title: str
) -> None:
    """Watch ``proxy`` until the first signal; ``title`` opens the live line."""
    while True:
        misses.report()
        screen.live(f"{title}: {status_line(proxy.stats)}")
        if interrupts.wait(PERIOD):
            break
    screen.live("")


def status_line(stats: Stats) -> str:
    """Return the counters on one line; failures and faults only where there are any."""
    parts = [
        count(stats.requests, "request"),
        f"{stats.recorded:,} recorded",
        f"{stats.replayed:,} replayed",
        f"{stats.missed:,} missed",
    ]
    if stats.failed:
        parts.append(f"{stats.failed:,} failed")
    if stats.faults:
        parts.append(f"{count(stats.faults, 'fault')} injected")
    return f"{', '.join(parts)}; {size(stats.bytes_in)} in, {size(stats.bytes_out)} out"


class MissReporter:
    """Explains every miss once, in the order in which they happened."""

    MOST = 20  # explained at a time; what comes on top is counted

    def __init__(self, proxy: Counted, screen: Screen) -> None:
        self._proxy = proxy
        self._screen = screen
        self._explained = 0
        self._counted = 0

    def report(self) -> None:
        """Print the misses that have come since the last call."""
        new = self._proxy.stats.missed - self._counted
        if new <= 0:
            return
        misses = self._proxy.misses[self._explained :]
        self._counted += new
        self._explained += len(misses)
        for miss in misses[: self.MOST]:
            self._screen.warn(
                f"refused {miss.explain()}", method=miss.method, url=miss.url, reason=miss.reason
            )
        if (rest := new - min(len(misses), self.MOST)) > 0:
            self._screen.warn(f"refused {count(rest, 'more request')}")
