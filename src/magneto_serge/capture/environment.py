"""``os.environ`` while sessions are open: what each one set, put back when it ends.

Sessions may overlap and end in any order. The last one opened is seen; when it ends, the one below
it is seen again; when the last one ends, the environment is as it was before the first. A variable
that somebody else has changed meanwhile is left as that somebody wanted it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

_lock = threading.Lock()
_layers: list[Mapping[str, str]] = []
_before: dict[str, str | None] = {}


def add(variables: Mapping[str, str]) -> Mapping[str, str]:
    """Set ``variables``; return what :func:`remove` takes."""
    layer = dict(variables)
    with _lock:
        for name in layer:
            if name not in _before:
                _before[name] = os.environ.get(name)
        _layers.append(layer)
        os.environ.update(layer)
    return layer


def remove(layer: Mapping[str, str]) -> None:
    """Take a layer away; what it set is as the layers below, or the time before them, had it."""
    with _lock:
        seen = _seen()
        _layers[:] = [each for each in _layers if each is not layer]
        below = _seen()
        for name in layer:
            if os.environ.get(name) != seen.get(name):
                continue  # somebody has set it since
            value = below.get(name, _before.get(name))
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if not _layers:
            _before.clear()


def _seen() -> dict[str, str]:
    merged: dict[str, str] = {}
    for layer in _layers:
        merged.update(layer)
    return merged


def before() -> Mapping[str, str]:
    """Return the environment as it is without the layers: what the user has set."""
    with _lock:
        if not _before:
            return os.environ
        environ = dict(os.environ)
        for name, value in _before.items():
            environ.pop(name, None)
            if value is not None:
                environ[name] = value
    return environ
