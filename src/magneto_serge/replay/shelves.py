"""Recordings on shelves, by key: look-up is a dictionary access or two, however many there are.

The head of a request comes first, which alone tells whether waiting for its body can make a
difference, then the content. Keys are those of :class:`~magneto_serge.replay.rules.Rules`, of
*neutral* requests: secrets, and what was put in their place, are the same marker on both sides. A
request is looked up as it is before it is searched for secrets, which most do not have.

Recordings come from any sequence of interactions. With a :class:`KeyIndex`, which a cassette on
the disk can have for the default rules, an interaction is not even decoded before it is to be
played: a shelf is put up when it is first asked for, and filled one recording at a time. The index
finds by digest; what it finds is played only if its key is equal. Under other rules the keys of
such a cassette are all computed when the first is needed, and its interactions decoded again when
they are played, so that they are never in memory together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from magneto_serge.errors import CassetteError
from magneto_serge.messages import FieldLine, Headers, Interaction, Request
from magneto_serge.replay.matching import head_digest, head_key, head_prefixes, key_digest
from magneto_serge.replay.nearest import Neighbours
from magneto_serge.replay.rules import DEFAULT_RULES, Rules
from magneto_serge.replay.secrets.bindings import Bindings, Seen, Value
from magneto_serge.replay.shelf import Recording, Repeats, Shelf

__all__ = ["KeyIndex", "Recording", "Scanner", "Shelves"]

_EARLY = 256  # recordings looked at for a request that is being answered before it has ended
_FIELDS_KEPT = 1024
_NEAR_DECODED = 400  # recordings decoded for one miss, of each of three kinds: some 20 ms


Fields = tuple[tuple[Value, ...], bool]  # what was found in a header section: see `Seen`


class KeyIndex(Protocol):
    """Where interactions are found by the digests of their keys."""

    def find(self, digest: bytes) -> Iterator[int]:
        """Yield the numbers from 0, ascending, of those whose digests begin with ``digest``."""


class Scanner(Protocol):
    """Where secrets, and what stands for them, are found in a request (``secrets`` provides it)."""

    def scan(self, request: Request) -> Seen:
        """Return the request without them; the request itself where there are none."""

    def credentials(self, headers: Headers) -> tuple[Value, ...]:
        """Return the credentials in a header section."""

    def credentialed(self, headers: Headers) -> bool:
        """Tell whether a request with these fields is let in by them."""


Numbers = dict[Hashable, dict[Hashable, list[int]]]  # by both parts of the key


class Shelves:
    """A cassette's interactions, ready to be played, numbered from 1 in recorded order.

    Without ``index`` the interactions are all taken now, unless they are a sequence and ``lazy``.
    """

    def __init__(
        self,
        interactions: Iterable[Interaction] = (),
        index: KeyIndex | None = None,
        *,
        rules: Rules = DEFAULT_RULES,
        secrets: Scanner | None = None,
        lazy: bool = False,
    ) -> None:
        self.recordings: list[Recording] = []
        self.repeats: Repeats = "last"
        self.rules = rules
        self._head, self._content = rules.head, rules.content
        self._secrets = secrets
        self._bindings = Bindings()
        self._fields: dict[tuple[FieldLine, ...], Fields] = {}
        # By heads. Most have one recording, which is then the whole shelf: one place in memory
        # less to wait for, when there are more recordings than the processor's caches hold.
        self._shelves: dict[Hashable, Recording | Shelf | dict[Hashable, Shelf]] = {}
        self._index = index if rules.indexed else None
        self._stored: Sequence[Interaction] = ()
        self._taken: dict[int, Recording] = {}  # of the stored ones, by number from 0
        self._numbers: Numbers | None = None
        self._trouble: CassetteError | None = None
        self._neighbours = Neighbours(self.recordings)
        if (index is not None or lazy) and isinstance(interactions, Sequence):
            self._stored = interactions
            return
        for interaction in interactions:
            self.add(interaction)

    def __len__(self) -> int:
        return len(self._stored) + len(self.recordings)

    def add(self, interaction: Interaction) -> None:
        """Append an interaction. Raises MatcherError as a matcher of the user's does."""
        recording = self._recording(interaction, len(self))
        self.recordings.append(recording)
        request = self.compared(recording)
        head, content = self._head(request), self._content(request)
        simple = recording.seen is None and not self.rules.has_predicates and not self._stored
        if simple and self._shelves.setdefault(head, recording) is recording:
            recording.content = content
            return
        shelf = self._shelf(request, head, content)
        if shelf is None:
            shelf = self._put_up(head, self._new_shelf(content, guarded=self.rules.has_predicates))
        shelf.all()  # what is stored comes before it
        shelf.put(recording)

    def placeholder_for(self, secret: str) -> str | None:
        """Return the placeholder that a secret was bound to by what was played."""
        return self._bindings.placeholder_for(secret)

    # --- looking up ----------------------------------------------------------------------------

    def reads_content(self, request: Request) -> bool:
        """Tell whether a request's body can make a difference to which recording is played."""
        return self.rules.indexed or self.rules.of(request).reads_content

    def knows_head(self, request: Request) -> bool:
        """Tell whether a body could make this request one that was recorded.

        Raises CassetteError where the index is damaged.
        """
        if self._has(request):
            return True
        neutral = self._scan(request).neutral
        return neutral is not request and self._has(neutral)

    def without_body(self, request: Request) -> Shelf | None:
        """Return the recordings of such a request that had no body."""
        bare = msgspec.structs.replace(self._scan(request).neutral, body=b"")
        return self._shelf(bare, self._head(bare), self._content(bare))

    def play(self, request: Request) -> Recording | None:
        """Return the recording to replay for a complete request, or None; moves the cursor.

        Raises CassetteError where it is damaged, MatcherError as a matcher of the user's does.
        """
        head, content = self._head(request), self._content(request)
        alone = self._shelves.get(head)
        if type(alone) is Recording and alone.content == content:
            if alone.played and self.repeats == "refuse":
                return None
            alone.played += 1
            return alone
        return self._play_from_shelf(request, head, content)

    def _play_from_shelf(
        self, request: Request, head: Hashable, content: Hashable
    ) -> Recording | None:
        """Play what is not alone in the cassette: there is a shelf for it, perhaps to be put up."""
        shelf = self._shelf(request, head, content)
        if shelf is None:
            seen = self._scan(request)
            neutral = seen.neutral
            if neutral is request:
                return None
            shelf = self._shelf(neutral, self._head(neutral), self._content(neutral))
            if shelf is None:
                return None
            return self._choose(shelf, request, seen)
        if not shelf.guarded:
            recording = shelf.play(self.repeats)
            if not shelf.guarded:  # what was fetched for it can have made it so
                return recording
        if not self.rules.indexed:  # an equal key says nothing of what the rules leave out of it
            return self._choose(shelf, request, self._scan(request))
        fields = self._fields_of(request)
        if shelf.welcome is fields and shelf.only is not None:
            return shelf.play(self.repeats)
        found = self._choose(shelf, request, Seen(request, *fields))
        if found is not None and not self.rules.has_predicates:
            shelf.welcome = fields  # their secrets are bound to it now, for good
        return found

    def _choose(self, shelf: Shelf, request: Request, seen: Seen) -> Recording | None:
        known = self._bindings.placeholder_for
        own = any(value.text in shelf.texts or known(value.text) for value in seen.values)
        found = shelf.choose(lambda each: self._fit(each, seen), self.repeats, own=own)
        if found is not None and found.seen is not None:
            self._bindings.bind(seen.values, found.seen.values)
        return found

    def _fit(self, recording: Recording, seen: Seen) -> int | None:
        """Return how well a recording suits a request with an equal key; None: not at all."""
        return None if self.objection(recording, seen) else self._rank(recording, seen)

    def _rank(self, recording: Recording, seen: Seen) -> int | None:
        if recording.seen is None:
            return 0
        return self._bindings.fit(seen.values, recording.seen.values)

    def objection(self, recording: Recording, seen: Seen) -> str:
        """Return why a recording with an equal key does not suit: ``credentials``, ``another``
        (it belongs to another secret) or the name of a predicate; empty where it does."""
        recorded = recording.seen
        if self.rules.has_predicates:
            theirs = self.compared(recording)
            for predicate in self.rules.of(seen.neutral).predicates:
                if not predicate.holds(seen.neutral, theirs):
                    return predicate.name
        if recorded is None:
            return ""
        lacking = recorded.credentialed and not seen.credentialed
        if lacking and self.rules.of(seen.neutral).credentials:
            return "credentials"
        return "" if self._bindings.admits(seen.values, recorded.values) else "another"

    @property
    def looks_for_secrets(self) -> bool:
        """Whether requests are compared without their secrets."""
        return self._secrets is not None

    def _scan(self, request: Request) -> Seen:
        return Seen(request) if self._secrets is None else self._secrets.scan(request)

    def _fields_of(self, request: Request) -> Fields:
        """Scan the fields of a request that was found as it is: the rest of it has no secrets.

        Clients send the same fields again and again, so what was in them is kept.
        """
        raw = request.headers.raw
        found = self._fields.get(raw)
        if found is None:
            secrets, headers = self._secrets, request.headers
            if secrets is None:
                found = ((), False)
            else:
                found = (secrets.credentials(headers), secrets.credentialed(headers))
            if len(self._fields) >= _FIELDS_KEPT:
                self._fields.clear()
            self._fields[raw] = found
        return found

    def _recording(self, interaction: Interaction, number: int) -> Recording:
        seen = None if self._secrets is None else self._secrets.scan(interaction.request)
        if seen is not None and not (seen.values or seen.credentialed):
            seen = None if seen.neutral is interaction.request else seen
        return self._new_recording(interaction, number + 1, seen)

    def _recording_at(self, number: int) -> Recording:
        taken = self._taken.get(number)
        return taken or self._recording(self._stored[number], number)

    @staticmethod
    def compared(recording: Recording) -> Request:
        """Return a recording's request as it is compared."""
        return recording.interaction.request if recording.seen is None else recording.seen.neutral

    def answered_early(self, request: Request) -> list[bytes]:
        """Return the bodies recorded with this head, if one was answered before its request ended.

        Each body once; those in side files are left out, and so are those beyond the first few
        hundred. Raises CassetteError where one is damaged.
        """
        found = list(islice(self._with_head(request), _EARLY))
        if not any(each.interaction.uploaded for each in found):
            return []
        bodies = (each.interaction.request.body for each in found)
        return list(dict.fromkeys(body for body in bodies if isinstance(body, bytes)))

    def _with_head(self, asked: Request) -> Iterator[Recording]:
        head = self._head(asked)
        there = self._shelves.get(head)
        if isinstance(there, Recording):
            yield there
        elif there is not None:
            for shelf in (there,) if isinstance(there, Shelf) else there.values():
                yield from shelf.recordings
        if self._stored:
            numbers = (
                self._find(asked)
                if self._index is not None
                else (number for each in self._by_key().get(head, {}).values() for number in each)
            )
            for number in numbers:
                yield self._recording_at(number)

    # --- shelves -------------------------------------------------------------------------------

    def _new_recording(self, interaction: Interaction, number: int, seen: Seen | None) -> Recording:
        return Recording(interaction, number, seen)

    def _new_shelf(
        self,
        content: Hashable,
        more: Iterator[Recording] | None = None,
        *,
        guarded: bool = False,
    ) -> Shelf:
        return Shelf(content, more, guarded=guarded)

    def _there(self, head: Hashable, content: Hashable) -> Shelf | None:
        found = self._shelves.get(head)
        if isinstance(found, Recording):
            shelf = self._shelves[head] = self._new_shelf(found.content)
            shelf.put(found)
            found = shelf
        if found is None:
            return None
        if isinstance(found, Shelf):
            return found if found.content == content else None
        return found.get(content)

    def _put_up(self, head: Hashable, shelf: Shelf) -> Shelf:
        there = self._shelves.setdefault(head, shelf)
        if isinstance(there, dict):
            there[shelf.content] = shelf
        elif there is not shelf and isinstance(there, Shelf):
            self._shelves[head] = {there.content: there, shelf.content: shelf}
        return shelf

    def _shelf(self, asked: Request, head: Hashable, content: Hashable) -> Shelf | None:
        """Return the shelf with this key, which is that of ``asked``."""
        shelf = self._there(head, content)
        if shelf is None and self._stored:
            guarded = self.rules.has_predicates
            shelf = self._new_shelf(content, self._equal(asked, head, content), guarded=guarded)
            if shelf.first() is None:
                return None
            self._put_up(head, shelf)
        return shelf

    def _equal(self, asked: Request, head: Hashable, content: Hashable) -> Iterator[Recording]:
        """Yield the stored recordings with this very key, decoded when they are asked for."""
        if self._index is None:
            for number in self._by_key().get(head, {}).get(content, ()):
                yield self._taken.setdefault(number, self._recording_at(number))
            return
        for number in self._find(asked, content):
            recording = self._recording_at(number)
            # Secrets that were recorded as they are have them in the digests too.
            for request in (self.compared(recording), recording.interaction.request):
                if self._head(request) == head and self._content(request) == content:
                    yield self._taken.setdefault(number, recording)
                    break

    def _has(self, asked: Request) -> bool:
        head = self._head(asked)
        if head in self._shelves:
            return True
        if not self._stored:
            return False
        if self._index is None:
            return head in self._by_key()
        return next(self._find(asked), None) is not None

    def _by_key(self) -> Numbers:
        """Return where the stored interactions are by their keys: computed once.

        Raises CassetteError, each time anew, where one of them cannot be read.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._numbers is None:
            numbers: Numbers = {}
            try:
                for number in range(len(self._stored)):
                    request = self._scan(self._stored[number].request).neutral
                    by_content = numbers.setdefault(self._head(request), {})
                    by_content.setdefault(self._content(request), []).append(number)
            except CassetteError as error:
                self._trouble = error
                raise
            self._numbers = numbers
        return self._numbers

    def _find(self, asked: Request, content: Hashable = None) -> Iterator[int]:
        if self._index is None:
            return iter(())
        head = head_key(asked)
        try:
            digest = head_digest(head)
            if content is not None:
                digest += key_digest(head, content)
        except UnicodeEncodeError:  # nothing that was recorded has a lone surrogate
            return iter(())
        return self._index.find(digest)

    # --- what is like it -----------------------------------------------------------------------

    def equals(self, request: Request) -> tuple[Seen, list[Recording]]:
        """Return a request as it is compared, and all recordings with an equal key."""
        seen = self._scan(request)
        for asked in (request, seen.neutral):
            shelf = self._shelf(asked, self._head(asked), self._content(asked))
            if shelf is not None:
                return seen, shelf.all()
        return seen, []

    def near(self, request: Request, most: int = 3) -> list[Recording]:
        """Return the recordings nearest to a request that has none, best first; see ``nearest``.

        Of those that would have to be decoded, only the likely ones are looked at.
        """
        neutral, hosts = self._scan(request).neutral, "host" in self.rules.of(request).parts.head
        if not self._stored:
            found = self._neighbours.nearest(neutral, most, hosts=hosts)
            return [self.recordings[at] for at in found]
        candidates: list[Recording] = list(self.recordings)
        for number in self._likely(neutral):
            try:
                candidates.append(self._recording_at(number))
            except CassetteError:
                continue  # what is damaged is an error when it is to be played
        found = Neighbours(candidates).nearest(neutral, most, hosts=hosts)
        return [candidates[at] for at in found]

    def _likely(self, request: Request) -> Iterable[int]:
        """Return the numbers of stored recordings worth decoding: same head, path, folder; some."""
        found: dict[int, None] = {}
        if self._index is not None:
            for prefix in head_prefixes(request):
                found |= dict.fromkeys(islice(self._index.find(prefix), _NEAR_DECODED))
        found |= dict.fromkeys(range(min(len(self), _NEAR_DECODED)))
        return found

    # --- what was played -----------------------------------------------------------------------

    @property
    def play_counts(self) -> list[int]:
        """How often each recording was played, in recorded order."""
        counts = [0] * len(self._stored) + [each.played for each in self.recordings]
        for number, recording in self._taken.items():
            counts[number] = recording.played
        return counts

    def at(self, number: int) -> Recording:
        """Return the recording with this number, from 1. Raises CassetteError where damaged."""
        stored = len(self._stored)
        return (
            self._recording_at(number - 1)
            if number <= stored
            else self.recordings[number - 1 - stored]
        )

    def rewind(self) -> None:
        """Forget what was played, and which secret stood for what."""
        self._bindings = Bindings()
        for there in self._shelves.values():
            if isinstance(there, Recording):
                there.played = 0
            else:
                for shelf in (there,) if isinstance(there, Shelf) else there.values():
                    shelf.rewind()
