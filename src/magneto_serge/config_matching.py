"""How the settings of matching are written: lists, routes, and tables for single cassettes.

Each reader takes what a file, an environment variable, a flag or an argument can hold, and raises
:class:`UnusableError`, which says what is wrong with it. It knows the form alone: whether a matcher
exists and a pattern can be compiled is known when the rules are compiled, before anything starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

MATCH_OPTIONS = (
    "match_on",
    "ignore_query",
    "ignore_headers",
    "ignore_json_paths",
    "url_patterns",
    "ignore_url",
    "ignore_body",
    "match_credentials",
)
SELECTORS = ("host", "path", "url", "method")
_WHOLE = frozenset({"ignore_json_paths", "url_patterns", "ignore_url", "ignore_body"})

# One listener, one pool of upstream connections and one log serve all cassettes.
OF_THE_PROXY = frozenset(
    (
        "ca_cert",
        "ca_key",
        "cassette_dir",
        "cassettes",
        "connect_timeout",
        "data_dir",
        "header_timeout",
        "host",
        "idle_timeout",
        "insecure",
        "keepalive_timeout",
        "log_format",
        "log_level",
        "max_connections",
        "max_header_size",
        "memory_limit",
        "no_proxy",
        "port",
        "port_file",
        "proxy_auth",
        "quiet",
        "reverse",
        "reverse_tls",
        "shutdown_timeout",
        "upstream_ca",
        "upstream_proxy",
        "workers",
    )
)


class UnusableError(ValueError):
    """A value that cannot be used; its text says what of it, and why."""


class MatchRoute(NamedTuple):
    """Requests, and how they match: ``when`` holds selectors, ``options`` settings of matching."""

    when: Mapping[str, str]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.when.items())


def read_names(value: Any, textual: bool) -> tuple[str, ...]:
    """Read names: a list, or text in which commas and spaces separate them."""
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    found = tuple(_texts(value))
    if any(not name or any(c.isspace() for c in name) for name in found):
        raise ValueError
    return found


def read_matchers(value: Any, textual: bool) -> tuple[str, ...]:
    """Read names of matchers, each of which may also be several, separated by commas."""
    texts = [value] if isinstance(value, str) else _texts(value)
    found = tuple(name for text in texts for name in read_names(text, textual))
    if not found:
        raise ValueError
    return found


def read_lines(value: Any, textual: bool) -> tuple[str, ...]:
    """Read texts in which any character may stand: a list, or one on each line."""
    if isinstance(value, str):
        value = [line.strip() for line in value.splitlines() if line.strip()]
    found = tuple(_texts(value))
    if "" in found:
        raise ValueError
    return found


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise ValueError
    for each in value:
        if not isinstance(each, str):
            raise ValueError
        yield each


def read_routes(value: Any, textual: bool) -> tuple[MatchRoute, ...]:
    """Read routes: tables, or lines of words such as ``host=a.example ignore_query=ts``."""
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip()]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise ValueError
    return tuple(_route(each) for each in value)


def _route(given: Any) -> MatchRoute:
    if isinstance(given, MatchRoute):
        return given
    table = _words(given) if isinstance(given, str) else given
    if not isinstance(table, Mapping):
        raise UnusableError(f"{given!r} is no table")
    when: dict[str, str] = {}
    options: dict[str, Any] = {}
    for key, value in table.items():
        name = str(key).replace("-", "_")
        if name in SELECTORS:
            texts = [value] if isinstance(value, str) else list(_texts(value))
            when[name] = ",".join(texts)
        elif name in MATCH_OPTIONS:
            options[name] = value
        else:
            known = ", ".join((*SELECTORS, *MATCH_OPTIONS))
            raise UnusableError(f"a route has no {key!r}; it may have {known}")
    if not when:
        raise UnusableError(f"the route {given!r} selects nothing: it needs {', '.join(SELECTORS)}")
    from .config_values import RULES

    for name, value in options.items():
        try:
            options[name] = RULES[name].convert(value, isinstance(given, str))
        except ValueError:
            raise UnusableError(
                f"{name} of the route {given!r} is {value!r}; expected {RULES[name].accepted}"
            ) from None
    return MatchRoute(when, options)


def _words(line: str) -> dict[str, Any]:
    """Read ``name=value`` words, quoted as in a shell; a name may come again."""
    import shlex

    found: dict[str, Any] = {}
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UnusableError(f"{line!r}: {error}") from None
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise UnusableError(f"{word!r} of the route {line!r} is not NAME=VALUE")
        name = name.replace("-", "_")
        before = found.get(name)
        if before is None:
            found[name] = [value] if name in _WHOLE else value
        else:
            found[name] = [*before, value] if name in _WHOLE else f"{before},{value}"
    return found


def read_cassettes(value: Any, textual: bool) -> dict[str, dict[str, Any]]:
    """Read tables of settings by the cassettes' names (or shell patterns); text is JSON."""
    from .config_values import RULES

    if isinstance(value, str):
        import json

        value = json.loads(value)  # its error is a ValueError
    if not isinstance(value, Mapping):
        raise ValueError
    tables: dict[str, dict[str, Any]] = {}
    for cassette, table in value.items():
        if not isinstance(table, Mapping):
            raise UnusableError(f"{cassette!r} is no table of settings")
        found = tables[str(cassette)] = {}
        for key, given in table.items():
            name = str(key).replace("-", "_")
            if name not in RULES:
                raise UnusableError(f"{cassette}: there is no setting {key!r}")
            if name in OF_THE_PROXY:
                raise UnusableError(f"{cassette}: {name} is the proxy's, not a single cassette's")
            rule = RULES[name]
            try:
                none = rule.optional and given in (None, "")
                found[name] = None if none else rule.convert(given, False)
            except UnusableError:
                raise
            except ValueError:
                raise UnusableError(
                    f"{cassette}: {name} = {given!r} cannot be used; expected {rule.accepted}"
                ) from None
    return tables
