"""Which requests a rule is about: ``[METHOD[,METHOD]] PATTERN`` at the beginning of a rule's text.

A pattern is a path (``/pay*``), a host with or without a path (``api.example.com``,
``*.example.com:8443/v1/*``), a URL (``https://api.example.com/*``), or ``*`` for everything. ``*``
stands for any run of characters, ``/`` included, and is the only character with a meaning of its
own. A pattern is compared with the path alone, unless it has a ``?``: then with the query too.
Comparing takes time linear in the text for each ``*``, so no pattern can make a request slow.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Request

_METHODS = re.compile(r"[A-Z]+(?:,[A-Z]+)*")
_WORD = re.compile(r"\S+")

PATTERN_ACCEPTED = "/path*, host, host/path*, http://host/path*, or * for everything"


class Word(NamedTuple):
    """A word of a rule, and the column at which it begins, counted from 1."""

    text: str
    column: int


class Route(NamedTuple):
    """The requests that a rule is about; an empty member means any.

    ``host`` and ``target`` are patterns as `glob` takes them; ``query`` says that the target is
    compared with its query.
    """

    methods: frozenset[str] = frozenset()
    scheme: str = ""
    host: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    query: bool = False

    def matches(self, request: Request) -> bool:
        """Tell whether the rule is about this request."""
        if self.methods and request.method not in self.methods:
            return False
        if self.scheme and request.scheme != self.scheme:
            return False
        if self.host and not (
            glob(self.host, request.host)
            or glob(self.host, f"{request.host}:{request.port}")
            or glob(self.host, request.authority)
        ):
            return False
        if not self.target:
            return True
        target = request.target if self.query else request.target.partition("?")[0]
        return glob(self.target, target)


EVERYTHING = Route()


def glob(parts: tuple[str, ...], text: str) -> bool:
    """Tell whether ``text`` is ``parts`` with anything between them: a pattern split at its ``*``.

    Each part is looked for once, from the left, which is enough (and linear).
    """
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    if not text.startswith(first):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end and text.endswith(last)


def words_of(rule: str) -> list[Word]:
    """Return the words of a rule with their columns."""
    return [Word(match[0], match.start() + 1) for match in _WORD.finditer(rule)]


def split_route(setting: str, rule: str) -> tuple[Route, list[Word]]:
    """Return the route that a rule begins with, and the words after it.

    Raises ConfigError where there is no pattern.
    """
    words = words_of(rule)
    methods: frozenset[str] = frozenset()
    if words and _METHODS.fullmatch(words[0].text):
        methods = frozenset(words.pop(0).text.split(","))
    if not words or not looks_like_pattern(words[0].text):
        raise bad_rule(setting, rule, words[0] if words else None, f"a URL: {PATTERN_ACCEPTED}")
    return _route(methods, words[0].text), words[1:]


def looks_like_pattern(word: str) -> bool:
    """Tell whether a word can be a pattern: it has a slash, a dot or a ``*``, or is localhost."""
    return any(mark in word for mark in "/.*") or word.partition(":")[0] == "localhost"


def _route(methods: frozenset[str], pattern: str) -> Route:
    scheme, separator, rest = pattern.partition("://")
    if not separator:
        scheme, rest = "", pattern
    host, slash, path = rest.partition("/")
    target = slash + path
    if pattern == "*":
        host = ""
    return Route(
        methods,
        scheme.lower() if scheme != "*" else "",
        tuple(host.lower().split("*")) if host not in ("", "*") else (),
        tuple(target.split("*")) if target else (),
        "?" in target,
    )


def bad_rule(setting: str, rule: str, word: Word | None, accepted: str) -> ConfigError:
    """Return the error for a rule: where in it what stands, and what could stand there."""
    column = word.column if word else len(rule) + 1
    place = f"{word.text!r} (column {column})" if word else f"its end (column {column})"
    return ConfigError(f"{setting}: {rule!r} cannot be used: at {place}, expected {accepted}")
