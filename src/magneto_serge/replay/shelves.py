"""Recordings on shelves, by key, with the cursor that plays equal requests in recorded order.

Equal requests recorded several times replay in that order; after the last one, the last repeats.
Look-up is two dictionary accesses: the head of the request first, which alone tells whether
waiting for its body can make a difference, then the body.

Recordings come from any sequence of interactions. With a :class:`KeyIndex`, which a cassette on
the disk can have, an interaction is not even decoded before it is to be played: a shelf is put up
when it is first asked for, and filled one recording at a time. The index finds by digest; what it
finds is played only if its key is equal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Interaction, Request
from magneto_serge.replay.matching import HeadKey, body_key, head_digest, head_key, key_digest

_NEAR = 20_000  # recordings in memory looked at for one miss: some 30 ms
_NEAR_DECODED = 1_000  # and where each has to be decoded first


class KeyIndex(Protocol):
    """Where interactions are found by the digests of their keys."""

    def find(self, digest: bytes) -> Iterator[int]:
        """Yield the numbers from 0, ascending, of those whose digests begin with ``digest``."""


class Recording:
    """One recorded interaction on the shelf.

    ``played`` counts its replays. ``encoded`` is the proxy's: the bytes to send, made once.
    """

    __slots__ = ("encoded", "interaction", "number", "played")

    def __init__(self, interaction: Interaction, number: int) -> None:
        self.interaction = interaction
        self.number = number
        self.played = 0
        self.encoded: object = None


class Shelf:
    """The recordings of equal requests, in recorded order, and which is next.

    ``more`` yields those that are not in ``recordings`` yet.
    """

    __slots__ = ("_more", "_next", "recordings")

    def __init__(self, more: Iterator[Recording] | None = None) -> None:
        self.recordings: list[Recording] = []
        self._more = more
        self._next = 0

    def first(self) -> Recording | None:
        """Return the first recording, None where there is none."""
        return self.recordings[0] if self.recordings or self._fetch() else None

    def play(self) -> Recording:
        """Return the next recording; the last one repeats."""
        recordings = self.recordings
        if self._next < len(recordings) or self._fetch():
            self._next += 1
        recording = recordings[self._next - 1]
        recording.played += 1
        return recording

    def _fetch(self) -> bool:
        found = None if self._more is None else next(self._more, None)
        if found is None:
            return False
        self.recordings.append(found)
        return True

    def rewind(self) -> None:
        """Start over from the first recording."""
        self._next = 0
        for recording in self.recordings:
            recording.played = 0


class Shelves:
    """A cassette's interactions, ready to be played, numbered from 1 in recorded order.

    Without ``index`` the interactions are all taken now.
    """

    def __init__(
        self, interactions: Iterable[Interaction] = (), index: KeyIndex | None = None
    ) -> None:
        self.recordings: list[Recording] = []
        self._shelves: dict[HeadKey, dict[Hashable, Shelf]] = {}
        self._index = index
        self._stored: Sequence[Interaction] = ()
        if index is not None and isinstance(interactions, Sequence):
            self._stored = interactions
            return
        for interaction in interactions:
            self.add(interaction)

    def __len__(self) -> int:
        return len(self._stored) + len(self.recordings)

    def add(self, interaction: Interaction) -> None:
        """Append an interaction."""
        request = interaction.request
        recording = Recording(interaction, len(self) + 1)
        self.recordings.append(recording)
        by_body = self._shelves.setdefault(head_key(request), {})
        key = body_key(request.headers, request.body)
        by_body.setdefault(key, Shelf()).recordings.append(recording)

    def knows_head(self, request: Request) -> bool:
        """Tell whether a body could make this request one that was recorded.

        Raises CassetteError where the index is damaged.
        """
        head = head_key(request)
        return head in self._shelves or next(self._find(head), None) is not None

    def without_body(self, request: Request) -> Shelf | None:
        """Return the recordings of such a request that had no body."""
        return self._shelf(head_key(request), b"")

    def play(self, request: Request) -> Recording | None:
        """Return the recording to replay for a complete request, or None; moves the cursor.

        Raises CassetteError where it is damaged.
        """
        body = body_key(request.headers, request.body) if request.body else b""
        shelf = self._shelf(head_key(request), body)
        return None if shelf is None else shelf.play()

    def near(self, request: Request) -> Iterator[Recording]:
        """Yield recordings to compare with a request that has none; some, where there are many."""
        if self._index is None:
            yield from self.recordings[:_NEAR]
            return
        same_head = list(islice(self._find(head_key(request)), _NEAR_DECODED))
        for number in dict.fromkeys((*same_head, *range(min(len(self), _NEAR_DECODED)))):
            try:
                yield Recording(self._stored[number], number + 1)
            except CassetteError:
                continue  # what is damaged is an error when it is to be played

    def rewind(self) -> None:
        """Forget what was played."""
        for by_body in self._shelves.values():
            for shelf in by_body.values():
                shelf.rewind()

    def _shelf(self, head: HeadKey, body: Hashable) -> Shelf | None:
        by_body = self._shelves.get(head)
        shelf = None if by_body is None else by_body.get(body)
        if shelf is None and self._index is not None:
            shelf = Shelf(self._equal(head, body))
            if shelf.first() is None:
                return None
            self._shelves.setdefault(head, {})[body] = shelf
        return shelf

    def _equal(self, head: HeadKey, body: Hashable) -> Iterator[Recording]:
        """Yield the stored recordings with this very key, decoded when they are asked for."""
        for number in self._find(head, body):
            interaction = self._stored[number]
            request = interaction.request
            if head_key(request) == head and body_key(request.headers, request.body) == body:
                yield Recording(interaction, number + 1)

    def _find(self, head: HeadKey, body: Hashable = None) -> Iterator[int]:
        if self._index is None:
            return iter(())
        try:
            digest = head_digest(head)
            if body is not None:
                digest += key_digest(head, body)
        except UnicodeEncodeError:  # nothing that was recorded has a lone surrogate
            return iter(())
        return self._index.find(digest)
