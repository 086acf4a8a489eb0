"""Which interactions are meant: hosts, paths, methods and outcomes as a person types them.

Values of one kind are alternatives; different kinds must all hold. Hosts are matched as
``--ignore-host`` matches them: ``host`` or ``host:port``, without case, ``*`` and ``?`` as in a
shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Interaction, Request

FAILED = "failed"
_STATUS = re.compile(r"(\d{3})(?:-(\d{3}))?|([1-9])xx", re.IGNORECASE)


class Outcomes(NamedTuple):
    """Ranges of status codes, both ends included, and whether failures count."""

    ranges: tuple[range, ...] = ()
    failed: bool = False

    @classmethod
    def of(cls, texts: Iterable[str]) -> Outcomes:
        """Read ``404``, ``4xx``, ``400-499`` and ``failed``; raises ConfigError."""
        given = [text.strip().lower() for text in texts]
        codes = [_codes(text) for text in given if text != FAILED]
        return cls(tuple(codes), FAILED in given)

    def hold(self, interaction: Interaction) -> bool:
        """Tell whether the interaction ended in one of these ways."""
        if self.failed and interaction.failure is not None:
            return True
        response = interaction.response
        return response is not None and any(response.status in each for each in self.ranges)


def _codes(text: str) -> range:
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"--status {text!r} cannot be used: write a code (404), a class (4xx), a range"
            f" (400-499) or {FAILED}."
        )
    first, last, hundreds = found.groups()
    if hundreds:
        return range(int(hundreds) * 100, int(hundreds) * 100 + 100)
    return range(int(first), int(last or first) + 1)


class Choice(NamedTuple):
    """What an interaction must be; a kind that is empty does not restrict anything."""

    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    outcomes: Outcomes = Outcomes()

    def fits(self, interaction: Interaction) -> bool:
        """Tell whether the interaction is one of those that are meant."""
        request = interaction.request
        return (
            (not self.hosts or any(_is_host(request, each) for each in self.hosts))
            and (not self.paths or any(_is_path(request, each) for each in self.paths))
            and (not self.methods or _is_method(request, self.methods))
            and (self.outcomes == Outcomes() or self.outcomes.hold(interaction))
        )


def _is_host(request: Request, pattern: str) -> bool:
    pattern = pattern.lower()
    names = (request.host, request.authority, f"{request.host}:{request.port}")
    return any(fnmatchcase(name, pattern) for name in names)


def _is_path(request: Request, pattern: str) -> bool:
    return fnmatchcase(request.target.partition("?")[0], pattern)


def _is_method(request: Request, methods: tuple[str, ...]) -> bool:
    # RFC 9110 §9.1: methods are case-sensitive, but nobody who types `get` means another one.
    return request.method.upper() in {method.upper() for method in methods}
