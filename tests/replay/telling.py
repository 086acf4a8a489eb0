"""Requests, interactions and sessions in a few words, for tests that read like scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magneto_serge.config import Settings
from magneto_serge.messages import (
    Body,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.replay.decisions import FORWARD, FORWARD_AND_KEEP, Decision
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.rules import DEFAULT_RULES, compile_rules
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.shelves import Recording, Shelves


def asks(
    target: str = "/",
    body: Body = b"",
    content_type: str = "",
    *,
    method: str = "GET",
    url: str = "http://a.example:80",
    fields: tuple[tuple[str, str], ...] = (),
) -> Request:
    """Return a request; ``url`` is scheme, host and port."""
    scheme, _, authority = url.partition("://")
    host, _, port = authority.rpartition(":")
    if content_type:
        fields = (*fields, ("Content-Type", content_type))
    return Request(method, scheme, host, int(port), target, Headers.of(*fields), body)


def told(request: Request, answer: str = "") -> Interaction:
    """Return the interaction of a request that was answered with ``answer``."""
    return Interaction(request, Response(200, "OK", body=answer.encode()))


def tape(*said: tuple[Request, str], redact: bool = False, **settings: Any) -> Shelves:
    """Return a cassette of requests and their answers; ``settings`` are those of matching.

    ``redact``: secrets are looked for.
    """
    rules = compile_rules(Settings(**settings)) if settings else DEFAULT_RULES
    secrets = SecretRules() if redact else None
    interactions = (told(request, answer) for request, answer in said)
    return Shelves(interactions, rules=rules, secrets=secrets)


class Sink:
    """An InteractionSink that keeps what it is given."""

    congested = False

    def __init__(self) -> None:
        self.interactions: list[Interaction] = []

    def record(self, interaction: Interaction) -> None:
        """Keep an interaction."""
        self.interactions.append(interaction)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back at once: nothing is ever behind."""
        callback()

    def open_body(self, fields: tuple[FieldLine, ...] = ()) -> Spool:
        """Begin a body."""
        return Spool()


class Spool:
    """A BodySink that forgets."""

    def write(self, data: bytes) -> None:
        """Take a piece."""

    def close(self) -> FileBody:
        """End the body."""
        raise AssertionError("no test of the rules writes a large body")

    def discard(self) -> None:
        """Forget the body."""


def session(
    mode: Mode, cassette: Shelves | None = None, name: str | None = "tape", **options: object
) -> Session:
    """Return a session with a sink to record into."""
    options.setdefault("sink", Sink())
    return Session(name, mode, cassette=cassette, **options)  # type: ignore[arg-type]  # as given


def outcome(decision: Decision | None) -> str:
    """Return a decision as one word: what is played, or what becomes of the request."""
    match decision:
        case None:
            return "read on"
        case Recording():
            response = decision.interaction.response
            assert response is not None
            assert isinstance(response.body, bytes)
            return response.body.decode() or "an empty answer"
        case Miss():
            return "refuse"
    assert decision in (FORWARD, FORWARD_AND_KEEP)
    return "forward and keep" if decision is FORWARD_AND_KEEP else "forward"


def script(session: Session, *requests: Request) -> list[str]:
    """Return what becomes of ``requests``, one after the other."""
    return [outcome(session.decide(request)) for request in requests]
