"""The built-in projections, where they are more than a part of the request as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.messages import FileBody, Headers
from magneto_serge.replay.patterns import compile_regex
from magneto_serge.replay.projections import (
    CONTENT_PARTS,
    Content,
    Location,
    Names,
    field_key,
    fields_key,
    query_key,
)

from .telling import asks


def test_names_are_exact_or_patterns() -> None:
    """A name with `*`, `?` or `[` is a shell pattern; case is as `fold` says."""
    names = Names(["ts", "utm_*", "X-Id"], str.lower)
    assert [name in names for name in ("ts", "utm_source", "x-id", "tsx", "TS")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not Names([])


@pytest.mark.parametrize(
    ("query", "ignored", "key"),
    [
        ("", [], ""),
        ("a=1", [], "a=1"),
        ("b&a&b", [], ("a", "b", "b")),
        ("a=1&ts=2", ["ts"], "a=1"),
        ("ts=2", ["ts"], ""),
        ("b=1&ts&a=1", ["ts"], ("a=1", "b=1")),
        ("%74s=2", ["ts"], ""),
    ],
)
def test_queries_are_multisets(query: str, ignored: list[str], key: object) -> None:
    """With the same form whether something is left out or not."""
    assert query_key(query, Names(ignored)) == key


def test_absent_and_empty_fields_differ() -> None:
    """A field that is there without a value is there."""
    assert field_key(Headers(), b"a") is None
    assert field_key(Headers.of(("A", "")), b"a") == b""
    assert fields_key(Headers.of(("A", "")), Names([])) == frozenset({(b"a", b"")})


def test_a_location_after_an_expression_is_taken_apart_again() -> None:
    """What is left of the URL is scheme, host, port, path and query."""
    where = Location(
        asks("/v1/a?b=1", url="http://x.example:8080"), (compile_regex("/v1", "ignore_url"),)
    )
    assert (where.scheme, where.host, where.port, where.path, where.query) == (
        "http",
        "x.example",
        "8080",
        "/a",
        "b=1",
    )


@pytest.mark.parametrize("part", CONTENT_PARTS)
def test_a_body_on_the_disk_is_its_digest(part: str) -> None:
    """Nobody reads it again to compare it."""
    on_disk = FileBody(Path("no-such-file"), 5_000_000, "ab" * 32)
    assert Content(part, None, ())(asks("/", on_disk)) == ("sha256", "ab" * 32)


@pytest.mark.parametrize("part", CONTENT_PARTS)
def test_no_content(part: str) -> None:
    """A request without content has one key under every matcher."""
    assert Content(part, None, ())(asks("/")) == b""


def test_a_large_body_is_projected_in_linear_time() -> None:
    """Ten megabytes of text that is hostile to backtracking are a key of fixed size."""
    body = b'{"a":"' + b"a" * 10_000_000 + b'!"}'
    regex = compile_regex("(a+)+$", "ignore_body")
    key = Content("body", None, (regex,))(asks("/", body, "application/json"))
    assert len(repr(key)) < 200
