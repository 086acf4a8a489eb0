"""The findings of a verification, counted and kept.

Counts are exact. Of the findings themselves those are kept that say something, the first
``KEPT`` of them, and as many of the others: a proxy that verifies for days must not grow by it.
"""

from __future__ import annotations

from collections import Counter

from magneto_serge.replay.drift import Outcome, Verdict

KEPT = 10_000


class Verdicts:
    """What was found out, in the order in which it was."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.kept: list[Verdict] = []
        self._room = {True: KEPT, False: KEPT}

    def add(self, verdict: Verdict) -> None:
        """Take a finding."""
        self.counts[verdict.outcome] += 1
        telling = verdict.outcome is not Outcome.SAME
        if self._room[telling]:
            self._room[telling] -= 1
            self.kept.append(verdict)

    @property
    def drifts(self) -> list[Verdict]:
        """What has changed, and what was never recorded."""
        return [verdict for verdict in self.kept if verdict.drifted]

    @property
    def drifted(self) -> int:
        """How much has changed, or was never recorded."""
        return self.counts[Outcome.CHANGED] + self.counts[Outcome.NEW]

    @property
    def compared(self) -> int:
        """How many live answers were held against recordings, or had none to be held against."""
        return self.drifted + self.counts[Outcome.SAME]

    @property
    def left_out(self) -> int:
        """How many findings were counted and not kept."""
        return self.counts.total() - len(self.kept)

    @property
    def unreachable(self) -> list[Verdict]:
        """What could not be asked, because the service was not reached."""
        return [verdict for verdict in self.kept if verdict.outcome is Outcome.UNREACHABLE]

    def story(self, found: list[Verdict]) -> str:
        """Return the summary, and these findings explained."""
        return "\n".join((f"{self.summary()}:", *(each.explain() for each in found)))

    def summary(self) -> str:
        """Return the counts on one line; what did not happen is named only where it matters."""
        counts = self.counts
        parts = [
            f"{counts[Outcome.SAME]:,} same",
            f"{counts[Outcome.CHANGED]:,} changed",
            f"{counts[Outcome.NEW]:,} new",
        ]
        rare = (Outcome.UNREACHABLE, Outcome.UNPLAYED, Outcome.SKIPPED)
        parts += [f"{counts[outcome]:,} {outcome}" for outcome in rare if counts[outcome]]
        return ", ".join(parts)
