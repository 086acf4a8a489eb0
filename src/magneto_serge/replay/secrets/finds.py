"""What was found: where in some bytes a secret stands, what it is, and how to choose among finds.

A find is a span. Several rules may find the same secret, or one inside another (a token in a
password field): of those that overlap, the one that begins first wins, and of those the longest,
so that nothing is ever left of a secret; of equals the one that has a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .placeholders import Look


class Find(NamedTuple):
    """A secret, or a placeholder, at ``[start:end]``.

    ``value`` is what it is without the escaping of its place. ``kind`` is for people; ``name`` is
    the field, item or member that it belongs to, empty where only its shape told. ``look`` is the
    form of its placeholder.
    """

    start: int
    end: int
    value: bytes
    kind: str
    name: str = ""
    look: Look = Look.PLAIN


def chosen(finds: Iterable[Find]) -> list[Find]:
    """Return the finds in their order without those that overlap one before them."""
    kept: list[Find] = []
    end = 0
    for find in sorted(finds, key=lambda each: (each.start, -each.end, not each.name)):
        if find.start >= end and find.end > find.start:
            kept.append(find)
            end = find.end
    return kept


def replaced(text: bytes, finds: Iterable[Find], by: Callable[[Find], bytes]) -> bytes:
    """Return ``text`` with each find replaced; they are in order and do not overlap."""
    pieces: list[bytes] = []
    end = 0
    for find in finds:
        pieces += (text[end : find.start], by(find))
        end = find.end
    return b"".join((*pieces, text[end:]))


def moved(finds: Iterable[Find], by: int) -> list[Find]:
    """Return finds of a part of a text as finds of the whole, in which it begins at ``by``."""
    return [find._replace(start=find.start + by, end=find.end + by) for find in finds]
