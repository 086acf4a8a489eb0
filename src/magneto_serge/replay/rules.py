"""The rules of matching, compiled from settings once: which parts of a request make its key.

Settings say which matchers take part (``match_on``) and what is left out of them; a **route** says
otherwise for the requests that it selects, by host, URL and method. Requests of different routes
never match. Rules never change: a session keeps those it was opened with.

A key has two parts, as in ``matching``: of the head, and of the content. With the default rules
they *are* those functions, so that what is not configured costs nothing. Everything that cannot
be compiled is a ConfigError that names the setting, the value, and what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from magneto_serge.config_matching import MATCH_OPTIONS, MatchRoute
from magneto_serge.errors import ConfigError
from magneto_serge.messages import DEFAULT_PORTS, Headers, Request
from magneto_serge.replay.conditions import Known, Test, conditions
from magneto_serge.replay.content import media_type
from magneto_serge.replay.json_paths import Without, compile_json_paths
from magneto_serge.replay.matchers import Matcher, matcher, registered
from magneto_serge.replay.matching import content_key, head_text, is_json
from magneto_serge.replay.patterns import Regex, compile_regex, compile_url_pattern, is_whole_url
from magneto_serge.replay.projections import (
    CONTENT_PARTS,
    HEAD_PARTS,
    PARTS,
    PRESETS,
    Content,
    Location,
    Names,
    field_key,
    fields_key,
    query_key,
    takes_part,
)

_FIELD = re.compile(r"headers:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")  # RFC 9110 §5.6.2: token
_WEBSOCKET = ("ws", "wss")
_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(MATCH_OPTIONS, ()),
    "match_on": PRESETS["default"],
    "match_credentials": "presence",
}


class Parts(NamedTuple):
    """What takes part, in the order of the key."""

    head: tuple[str, ...]
    fields: tuple[str, ...]  # of headers:NAME, in lower case
    content: tuple[str, ...]
    own: tuple[Matcher, ...]


class Comparison:
    """How the requests of one route are compared: the options, and the key that they make."""

    def __init__(self, options: Mapping[str, Any], where: str = "") -> None:
        def name_of(option: str) -> str:
            return f"{where}{option}"

        self.options = {**options, "match_on": expanded(options["match_on"], name_of("match_on"))}
        self.parts = _parts(self.options["match_on"], name_of("match_on"))
        self.credentials: bool = options["match_credentials"] == "presence"
        self.ignored_query = Names(options["ignore_query"])
        self.ignored_fields = Names(options["ignore_headers"], str.lower)
        self.without = _without(options["ignore_json_paths"], name_of("ignore_json_paths"))
        self.predicates = tuple(each for each in self.parts.own if each.predicate is not None)
        self._patterns = tuple(
            (each, is_whole_url(each), compile_url_pattern(each, name_of("url_patterns")))
            for each in options["url_patterns"]
        )
        self._ignored_url = _regexes(options["ignore_url"], name_of("ignore_url"))
        ignored_body = _regexes(options["ignore_body"], name_of("ignore_body"))
        self._keys = tuple(each for each in self.parts.own if each.key is not None)
        self._contents = tuple(
            Content(part, self.without, ignored_body) for part in self.parts.content
        )
        fields = tuple(
            name.encode("ascii") for name in self.parts.fields if name not in self.ignored_fields
        )
        self._fields = fields

    @property
    def reads_content(self) -> bool:
        """Whether a request's body, or anything of the user's that may look at it, takes part."""
        return bool(self._contents or self.parts.own)

    @property
    def is_default(self) -> bool:
        """Whether keys are those of ``matching``."""
        return all(
            self.options[option] == _DEFAULTS[option]
            for option in MATCH_OPTIONS
            if option != "match_credentials"
        )

    def head(self, request: Request) -> Hashable:
        """Return the head's part of the key."""
        where = Location(request, self._ignored_url)
        if self._patterns:
            self._generalise(where)
        found: list[Hashable] = []
        for part in self.parts.head:
            if part == "method":
                found.append(request.method)
            elif part == "query":
                found.append(query_key(where.query, self.ignored_query))
            elif part == "headers":
                found.append(fields_key(request.headers, self.ignored_fields))
            else:
                found.append(getattr(where, part))
        found += [field_key(request.headers, name) for name in self._fields]
        found.append("ws" if request.scheme in _WEBSOCKET else request.method == "HEAD")
        return tuple(found)

    def _generalise(self, where: Location) -> None:
        """Put a pattern in the place of what it matches; the first that does counts."""
        for text, whole, pattern in self._patterns:
            if not whole:
                if pattern.fullmatch(where.path):
                    where.path = text
                    return
                continue
            host = f"[{where.host}]" if ":" in where.host else where.host
            default = str(DEFAULT_PORTS.get(where.scheme)) == str(where.port)
            authority = host if default else f"{host}:{where.port}"
            if pattern.fullmatch(f"{where.scheme}://{authority}{where.path}"):
                where.scheme = where.host = ""
                where.port, where.path = 0, text
                return

    def compared_fields(self, *sections: Headers) -> list[str]:
        """Return the names, in lower case, of the fields that take part and are in a section."""
        present = {name.lower() for section in sections for name, _ in section.raw}
        named = {name for name in self._fields if name in present}
        if "headers" in self.parts.head:
            named |= {name for name in present if takes_part(name, self.ignored_fields)}
        return sorted(name.decode("latin-1") for name in named)

    def reads_json(self, *requests: Request) -> bool:
        """Tell whether the content of these is compared as JSON, and as nothing else."""
        parts = frozenset(self.parts.content)
        if parts <= {"json", "graphql"}:
            return bool(parts)
        return parts <= {"json", "graphql", "body"} and all(
            is_json(media_type(request.headers)) for request in requests
        )

    def differs_in_content(self, one: Request, other: Request) -> bool:
        """Tell whether the built-in projections of two requests' content differ."""
        return any(content(one) != content(other) for content in self._contents)

    def content(self, request: Request) -> Hashable:
        """Return the content's part of the key; raises MatcherError for the user's own."""
        if len(self._contents) == 1 and not self._keys:
            return self._contents[0](request)
        return (
            *(content(request) for content in self._contents),
            *(own.project(request) for own in self._keys),
        )


