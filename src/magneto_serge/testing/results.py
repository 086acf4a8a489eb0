"""What the sessions of a test run did: one record for each, and what they add up to.

Records travel from pytest-xdist's workers to the process that reports, so they are plain JSON. An
interaction counts as played if any session of any worker played it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class SessionRecord(msgspec.Struct, frozen=True):
    """One session: the test (its node id) and what happened in it.

    ``plays`` has the number of replays of each interaction of the cassette, in recorded order;
    empty where nothing was to be replayed. ``misses`` are explanations. ``saved`` is False where
    a recording was thrown away, because its test failed.
    """

    test: str
    cassette: str
    mode: str
    outcome: str = "passed"
    recorded: int = 0
    saved: bool = True
    plays: tuple[int, ...] = ()
    misses: tuple[str, ...] = ()
    stale: str = ""
    duration_ms: float = 0.0

    @property
    def replayed(self) -> int:
        """The number of answers that came from the cassette."""
        return sum(self.plays)


class Results(msgspec.Struct):
    """All records of a run; ``owned`` are the cassettes that its tests may use, played or not.

    ``folders`` are those of which every test was collected, so that a cassette in one of them that
    nobody owns is an orphan; None: a selection of tests was run, and nothing can be said.
    """

    records: list[SessionRecord] = []
    owned: set[str] = set()
    folders: set[str] | None = None

    def merge(self, other: Results) -> None:
        """Add what another process saw."""
        self.records += other.records
        self.owned |= other.owned
        if other.folders is not None:
            self.folders = (self.folders or set()) | other.folders

    def plays(self) -> dict[str, list[int]]:
        """Return how often each interaction of each cassette was played, by all together."""
        totals: dict[str, list[int]] = {}
        for record in self.records:
            if not record.plays:
                continue
            counts = totals.setdefault(record.cassette, [0] * len(record.plays))
            counts += [0] * (len(record.plays) - len(counts))
            for number, count in enumerate(record.plays):
                counts[number] += count
        return totals

    def unplayed(self) -> dict[str, list[int]]:
        """Return the numbers, from 1, of the interactions that nobody played, by cassette.

        A cassette is left out where a test that used it has failed, or recorded: it may have ended
        before it came to the rest.
        """
        unsure = {
            record.cassette
            for record in self.records
            if record.outcome != "passed" or record.recorded or record.misses
        }
        found = {
            cassette: [number for number, count in enumerate(counts, 1) if not count]
            for cassette, counts in self.plays().items()
            if cassette not in unsure
        }
        return {cassette: numbers for cassette, numbers in found.items() if numbers}

    def orphans(self, existing: Iterable[str]) -> list[str]:
        """Return those of the ``existing`` cassettes that belong to no test, sorted."""
        used = self.owned | {record.cassette for record in self.records}
        return sorted(set(existing) - used)
