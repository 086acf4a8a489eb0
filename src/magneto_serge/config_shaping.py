"""How the settings that shape exchanges are written: conditions, rules, scripts.

Their items have spaces and commas in them, so in the environment, where there is but one text,
each stands on a line of its own. Only the form is read here: what an item says is read when it is
compiled, which is before anything starts, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def read_items(value: Any, textual: bool) -> tuple[str, ...]:
    """Return a list of texts; one text is a list of one. Raises ValueError."""
    items = tuple(_items(value, textual))
    if not all(isinstance(each, str) and each.strip() for each in items):
        raise ValueError
    return items


def read_rules(value: Any, textual: bool) -> tuple[str | dict[str, Any], ...]:
    """Return a list of texts and tables; raises ValueError."""
    items = _items(value, textual)
    return tuple(
        dict(each) if isinstance(each, Mapping) else read_items(each, False)[0] for each in items
    )


def read_paths(value: Any, textual: bool) -> tuple[Path, ...]:
    """Return a list of paths; in the environment they are separated as in ``PATH``."""
    if textual:
        value = [each for each in value.split(os.pathsep) if each]
    items = [value] if isinstance(value, str | os.PathLike) else value
    if not isinstance(items, Iterable):
        raise ValueError
    found = []
    for each in items:
        if not isinstance(each, str | os.PathLike) or not str(each) or "\0" in str(each):
            raise ValueError
        found.append(Path(each).expanduser())
    return tuple(found)


def read_seed(value: Any, textual: bool) -> int:
    """Return a whole number; raises ValueError."""
    number = int(value) if textual else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError
    return number


def _items(value: Any, textual: bool) -> Iterable[Any]:
    if textual:
        return [line.strip() for line in value.splitlines() if line.strip()]
    if isinstance(value, str | Mapping):
        return [value]
    if not isinstance(value, Iterable):
        raise ValueError
    return value
