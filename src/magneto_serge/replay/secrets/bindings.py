"""Which secret stands for which placeholder, for as long as a session lasts.

A recording holds placeholders where secrets stood. A client that sends its own secrets matches
them all the same, because both sides are compared as *neutral* requests (:class:`Seen`); what keeps
the recordings of two users apart is remembered here: the placeholder that a secret has met first
is its own from then on.

* A placeholder that a client sends back, because a replayed response gave it, is bound to itself.
* A secret that is bound passes over recordings whose placeholders belong to others.
* A new secret may take any, free ones first: tokens rotate, signatures are new each time.

Only what stands in the same place is compared; places that one of the two requests does not have
say nothing. Nothing here is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from magneto_serge.messages import Request

OWN, FREE, SPARE, TAKEN = range(4)
"""How well a recording suits, best first: bound to what was sent; both are new; the secret is
bound elsewhere and the placeholder is free; the secret is new and the placeholder another's."""


class Value(NamedTuple):
    """A secret, or a placeholder, and where it stood (``header authorization``, ``query sig``)."""

    place: str
    text: str


class Seen(msgspec.Struct, frozen=True, gc=False):
    """A request as far as it can be compared with one that was redacted.

    ``neutral`` has the same marker for each secret and each placeholder in its target and body; it
    is the very request that was asked about where there is none. ``values`` is what stood there,
    and the credentials of the header section. ``credentialed`` tells whether it had any of those.
    """

    neutral: Request
    values: tuple[Value, ...] = ()
    credentialed: bool = False


class Bindings:
    """The bindings of one session."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}  # placeholder -> secret
        self._placeholders: dict[str, str] = {}  # secret -> the placeholder it met first

    def fit(self, asked: Iterable[Value], recorded: Iterable[Value]) -> int | None:
        """Return how well a recording suits the values of a request: ``OWN`` (best) to ``TAKEN``.

        None: it is another's, and is to be passed over.
        """
        worst = OWN
        for secret, placeholder in _pairs(asked, recorded):
            owner = self._owners.get(placeholder)
            if owner == secret or secret == placeholder:
                continue
            if owner is None:
                worst = max(worst, SPARE if secret in self._placeholders else FREE)
            elif secret in self._placeholders:
                return None
            else:
                worst = max(worst, TAKEN)
        return worst

    def admits(self, asked: Iterable[Value], recorded: Iterable[Value]) -> bool:
        """Tell whether a recording may be replayed for a request with these values."""
        return self.fit(asked, recorded) is not None

    def bind(self, asked: Iterable[Value], recorded: Iterable[Value]) -> None:
        """Remember what met: call it for the recording that is replayed."""
        for secret, placeholder in _pairs(asked, recorded):
            self.meet(secret, placeholder)

    def meet(self, secret: str, placeholder: str) -> bool:
        """Bind one pair, where neither belongs to another; tell whether that is news."""
        known = len(self._owners), len(self._placeholders)
        if self._owners.setdefault(placeholder, secret) == secret:
            self._placeholders.setdefault(secret, placeholder)
        return known != (len(self._owners), len(self._placeholders))

    def placeholder_for(self, secret: str) -> str | None:
        """Return the placeholder that a secret is bound to."""
        return self._placeholders.get(secret)


def _pairs(asked: Iterable[Value], recorded: Iterable[Value]) -> list[tuple[str, str]]:
    """Pair what stands in the same place; of several in one place, the first with the first."""
    places: dict[str, list[str]] = {}
    for place, text in recorded:
        places.setdefault(place, []).append(text)
    paired = []
    for place, text in asked:
        others = places.get(place)
        if others:
            paired.append((text, others.pop(0)))
    return paired
