"""What differs between two cassettes, interaction by interaction. Pure.

Interactions are paired by the key that replay matches them by, equal ones in their order; what is
left is paired by that key without the body, so that a request that now sends something else is one
that changed, not one that went and one that came. Compared is what a client could tell: not times,
pieces, or the origin's address. A body is compared as its content, JSON by value, text by lines.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from magneto_serge.messages import (
    Body,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    body_size,
)
from magneto_serge.replay.masking import mask_field
from magneto_serge.replay.matching import body_key, head_key

from .bodies import shown_body
from .json_comparison import Difference, json_differences
from .units import size

_LINES = 2000  # of a text; finding what moved in more takes too long


class Pair(NamedTuple):
    """Positions (from 0) of what belongs together; None where there is no other."""

    a: int | None
    b: int | None


def paired(a: Sequence[Interaction], b: Sequence[Interaction]) -> list[Pair]:
    """Pair the interactions of two cassettes: in the order of ``a``, what only ``b`` has last."""
    partners: dict[int, int] = {}
    free = set(range(len(b)))
    keys: tuple[Callable[[Request], Hashable], ...] = (_whole_key, head_key)
    for key in keys:
        waiting: dict[Hashable, deque[int]] = {}
        for position in sorted(free):
            waiting.setdefault(key(b[position].request), deque()).append(position)
        for position, interaction in enumerate(a):
            if position not in partners and (same := waiting.get(key(interaction.request))):
                partners[position] = same.popleft()
                free.remove(partners[position])
    pairs = [Pair(position, partners.get(position)) for position in range(len(a))]
    return pairs + [Pair(None, position) for position in sorted(free)]


def _whole_key(request: Request) -> Hashable:
    return head_key(request), body_key(request.headers, request.body)


class Comparison:
    """Compares interactions; ``ignored`` are names of header fields, in lower case."""

    def __init__(self, *, ignored: Collection[str] = (), reveal: bool = False) -> None:
        self._ignored = frozenset(ignored)
        self._reveal = reveal

    def differences(self, a: Interaction, b: Interaction) -> Iterator[Difference]:
        """Yield every field in which two interactions differ."""
        yield from self._messages("request", a.request, b.request)
        yield from _texts("informational", _statuses(a), _statuses(b))
        if a.response is not None and b.response is not None:
            yield from _texts("response.status", str(a.response.status), str(b.response.status))
            yield from _texts("response.reason", a.response.reason, b.response.reason)
            yield from self._messages("response", a.response, b.response)
        else:
            yield from _texts("response", _response(a), _response(b))
        yield from _texts("failure", _failure(a), _failure(b))

    def _messages(
        self, where: str, a: Request | Response, b: Request | Response
    ) -> Iterator[Difference]:
        yield from _texts(f"{where}.version", a.version, b.version)
        yield from self._sections(f"{where}.headers", a.headers, b.headers)
        yield from self._bodies(f"{where}.body", a, b)
        yield from self._sections(f"{where}.trailers", a.trailers, b.trailers)

    def _sections(self, where: str, a: Headers, b: Headers) -> Iterator[Difference]:
        if a == b:
            return
        for name in dict.fromkeys(name.lower() for section in (a, b) for name, _ in section):
            mine, theirs = a.get_all(name), b.get_all(name)
            if mine != theirs and name not in self._ignored:
                yield Difference(
                    f"{where}.{name}", self._values(name, mine), self._values(name, theirs)
                )

    def _values(self, name: str, values: list[str]) -> str | None:
        shown = [value if self._reveal else mask_field(name, value) for value in values]
        return "\n".join(shown) if shown else None

    def _bodies(
        self, where: str, a: Request | Response, b: Request | Response
    ) -> Iterator[Difference]:
        if _is_same(a.body, b.body):
            return
        one, other = (shown_body(each.headers, each.body, reveal=True) for each in (a, b))
        if one.kind == other.kind and one.content and one.content == other.content:
            return  # only the content coding was another one
        if one.kind == other.kind == "json":
            found = json_differences(where, one.content, other.content, reveal=self._reveal)
            if found is not None:
                yield from found
                return
        one, other = (shown_body(each.headers, each.body, reveal=self._reveal) for each in (a, b))
        if {one.kind, other.kind} <= {"text", "json", "empty"}:
            yield from _lines(where, one.text, other.text)
        else:
            yield Difference(where, _summary(a.body), _summary(b.body))


def _texts(field: str, a: str, b: str) -> Iterator[Difference]:
    if a != b:
        yield Difference(field, a or None, b or None)


def _statuses(interaction: Interaction) -> str:
    return ", ".join(str(each.status) for each in interaction.informational)


def _response(interaction: Interaction) -> str:
    response = interaction.response
    return "" if response is None else f"{response.status} {response.reason}".rstrip()


def _failure(interaction: Interaction) -> str:
    failure = interaction.failure
    return "" if failure is None else f"{failure.kind}: {failure.detail}".removesuffix(": ")


def _is_same(a: Body, b: Body) -> bool:
    if isinstance(a, bytes) and isinstance(b, bytes):
        return a == b
    return body_size(a) == body_size(b) and _sha256(a) == _sha256(b)


def _sha256(body: Body) -> str:
    return body.sha256 if isinstance(body, FileBody) else hashlib.sha256(body).hexdigest()


def _summary(body: Body) -> str | None:
    return f"{size(body_size(body))}, sha256 {_sha256(body)[:16]}…" if body_size(body) else None


def _lines(where: str, a: str, b: str) -> Iterator[Difference]:
    """Yield the blocks of lines that differ, under the number of their first line."""
    if not a or not b or a == b:  # equal: what differs is masked
        yield Difference(where, a or None, b or None)
        return
    mine, theirs = a.splitlines(), b.splitlines()
    if mine == theirs:
        yield Difference(f"{where}, line ends", repr(a[-2:]), repr(b[-2:]))
    elif max(len(mine), len(theirs)) > _LINES:
        yield Difference(where, f"{len(mine):,} lines of text", f"{len(theirs):,} other lines")
    else:
        for kind, start, end, first, last in SequenceMatcher(None, mine, theirs).get_opcodes():
            if kind != "equal":
                place = f"{where}, line {start + 1}"
                yield Difference(place, _block(mine[start:end]), _block(theirs[first:last]))


def _block(lines: list[str]) -> str | None:
    return "\n".join(lines) if lines else None
