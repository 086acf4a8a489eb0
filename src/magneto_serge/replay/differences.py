"""In which fields two requests differ, of those that take part in matching.

Path segments, query items, header fields, members of a JSON body by their JSONPath (of ``content``
where it is not compared as JSON), items of a form, lines of a text. Both requests are given as they
are compared, without their secrets; what is shown is masked once more by names, because a secret
that nothing knew may have one. Every two requests with different keys differ in at least one field
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from magneto_serge.errors import MatcherError
from magneto_serge.messages import FileBody, Headers, Request
from magneto_serge.replay.content import content_of, json_view, media_type
from magneto_serge.replay.masking import is_secret_name, mask, mask_field, mask_form, mask_json

if TYPE_CHECKING:
    from magneto_serge.replay.rules import Comparison

_SHOWN = 120  # characters of a value
_MOST_LINES = 12  # of a unified diff
_COMPARED = 2_000  # lines of a text for which a diff is computed, whose time is their square
NOTHING = "nothing"


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field in which a recording differs from the request; ``diff`` has lines of text."""

    field: str
    asked: str
    recorded: str
    diff: tuple[str, ...] = ()


def differences(
    asked: Request, recorded: Request, comparison: Comparison
) -> tuple[Difference, ...]:
    """Return the fields that take part and differ, in the order of the key."""
    found = [*_in_head(asked, recorded, comparison), *_in_content(asked, recorded, comparison)]
    for own in comparison.parts.own:
        if own.key is not None:
            try:
                mine, theirs = own.project(asked), own.project(recorded)
            except MatcherError:
                continue  # it was said already why there is no key
            if mine != theirs:
                found.append(Difference(f"matcher {own.name}", _short(mine), _short(theirs)))
    return tuple(found)


def _in_head(asked: Request, recorded: Request, comparison: Comparison) -> Iterator[Difference]:
    if comparison.head(asked) == comparison.head(recorded):
        return
    parts, before = comparison.parts, 0
    for field in ("method", "scheme", "host", "port"):
        mine, theirs = getattr(asked, field), getattr(recorded, field)
        if field in parts.head and mine != theirs:
            before += 1
            yield Difference(field, str(mine), str(theirs))
    if "path" in parts.head:
        yield from _in_path(asked.target.partition("?")[0], recorded.target.partition("?")[0])
    if "query" in parts.head:
        yield from _in_query(asked.target, recorded.target, comparison)
    yield from _in_fields(asked.headers, recorded.headers, comparison)
    if "method" not in parts.head and (asked.method == "HEAD") != (recorded.method == "HEAD"):
        yield Difference("method", asked.method, recorded.method)


def _in_path(asked: str, recorded: str) -> Iterator[Difference]:
    if asked == recorded:
        return
    mine, theirs = asked.split("/"), recorded.split("/")
    unlike = [at for at, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]]
    if len(mine) != len(theirs) or len(unlike) > 2:
        yield Difference("path", asked, recorded)
        return
    for at in unlike:
        yield Difference(f"path segment {at}", repr(mine[at]), repr(theirs[at]))


def _in_query(asked: str, recorded: str, comparison: Comparison) -> Iterator[Difference]:
    query, recorded_query = asked.partition("?")[2], recorded.partition("?")[2]
    if sorted(query.split("&")) == sorted(recorded_query.split("&")):
        return
    mine = parse_qsl(query, keep_blank_values=True)
    theirs = parse_qsl(recorded_query, keep_blank_values=True)
    found = False
    for name in dict.fromkeys(name for name, _ in (*mine, *theirs)):
        if name in comparison.ignored_query:
            found = True
            continue
        ours = sorted(value for key, value in mine if key == name)
        others = sorted(value for key, value in theirs if key == name)
        if ours != others:
            found = True
            yield Difference(f"query {name}", _values(name, ours), _values(name, others))
    if not found:  # the same, in another percent-encoding
        yield Difference("query", repr(mask_form(query)), repr(mask_form(recorded_query)))


