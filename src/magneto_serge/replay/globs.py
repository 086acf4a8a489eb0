"""Patterns for hosts, paths and URLs, matched in linear time whatever they are held against.

``*`` is anything, ``{name}`` is one segment of a path or a part of one (at least one character,
neither ``/`` nor ``?``); everything else is itself, ``?`` and ``[`` included, because URLs have
them. There is no regular expression behind it, because one with two wildcards in a row can be made
to look for an hour. Between two ``*`` stands a *block*. Of the places where a block fits the first
is as good as any later one; where it fits nowhere in a segment from its first literal on, it does
not from a later one in the same segment either. So nothing is looked at again and again.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_PLACE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_-]*\}")
_SEGMENT_END = re.compile(r"[/?]|\Z")


class Block(NamedTuple):
    """``first``, then for each place how many characters it has at least, and what follows it."""

    first: str
    places: tuple[tuple[int, str], ...]

    def at(self, text: str, start: int) -> int:
        """Return where the block ends that begins at ``start``, as early as it can; -1: nowhere."""
        position = start + len(self.first)
        for least, literal in self.places:
            end = _end_of_segment(text, position)
            found = text.find(literal, position + least, end + len(literal))
            if found < 0:
                return -1
            position = found + len(literal)
        return position

    def to_end(self, text: str, start: int) -> bool:
        """Whether the block begins at ``start`` and can end where the text does."""
        *before, (least, literal) = self.places or ((0, ""),)
        position = Block(self.first, tuple(before)).at(text, start)
        if position < 0:
            return False
        if not self.places:
            return position == len(text)
        last = len(text) - len(literal)
        return (
            text.endswith(literal)
            and last >= position + least
            and last <= _end_of_segment(text, position)
        )

    def find(self, text: str, start: int) -> int:
        """Return where the block ends that begins first from ``start`` on; -1: there is none."""
        while (begin := text.find(self.first, start)) >= 0:
            if (end := self.at(text, begin)) >= 0:
                return end
            start = self._next(text, begin)
        return -1

    def ends(self, text: str, start: int) -> bool:
        """Whether the text, from ``start`` on, ends in the block."""
        if not self.places:
            return text.endswith(self.first) and len(text) - len(self.first) >= start
        while (begin := text.find(self.first, start)) >= 0:
            if self.to_end(text, begin):
                return True
            start = self._next(text, begin)
        return False

    def _next(self, text: str, begin: int) -> int:
        """Return from where to look on: in the segment that the first literal leads to, in vain."""
        end = _end_of_segment(text, begin + len(self.first))
        return max(begin + 1, end + 1 - len(self.first))


def _end_of_segment(text: str, position: int) -> int:
    found = _SEGMENT_END.search(text, position)
    return len(text) if found is None else found.start()


def _block(text: str) -> Block:
    first, *literals = _PLACE.split(text)
    places: list[tuple[int, str]] = []
    least = 0
    for number, literal in enumerate(literals, 1):
        least += 1
        if literal or number == len(literals):  # places that touch are one, of more characters
            places.append((least, literal))
            least = 0
    return Block(first, tuple(places))


class Pattern(NamedTuple):
    """A compiled pattern; from :func:`pattern`."""

    text: str
    blocks: tuple[Block, ...]

    def fullmatch(self, text: str) -> bool:
        """Tell whether the whole of ``text`` is as the pattern says."""
        first, *others = self.blocks
        if not text.startswith(first.first):
            return False
        if not others:
            return first.to_end(text, 0)
        position = first.at(text, 0)
        for block in others[:-1]:
            if position < 0:
                return False
            position = block.find(text, position)
        return position >= 0 and others[-1].ends(text, position)


@cache
def pattern(text: str) -> Pattern:
    """Compile a pattern; there is no text that is none."""
    return Pattern(text, tuple(map(_block, text.split("*"))))
