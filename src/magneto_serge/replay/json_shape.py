"""Whether one JSON value has the shape of another: types and members, whatever the values.

The question is asked for whoever reads the answer: would code that was written for the recorded
value understand the live one? The rules:

* the types are null, boolean, number, string, object and array; ``1`` and ``1.0`` are one type;
* a member that was there must be there, and one that was not is news;
* an array has one shape, that of all its elements taken together: how many there are, and in which
  order, is of no account. A member that only some elements have may be absent, and where the
  elements are of several types, each may be any of them. An empty array has no say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

Misfit = tuple[str, str | None, str | None]
"""A field, and the shape it has on either side, recorded and live; None where it is absent."""

_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    dict: "object",
    list: "array",
}


class _Shape:
    """What some values that stand in the same place have in common.

    ``members`` are those of the objects among them, ``counts`` in how many each occurs;
    ``elements`` is the shape of all elements of the arrays.
    """

    __slots__ = ("counts", "elements", "members", "objects", "types")

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.objects = 0
        self.members: dict[str, _Shape] = {}
        self.counts: dict[str, int] = {}
        self.elements: _Shape | None = None

    def add(self, value: Any) -> None:
        """Take a value in."""
        self.types.add(_TYPES[type(value)])
        if isinstance(value, dict):
            self.objects += 1
            for name, each in value.items():
                self.members.setdefault(name, _Shape()).add(each)
                self.counts[name] = self.counts.get(name, 0) + 1
        elif isinstance(value, list) and value:
            if self.elements is None:
                self.elements = _Shape()
            for each in value:
                self.elements.add(each)

    def always_has(self, name: str) -> bool:
        """Whether every object here has this member."""
        return self.counts.get(name) == self.objects

    def __str__(self) -> str:
        return " or ".join(sorted(self.types))


def misfits(field: str, recorded: Any, live: Any) -> list[Misfit]:
    """Return where ``live`` has not the shape of ``recorded``: two decoded JSON values."""
    shapes = []
    for value in (recorded, live):
        shape = _Shape()
        shape.add(value)
        shapes.append(shape)
    return list(_misfits(field, *shapes))


def _misfits(field: str, recorded: _Shape, live: _Shape) -> Iterator[Misfit]:
    if not live.types <= recorded.types:
        yield field, str(recorded), str(live)
    if recorded.objects and live.objects:
        for name in dict.fromkeys((*recorded.members, *live.members)):
            place = member(field, name)
            was, now = recorded.members.get(name), live.members.get(name)
            if was is None:
                yield place, None, str(now)
            elif now is not None:
                yield from _misfits(place, was, now)
            if was is not None and recorded.always_has(name) and not live.always_has(name):
                yield place, str(was), None if now is None else f"{now}, or nothing"
    if recorded.elements is not None and live.elements is not None:
        yield from _misfits(f"{field}[*]", recorded.elements, live.elements)


def member(field: str, name: str) -> str:
    """Return the field that a member of another one is; a name that is no word is quoted."""
    plain = name.isascii() and name.replace("-", "_").isidentifier()
    return f"{field}.{name}" if plain else f"{field}[{msgspec.json.encode(name).decode()}]"
