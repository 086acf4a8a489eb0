"""Two runs beside each other: what got slower by more than the rounds themselves differ.

A change counts when the medians are further apart than twice the larger of the two spreads, and by
more than a twentieth of the older one: with few rounds a spread can be next to nothing by accident.
Where a row has a ratio to a reference that was measured beside it, the ratios are compared, because
they survive a change of machine; the noise is the rows' own, relative to their medians.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._result import Document, Row

LEAST = 0.05  # of the older figure; a smaller change is never called one
SPREADS = 2.0


@dataclass(frozen=True)
class Change:
    """One row in both runs: ``change`` relative to the older (0.1: a tenth more), ``noise``."""

    row: Row
    before: float
    after: float
    noise: float

    @property
    def change(self) -> float:
        """How much more the newer figure is, as a part of the older one."""
        return self.after / self.before - 1

    @property
    def verdict(self) -> str:
        """``worse``, ``better``, or nothing where it is within the noise."""
        if abs(self.change) <= max(LEAST, SPREADS * self.noise):
            return ""
        # A ratio is of rates, and so more is better, exactly where more of the figure is.
        worse = self.change < 0 if self.row.better == "more" else self.change > 0
        return "worse" if worse else "better"


def compare(base: Document, new: Document) -> list[Change]:
    """Return the rows that both runs have, in the order of the newer one."""
    older = {each.key: each for each in base.rows}
    return [
        change
        for each in new.rows
        if (before := older.get(each.key)) is not None
        and (change := _change(before, each)) is not None
    ]


def vanished(base: Document, new: Document) -> list[Row]:
    """Return the rows with values in the base that the newer run does not have, or not any more."""
    there = {each.key for each in new.rows if each.values}
    suites = {each.suite for each in new.rows}
    return [
        each for each in base.rows if each.values and each.suite in suites and each.key not in there
    ]


def _change(before: Row, after: Row) -> Change | None:
    if not before.median or not after.median:
        return None
    noise = max((each.spread or 0) / each.median for each in (before, after) if each.median)
    if before.ratio and after.ratio and before.reference == after.reference:
        return Change(after, before.ratio, after.ratio, noise)
    return Change(after, before.median, after.median, noise)
