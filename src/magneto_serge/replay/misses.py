"""A refusal, explained: what was asked, the nearest recordings, and which fields differ.

Nearest means: the most parts of the match key in common, weighted so that another body beats
another query, another query beats another path, and another method or host comes last. The scan
is linear over what the cassette offers for a miss only, and bounded there.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Body, FileBody, Request, body_size
from magneto_serge.replay.matching import body_key
from magneto_serge.replay.redaction import mask_target
from magneto_serge.replay.shelves import Shelves

_SHOWN = 3
_PREVIEW = 120  # characters of a body


class Difference(msgspec.Struct, frozen=True):
    """One field in which a recording differs from the request."""

    field: str
    asked: str
    recorded: str


class Nearest(msgspec.Struct, frozen=True):
    """A recording close to what was asked: its number in the cassette, and the differences."""

    number: int
    method: str
    url: str
    differences: tuple[Difference, ...]


class Miss(msgspec.Struct, frozen=True):
    """A request that replay refused; `request` is without its body.

    ``reason`` is one sentence; ``nearest`` holds up to three recordings, best first; ``remedy``
    says what to do next.
    """

    method: str
    url: str
    reason: str
    remedy: str
    nearest: tuple[Nearest, ...] = ()
    request: Request | None = None

    def explain(self) -> str:
        """Return the whole story as several lines of text."""
        lines = [f"{self.method} {self.url}", f"  {self.reason}"]
        for near in self.nearest:
            lines.append(f"  nearest: #{near.number} {near.method} {near.url}")
            lines += [
                f"    {difference.field}: asked {difference.asked}, recorded {difference.recorded}"
                for difference in near.differences
            ]
        lines.append(f"  {self.remedy}")
        return "\n".join(lines)


def find_miss(request: Request, cassette: Shelves | None, name: str | None) -> Miss:
    """Explain why nothing in ``cassette`` (called ``name``) matches ``request``."""
    url = masked_url(request)
    if cassette is None or name is None:
        return Miss(
            request.method,
            url,
            "No cassette is in use, so there is nothing to replay and nowhere to record.",
            "Name one: `magneto record NAME`, or in Python `proxy.start_recording(name)`.",
            request=_without_body(request),
        )
    scored = sorted(
        (
            (_distance(request, recording.interaction.request), recording.number, recording)
            for recording in cassette.near(request)
        ),
        key=lambda item: item[:2],
    )
    nearest = tuple(
        Nearest(
            recording.number,
            recording.interaction.request.method,
            masked_url(recording.interaction.request),
            differences(request, recording.interaction.request),
        )
        for distance, _, recording in scored[:_SHOWN]
        if distance < _UNRELATED
    )
    return Miss(
        request.method,
        url,
        f"No recording in cassette {name!r} ({len(cassette)} interactions) matches.",
        f"To add it: `magneto hybrid {name}`; to record everything again: `magneto record {name}`.",
        nearest,
        _without_body(request),
    )


def unreadable(request: Request, error: CassetteError) -> Miss:
    """Explain that what was recorded for ``request`` is damaged."""
    return Miss(
        request.method,
        masked_url(request),
        f"The cassette is damaged. {error}",
        "Until then nothing that the cassette holds for this request can be replayed.",
        request=_without_body(request),
    )


def _without_body(request: Request) -> Request:
    """Misses are kept by the thousand: their bodies are not."""
    return msgspec.structs.replace(request, body=b"") if request.body else request


def masked_url(request: Request) -> str:
    """Return the request's URL with the secrets in its query masked."""
    return f"{request.scheme}://{request.authority}{mask_target(request.target)}"


_UNRELATED = 40


def _distance(asked: Request, recorded: Request) -> int:
    """Sum the weights of what differs; `_UNRELATED` and more is not worth showing."""
    path, _, query = asked.target.partition("?")
    recorded_path, _, recorded_query = recorded.target.partition("?")
    distance = 0
    if asked.host != recorded.host:
        distance += 40
    if asked.port != recorded.port or asked.scheme != recorded.scheme:
        distance += 15
    if path != recorded_path:
        distance += 20 + 2 * min(5, _segments_apart(path, recorded_path))
    if asked.method != recorded.method:
        distance += 15
    if query != recorded_query:
        distance += 5
    if asked.body != recorded.body:
        distance += 1
    return distance


def _segments_apart(one: str, other: str) -> int:
    ones, others = one.split("/"), other.split("/")
    return abs(len(ones) - len(others)) + sum(a != b for a, b in zip(ones, others, strict=False))


def differences(asked: Request, recorded: Request) -> tuple[Difference, ...]:
    """Return the parts of the match key in which two requests differ, in key order."""
    found: list[Difference] = []
    for field in ("method", "scheme", "host", "port"):
        mine, theirs = getattr(asked, field), getattr(recorded, field)
        if mine != theirs:
            found.append(Difference(field, str(mine), str(theirs)))
    path, _, _ = asked.target.partition("?")
    recorded_path, _, _ = recorded.target.partition("?")
    if path != recorded_path:
        found.append(Difference("path", path, recorded_path))
    found += _query_differences(mask_target(asked.target), mask_target(recorded.target))
    if body_key(asked.headers, asked.body) != body_key(recorded.headers, recorded.body):
        found.append(Difference("body", _preview(asked.body), _preview(recorded.body)))
    return tuple(found)


def _query_differences(asked: str, recorded: str) -> list[Difference]:
    mine = parse_qsl(asked.partition("?")[2], keep_blank_values=True)
    theirs = parse_qsl(recorded.partition("?")[2], keep_blank_values=True)
    names = dict.fromkeys(name for name, _ in (*mine, *theirs))
    found = []
    for name in names:
        ours = sorted(value for key, value in mine if key == name)
        others = sorted(value for key, value in theirs if key == name)
        if ours != others:
            found.append(Difference(f"query {name}", _values(ours), _values(others)))
    if not found and _items(asked) != _items(recorded):  # the same, in another percent-encoding
        found.append(Difference("query", _raw_query(asked), _raw_query(recorded)))
    return found


def _items(target: str) -> list[str]:
    return sorted(target.partition("?")[2].split("&"))


def _raw_query(target: str) -> str:
    return repr(target.partition("?")[2])


def _values(values: list[str]) -> str:
    return ", ".join(map(repr, values)) if values else "nothing"


def _preview(body: Body) -> str:
    if isinstance(body, FileBody):
        return f"{body.size} bytes, sha256 {body.sha256[:12]}…"
    if not body:
        return "no body"
    try:
        text = body[: 4 * _PREVIEW].decode()
    except UnicodeDecodeError:
        return f"{body_size(body)} bytes of binary data"
    return repr(text if len(text) <= _PREVIEW else text[:_PREVIEW] + "…")
