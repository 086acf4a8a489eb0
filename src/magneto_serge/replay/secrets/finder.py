"""Finds the secrets of a message by all the rules of a session: the known ones, and users' own.

A finder changes nothing and remembers nothing; who replaces what it finds asks it the same way
for what is written and for what is matched, so both agree about what is a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from .fields import (
    FieldKind,
    in_authorization,
    in_cookies,
    in_secret,
    in_set_cookie,
    kind_of_field,
)
from .finds import Find, chosen, moved
from .likely import Likely, likely
from .names import Meaning, looks_random, meaning, plain
from .placeholders import is_placeholder, look_of
from .registry import FindSecrets
from .texts import Says, by_look, in_text

_BLOCK = 16 * 1024  # bytes of a long text that are tested together
_BEFORE = 2 * 1024  # bytes in which a name stands, or a token begins
_KINDS_KEPT = 1024
_AFTER = 64 * 1024  # bytes: the longest secret

Expression = Callable[[bytes], Iterable[tuple[int, int]]]
"""Yields the spans that a user's pattern finds."""


class Names(NamedTuple):
    """Names of users' own, in one spelling (:func:`~.names.plain`); ``*`` is any text."""

    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()


class Allowed(NamedTuple):
    """What is never replaced: by its name, by its very value, by a pattern that finds it."""

    names: frozenset[str] = frozenset()
    values: frozenset[bytes] = frozenset()
    patterns: tuple[Expression, ...] = ()

    def holds(self, find: Find) -> bool:
        """Tell whether the user has allowed this one."""
        name = plain(find.name.removeprefix("cookie "))
        return (
            find.value in self.values
            or (bool(name) and name in self.names)
            or any(any(each(find.value)) for each in self.patterns)
        )


NO_NAMES = Names()
NOTHING_ALLOWED = Allowed()


def includes(names: frozenset[str], name: str) -> bool:
    """Tell whether a name is one of ``names``."""
    spelled = plain(name)
    return spelled in names or any(fnmatchcase(spelled, each) for each in names if "*" in each)


def _saying(names: frozenset[str]) -> Says:
    if not names:
        return meaning
    return lambda name: Meaning.CERTAIN if includes(names, name) else meaning(name)


def _is_odd(value: bytes) -> bool:
    return looks_random(value) or is_placeholder(value)


class Finder:
    """The rules of a session, ready to be asked."""

    def __init__(
        self,
        names: Names = NO_NAMES,
        allowed: Allowed = NOTHING_ALLOWED,
        patterns: tuple[Expression, ...] = (),
        functions: tuple[FindSecrets, ...] = (),
    ) -> None:
        self._headers = names.headers
        self._body_says = _saying(names.query | names.fields)
        self._query_says = _saying(names.query)
        self._own = names.query | names.fields
        self._allowed = allowed if any(allowed) else None
        self._patterns = patterns
        self._functions = functions
        self._likely: Likely = self._first_asked
        self._own_rules = bool(patterns or functions)
        self._kinds: dict[bytes, FieldKind] = {}  # by name as it was spelled

    def _first_asked(self, text: bytes) -> object:
        self._likely = likely(self._own)  # not before: it takes some ms to make
        return self._likely(text)

    def may_hold(self, text: bytes) -> object:
        """Tell whether a text can hold a secret at all: "no" (anything false) is certain.

        Texts may be asked of together, each in a line of its own.
        """
        return self._own_rules or self._likely(text)

    def in_body(self, text: bytes) -> Sequence[Find]:
        """Return the secrets of a body without its content coding, in their order."""
        if self.may_hold(text):
            return self._chosen(text, self._body_says)
        return ()

    def in_target(self, target: bytes) -> Sequence[Find]:
        """Return the secrets of a request target."""
        if self.may_hold(target):
            return self._chosen(target, self._query_says)
        return ()

    def in_binary(self, data: bytes) -> Sequence[Find]:
        """Return what can be told in bytes that are no text: tokens by their shape."""
        if not self._likely(data):
            return ()
        return self._kept(self._in_windows(data, by_look))

    def in_field(self, name: bytes, value: bytes) -> Sequence[Find]:
        """Return the secrets of a field line's value."""
        lower = name.lower()
        label = lower.decode("latin-1")
        kind = self._kind_of(lower)
        if kind == FieldKind.LIKELY and _is_odd(value):
            kind = FieldKind.SECRET
        match kind:
            case FieldKind.AUTHORIZATION:
                found = in_authorization(value, label)
            case FieldKind.COOKIE:
                found = in_cookies(value)
            case FieldKind.SET_COOKIE:
                found = in_set_cookie(value)
            case FieldKind.SECRET:
                found = in_secret(value, label)
            case _:
                return self.in_target(value)
        return self._kept((*found, *self._users(value)))

    def is_text(self, name: bytes, value: bytes) -> bool:
        """Tell whether a field line's value is a text like any other, as `may_hold` is asked of."""
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) >= _KINDS_KEPT:
                self._kinds.clear()
            kind = self._kinds[name] = self._kind_of(name.lower())
        return kind > FieldKind.LIKELY or (kind == FieldKind.LIKELY and not _is_odd(value))

    def _kind_of(self, lower: bytes) -> FieldKind:
        kind = kind_of_field(lower)
        if self._headers and includes(self._headers, lower.decode("latin-1")):
            return min(kind, FieldKind.SECRET)
        return kind

    def _chosen(self, text: bytes, says: Says) -> list[Find]:
        known: Iterable[Find] = ()
        if self._likely(text):
            known = self._in_windows(text, lambda part: in_text(part, says))
        return self._kept((*known, *self._users(text)))

    def _in_windows(self, text: bytes, rules: Callable[[bytes], Iterator[Find]]) -> Iterator[Find]:
        if len(text) <= _BLOCK:
            yield from rules(text)
            return
        for start, end in self._windows(text):
            yield from moved(rules(text[start:end]), start)

    def _windows(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield the parts of a long text in which a secret is likely, with room around them.

        The rules take 80 times as long as the test, and the interpreter waits for them.
        """
        begin, end = 0, -1
        for start in range(0, len(text), _BLOCK):
            if not self._likely(text[max(0, start - _BEFORE) : start + _BLOCK]):
                continue
            if start - _BEFORE > end:
                if end > 0:
                    yield begin, end
                begin = max(0, start - _BEFORE)
            end = min(len(text), start + _BLOCK + _AFTER)
        if end > 0:
            yield begin, end

    def _kept(self, found: Iterable[Find]) -> list[Find]:
        allowed = self._allowed
        if allowed is not None:
            found = [each for each in found if not allowed.holds(each)]
        return chosen(found)

    def _users(self, text: bytes) -> Iterator[Find]:
        for expression in self._patterns:
            for start, end in expression(text):
                value = text[start:end]
                yield Find(start, end, value, "pattern", look=look_of(value))
        if self._functions:
            yield from self._told(text)

    def _told(self, text: bytes) -> Iterator[Find]:
        try:
            readable, charset = text.decode(), "utf-8"
        except UnicodeDecodeError:
            readable, charset = text.decode("latin-1"), "latin-1"
        for function in self._functions:
            for secret in function(readable):
                value = secret.encode(charset)
                start = text.find(value) if value else -1
                while start >= 0:
                    yield Find(start, start + len(value), value, "function", look=look_of(value))
                    start = text.find(value, start + len(value))
