"""Hoverfly simulations, versions 1 to 5 of the schema.

``{data: {pairs: [{request, response}], globalActions}, meta: {schemaVersion}}``. A request is not
one that was made but matchers for some: ``[{matcher, value}]`` since version 5, ``{exactMatch:
value}`` in 2 to 4, plain values in 1. What is exact becomes the request. Where a pattern stands, a
request that it accepts stands for it; where nothing stands, which matches anything, a stand-in:
GET, ``/``, http, the host ``any.invalid`` (RFC 2606). Both are remarked: whoever matches fewer
parts of requests can still replay them.

The ``Hoverfly: Was-Here`` header is what Hoverfly adds to each response, and goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Interaction

from .converting import converted
from .normal import phrase, request_of, response_of
from .remarks import Remark, Remarks
from .source import Source
from .values import (
    RawFields,
    base64_bytes,
    fields,
    integer,
    mapping,
    number,
    sequence,
    text,
    utf8,
)

_STAND_INS = {"method": "GET", "scheme": "http", "destination": "any.invalid", "path": "/"}
_EXACT = frozenset(("exact", "exactMatch", "json", "jsonMatch", "xml", "xmlMatch", "form"))
_PARTIAL = frozenset(("jsonPartial", "jsonpartial"))  # accept what contains their value
_REGEX = frozenset(("regex", "regexMatch"))
_GLOB = frozenset(("glob", "globMatch"))
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_QUERY_VALUE = "!$'()*,/:;?@~"  # RFC 3986 §3.4, but what separates items


def recognises(source: Source) -> bool:
    """Tell whether the document is a simulation, or a fragment of one."""
    document = source.document
    if not isinstance(document, dict):
        return False
    if _pairs(document) is not None:
        return True
    parts = [value for name, value in document.items() if name in ("path", "destination", "method")]
    return bool(parts) and all(isinstance(part, list) and part for part in parts)


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    remarks = source.remarks
    if not recognises(source):
        raise CassetteError("it is no simulation.")
    data = source.document.get("data")
    actions = data.get("globalActions") if isinstance(data, dict) else None
    if isinstance(actions, dict) and any(actions.get(k) for k in ("delays", "delaysLogNormal")):
        remarks.add(Remark.DELAYS)
    yield from converted(_pairs(source.document) or [], _Reader(source).interaction, remarks)


def _pairs(document: dict[str, Any]) -> list[Any] | None:
    data = document.get("data")
    held = data.get("pairs") if isinstance(data, dict) else data
    if not isinstance(held, list):
        return None
    return held if all(isinstance(each, dict) and "response" in each for each in held) else None


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._remarks = source.remarks

    def interaction(self, item: Any) -> Interaction | None:
        pair = mapping(item, "the pair")
        asked, told = mapping(pair.get("request"), "request"), mapping(pair["response"], "response")
        if any(told.get(k) for k in ("transitionsState", "removesState")) or _needs_state(asked):
            self._remarks.add(Remark.STATE)
        parts = _Matchers(asked, self._remarks)
        request = request_of(
            parts.value("method").upper(),
            f"{parts.value('scheme')}://{parts.value('destination')}{_path(parts)}{parts.query()}",
            parts.headers(),
            parts.body(),
            self._remarks,
        )
        if request is None:
            return None
        status = integer(told.get("status"), 0)
        response = response_of(
            status,
            phrase(status),
            [line for line in fields(told.get("headers")) if line != ("Hoverfly", "Was-Here")],
            self._body(told),
            self._remarks,
            method=request.method,
        )
        delay = max(0.0, round(number(told.get("fixedDelay")), 3))
        return Interaction(request, response, first_byte_ms=delay, total_ms=delay)

    def _body(self, told: dict[str, Any]) -> bytes:
        if told.get("templated") is True:
            self._remarks.add(Remark.TEMPLATE)
        name = text(told.get("bodyFile"))
        if name:
            beside = self._source.beside(name)
            if beside is None:
                self._remarks.add(Remark.BODY_MISSING, name)
            return beside or b""
        body = text(told.get("body"))
        return base64_bytes(body) if told.get("encodedBody") is True else utf8(body)


def _needs_state(asked: dict[str, Any]) -> bool:
    return bool(asked.get("requiresState"))


def _path(parts: _Matchers) -> str:
    path = parts.value("path")
    path = path if path.startswith("/") else "/" + path
    return path.replace("?", "%3F").replace("#", "%23")


class _Matchers:
    """The matchers of one request, as the values of a request that they accept."""

    def __init__(self, asked: dict[str, Any], remarks: Remarks) -> None:
        self._asked = asked
        self._remarks = remarks

    def value(self, name: str) -> str:
        """Return a part of the request line."""
        held = self._asked.get(name)
        if held is None or held == [] or held == {}:
            self._remarks.add(Remark.UNASKED, name)
            return _STAND_INS[name]
        return self._accepted(held, name, _STAND_INS[name])

    def query(self) -> str:
        """Return the query with its question mark, empty where there is none."""
        held = self._asked.get("query", self._asked.get("queriesWithMatchers"))
        whole = self._asked.get("deprecatedQuery")
        if isinstance(held, dict) and not _is_matcher(held):
            items = [
                f"{quote(name, safe=_QUERY_VALUE)}={quote(value, safe=_QUERY_VALUE)}"
                for name, matchers in held.items()
                for value in self._all(matchers, "query")
            ]
            return "?" + "&".join(items) if items else ""
        found = self._accepted(held or whole, "query", "") if held or whole else ""
        return "?" + found if found else ""

    def headers(self) -> RawFields:
        """Return the header fields that are asked for, which may be fewer than there were."""
        held = self._asked.get("headers", self._asked.get("headersWithMatchers"))
        return [
            (name, value)
            for name, matchers in mapping(held, "headers").items()
            for value in self._all(matchers, "headers")
        ]

    def body(self) -> bytes:
        """Return a body that is accepted."""
        held = self._asked.get("body")
        return utf8(self._accepted(held, "body", "")) if held else b""

    def _all(self, held: Any, what: str) -> list[str]:
        """Return the values of an item that may repeat; an array matcher has them in one."""
        if isinstance(held, list) and any(not isinstance(each, dict) for each in held):
            return [text(each) for each in held]
        if isinstance(held, list) and held and held[0].get("matcher") == "array":
            return [text(each) for each in sequence(held[0].get("value"), "an array")]
        values = [text(each) for each in [self._accepted(held, what, "")]]
        return (
            [part for value in values for part in value.split(";")] if what == "query" else values
        )

    def _accepted(self, held: Any, what: str, stand_in: str) -> str:
        """Return what the matchers accept, all of which must."""
        if not isinstance(held, list | dict):
            return text(held)
        matchers = sequence(held, what) if isinstance(held, list) else _older(held)
        pairs = [_named(mapping(each, "a matcher")) for each in matchers]
        exact = [value for kind, value in pairs if kind in _EXACT]
        if exact:
            return text(exact[0])
        for kind, value in pairs:
            found = _example(kind, text(value))
            if found is not None:
                if found != text(value) or kind in _PARTIAL:
                    self._remarks.add(Remark.PATTERN, f"{what} {text(value)}")
                return found
        if pairs:
            self._remarks.add(Remark.PATTERN, f"{what} {text(pairs[0][1])}")
        return stand_in


def _is_matcher(held: dict[str, Any]) -> bool:
    return "matcher" in held or any(name.endswith("Match") for name in held)


def _older(held: dict[str, Any]) -> list[Any]:
    """``{exactMatch: value, ...}``: each name is a matcher's."""
    if "matcher" in held:
        return [held]
    return [{"matcher": name, "value": value} for name, value in held.items() if value is not None]


def _named(matcher: dict[str, Any]) -> tuple[str, Any]:
    return text(matcher.get("matcher")) or "exact", matcher.get("value")


def _example(kind: str, value: str) -> str | None:
    """Return something that a pattern accepts, where that is easy to tell."""
    if kind in _PARTIAL:
        return value
    if kind in _GLOB:
        return value.replace("*", "any") if value.strip("*") else None
    if kind in _REGEX:
        plain = re.sub(r"\\([.\-/?+*()])", "\0\\1", value.removeprefix("^").removesuffix("$"))
        if not _SPECIAL.search(re.sub("\0.", "", plain)):
            return plain.replace("\0", "")
    return None
