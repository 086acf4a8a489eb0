"""``urllib.request.urlopen`` reads the environment once and keeps what it has made of it.

Where it did so while a session was open, what it keeps names a proxy that is gone: it is dropped,
and made anew when it is next needed. An opener that was there before is the user's: its connections
are led like any other's (``sockets``).
"""

from __future__ import annotations

import sys

_MODULE = "urllib.request"
_kept: list[object] = []


def remember() -> None:
    """Note what is there before the first session."""
    module = sys.modules.get(_MODULE)
    _kept[:] = [getattr(module, "_opener", None)]


def restore() -> None:
    """Put back what was there."""
    module = sys.modules.get(_MODULE)
    if module is not None and _kept:
        module._opener = _kept.pop()  # type: ignore[attr-defined]  # what install_opener sets
