"""Rewrite rules as people write them: texts, tables, and two short forms, made into rules.

In text, ``WAY [request|response] [CRITERIA] ACTION ARGUMENTS``::

    to-server host=api.example.com map http://localhost:8080
    to-server set X-Env: test
    to-client status=503 status 200
    to-client type=json body s/"token": "[^"]*"/"token": "x"/
    to-cassette request remove X-Debug-*

A table has the same words as keys, and may have several actions. ``map_hosts`` and ``set_headers``
are the two that nearly everybody wants. A mistake is a ConfigError with setting and value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from magneto_serge.errors import ConfigError
from magneto_serge.messages import DEFAULT_PORTS
from magneto_serge.replay.conditions import Test, conditions, is_criterion, words_of
from magneto_serge.replay.edits import (
    Substitution,
    adding,
    field_line,
    field_name,
    field_pair,
    literal,
    regular,
    removing,
    sed,
    setting,
)
from magneto_serge.replay.rewrite import BODILESS, WAYS, Place, Rewriter, Rule

ACTIONS = "set, add, remove, map, path, status or body"
RewriteSetting = str | Mapping[str, Any]


def rewriter(
    rules: Iterable[RewriteSetting], map_hosts: Iterable[str] = (), set_headers: Iterable[str] = ()
) -> Rewriter | None:
    """Return the rules of the settings; None where there are none.

    ``map_hosts`` and ``set_headers`` apply first. Raises ConfigError naming setting and value.
    """
    compiled = [
        *_compiled("map_hosts", map_hosts, _read_map),
        *_compiled("set_headers", set_headers, _read_header),
        *_compiled("rewrite", rules, _read),
    ]
    return Rewriter(compiled) if compiled else None


def _compiled(name: str, values: Iterable[Any], read: Callable[[Any], Rule]) -> list[Rule]:
    rules = []
    for value in values:
        try:
            rules.append(read(value))
        except ConfigError as error:
            raise ConfigError(f"{name} {value!r}: {error}") from None
    return rules


def _read_map(text: str) -> Rule:
    """Read ``HOST=PLACE``."""
    source, sign, place = text.partition("=")
    if not sign or not source.strip():
        raise ConfigError("expected HOST=HOST[:PORT], or HOST=http://HOST[:PORT]")
    test = conditions([f"host={source.strip()}"])
    return Rule("to-server", "request", test, place=_place(place.strip()))


def _read_header(text: str) -> Rule:
    """Read ``[WAY:] NAME: VALUE``; without a value the field is removed."""
    way, colon, rest = text.partition(":")
    if not colon or way.strip() not in WAYS:
        way, rest = "to-server", text
    name, colon, value = rest.partition(":")
    if not colon:
        raise ConfigError("expected [to-server: | to-client: | to-cassette:] NAME: VALUE")
    if value.strip():
        edit = setting(field_line(rest.strip()))
    else:
        edit = removing(field_name(name.strip()))
    return Rule(way.strip(), _part(way.strip(), None), conditions([]), (edit,))


def _read(value: RewriteSetting) -> Rule:
    if isinstance(value, str):
        return _read_text(value)
    return _read_table(value)


def _part(way: str, said: str | None) -> str:
    if way == "to-cassette":
        if said not in (None, "request", "response"):
            raise ConfigError(f"part {said!r}: expected request or response")
        return said or "response"
    only = "request" if way == "to-server" else "response"
    if said not in (None, only):
        raise ConfigError(f"{way}: there is only a {only} on this way")
    return only


def _when(way: str, words: list[str]) -> Test:
    for word in words:
        if word.startswith("size") and way != "to-cassette":
            raise ConfigError(f"{word!r}: the size is not known when a head is rewritten")
        if word.startswith(("status", "type")) and way == "to-server":
            raise ConfigError(f"{word!r}: there is no response yet on this way")
    return conditions(words)


def _read_text(text: str) -> Rule:
    """Read ``WAY [request|response] [CRITERIA] ACTION ARGUMENTS``."""
    words = words_of(text)
    way = words.pop(0) if words else ""
    if way not in WAYS:
        raise ConfigError(f"it begins with {way!r}; expected {', '.join(WAYS)}")
    part = _part(way, words.pop(0) if words and words[0] in ("request", "response") else None)
    criteria: list[str] = []
    while words and is_criterion(words[0]):
        criteria.append(words.pop(0))
    action = words.pop(0) if words else ""
    table: dict[str, Any]
    if action in ("set", "add"):
        name, value = field_line(" ".join(words))
        table = {action: {name.decode(): value.decode()}}
    elif action == "remove":
        table = {action: [name for word in words for name in word.split(",") if name]}
    elif action == "map":
        keep = "keep-host" in words
        [place] = _exactly(
            1, [word for word in words if word != "keep-host"], "map PLACE [keep-host]"
        )
        table = {action: place, "keep_host": keep}
    elif action in ("path", "body"):
        found = sed(words[0]) if len(words) == 1 else None
        if found is None:
            usage = f"{action} FIND REPLACEMENT, or {action} s/REGEX/REPLACEMENT/"
            find, replace = _exactly(2, words, usage)
            found = literal(find, replace)
        table = {action: found}
    elif action == "status":
        [code] = _exactly(1, words, "status CODE")
        table = {action: int(code) if code.isdecimal() and code.isascii() else code}
    else:
        raise ConfigError(f"{action!r} is no criterion and no action; expected {ACTIONS}")
    return _rule(way, part, _when(way, criteria), table)


def _exactly(count: int, words: list[str], usage: str) -> list[str]:
    if len(words) != count:
        raise ConfigError(f"expected {usage}")
    return words


_KEYS = ("on", "when", "part", "set", "add", "remove", "map", "keep_host", "path", "body", "status")


def _read_table(given: Mapping[str, Any]) -> Rule:
    table = {name.replace("-", "_"): value for name, value in given.items()}
    for name in table:
        if name not in _KEYS:
            from difflib import get_close_matches

            near = get_close_matches(name, _KEYS, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"there is no key {name!r}{hint} Known: {', '.join(_KEYS)}")
    way = table.pop("on", None)
    if way not in WAYS:
        raise ConfigError(f"on = {way!r}: expected {', '.join(WAYS)}")
    part = _part(way, table.pop("part", None))
    when = table.pop("when", "")
    words = words_of(when) if isinstance(when, str) else list(when)
    if not table.keys() - {"keep_host"}:
        raise ConfigError(f"it does nothing: expected {ACTIONS}")
    return _rule(way, part, _when(way, words), table)


def _rule(way: str, part: str, test: Test, table: Mapping[str, Any]) -> Rule:
    """Make a rule of what a table says; raises ConfigError."""
    if part == "request" and "status" in table:
        raise ConfigError("a request has no status")
    if part == "response" and ("map" in table or "path" in table):
        raise ConfigError("a response has no host and no path; say `part = request`")
    place = None
    if "map" in table:
        place = _place(table["map"])._replace(keep_host=table.get("keep_host") is True)
    fields = (
        *(setting(field_pair(*each)) for each in _pairs(table.get("set", {}))),
        *(adding(field_pair(*each)) for each in _pairs(table.get("add", {}))),
        *(removing(name) for name in _names(table.get("remove", ()))),
    )
    status = _status(table["status"]) if "status" in table else None
    path, body = (_substitutions(table.get(key, ())) for key in ("path", "body"))
    return Rule(way, part, test, fields, place, path, body, status)


def _pairs(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ConfigError(f'{value!r}: expected a table of texts, such as {{ "X-Env" = "test" }}')
    return [(str(name), text) for name, text in value.items()]


def _names(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise ConfigError(f"{value!r}: expected a list of names of header fields")
    return list(names)


def _status(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise ConfigError(f"status {value!r}: expected a code from 200 to 599")
    if value in BODILESS:
        raise ConfigError(
            f"status {value}: a response of it has no body, and this one may have one"
        )
    return value


def _place(value: Any) -> Place:
    text = value if isinstance(value, str) else ""
    scheme, sign, authority = text.partition("://")
    if not sign:
        scheme, authority = "", text
    host, colon, digits = authority.rpartition(":")
    if not colon or "]" in digits:
        host, digits = authority, ""
    host = host.removeprefix("[").removesuffix("]").lower()
    usable = host and host.isascii() and not any(c.isspace() or c in "/?#@[]" for c in host)
    known = not scheme or scheme in DEFAULT_PORTS
    port = int(digits) if digits.isdecimal() and digits.isascii() else None
    if (
        not usable
        or not known
        or (colon and digits and port is None)
        or not 0 < (port or 1) < 65536
    ):
        raise ConfigError(f"{value!r}: expected HOST[:PORT], or http://HOST[:PORT]")
    return Place(scheme or None, host, port)


def _substitutions(value: Any) -> tuple[Substitution, ...]:
    if isinstance(value, Substitution):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(each for item in value for each in _substitutions(item))
    if isinstance(value, str):
        found = sed(value)
        if found is None:
            raise ConfigError(f"{value!r}: expected s/REGEX/REPLACEMENT/")
        return (found,)
    usage = '{ find = "TEXT", replace = "TEXT", regex = false }'
    if not isinstance(value, Mapping) or not value.keys() <= {"find", "replace", "regex"}:
        raise ConfigError(f"{value!r}: expected {usage}")
    find, replace = value.get("find"), value.get("replace", "")
    regex = value.get("regex", False)
    if not isinstance(find, str) or not isinstance(replace, str) or not isinstance(regex, bool):
        raise ConfigError(f"{value!r}: expected {usage}")
    return (regular(find, replace) if regex else literal(find, replace),)
