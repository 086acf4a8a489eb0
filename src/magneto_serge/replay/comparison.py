"""What differs between two interactions, or two cassettes of them, field by field.

Interactions are paired by the key that replay matches them by, equal ones in their order; what is
left is paired by that key without the body, so that a request that now sends something else is one
that changed, not one that went and one that came. Compared is what a client could tell: not times,
pieces, or the origin's address. A body is compared as its content: JSON and streams of it by value,
text by lines, anything else by its digest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import NamedTuple

from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.replay.body_comparison import BodyRules, body_differences
from magneto_serge.replay.conversation_comparison import conversation_differences
from magneto_serge.replay.json_comparison import Difference
from magneto_serge.replay.json_paths import Without
from magneto_serge.replay.masking import mask_field
from magneto_serge.replay.matching import body_key, head_key


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
    """Compares interactions; ``ignored`` are names of header fields, in lower case.

    ``without`` and ``shape_only`` are about bodies, as in :class:`BodyRules`.
    """

    def __init__(
        self,
        *,
        ignored: Collection[str] = (),
        reveal: bool = False,
        without: Without | None = None,
        shape_only: bool = False,
    ) -> None:
        self._ignored = frozenset(ignored)
        self._reveal = reveal
        self._bodies = BodyRules(reveal, without, shape_only)

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
        yield from conversation_differences(a.websocket, b.websocket, self._bodies)
        yield from _texts("failure", _failure(a), _failure(b))
        yield from _texts("template", _mark(a), _mark(b))

    def _messages(
        self, where: str, a: Request | Response, b: Request | Response
    ) -> Iterator[Difference]:
        yield from _texts(f"{where}.version", a.version, b.version)
        yield from self._sections(f"{where}.headers", a.headers, b.headers)
        yield from body_differences(f"{where}.body", a, b, self._bodies)
        yield from self._sections(f"{where}.trailers", a.trailers, b.trailers)

    def _sections(self, where: str, a: Headers, b: Headers) -> Iterator[Difference]:
        if a == b:
            return
        for name in field_names(a, b):
            mine, theirs = a.get_all(name), b.get_all(name)
            if mine != theirs and name not in self._ignored:
                shown = (field_values(name, each, reveal=self._reveal) for each in (mine, theirs))
                yield Difference(f"{where}.{name}", *shown)


def field_names(*sections: Headers) -> list[str]:
    """Return the names of all fields, in lower case, in the order in which they first occur."""
    names = (name.lower() for section in sections for name, _ in section.raw)
    return [name.decode("latin-1") for name in dict.fromkeys(names)]


def field_values(name: str, values: list[str], *, reveal: bool) -> str | None:
    """Return the values of a header field to be shown, one to a line; None for none."""
    shown = [value if reveal else mask_field(name, value) for value in values]
    return "\n".join(shown) if shown else None


def _texts(field: str, a: str, b: str) -> Iterator[Difference]:
    if a != b:
        yield Difference(field, a or None, b or None)


def _mark(interaction: Interaction) -> str:
    return "true" if interaction.template else ""


def _statuses(interaction: Interaction) -> str:
    return ", ".join(str(each.status) for each in interaction.informational)


def _response(interaction: Interaction) -> str:
    response = interaction.response
    return "" if response is None else f"{response.status} {response.reason}".rstrip()


def _failure(interaction: Interaction) -> str:
    failure = interaction.failure
    return "" if failure is None else f"{failure.kind}: {failure.detail}".removesuffix(": ")
