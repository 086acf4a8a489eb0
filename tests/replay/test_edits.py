"""Edits: field lines, targets and bodies, before and after."""

from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Headers
from magneto_serge.replay.edits import (
    adding,
    field_line,
    field_name,
    literal,
    new_content,
    new_target,
    regular,
    removing,
    sed,
    setting,
    with_length,
)

FIELDS = ((b"Host", b"a"), (b"X-a", b"1"), (b"Accept", b"*/*"), (b"X-A", b"2"), (b"X-B", b"3"))


def test_setting_replaces_in_its_place() -> None:
    """The first line of the name gets the value, with its name as written; others go."""
    assert setting((b"X-A", b"new"))(FIELDS) == (
        (b"Host", b"a"),
        (b"X-a", b"new"),
        (b"Accept", b"*/*"),
        (b"X-B", b"3"),
    )
    assert setting((b"X-C", b"new"))(FIELDS) == (*FIELDS, (b"X-C", b"new"))


def test_adding_goes_to_the_end() -> None:
    """Whatever there is of that name stays."""
    assert adding((b"X-A", b"3"))(FIELDS) == (*FIELDS, (b"X-A", b"3"))


def test_removing_takes_all() -> None:
    """Every line of the name, and with a wildcard of every such name."""
    assert removing("x-a")(FIELDS) == ((b"Host", b"a"), (b"Accept", b"*/*"), (b"X-B", b"3"))
    assert removing("X-*")(FIELDS) == ((b"Host", b"a"), (b"Accept", b"*/*"))


def test_removing_everything_leaves_framing() -> None:
    """A wildcard never takes what tells where a message ends."""
    framed = ((b"A", b"b"), (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"))
    assert removing("*")(framed) == framed[1:]


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "a b", "", "é", "a:"]
)
def test_names_that_no_rule_can_have(name: str) -> None:
    """Framing, connections, and what is no name."""
    with pytest.raises(ConfigError):
        field_name(name)


def test_field_lines() -> None:
    """`NAME: VALUE`; a line end in a value is a mistake."""
    assert field_line("X-A:  é b ") == (b"X-A", "é b".encode())
    for wrong in ("X-A", "X-A: a\nB: c", ": x"):
        with pytest.raises(ConfigError):
            field_line(wrong)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("s/a+/b/", b"caat", b"cbt"),
        (r"s/(\d+)-(\d+)/\2-\1/", b"1-2", b"2-1"),
        ("s|/v1/|/v2/|", b"/v1/users", b"/v2/users"),
        (r"s/a\/b/c/", b"xa/b", b"xc"),
        ("s/a//", b"banana", b"bnn"),
    ],
)
def test_sed(text: str, before: bytes, after: bytes) -> None:
    """A regular expression and its replacement, with any delimiter."""
    found = sed(text)
    assert found is not None
    assert found.apply(before) == after


@pytest.mark.parametrize("text", ["", "s", "secret", "s a b", "x/a/b/"])
def test_what_is_no_substitution(text: str) -> None:
    """Words that merely begin with an s."""
    assert sed(text) is None


@pytest.mark.parametrize(
    "text", ["s/a", "s/a/", "s/a/b", "s/a/b/g", "s/(/b/", "s//b/", r"s/a/\2/", "s/(?=a)/b/"]
)
def test_mistakes_in_substitutions(text: str) -> None:
    """What is cut off, is no expression, or names no group."""
    with pytest.raises(ConfigError):
        sed(text)


def test_a_hostile_text_takes_no_time() -> None:
    """An expression that ruins other engines is linear here."""
    assert regular("(a+)+$", "x").apply(b"a" * 50_000 + b"b") == b"a" * 50_000 + b"b"


def test_nothing_to_look_for() -> None:
    """An empty text is everywhere."""
    with pytest.raises(ConfigError, match="nothing to look for"):
        literal("", "x")


@pytest.mark.parametrize(
    ("target", "find", "replace", "changed"),
    [
        ("/v1/users?v1", "/v1/", "/v2/", "/v2/users?v1"),
        ("/a/b", "/b", "", "/a"),
        ("/a", "/a", "", None),
        ("/a", "a", "b c", None),
        ("/a", "a", "b?c", None),
        ("/a", "a", "é", None),
    ],
)
def test_targets(target: str, find: str, replace: str, changed: str | None) -> None:
    """The path alone is changed, and only into a path."""
    assert new_target(target, [literal(find, replace)]) == changed


def test_content() -> None:
    """Length follows, digests go, and what is not changed is not touched."""
    headers = Headers.of(("Content-Length", "5"), ("Digest", "x"), ("ETag", "y"))
    changed = new_content(headers, b"hello", [literal("ello", "i"), literal("hi", "ho ho")])
    assert changed == (Headers.of(("Content-Length", "5"), ("ETag", "y")), b"ho ho")
    assert new_content(headers, b"hello", [literal("x", "y")]) is None


def test_coded_content() -> None:
    """It is decoded, changed, and stays decoded."""
    headers = Headers.of(("Content-Encoding", "gzip"), ("Content-Length", "99"))
    changed = new_content(headers, gzip.compress(b"hello"), [literal("hello", "bye")])
    assert changed == (Headers.of(("Content-Length", "3")), b"bye")
    assert new_content(headers, gzip.compress(b"x"), [literal("hello", "bye")]) is None


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, br", "mystery"])
def test_content_that_cannot_be_decoded(coding: str) -> None:
    """The error says which coding; nothing is guessed."""
    headers = Headers.of(("Content-Encoding", coding))
    with pytest.raises(ValueError, match=re.escape(f"{coding!r} cannot be undone")):
        new_content(headers, b"not so", [literal("a", "b")])


def test_identity_is_no_coding() -> None:
    """It says that there is none."""
    headers = Headers.of(("Content-Encoding", "identity"))
    assert new_content(headers, b"a", [literal("a", "b")]) == (headers, b"b")


def test_a_length_that_is_not_there_is_not_added() -> None:
    """Chunked messages have none."""
    assert with_length(Headers.of(("A", "b")), 3) == Headers.of(("A", "b"))


names = st.sampled_from([b"A", b"a", b"B", b"Content-Length", b"c"])


@given(st.lists(st.tuples(names, st.binary(max_size=3))).map(tuple))
def test_setting_leaves_one(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """After it there is exactly one line of the name; the others are as before, in order."""
    changed = setting((b"A", b"new"))(fields)
    assert [value for name, value in changed if name.lower() == b"a"] == [b"new"]
    assert [line for line in changed if line[0].lower() != b"a"] == [
        line for line in fields if line[0].lower() != b"a"
    ]
