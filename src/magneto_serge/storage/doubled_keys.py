"""Keys that stand twice in one object of a JSON cassette, as an edit or a merge leaves them.

JSON readers take one of the two and say nothing (RFC 8259 §4), so what a person sees may not be
what is replayed. The typed pass over a cassette cannot tell, and another pass takes half as long
again; so small files, which are those that people edit, are always looked through, and larger ones
when they are validated. A body that is stored as JSON may have what keys it likes: it is what the
origin sent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from magneto_serge.errors import CassetteError

from .faults import damaged

ALWAYS = 1024 * 1024  # bytes up to which every file is looked through: some 10 ms
_BODY = "json"  # the member of a body's form that holds what the origin sent

Pairs = list[tuple[str, Any]]


class _Doubled(NamedTuple):
    """What stands in the place of an object that has ``key`` twice."""

    key: str


class _Outline(msgspec.Struct):
    interactions: list[msgspec.Raw] = []


def refuse(path: Path, data: bytes) -> None:
    """Raise CassetteError where a key stands twice in the JSON cassette ``path``.

    ``data`` has been decoded before, so it is JSON of the right shape.
    """
    if not _has_any(data):
        return
    for number, text in enumerate(msgspec.json.decode(data, type=_Outline).interactions, 1):
        if found := _first(bytes(text)):
            raise _error(path, f"interaction {number}", found)
    if found := _first(data):
        raise _error(path, "the top level", found)


def _has_any(data: bytes) -> bool:
    """Tell whether any object, bodies included, has a key twice."""
    import json

    found: list[Pairs] = []

    def look(pairs: Pairs) -> None:
        if len(dict(pairs)) != len(pairs):
            found.append(pairs)

    try:
        json.loads(data, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return False  # what Python's reader refuses and ours accepts: deep bodies, large numbers
    return bool(found)


def _first(data: bytes) -> str | None:
    """Return a key that stands twice in one object outside the bodies."""
    import json

    found = json.loads(data, object_pairs_hook=_outside_bodies)
    return found.key if isinstance(found, _Doubled) else None


def _outside_bodies(pairs: Pairs) -> _Doubled | None:
    seen: set[str] = set()
    for key, value in pairs:
        if key in seen:
            return _Doubled(key)
        seen.add(key)
        if key != _BODY:
            for inner in value if isinstance(value, list) else (value,):
                if isinstance(inner, _Doubled):
                    return inner
    return None


def _error(path: Path, place: str, key: str) -> CassetteError:
    return damaged(path, place, f"the key {key!r} stands twice in one object")