class Rules:
    """The rules of one session. ``indexed``: a cassette's own index knows these keys.

    ``head`` and ``content`` return the two parts of a request's key.
    """

    def __init__(self, comparison: Comparison, routes: tuple[Route, ...] = ()) -> None:
        self._comparison = comparison
        self._routes = routes
        self.indexed = comparison.is_default and not routes
        every = (comparison, *(route.comparison for route in routes))
        self.has_predicates = any(each.predicates for each in every)
        self.head: Callable[[Request], Hashable] = head_text
        self.content: Callable[[Request], Hashable] = content_key
        if routes:
            self.head, self.content = self._routed_head, self._routed_content
        elif not self.indexed:
            self.head, self.content = comparison.head, comparison.content

    def of(self, request: Request) -> Comparison:
        """Return how this request is compared."""
        return self._select(request)[1]

    def _select(self, request: Request) -> tuple[int, Comparison]:
        known = Known(request)
        for number, route in enumerate(self._routes, 1):
            if route.selects(known):
                return number, route.comparison
        return 0, self._comparison

    def _routed_head(self, request: Request) -> Hashable:
        number, comparison = self._select(request)
        return (number, comparison.head(request))

    def _routed_content(self, request: Request) -> Hashable:
        return self._select(request)[1].content(request)


class Route(NamedTuple):
    """The requests that match otherwise, and how."""

    selects: Test
    comparison: Comparison


def compile_rules(settings: object) -> Rules:
    """Return the rules that settings (with the fields of ``Settings``) make; raises ConfigError."""
    base = {option: getattr(settings, option) for option in MATCH_OPTIONS}
    given: tuple[MatchRoute, ...] = getattr(settings, "routes", ())
    if not given and _plain(base):
        return DEFAULT_RULES if base["match_credentials"] == "presence" else Rules(Comparison(base))
    routes = tuple(
        Route(_selector(route), Comparison({**base, **route.options}, f"routes, {route}: "))
        for route in given
    )
    return Rules(Comparison(base), routes)


def _plain(base: Mapping[str, Any]) -> bool:
    return base["match_on"] == ("default",) and not any(
        base[option] for option in MATCH_OPTIONS if option not in ("match_on", "match_credentials")
    )


def _selector(route: MatchRoute) -> Test:
    try:
        return conditions([f"{name}={value}" for name, value in route.when.items()])
    except ConfigError as error:
        raise ConfigError(f"routes, {route}: {error}") from None


def expanded(names: tuple[str, ...], setting: str) -> tuple[str, ...]:
    """Return the names with a preset's own in its place; raises ConfigError for two presets."""
    presets = [name for name in names if name in PRESETS]
    if len(presets) > 1:
        raise ConfigError(
            f"{setting}: {' and '.join(presets)} are both presets; expected one of them at most,"
            " and matchers that are to be compared besides"
        )
    found = dict.fromkeys(each for name in names for each in PRESETS.get(name, (name,)))
    return tuple(found)


def _parts(names: tuple[str, ...], setting: str) -> Parts:
    fields: list[str] = []
    own: list[Matcher] = []
    for name in names:
        if name in PARTS:
            continue
        field = _FIELD.fullmatch(name)
        if field is not None:
            fields.append(field[1].lower())
        elif (users := matcher(name)) is not None:
            own.append(users)
        else:
            raise _unknown(name, setting)
    return Parts(
        tuple(part for part in HEAD_PARTS if part in names),
        tuple(fields),
        tuple(part for part in CONTENT_PARTS if part in names),
        tuple(own),
    )


def _unknown(name: str, setting: str) -> ConfigError:
    from difflib import get_close_matches

    if name.startswith("headers:"):
        return ConfigError(f"{setting}: {name!r}: expected headers:NAME, NAME being a field's name")
    known = (*PARTS, *PRESETS, *registered())
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"{setting}: there is no matcher {name!r}; {hint}Known: {', '.join(PARTS)}, headers:NAME;"
        f" as presets {', '.join(PRESETS)}; registered: {', '.join(registered()) or 'none'}"
    )


def _without(paths: tuple[str, ...], setting: str) -> Without | None:
    return compile_json_paths(paths, setting) if paths else None


def _regexes(expressions: tuple[str, ...], setting: str) -> tuple[Regex, ...]:
    return tuple(compile_regex(each, setting) for each in expressions)


DEFAULT_RULES = Rules(Comparison({**_DEFAULTS, "match_on": ("default",)}))
