"""Redacts a body while it streams to a side file: nothing of it reaches the disk before.

A body too large for memory is looked at through a window that moves along. ``MARGIN`` bytes are
held back until what follows is known, so a secret of up to that length is seen whole wherever the
pieces end; ``CONTEXT`` bytes of what has gone are looked at once more, for the name that stands
before a value. Each byte is looked at twice at most, whatever the size.

A content-encoded body is told to be one: it has to be decoded, and encoded anew, by whoever writes
it (:attr:`BodyStream.coding`); what goes through here is the content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from magneto_serge.codings import CodingName

from .bodies import Form, Nature
from .finder import Finder
from .finds import Find
from .substitution import Substitution, put_in

BLOCK = 256 * 1024  # bytes looked at together
MARGIN = 64 * 1024  # bytes: the longest secret, with its name
CONTEXT = 1024  # bytes


class BodyStream:
    """One body; ``changed`` tells whether anything was replaced."""

    def __init__(self, form: Form, finder: Finder, substitution: Substitution) -> None:
        self.coding: CodingName | None = form.coding
        self.changed = False
        self._form = form
        self._nature = form.nature
        self._finder = finder
        self._substitution = substitution
        self._held = bytearray()
        self._context = 0  # bytes of what is held that have gone out
        self._begun = False
        self._counts: Counter[str] = Counter()

    def again(self) -> BodyStream:
        """Return a fresh one for the same body, as if there had been none.

        What was replaced once gets the same number.
        """
        self._substitution.counts -= self._counts
        return BodyStream(self._form, self._finder, self._substitution)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return what may be written."""
        self._held += data
        return self._let_go(MARGIN) if len(self._held) >= BLOCK else b""

    def finish(self) -> bytes:
        """Return the rest."""
        return self._let_go(0)

    def _let_go(self, margin: int) -> bytes:
        text = bytes(self._held)
        if not self._begun:
            self._begun = True
            if self._nature is Nature.TEXT and b"\0" in text[:4096]:
                self._nature = Nature.BINARY
        found = [find for find in self._finds(text) if find.start >= self._context]
        self._substitution.learn(found)
        finds = [
            find for find in self._substitution.all_in(text, found) if find.start >= self._context
        ]
        cut = max(len(text) - margin, self._context)
        for find in finds:
            if find.start < cut < find.end:
                cut = find.start
        replacements = self._substitution.replacements(
            (find for find in finds if find.end <= cut), fill=self._nature is not Nature.TEXT
        )
        self.changed |= bool(replacements)
        self._counts.update(find.kind for find, _ in replacements)
        made, _ = put_in(text[:cut], replacements)
        made, keep = made[self._context :], max(0, cut - CONTEXT)
        self._held = bytearray(text[keep:])
        self._context = cut - keep
        return made

    def _finds(self, text: bytes) -> Sequence[Find]:
        if self._nature is Nature.TEXT:
            return self._finder.in_body(text)
        return self._finder.in_binary(text) if self._nature is Nature.BINARY else ()
