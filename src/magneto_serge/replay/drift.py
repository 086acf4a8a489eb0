"""Drift: what the world answers now, against what it answered when it was recorded.

A live exchange is held against the recording that would have been replayed for it. Compared is
what a client relies on: the status, chosen header fields, and the body by what it says. What
changes with every answer (``Date``, ``ETag``, cookies, times, addresses, the reason phrase) is
compared only where somebody asks for it. Rules:

* a failure compares as a failure: by its kind, whatever the words;
* a service that cannot be reached has said nothing, so it has not drifted either: it is
  *unreachable*, which is a finding of its own;
* an answer that the client did not wait for is compared as far as its head;
* of an answer that is a template in the cassette, the status alone is compared;
* what leads back to the service itself (``Location``) is compared without naming it, so that the
  same answer from another address is the same answer.

Findings come in a fixed order: status, fields by name, body in its own order, trailers, failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from magneto_serge.messages import (
    FailureKind,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.replay.body_comparison import BodyRules, body_differences
from magneto_serge.replay.comparison import field_names, field_values
from magneto_serge.replay.conversation_comparison import conversation_differences
from magneto_serge.replay.json_comparison import Difference
from magneto_serge.replay.misses import masked_url

if TYPE_CHECKING:
    from magneto_serge.config import Settings
    from magneto_serge.replay.secrets.rules import SecretRules

# What a client acts upon: how to read the body, where to go, what it may do.
DEFAULT_HEADERS = (
    "content-type",
    "content-disposition",
    "location",
    "allow",
    "www-authenticate",
    "access-control-allow-origin",
)

_SILENT = frozenset(
    (
        FailureKind.DNS,
        FailureKind.REFUSED,
        FailureKind.UNREACHABLE,
        FailureKind.TIMEOUT,
        FailureKind.TLS,
        FailureKind.RESET,
        FailureKind.UPSTREAM_PROXY,
    )
)


UNRECORDED = "No recording matches this request."


class Outcome(StrEnum):
    """What became of one request, or of one recording."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"  # asked, and never recorded
    UNREACHABLE = "unreachable"
    UNPLAYED = "unplayed"  # recorded, and never asked for
    SKIPPED = "skipped"  # not sent, for a reason


class Verdict(msgspec.Struct, frozen=True):
    """One finding. ``number`` is the recording's in the cassette, from 1; 0 where it has none.

    ``reason`` explains what has no differences; ``total_ms`` is what the live exchange took.
    Secrets are masked.
    """

    outcome: Outcome
    method: str
    url: str
    number: int = 0
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    total_ms: float = 0.0

    @property
    def drifted(self) -> bool:
        """Whether the world is not as it was recorded."""
        return self.outcome in (Outcome.CHANGED, Outcome.NEW)

    def explain(self) -> str:
        """Return the finding as several lines of text."""
        number = f"#{self.number} " if self.number else ""
        lines = [f"{number}{self.method} {self.url}: {self.outcome}"]
        if self.reason:
            lines.append(f"  {self.reason}")
        lines += [
            f"  {field}: recorded {_short(was)}, now {_short(now)}"
            for field, was, now in self.differences
        ]
        return "\n".join(lines)


class DriftRules(msgspec.Struct, frozen=True):
    """How to compare. ``headers``: names of fields, in lower case; ``*`` is a wildcard.

    ``neutral`` takes the secrets out of the recorded and the live exchange, so that one that was
    redacted can be held against one that was not.
    """

    headers: tuple[str, ...] = DEFAULT_HEADERS
    bodies: BodyRules = BodyRules()
    neutral: Callable[[Interaction, Interaction], tuple[Interaction, Interaction]] | None = None


def rules_of(settings: Settings, secrets: SecretRules) -> DriftRules:
    """Return the rules of a session with these settings; raises ConfigError."""
    from magneto_serge.replay.json_paths import compile_json_paths
    from magneto_serge.replay.neutral import Neutral

    headers: list[str] = []
    for name in settings.verify_headers:
        headers += DEFAULT_HEADERS if name.lower() == "default" else (name.lower(),)
    paths = settings.ignore_json_paths
    without = compile_json_paths(paths, "ignore_json_paths") if paths else None
    bodies = BodyRules(without=without, shape_only=settings.verify_shape_only)
    return DriftRules(tuple(headers), bodies, Neutral(secrets))


def judge(
    recorded: Interaction | None, number: int, live: Interaction, rules: DriftRules
) -> Verdict:
    """Return what a live exchange says about its recording, the ``number``-th of the cassette.

    ``recorded`` None: there is none.
    """
    request = live.request
    method, url, took = request.method, masked_url(request), live.total_ms
    if recorded is None:
        return Verdict(Outcome.NEW, method, url, 0, (), UNRECORDED, took)
    if (silence := _silence(recorded, live)) is not None:
        return Verdict(Outcome.UNREACHABLE, method, url, number, (), silence, took)
    if rules.neutral is not None:
        recorded, live = rules.neutral(recorded, live)
    found = tuple(differences(recorded, live, rules))
    return Verdict(Outcome.CHANGED if found else Outcome.SAME, method, url, number, found, "", took)


