"""What secrets look like: tokens of well-known services."""

from __future__ import annotations

import random
import re

import pytest

from magneto_serge.replay.secrets.likely import likely
from magneto_serge.replay.secrets.names import meaning
from magneto_serge.replay.secrets.shapes import PREFIXED, SHAPES, Shape, kind_of, prefix_of
from magneto_serge.replay.secrets.texts import by_shape

from .tokens import OTHERS, example


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.prefixes[0])
def test_a_token_is_known_by_its_shape(shape: Shape) -> None:
    """Anywhere in a text, all of it, and it keeps its prefix."""
    for prefix in shape.prefixes:
        token = example(prefix, shape, random.Random(prefix))
        text = b'say "%s", please' % token
        assert [find.value for find in by_shape(text)] == [token]
        assert token.startswith(prefix_of(token))
        assert kind_of(prefix_of(token))
        assert likely()(text)


@pytest.mark.parametrize("kind", OTHERS)
def test_tokens_without_a_prefix_are_known_too(kind: str) -> None:
    """Bots, webhooks and keys that have a form of their own."""
    text, token = OTHERS[kind]
    assert [(find.kind, find.value) for find in by_shape(text)] == [(kind, token)]
    assert likely()(text)


@pytest.mark.parametrize(
    "text",
    [
        b"task-list risk-assessment desk-top",
        b"AKIA is how they begin",
        b"eyJ.eyJ.x",
        b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        b"12:30:45 2026-11-23",
        b"pk_live_" + b"a1B2" * 6,
        b"xghp_" + b"a1B2" * 9,
        b"the SKU SK0000",
    ],
)
def test_what_only_begins_like_one_is_none(text: bytes) -> None:
    """Words, public keys and half a token stay."""
    assert list(by_shape(text)) == []


def test_no_expression_takes_long_over_a_hostile_text() -> None:
    """Texts made to be almost a token many times over are done in time that grows with them."""
    for unit in (b"sk-", b"eyJa", b"eyJaaaaaaaa.", b"-----BEGIN PRIVATE KEY-----", b"1" * 9 + b":"):
        list(by_shape(unit * 20_000))


def test_prefixes_are_looked_for_longest_first() -> None:
    """An Anthropic key is no OpenAI key."""
    assert kind_of(prefix_of(b"sk-ant-api03-" + b"a1B2" * 20)) == "Anthropic key"
    assert re.compile(PREFIXED.pattern)
    assert meaning("x").value == 0
