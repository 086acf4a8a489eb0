"""Which exchanges are meant: conditions as a person writes them, for filters and rewriting.

One condition is a line of criteria that must all hold::

    host=api.example.com,*.internal path=/users/{id} method=GET status=2xx size<1M

Values after a comma are alternatives; patterns are those of ``globs``.

An exchange becomes known bit by bit: the request, then the response's head, then its end. So a
criterion says True, False, or None for "that cannot be told yet", and whoever asks early may get
an answer that spares work.
"""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable, Iterable
from typing import NamedTuple

from magneto_serge.config_values import parse_size
from magneto_serge.errors import ConfigError
from magneto_serge.messages import NO_HEADERS, Headers, Interaction, Request, body_size
from magneto_serge.replay.globs import pattern


class Known(NamedTuple):
    """What is known of an exchange; ``status`` None: no response head yet, or none will come.

    ``size`` is the response body's in bytes; ``complete``: nothing more will be known.
    """

    request: Request
    status: int | None = None
    headers: Headers = NO_HEADERS
    size: int | None = None
    failed: bool = False
    complete: bool = False

    @classmethod
    def of(cls, interaction: Interaction) -> Known:
        """Return all there is to know."""
        response, failed = interaction.response, interaction.failure is not None
        if response is None:
            return cls(interaction.request, failed=failed, complete=True)
        size = body_size(response.body)
        return cls(interaction.request, response.status, response.headers, size, failed, True)


Test = Callable[[Known], bool | None]


def all_of(tests: Iterable[Test]) -> Test:
    """Return the test that all of them hold."""
    every = tuple(tests)

    def holds(known: Known) -> bool | None:
        found: bool | None = True
        for test in every:
            answer = test(known)
            if answer is False:
                return False
            if answer is None:
                found = None
        return found

    return every[0] if len(every) == 1 else holds


def any_of(tests: Iterable[Test]) -> Test:
    """Return the test that at least one of them holds."""
    every = tuple(tests)

    def holds(known: Known) -> bool | None:
        found: bool | None = False
        for test in every:
            answer = test(known)
            if answer is True:
                return True
            if answer is None:
                found = None
        return found

    return every[0] if len(every) == 1 else holds


def none_of(test: Test) -> Test:
    """Return the test that this one does not hold."""

    def holds(known: Known) -> bool | None:
        answer = test(known)
        return None if answer is None else not answer

    return holds


# --- criteria -----------------------------------------------------------------------------------

_CRITERION = re.compile(r"([a-z]+)(!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_STATUS = re.compile(r"(\d{3})(?:-(\d{3}))?|([1-9])xx", re.IGNORECASE)
_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ACCEPTED = (
    "host, path, url, method, status, type or ext with = or !=, or size with a comparison, such as"
    " host=api.example.com path=/users/{id} status=2xx size<1M"
)


def is_criterion(word: str) -> bool:
    """Tell whether a word has the form of a criterion."""
    found = _CRITERION.fullmatch(word)
    return found is not None and (found[1] in _TESTS or found[1] == "size")


def words_of(text: str) -> list[str]:
    """Split a line as a shell does, so that a value can be quoted; raises ConfigError."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{text!r}: {error}".rstrip(".")) from None


def criterion(word: str) -> Test:
    """Read one criterion; raises ConfigError saying what is wrong with it."""
    found = _CRITERION.fullmatch(word)
    if found is None:
        raise ConfigError(f"{word!r} is no criterion; expected {ACCEPTED}")
    name, sign, value = found.groups()
    if name == "size":
        return _size(word, sign, value)
    make = _TESTS.get(name)
    if make is None:
        from difflib import get_close_matches

        near = get_close_matches(name, [*_TESTS, "size"], n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{word!r}: there is no criterion {name!r}{hint} Expected {ACCEPTED}")
    if sign not in ("=", "!="):
        raise ConfigError(f"{word!r}: only a size can be compared with {sign}")
    values = [each.strip() for each in value.split(",")]
    if "" in values:
        raise ConfigError(f"{word!r} has an empty value")
    test = make(values)
    return test if sign == "=" else none_of(test)


def conditions(words: Iterable[str]) -> Test:
    """Read criteria that must all hold; raises ConfigError."""
    return all_of([criterion(word) for word in words] or [lambda _: True])


def _host(values: list[str]) -> Test:
    patterns = [pattern(value.lower()) for value in values]

    def holds(known: Known) -> bool:
        request = known.request
        names = (request.host, request.authority, f"{request.host}:{request.port}")
        return any(each.fullmatch(name) for each in patterns for name in names)

    return holds


def _path(values: list[str]) -> Test:
    patterns = [pattern(value) for value in values]
    return lambda known: any(
        each.fullmatch(known.request.target.partition("?")[0]) for each in patterns
    )


def _url(values: list[str]) -> Test:
    patterns = [pattern(value) for value in values]

    def holds(known: Known) -> bool:
        url = known.request.url
        # A pattern without a query means the resource, however it is asked for.
        bare = url.partition("?")[0]
        return any(each.fullmatch(url) or each.fullmatch(bare) for each in patterns)

    return holds


def _method(values: list[str]) -> Test:
    # RFC 9110 §9.1: methods are case-sensitive, but nobody who types `get` means another one.
    methods = frozenset(value.upper() for value in values)
    return lambda known: known.request.method.upper() in methods


def _status(values: list[str]) -> Test:
    ranges = [_codes(value) for value in values if value.lower() != "failed"]
    failures = len(ranges) < len(values)

    def holds(known: Known) -> bool | None:
        if known.status is not None and any(known.status in each for each in ranges):
            return True
        if failures and known.failed:
            return True
        if known.complete or (known.status is not None and not failures):
            return False
        return None

    return holds


def _codes(text: str) -> range:
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"status {text!r} cannot be used; expected a code (404), a class (4xx), a range"
            " (400-499) or failed"
        )
    first, last, hundreds = found.groups()
    if hundreds:
        return range(int(hundreds) * 100, int(hundreds) * 100 + 100)
    return range(int(first), int(last or first) + 1)


def essence(headers: Headers) -> str:
    """Return the content type without parameters, in lower case; empty where there is none."""
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()


def _type(values: list[str]) -> Test:
    patterns = [pattern(value.lower()) for value in values if "/" in value]
    words = frozenset(value.lower() for value in values if "/" not in value)

    def holds(known: Known) -> bool | None:
        if known.status is None:
            return False if known.complete else None
        found = essence(known.headers)
        main, _, sub = found.partition("/")
        names = {main, sub, sub.rpartition("+")[2]}
        return not words.isdisjoint(names) or any(each.fullmatch(found) for each in patterns)

    return holds


def _ext(values: list[str]) -> Test:
    extensions = frozenset(value.lower().removeprefix(".") for value in values)

    def holds(known: Known) -> bool:
        name = known.request.target.partition("?")[0].rpartition("/")[2]
        return "." in name and name.rpartition(".")[2].lower() in extensions

    return holds


def _size(word: str, sign: str, value: str) -> Test:
    try:
        limit = parse_size(value)
    except ValueError:
        raise ConfigError(
            f"{word!r}: {value!r} is no size; expected bytes, or a number with k, M or G"
        ) from None
    compare = _COMPARE[sign]

    def holds(known: Known) -> bool | None:
        if known.size is None:
            return False if known.complete else None
        return bool(compare(known.size, limit))

    return holds


_TESTS: dict[str, Callable[[list[str]], Test]] = {
    "host": _host,
    "path": _path,
    "url": _url,
    "method": _method,
    "status": _status,
    "type": _type,
    "ext": _ext,
}
