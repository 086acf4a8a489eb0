"""A redacted answer and a live one are the same where nothing but secrets differ."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from magneto_serge.messages import (
    Conversation,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)
from magneto_serge.replay.drift import DriftRules, Outcome, judge
from magneto_serge.replay.neutral import Neutral
from magneto_serge.replay.secrets.redactor import Redactor
from magneto_serge.replay.secrets.rules import SecretRules

JSON = ("Content-Type", "application/json")
ONE, OTHER = ("ghp_" + each * 36 for each in "ab")


def exchange(
    body: bytes = b"", *fields: tuple[str, str], sent: str = "", **values: Any
) -> Interaction:
    """Return an exchange with this answer."""
    asked = Headers.of(("Authorization", f"Bearer {sent}")) if sent else Headers()
    request = Request("GET", "http", "a.test", 80, "/", asked)
    return Interaction(request, Response(200, headers=Headers.of(*fields), body=body), **values)


def outcome(recorded: Interaction, live: Interaction) -> Outcome:
    """Record one exchange, redacted, and judge another by it."""
    rules = SecretRules()
    earlier = Redactor(rules)
    earlier.redact(exchange(b'{"password": "another-s3cret-0123"}', JSON))  # it has number 1
    stored = earlier.redact(recorded)
    assert judge(stored, 1, stored, DriftRules(neutral=Neutral(rules))).outcome is Outcome.SAME
    compared = DriftRules(headers=("*",), neutral=Neutral(rules))
    return judge(stored, 1, live, compared).outcome


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"access_token": "s3cret-one-0123456789"}', b'{"access_token": "s3cret-two-98765"}'),
        (f'{{"text": "{ONE}"}}'.encode(), f'{{"text": "{OTHER}"}}'.encode()),
        (b'{"pin": 1234567, "n": 1}', b'{"pin": 7654321, "n": 1}'),
    ],
)
def test_a_token_that_changed_is_no_drift(one: bytes, other: bytes) -> None:
    """Found by its name or by its shape; compressed or not."""
    assert outcome(exchange(one, JSON), exchange(other, JSON)) is Outcome.SAME
    coded = (JSON, ("Content-Encoding", "gzip"))
    squeezed = exchange(gzip.compress(other), *coded)
    assert outcome(exchange(gzip.compress(one), *coded), squeezed) is Outcome.SAME


def test_a_token_that_became_something_else_is_drift() -> None:
    """As is whatever stands around it."""
    one = exchange(b'{"access_token": "s3cret-one-0123456789", "n": 1}', JSON)
    gone = exchange(b'{"access_token": null, "n": 1}', JSON)
    assert outcome(one, gone) is Outcome.CHANGED
    other = exchange(b'{"access_token": "s3cret-two-0123456789", "n": 2}', JSON)
    assert outcome(one, other) is Outcome.CHANGED


def test_what_only_the_request_explains_is_found_in_the_answer() -> None:
    """An echoed token."""
    one = exchange(b"hello k3y-one-0123456789-abcdef", sent="k3y-one-0123456789-abcdef")
    other = exchange(b"hello k3y-two-0123456789-abcdef", sent="k3y-two-0123456789-abcdef")
    assert outcome(one, other) is Outcome.SAME


def test_cookies_are_compared_without_their_secrets() -> None:
    """Names and attributes stay."""
    one, other, third = (
        exchange(b"", ("Set-Cookie", f"session={value}; Path={path}"))
        for value, path in (
            ("0123456789abcdef", "/"),
            ("fedcba9876543210", "/"),
            ("0123abcdef", "/x"),
        )
    )
    assert outcome(one, other) is Outcome.SAME
    assert outcome(one, third) is Outcome.CHANGED


def test_what_a_server_says_over_a_websocket_is_taken_too() -> None:
    """Text is; binary is as it is."""

    def talk(token: str) -> Interaction:
        messages = [
            WebSocketMessage("server", "text", f'{{"access_token": "{token}"}}'.encode()),
            WebSocketMessage("server", "binary", b"\0"),
        ]
        return exchange(websocket=Conversation(messages))

    assert outcome(talk("s3cret-one-0123456789"), talk("s3cret-two-9876543210")) is Outcome.SAME


def test_without_an_answer_nothing_is_to_be_done() -> None:
    """A failure has no secrets of ours."""
    failed = exchange()
    failed.response = None
    assert Neutral(SecretRules())(failed, failed) == (failed, failed)
