"""One play cursor for several processes, each of which has the recordings: see ``plays``.

The rules are those of ``shelves`` and ``shelf``. What was played is counted for all processes, and
what is next is found out by looking at the counts: the cursor of a shelf is only where to begin
looking. Bindings of secrets are told to the others before the lock is given back, so that each
process chooses from the same knowledge.

Where there is nothing to choose there is no lock: a recording that is alone on its shelf, and may
be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from typing import Any

from magneto_serge.messages import Interaction, Request
from magneto_serge.replay.plays import Plays
from magneto_serge.replay.secrets.bindings import Bindings, Seen
from magneto_serge.replay.shelf import Recording, Repeats, Shelf, Suits
from magneto_serge.replay.shelves import Shelves


class SharedRecording(Recording):
    """A recording whose plays are counted for all processes."""

    __slots__ = ("_plays",)

    def __init__(
        self, interaction: Interaction, number: int, seen: Seen | None, plays: Plays
    ) -> None:
        self.interaction = interaction
        self.number = number
        self.seen = seen
        self.content: Hashable = None
        self.encoded: object = None
        self._plays = plays

    @property
    def played(self) -> int:  # type: ignore[override]  # counted by `Plays`, never assigned
        """How often it was played, by whichever process."""
        return self._plays.of(self.number)


class SharedShelf(Shelf):
    """A shelf of several processes: all before ``_next`` were played more than ``_round`` times."""

    __slots__ = ("_generation", "_plays", "_round")

    def __init__(
        self,
        content: Hashable,
        more: Iterator[Recording] | None = None,
        *,
        guarded: bool = False,
        plays: Plays,
    ) -> None:
        super().__init__(content, more, guarded=guarded)
        self._plays = plays
        self._round = 0
        self._generation = plays.generation

    def play(self, repeats: Repeats) -> Recording | None:
        """Return the next recording of all that the processes play; see :class:`Shelf`."""
        only, plays = self.only, self._plays
        if only is not None and repeats != "refuse":
            plays.count(only.number)
            return only
        first = self.first()
        if first is None:
            return None
        plays.lock(first.number)
        try:
            found = self._following(repeats)
            if found is not None:
                plays.count(found.number)
            return found
        finally:
            plays.unlock(first.number)

    def _following(self, repeats: Repeats) -> Recording | None:
        """Return the recording whose turn it is; None: nobody's, or the shelf is guarded."""
        self.look_again()
        recordings, at = self.recordings, self._next
        while True:
            while at < len(recordings) or self._fetch():
                if self.guarded:
                    return None
                if recordings[at].played <= self._round:
                    self._next = at
                    return recordings[at]
                at += 1
            self._next = at
            if repeats != "cycle":
                return recordings[-1] if repeats == "last" else None
            # The last was played as often as there were whole rounds, here or elsewhere.
            self._round, at = recordings[-1].played, 0

    def choose(self, suits: Suits, repeats: Repeats, *, own: bool) -> Recording | None:
        """Return the next recording among those that suit; the whole lock is held."""
        self.look_again()
        found = self.best(suits, repeats, own=own)
        if found is not None:
            self._plays.count(found.number)
        return found

    def look_again(self) -> None:
        """Begin with the first recording where another process has started over."""
        if self._generation != self._plays.generation:
            self.rewind()

    def rewind(self) -> None:
        """Forget where to look and who is welcome; the counts are `Plays`' to forget."""
        self._next = self._round = 0
        self.welcome = None
        self._generation = self._plays.generation


class SharedBindings(Bindings):
    """Bindings that processes tell each other; asked and made under the whole lock."""

    def __init__(self, plays: Plays) -> None:
        super().__init__()
        self._plays = plays
        self._heard = 0

    def catch_up(self) -> None:
        """Learn what the others have bound."""
        lines, self._heard = self._plays.told(self._heard)
        for line in lines:
            try:
                secret, placeholder = json.loads(line)
            except ValueError:  # whoever wrote it was killed in the middle of it
                continue
            super().meet(secret, placeholder)

    def meet(self, secret: str, placeholder: str) -> bool:
        """Bind one pair, and tell the others where that is news."""
        news = super().meet(secret, placeholder)
        if news:
            self._plays.tell(json.dumps([secret, placeholder]).encode())
        return news


class SharedShelves(Shelves):
    """The shelves of one process among several: they begin alike and share ``plays``."""

    def __init__(self, plays: Plays, *arguments: Any, **options: Any) -> None:
        self.plays = plays
        self._generation = plays.generation
        super().__init__(*arguments, **options)
        self._shared_bindings = self._bindings = SharedBindings(plays)

    def play(self, request: Request) -> Recording | None:
        """Return the recording to replay, whoever played what before; see :class:`Shelves`."""
        if self._generation != self.plays.generation:
            self._look_again()
        return super().play(request)

    def _choose(self, shelf: Shelf, request: Request, seen: Seen) -> Recording | None:
        self.plays.lock()
        try:
            if self._generation != self.plays.generation:
                self._look_again()
            self._shared_bindings.catch_up()
            return super()._choose(shelf, request, seen)
        finally:
            self.plays.unlock()

    @property
    def play_counts(self) -> list[int]:
        """How often each recording was played by all processes, in recorded order."""
        return self.plays.totals or [0] * len(self)

    def rewind(self) -> None:
        """Forget what was played, for every process."""
        self.plays.rewind()
        self._look_again()

    def _look_again(self) -> None:
        """Forget what this process remembers of what was played."""
        self._generation = self.plays.generation
        self._shared_bindings = self._bindings = SharedBindings(self.plays)
        for there in self._shelves.values():
            if isinstance(there, dict):
                for shelf in there.values():
                    shelf.rewind()
            elif isinstance(there, Shelf):
                there.rewind()

    def _new_recording(self, interaction: Interaction, number: int, seen: Seen | None) -> Recording:
        return SharedRecording(interaction, number, seen, self.plays)

    def _new_shelf(
        self,
        content: Hashable,
        more: Iterator[Recording] | None = None,
        *,
        guarded: bool = False,
    ) -> Shelf:
        return SharedShelf(content, more, guarded=guarded, plays=self.plays)
