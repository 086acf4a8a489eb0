"""One play cursor for several processes, each of which has the recordings: see ``plays``.

The rules are those of ``shelves`` and ``shelf``. What was played is counted for all processes.
Where all recordings of a shelf suit everybody, whose turn it is follows from how often anything was
played from it; elsewhere from the counts, and the cursor is only where to begin looking. Bindings
of secrets are told to the others before the lock is given back, so that each process chooses from
the same knowledge.

Where there is nothing to choose there is no lock: a recording that is alone on its shelf, or the
last that is left, and may be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from typing import Any

from magneto_serge.messages import Interaction, Request
from magneto_serge.replay.plays import Plays
from magneto_serge.replay.secrets.bindings import OWN, Bindings, Seen
from magneto_serge.replay.shelf import Recording, Repeats, Shelf, Suits
from magneto_serge.replay.shelves import Shelves

_NOBODYS = 1 << 62  # the turn on a shelf that is guarded: who has not found that yet has to


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
    """A shelf of several processes."""

    __slots__ = ("_generation", "_plays")

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
        if self.guarded:
            return self._play_to_anybody(repeats)
        number = first.number
        if repeats == "last" and self._more is None:
            recordings = self.recordings
            if plays.turns[number - 1] >= len(recordings):  # it never becomes less
                plays.count(recordings[-1].number)
                return recordings[-1]
        plays.lock(number)
        try:
            turn = plays.turns[number - 1]
            if not turn:  # while it was alone, and might be repeated, it was only counted
                turn = min(first.played, 1)
            found = self._at(turn, repeats)
            if found is not None:
                plays.turns[number - 1] = turn + 1
                plays.count(found.number)
            return found
        finally:
            plays.unlock(number)

    def _play_to_anybody(self, repeats: Repeats) -> Recording | None:
        self._plays.lock()
        try:
            return self.choose(lambda _: OWN, repeats, own=True)
        finally:
            self._plays.unlock()

    def _at(self, turn: int, repeats: Repeats) -> Recording | None:
        """Return the recording whose turn it is; None: nobody's, or the shelf is guarded."""
        recordings = self.recordings
        while turn >= len(recordings) and self._fetch():
            pass  # all of them, where another process has found that the shelf is guarded
        if self.guarded:
            return None
        if turn < len(recordings):
            return recordings[turn]
        if repeats == "cycle":
            return recordings[turn % len(recordings)]
        return recordings[-1] if repeats == "last" else None

    def choose(self, suits: Suits, repeats: Repeats, *, own: bool) -> Recording | None:
        """Return the next recording among those that suit; the whole lock is held."""
        self.look_again()
        found = self.best(suits, repeats, own=own)
        if found is not None:
            self._plays.count(found.number)
            self._plays.turns[self.recordings[0].number - 1] = _NOBODYS
        return found

    def look_again(self) -> None:
        """Begin with the first recording where another process has started over."""
        if self._generation != self._plays.generation:
            self.rewind()

    def rewind(self) -> None:
        """Forget where to look and who is welcome; the counts are `Plays`' to forget."""
        self._next = 0
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
        self._generations = plays.generations
        self._generation = plays.generation
        super().__init__(*arguments, **options)
        self._shared_bindings = self._bindings = SharedBindings(plays)

    def play(self, request: Request) -> Recording | None:
        """Return the recording to replay, whoever played what before; see :class:`Shelves`."""
        if self._generation != self._generations[0]:
            self._look_again()
        head, content = self._head(request), self._content(request)
        there = self._shelves.get(head)
        if type(there) is SharedRecording and there.content == content and self.repeats != "refuse":
            self.plays.own[there.number - 1] += 1
            return there
        return self._play_from_shelf(request, head, content)

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
