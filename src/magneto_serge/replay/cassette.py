"""Recordings, looked up by key, with the cursor that plays equal requests in recorded order.

Equal requests recorded several times replay in that order; after the last one, the last repeats.
Look-up is two dictionary accesses: the head of the request first, which alone tells whether
waiting for its body can make a difference, then the body.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from magneto_serge.messages import Interaction, Request
from magneto_serge.replay.matching import HeadKey, body_key, head_key


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
    """The recordings of equal requests, in recorded order, and which is next."""

    __slots__ = ("_next", "recordings")

    def __init__(self) -> None:
        self.recordings: list[Recording] = []
        self._next = 0

    def play(self) -> Recording:
        """Return the next recording; the last one repeats."""
        recordings = self.recordings
        recording = recordings[self._next]
        if self._next < len(recordings) - 1:
            self._next += 1
        recording.played += 1
        return recording

    def rewind(self) -> None:
        """Start over from the first recording."""
        self._next = 0
        for recording in self.recordings:
            recording.played = 0


class Cassette:
    """The index over a cassette's interactions, numbered from 1 in recorded order."""

    def __init__(self, interactions: Iterable[Interaction] = ()) -> None:
        self.recordings: list[Recording] = []
        self._shelves: dict[HeadKey, dict[Hashable, Shelf]] = {}
        for interaction in interactions:
            self.add(interaction)

    def __len__(self) -> int:
        return len(self.recordings)

    def add(self, interaction: Interaction) -> None:
        """Append an interaction."""
        request = interaction.request
        recording = Recording(interaction, len(self.recordings) + 1)
        self.recordings.append(recording)
        by_body = self._shelves.setdefault(head_key(request), {})
        key = body_key(request.headers, request.body)
        by_body.setdefault(key, Shelf()).recordings.append(recording)

    def bodies_of(self, request: Request) -> dict[Hashable, Shelf] | None:
        """Return the shelves whose head matches, by body key; None where there is none."""
        return self._shelves.get(head_key(request))

    def play(self, request: Request) -> Recording | None:
        """Return the recording to replay for a complete request, or None; moves the cursor."""
        by_body = self._shelves.get(head_key(request))
        if by_body is None:
            return None
        shelf = by_body.get(body_key(request.headers, request.body) if request.body else b"")
        return None if shelf is None else shelf.play()

    def rewind(self) -> None:
        """Forget what was played."""
        for by_body in self._shelves.values():
            for shelf in by_body.values():
                shelf.rewind()