def _values(name: str, values: list[str]) -> str:
    if is_secret_name(name):
        values = [mask(value) for value in values]
    return _cut(", ".join(map(repr, values))) if values else NOTHING


def _in_fields(asked: Headers, recorded: Headers, comparison: Comparison) -> Iterator[Difference]:
    for name in comparison.compared_fields(asked, recorded):
        mine, theirs = asked.get_all(name), recorded.get_all(name)
        if mine != theirs:
            yield Difference(f"header {name}", _lines(name, mine), _lines(name, theirs))


def _lines(name: str, values: list[str]) -> str:
    return _cut(", ".join(repr(mask_field(name, value)) for value in values) or NOTHING)


def _in_content(asked: Request, recorded: Request, comparison: Comparison) -> list[Difference]:
    try:
        if not comparison.differs_in_content(asked, recorded):
            return []
    except MatcherError:
        return []
    found: list[Difference] = []
    if not isinstance(asked.body, FileBody) and not isinstance(recorded.body, FileBody):
        found = _in_bodies(asked, recorded, comparison)
    return found or [Difference("body", _preview(asked), _preview(recorded))]


def _in_bodies(asked: Request, recorded: Request, comparison: Comparison) -> list[Difference]:
    mine = content_of(asked.headers, asked.body)
    theirs = content_of(recorded.headers, recorded.body)
    if "empty" in (mine.kind, theirs.kind):
        return []
    one, other = json_view(asked.headers, mine), json_view(recorded.headers, theirs)
    if one is not None and other is not None:
        from magneto_serge.replay.json_comparison import json_differences

        found = json_differences("$", one, other, reveal=False, without=comparison.without)
        part = "body" if comparison.reads_json(asked, recorded) else "content"
        return [Difference(f"{part} {field}", _json(a), _json(b)) for field, a, b in found or ()]
    if mine.kind != "text" or theirs.kind != "text":
        return []
    if media_type(asked.headers) == "application/x-www-form-urlencoded":
        return list(_in_form(mine.text, theirs.text))
    return _in_text(mine.text, theirs.text)


def _in_form(asked: str, recorded: str) -> Iterator[Difference]:
    mine = parse_qsl(asked, keep_blank_values=True)
    theirs = parse_qsl(recorded, keep_blank_values=True)
    for name in dict.fromkeys(name for name, _ in (*mine, *theirs)):
        ours = sorted(value for key, value in mine if key == name)
        others = sorted(value for key, value in theirs if key == name)
        if ours != others:
            yield Difference(f"form {name}", _values(name, ours), _values(name, others))


def _in_text(asked: str, recorded: str) -> list[Difference]:
    mine, theirs = asked.splitlines(), recorded.splitlines()
    if max(len(mine), len(theirs)) > _COMPARED or max(len(mine), len(theirs)) < 2:
        return []
    from difflib import unified_diff

    every = unified_diff(theirs, mine, "recorded", "asked", n=1, lineterm="")
    lines = [_cut(mask_json(mask_form(line))) for line in every]
    if not lines:
        return []
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} more lines"]
    size, recorded_size = (f"{len(each)} lines of text" for each in (mine, theirs))
    return [Difference("body", size, recorded_size, tuple(lines))]


def _json(value: object) -> str:
    return NOTHING if value is None else _cut(bytes(value).decode())  # type: ignore[call-overload]  # Raw is bytes


def _preview(request: Request) -> str:
    body = request.body
    if isinstance(body, FileBody):
        return f"{body.size} bytes, sha256 {body.sha256[:12]}…"
    content = content_of(request.headers, body)
    if content.kind == "empty":
        return "no body"
    if content.kind == "binary":
        return f"{len(body)} bytes of binary data"
    text = content.text[: 4 * _SHOWN]
    form = media_type(request.headers) == "application/x-www-form-urlencoded"
    return repr(_cut(mask_form(text) if form else mask_json(text)))


def _short(value: object) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