def _silence(recorded: Interaction, live: Interaction) -> str | None:
    """Return why the service said nothing; None where it did, or where it did not before either."""
    failure, before = live.failure, recorded.failure
    if failure is None or live.response is not None or failure.kind not in _SILENT:
        return None
    if before is not None and before.kind is failure.kind:
        return None
    return f"{failure.kind}: {failure.detail}"


def differences(
    recorded: Interaction, live: Interaction, rules: DriftRules
) -> Iterator[Difference]:
    """Yield where the answers of two exchanges differ."""
    was, now = recorded.response, live.response
    cut_short = _cut_short(recorded) or _cut_short(live)
    failures = _failure(recorded), _failure(live)
    if was is None or now is None:
        yield from _unequal("response", _status(was), _status(now))
    else:
        yield from _unequal("response.status", str(was.status), str(now.status))
        if recorded.template:  # what it says is made anew for each request
            return
        yield from _fields("response.headers", recorded.request, live.request, was, now, rules)
        if failures[0] == failures[1] and not cut_short:
            yield from body_differences("response.body", was, now, rules.bodies)
            yield from _trailers(was, now, rules)
            yield from conversation_differences(
                recorded.websocket, live.websocket, rules.bodies, senders={"server": "websocket"}
            )
    if not cut_short:  # nobody knows how the rest of it would have gone
        yield from _unequal("failure", *failures)


def _unequal(field: str, was: str | None, now: str | None) -> Iterator[Difference]:
    if was != now:
        yield Difference(field, was, now)


def _status(response: Response | None) -> str | None:
    return None if response is None else f"{response.status} {response.reason}".rstrip()


def _failure(interaction: Interaction) -> str | None:
    failure = interaction.failure
    return None if failure is None else str(failure.kind)


def _cut_short(interaction: Interaction) -> bool:
    """Whether the client, and not the service, broke off."""
    failure = interaction.failure
    return failure is not None and failure.kind is FailureKind.CLIENT_CLOSED


# --- fields -------------------------------------------------------------------------------------


def _chosen(one: Headers, other: Headers, patterns: tuple[str, ...]) -> list[str]:
    names = sorted(field_names(one, other))
    return [name for name in names if any(fnmatchcase(name, each) for each in patterns)]


def _fields(
    where: str, asked: Request, asks: Request, was: Response, now: Response, rules: DriftRules
) -> Iterator[Difference]:
    for name in _chosen(was.headers, now.headers, rules.headers):
        mine, theirs = was.headers.get_all(name), now.headers.get_all(name)
        meant = (
            [_meaning(name, value, request) for value in values]
            for request, values in ((asked, mine), (asks, theirs))
        )
        if rules.bodies.shape_only:
            meant = (_shape(name, values) for values in (mine, theirs))
        one, other = meant
        if one != other:
            yield _field_difference(f"{where}.{name}", name, mine, theirs, rules)


def _trailers(was: Response, now: Response, rules: DriftRules) -> Iterator[Difference]:
    for name in _chosen(was.trailers, now.trailers, rules.headers):
        mine, theirs = was.trailers.get_all(name), now.trailers.get_all(name)
        if mine != theirs and not (rules.bodies.shape_only and mine and theirs):
            yield _field_difference(f"response.trailers.{name}", name, mine, theirs, rules)


def _field_difference(
    field: str, name: str, mine: list[str], theirs: list[str], rules: DriftRules
) -> Difference:
    reveal = rules.bodies.reveal
    return Difference(
        field, field_values(name, mine, reveal=reveal), field_values(name, theirs, reveal=reveal)
    )


def _meaning(name: str, value: str, request: Request) -> str:
    """Return a field's value so that two that mean the same are the same."""
    if name == "content-type":
        return _media_type(value)
    if name in ("location", "content-location"):  # RFC 9110 §10.2.2: relative to the target URI
        return value.removeprefix(f"{request.scheme}://{request.authority}")
    return value


def _shape(name: str, values: list[str]) -> list[str]:
    """Of the shape only, a field is there or not; but a content type is what a shape is of."""
    if name == "content-type":
        return [value.partition(";")[0].strip().lower() for value in values]
    return [""] if values else []


def _media_type(value: str) -> str:
    """RFC 9110 §8.3.1: type, parameter names and charset have no case; each boundary is new."""
    kind, *parameters = value.split(";")
    meant = [kind.strip().lower()]
    for parameter in sorted(each.strip() for each in parameters):
        name, _, text = parameter.partition("=")
        name, text = name.strip().lower(), text.strip().strip('"')
        if name and name != "boundary":
            meant.append(f"{name}={text.lower() if name == 'charset' else text}")
    return ";".join(meant)


_LONGEST = 120  # characters of a value that are shown on a line


def _short(value: str | Raw | None) -> str:
    if value is None:
        return "nothing"
    text = bytes(value).decode() if isinstance(value, Raw) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
