"""Matchers of the user's own, by name.

A **key** is a projection, ``key(request)`` -> anything hashable: requests match where it is equal,
and look-up stays a dictionary access. A **predicate** is ``predicate(asked, recorded)`` -> bool: it
is asked for each recording whose key is equal, so it can only tell apart, and takes time for each.
Both see requests with their bodies, a secret being the same marker on both sides; neither may
change them.

What goes wrong in one is an error that says where, in the file of whoever wrote it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Hashable
from typing import NamedTuple

from magneto_serge.errors import ConfigError, MatcherError
from magneto_serge.messages import Request

Key = Callable[[Request], Hashable]
Predicate = Callable[[Request, Request], object]

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


class Matcher(NamedTuple):
    """A registered matcher: either a key or a predicate."""

    name: str
    key: Key | None
    predicate: Predicate | None

    def project(self, request: Request) -> Hashable:
        """Return the user's key; raises MatcherError."""
        if self.key is None:
            return None
        try:
            found = self.key(request)
            hash(found)
        except Exception as error:  # it is the user's code: anything
            raise self._failed(error, request) from error
        return found

    def holds(self, asked: Request, recorded: Request) -> bool:
        """Return the user's verdict; raises MatcherError."""
        if self.predicate is None:
            return True
        try:
            return bool(self.predicate(asked, recorded))
        except Exception as error:  # it is the user's code: anything
            raise self._failed(error, asked) from error

    def _failed(self, error: Exception, request: Request) -> MatcherError:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "unknown"
        return MatcherError(
            f"The matcher {self.name!r} failed for {request.method} request: "
            f"{type(error).__name__}: {error} ({place}). Mend it, or take it out of match_on."
        )


_registered: dict[str, Matcher] = {}


def register_matcher(
    name: str, key: Key | None = None, *, predicate: Predicate | None = None
) -> None:
    """Make a matcher known as ``name``, to be used in ``match_on``, for this process.

    Give ``key`` or ``predicate``, see the module. A name that was registered before is replaced.
    Sessions that are open keep what they were opened with. Raises ConfigError for a name that is
    no lower-case word or is one of ours.
    """
    from magneto_serge.replay.projections import PARTS, PRESETS

    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a matcher; expected a lower-case word")
    if name in PARTS or name in PRESETS or name == "headers":
        raise ConfigError(f"The matcher {name!r} is built in: choose another name")
    given = [each for each in (key, predicate) if each is not None]
    if len(given) != 1 or not callable(given[0]):
        raise ConfigError(f"The matcher {name!r} needs a key or a predicate, which can be called")
    _registered[name] = Matcher(name, key, predicate)


def forget_matcher(name: str) -> None:
    """Make a name that was registered unknown again; sessions that are open keep the matcher."""
    _registered.pop(name, None)


def registered() -> tuple[str, ...]:
    """Return the names that are registered."""
    return tuple(_registered)


def matcher(name: str) -> Matcher | None:
    """Return the matcher registered as ``name``."""
    return _registered.get(name)
