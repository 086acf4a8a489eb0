"""What is replaced by what, for one cassette: numbers by first appearance, and secrets remembered.

The state of one writer: which number each secret has, and which secrets have been learned, so that
they are replaced wherever they occur from then on. Nothing of it is ever written, and no more than
the last ``KEPT`` secrets are held in memory.
"""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from .bodies import Edit
from .finds import Find, chosen
from .learned import Learned, is_learnable
from .names import looks_random, plain
from .placeholders import Look, filled, is_placeholder, number_of, placeholder

KEPT = 100_000  # secrets whose numbers are remembered
_ONCE = ("signature", "sig", "nonce", "hmac", "state", "code_verifier", "response")
"""Ends of names whose values are new each time: no use in looking for them elsewhere."""


Replacement = tuple[Find, bytes]


class Numbers:
    """The number of each secret, by first appearance.

    ``older`` returns the highest number that the cassette holds already; it is asked when the
    first secret comes, because to find out takes reading the cassette. ``bound`` tells which
    placeholder of the older cassette a secret was bound to when it was replayed: it keeps that.
    """

    def __init__(
        self,
        older: Callable[[], int] | None = None,
        bound: Callable[[str], str | None] | None = None,
    ) -> None:
        self._numbers: dict[bytes, int] = {}
        self._last = 0
        self._older = older
        self._bound = bound

    def of(self, secret: bytes) -> int:
        """Return the number of a secret; a new one gets the next."""
        number = self._numbers.get(secret)
        if number is None:
            number = self._numbers[secret] = self._kept(secret) or self._next()
            if len(self._numbers) > KEPT:
                del self._numbers[next(iter(self._numbers))]
        return number

    def _kept(self, secret: bytes) -> int:
        if self._bound is None:
            return 0
        bound = self._bound(secret.decode(errors="surrogateescape"))
        return 0 if bound is None else number_of(bound.encode(errors="surrogateescape"))

    def _next(self) -> int:
        if self._older is not None:
            self._last, self._older = self._older(), None
        self._last += 1
        return self._last


class Substitution:
    """The placeholders of one cassette; ``counts`` has how many of each kind were put in."""

    def __init__(self, numbers: Numbers) -> None:
        self.counts: Counter[str] = Counter()
        self.learned = Learned()
        self._numbers = numbers

    def learn(self, finds: Iterable[Find]) -> None:
        """Remember what can be looked for elsewhere."""
        for find in finds:
            if not is_placeholder(find.value):
                for secret in _reusable(find):
                    self.learned.add(secret)

    def all_in(self, text: bytes, finds: Sequence[Find]) -> Sequence[Find]:
        """Return what is to be replaced in a text, in order: these, and what was learned.

        Placeholders are among them.
        """
        if self.learned.count and self.learned.occurs(text):
            return chosen((*finds, *self.learned.finds(text)))
        return finds

    def replacements(self, finds: Iterable[Find], *, fill: bool = False) -> list[Replacement]:
        """Return what to put in the place of which find; placeholders stay.

        ``fill``: in as many bytes as were there.
        """
        return [
            (find, self._stand_in(find, fill=fill))
            for find in finds
            if not is_placeholder(find.value)
        ]

    def _stand_in(self, find: Find, *, fill: bool) -> bytes:
        self.counts[find.kind] += 1
        number = self._numbers.of(find.value)
        if fill:
            return filled(placeholder(number, Look.PLAIN, find.value), find.end - find.start)
        return placeholder(number, find.look, find.value)


def put_in(text: bytes, replacements: Iterable[Replacement]) -> tuple[bytes, list[Edit]]:
    """Return the text with each find replaced, and where its length has changed."""
    made: list[bytes] = []
    edits: list[Edit] = []
    end = 0
    for find, stand_in in replacements:
        made += (text[end : find.start], stand_in)
        edits.append((find.start, find.end, len(stand_in)))
        end = find.end
    return b"".join((*made, text[end:])), edits


def _reusable(find: Find) -> Iterator[bytes]:
    """Yield the secrets that a find holds and that may occur elsewhere."""
    value = find.value
    if find.look in (Look.BASE64, Look.NUMBER):
        return
    if find.look is Look.BASIC:
        user, _, password = _decoded(value).partition(b":")
        value = password or user
    elif plain(find.name).endswith(_ONCE):
        return
    enough = looks_random if find.kind == "cookie" else is_learnable
    if enough(value) or find.look is Look.JWT:
        yield value


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text)
    except ValueError:
        return b""
