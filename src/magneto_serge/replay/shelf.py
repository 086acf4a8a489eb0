"""The recordings of equal requests, in recorded order, and which of them is next.

The next is the first that was not played. When all were played, ``repeats`` says what comes:
``last`` again, ``cycle`` through them from the first on, or nothing (``refuse``). Plays are counted
on each recording.

A shelf is **guarded** where not every recording on it suits every request: some were made with
credentials, or hold placeholders of secrets, or a user's predicate has a say. A caller tells then
how well each one suits; on other shelves playing is one index into a list.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Literal

from magneto_serge.messages import Interaction
from magneto_serge.replay.secrets.bindings import FREE, OWN, TAKEN, Seen

Repeats = Literal["last", "cycle", "refuse"]


class Recording:
    """One recorded interaction on the shelf.

    ``number`` counts from 1 in recorded order, ``played`` its replays. ``seen`` is its request as
    it is compared, None where that is the request itself; ``content`` the second part of its key,
    where it stands alone. ``encoded`` is the proxy's: the bytes to send, made once.
    """

    __slots__ = ("content", "encoded", "interaction", "number", "played", "seen")

    def __init__(self, interaction: Interaction, number: int, seen: Seen | None = None) -> None:
        self.interaction = interaction
        self.number = number
        self.played = 0
        self.seen = seen
        self.content: Hashable = None
        self.encoded: object = None


Suits = Callable[[Recording], int | None]  # None: not at all; otherwise the less, the better


_NOTHING: frozenset[str] = frozenset()


class Shelf:
    """Recordings with one key; ``content`` is its second part.

    ``more`` yields those that are not in ``recordings`` yet. ``texts`` holds the secrets, or what
    stands for them, of those that are. ``welcome`` is the caller's: those to whom all here suits.
    """

    __slots__ = ("_more", "_next", "content", "guarded", "only", "recordings", "texts", "welcome")

    def __init__(
        self,
        content: Hashable,
        more: Iterator[Recording] | None = None,
        *,
        guarded: bool = False,
    ) -> None:
        self.content = content
        self.recordings: list[Recording] = []
        self.guarded = guarded
        self.texts: frozenset[str] = _NOTHING
        self._more = more
        self._next = 0  # all before it were played
        self.only: Recording | None = None  # where there is one, and no more to come
        self.welcome: object = None

    def put(self, recording: Recording) -> None:
        """Append a recording."""
        if self.only is not None:
            self._next = 1 if self.only.played else 0
            self.only = None
        elif self._more is None and not self.recordings:
            self.only = recording
        self.recordings.append(recording)
        if recording.seen is not None:
            self.guarded = True
            self.texts |= {value.text for value in recording.seen.values}

    def first(self) -> Recording | None:
        """Return the first recording, None where there is none."""
        return self.recordings[0] if self.recordings or self._fetch() else None

    def all(self) -> list[Recording]:
        """Return every recording, fetching those that are not here yet."""
        while self._fetch():
            pass
        return self.recordings

    def play(self, repeats: Repeats) -> Recording | None:
        """Return the next recording, where each suits; None where ``repeats`` refuses.

        None, and nothing moved, also where the shelf turns out to be guarded.
        """
        only = self.only
        if only is not None:
            if only.played and repeats == "refuse":
                return None
            only.played += 1
            return only
        recordings = self.recordings
        at = self._next
        if at < len(recordings):
            if repeats == "refuse" and recordings[at].played:  # in a round of `cycle`, before
                return None
            self._next = at + 1
        elif self._fetch():
            if self.guarded:
                return None
            self._next = at + 1
        elif repeats == "cycle" and recordings:
            at, self._next = 0, 1
        elif repeats == "refuse" or not recordings:
            return None
        else:
            at -= 1
        recording = recordings[at]
        recording.played += 1
        return recording

    def choose(self, suits: Suits, repeats: Repeats, *, own: bool) -> Recording | None:
        """Return the next recording among those that suit; None: there is none.

        A recording of the asker's own that repeats is better than another's that was not played.
        ``own``: whether there can be one of the asker's own. Otherwise the search ends with the
        first free one, so that of a thousand equal requests each is found at once.
        """
        found = self.best(suits, repeats, own=own)
        if found is not None:
            found.played += 1
        return found

    def best(self, suits: Suits, repeats: Repeats, *, own: bool) -> Recording | None:
        """Return what :meth:`choose` plays, without counting it."""
        fit, found = self._unplayed(suits, OWN if own else FREE)
        if found is None or (fit > FREE and repeats != "refuse"):
            again = [
                (rank, recording)
                for recording in self.recordings
                if recording.played and (rank := suits(recording)) is not None
            ]
            best = min((rank for rank, _ in again), default=None)
            if best is not None and repeats != "refuse" and (found is None or best == OWN):
                equal = [recording for rank, recording in again if rank == best]
                cycle = repeats == "cycle"
                found = min(equal, key=lambda each: each.played) if cycle else equal[-1]
        return found

    def _unplayed(self, suits: Suits, enough: int) -> tuple[int, Recording | None]:
        """Return the recording not played yet that suits best, and how well it does."""
        at, best, found = self._next, TAKEN + 1, None
        while at < len(self.recordings) or self._fetch():
            recording = self.recordings[at]
            if recording.played:
                if at == self._next:
                    self._next += 1
            elif (rank := suits(recording)) is not None and rank < best:
                best, found = rank, recording
                if rank <= enough:
                    break
            at += 1
        return best, found

    def _fetch(self) -> bool:
        found = None if self._more is None else next(self._more, None)
        if found is None:
            if self._more is not None and len(self.recordings) == 1:
                self.only = self.recordings[0]
            self._more = None
            return False
        self.put(found)
        return True

    def rewind(self) -> None:
        """Start over from the first recording."""
        self._next = 0
        self.welcome = None
        for recording in self.recordings:
            recording.played = 0
