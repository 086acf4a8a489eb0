"""What a client is told that is not served."""

from __future__ import annotations

import pytest

from magneto_serge.proxy import refusals
from magneto_serge.proxy.refusals import Refusal

from .traffic import read_answers

ALL = [
    refusals.UNAUTHORIZED,
    refusals.TOO_MANY,
    refusals.TOO_SLOW,
    refusals.malformed(431, ValueError("too much")),
    refusals.no_space(OSError("full")),
    refusals.session_over("old"),
    refusals.origin_form("127.0.0.1", 8888),
]


@pytest.mark.parametrize("refusal", ALL, ids=lambda each: each.kind)
def test_refusal_is_a_problem_document(refusal: Refusal) -> None:
    """Status, type, title and detail stand in it, and each says more than its title."""
    (answer,) = read_answers(refusal.answer(), ["GET"], closed=True)
    assert (answer.status, answer.kind) == (refusal.status, refusal.kind)
    assert answer.problem["title"] == refusal.title
    assert answer.problem["detail"] == refusal.detail != refusal.title
    assert answer.headers["connection"] == "close"


def test_refusal_of_head_has_no_content() -> None:
    """A HEAD request gets the head alone."""
    (answer,) = read_answers(refusals.TOO_MANY.answer(head_only=True), ["HEAD"], closed=True)
    assert (answer.status, answer.body) == (503, b"")


def test_challenge_names_its_scheme() -> None:
    """407 says how to authenticate (RFC 9110 §11.7.1)."""
    (answer,) = read_answers(refusals.UNAUTHORIZED.answer(), ["GET"], closed=True)
    assert answer.headers["proxy-authenticate"] == 'Basic realm="magneto"'
