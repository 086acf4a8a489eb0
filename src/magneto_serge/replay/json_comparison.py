"""Where two JSON texts differ, member by member.

Values are compared as values: order of members, spacing, escapes, and how a number is written make
no difference. What differs is shown as it was written, though, so no number is ever reformatted.
Lists are aligned at both ends: one element put in at the front is one difference, not one for each
element after it. What is to be ignored is taken out of both first, as though it had never been
there; only then can a number be shown in another way than it was written. Strings under a secret's
name are masked unless they are to be revealed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import msgspec
from msgspec import Raw

from magneto_serge.replay.json_paths import Without
from magneto_serge.replay.json_shape import member, misfits
from magneto_serge.replay.masking import is_secret_name, mask, mask_json

_members = msgspec.json.Decoder(dict[str, Raw])
_elements = msgspec.json.Decoder(list[Raw])


class Difference(NamedTuple):
    """A field, and what it has on either side: text, JSON as :class:`Raw`, None where absent."""

    field: str
    recorded: str | Raw | None
    live: str | Raw | None


def json_differences(
    field: str,
    recorded: bytes,
    live: bytes,
    *,
    reveal: bool,
    without: Without | None = None,
    shape_only: bool = False,
) -> list[Difference] | None:
    """Compare two JSON texts; None if one of them is none, or is nested beyond reason.

    ``without`` takes out of a decoded value what is to be ignored. ``shape_only`` looks for
    types and members alone, as ``json_shape`` has them.
    """
    try:
        one, other = (_compact(each, without) for each in (recorded, live))
        if shape_only:
            values = (msgspec.json.decode(each) for each in (one, other))
            return [Difference(*each) for each in misfits(field, *values)]
        return list(_Comparison(reveal).values(field, "", one, other))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _compact(text: bytes, without: Without | None) -> Raw:
    """Return JSON without white space between its tokens, and without what is to be ignored."""
    compact = msgspec.json.format(text, indent=-1)
    if without is not None:
        compact = msgspec.json.encode(without(msgspec.json.decode(compact)))
    return Raw(compact)


class _Comparison:
    """Compares values without white space between their tokens."""

    def __init__(self, reveal: bool) -> None:
        self._reveal = reveal

    def values(self, field: str, name: str, a: Raw, b: Raw) -> Iterator[Difference]:
        """Yield where two values differ; ``name`` is that of the member they are, if any."""
        one, other = bytes(a), bytes(b)
        if one == other:
            return
        opening = one[:1] + other[:1]
        if opening == b"{{":
            yield from self._objects(field, _members.decode(one), _members.decode(other))
        elif opening == b"[[":
            yield from self._lists(field, name, _elements.decode(one), _elements.decode(other))
        elif not _equal(one, other):
            yield self._difference(field, name, a, b)

    def _objects(self, field: str, a: dict[str, Raw], b: dict[str, Raw]) -> Iterator[Difference]:
        for name in dict.fromkeys((*a, *b)):
            yield from self._either(member(field, name), name, a.get(name), b.get(name))

    def _lists(
        self, field: str, name: str, a: Sequence[Raw], b: Sequence[Raw]
    ) -> Iterator[Difference]:
        start = _alike(a, b)
        end = _alike(a[start:][::-1], b[start:][::-1])
        middles = (each[start : len(each) - end] for each in (a, b))
        for index, (one, other) in enumerate(zip_longest(*middles), start):
            yield from self._either(f"{field}[{index}]", name, one, other)

    def _either(self, field: str, name: str, a: Raw | None, b: Raw | None) -> Iterator[Difference]:
        if a is None or b is None:
            yield self._difference(field, name, a, b)
        else:
            yield from self.values(field, name, a, b)

    def _difference(self, field: str, name: str, a: Raw | None, b: Raw | None) -> Difference:
        return Difference(field, self._shown(name, a), self._shown(name, b))

    def _shown(self, name: str, value: Raw | None) -> Raw | None:
        if value is None or self._reveal:
            return value
        text = bytes(value)
        if text[:1] == b'"' and is_secret_name(name):
            return Raw(msgspec.json.encode(mask(msgspec.json.decode(text))))
        return Raw(mask_json(text.decode()).encode())


def _equal(a: bytes, b: bytes) -> bool:
    """Compare two values of which one is neither object nor list at least."""
    if a[:1] in b"tfn{[" or b[:1] in b"tfn{[":
        return False  # true, false and null have one spelling; Python's True is 1
    return bool(msgspec.json.decode(a) == msgspec.json.decode(b))


def _alike(a: Sequence[Raw], b: Sequence[Raw]) -> int:
    """Count the elements that are the same from the beginning."""
    same = 0
    for one, other in zip(a, b, strict=False):
        if bytes(one) != bytes(other):
            break
        same += 1
    return same
