"""Testing with recordings: assertions, a mixin for unittest, and the rooms of the pytest plugin.

``assert_played_all(session)`` and ``assert_requested("GET", "/users", times=2, session=session)``
are for any test framework; ``CassetteTestCase`` is a mixin for :class:`unittest.TestCase`. The
plugin itself is :mod:`magneto_serge.pytest_plugin`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magneto_serge.testing.assertions import assert_played_all as assert_played_all
    from magneto_serge.testing.assertions import assert_requested as assert_requested
    from magneto_serge.testing.cases import CassetteTestCase as CassetteTestCase

_HOMES = {
    "assert_played_all": "assertions",
    "assert_requested": "assertions",
    "CassetteTestCase": "cases",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605  # all are strings


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
