"""What a JSON body is compared without: nodes that JSONPath queries (RFC 9535) select.

The queries are python-jsonpath's, in its strict mode; its import takes a fifth of a second, so
that only those wait for it who use it. Its ``match()`` and ``search()`` run on Python's regular
expressions, which can be made to take for ever; they are replaced by RE2's (``patterns``).
A node that is ignored is taken out of its parent, so it may be missing on either side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from magneto_serge.errors import ConfigError

Without = Callable[[Any], Any]  # takes a JSON value, may change it, returns it without the nodes

_ACCEPTED = "a JSONPath query (RFC 9535) such as $.meta.timestamp or $..id"


def compile_json_paths(paths: Sequence[str], setting: str) -> Without:
    """Return the function that takes the nodes out that ``paths`` select; raises ConfigError.

    The function raises ValueError for a value that is nested too deeply.
    """
    from jsonpath import JSONPathError

    environment = _environment(setting)
    queries = tuple(_compiled(environment, path, setting) for path in paths)

    def without(value: Any) -> Any:
        for query in queries:
            try:
                places = {match.parts for match in query.finditer(value)}
            except (JSONPathError, RecursionError) as error:  # it goes 100 levels deep
                raise ValueError(str(error)) from error
            # From the back, so that an element's removal moves none that is still to go.
            for place in sorted(places, key=_order, reverse=True):
                if not place:
                    return None
                _remove(value, place)
        return value

    return without


def _order(place: tuple[str | int, ...]) -> tuple[Any, ...]:
    return tuple((1, part, "") if isinstance(part, int) else (0, 0, part) for part in place)


def _remove(value: Any, place: tuple[str | int, ...]) -> None:
    for part in place[:-1]:
        value = value[part]
    del value[place[-1]]


def _compiled(environment: Any, path: str, setting: str) -> Any:
    from jsonpath import JSONPathError

    if not path.startswith("$"):
        raise ConfigError(f"{setting}: {path!r} does not start with $; expected {_ACCEPTED}")
    try:
        return environment.compile(path)
    except (JSONPathError, ValueError, IndexError, RecursionError) as error:
        why = error.args[0] if error.args else type(error).__name__
        raise ConfigError(f"{setting}: {path!r}: {why}; expected {_ACCEPTED}") from None


def _environment(setting: str) -> Any:
    from jsonpath import JSONPathEnvironment

    environment = JSONPathEnvironment(strict=True)
    for name, whole in (("match", True), ("search", False)):
        environment.function_extensions[name] = _linear(name, whole, setting)
    return environment


def _linear(name: str, whole: bool, setting: str) -> Any:
    """Return the filter function ``name`` on RE2; a pattern that is none matches nothing."""
    from jsonpath.function_extensions import ExpressionType, FilterFunction

    from magneto_serge.replay.patterns import Regex, compile_regex

    @lru_cache(maxsize=64)
    def compiled(pattern: str) -> Regex | None:
        try:
            return compile_regex(rf"\A(?:{pattern})\z" if whole else pattern, setting)
        except ConfigError as error:
            if "pip install" in str(error):
                raise
            return None  # RFC 9535 §2.4.6: the result is then LogicalFalse

    class Linear(FilterFunction):
        arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012  # its interface
        return_type = ExpressionType.LOGICAL

        def __call__(self, value: object, pattern: object) -> bool:
            if not isinstance(value, str) or not isinstance(pattern, str):
                return False
            regex = compiled(pattern)
            return regex is not None and regex.search(value.encode(errors="replace")) is not None

    return Linear()
