"""Patterns that users write: what they match, and what is said of those that are none."""

from __future__ import annotations

import sys
import time

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.replay.patterns import compile_regex, compile_url_pattern


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("/users/{id}", "/users/1", True),
        ("/users/{id}", "/users/", False),
        ("/users/{id}", "/users/1/posts", False),
        ("/users/{id}", "/v1/users/1", False),
        ("/users/{id}/posts/{post}", "/users/1/posts/2", True),
        ("/files/*", "/files/a/b/c", True),
        ("/v{n}/x", "/v12/x", True),
        ("/a.b", "/a.b", True),
        ("/a.b", "/axb", False),
        ("https://{tenant}.example.com/*", "https://a.example.com/x/y", True),
        ("https://{tenant}.example.com/*", "https://a.example.org/x/y", False),
    ],
)
def test_a_place_is_one_segment_or_the_rest(pattern: str, url: str, matches: bool) -> None:
    """`{name}` crosses no slash, `*` does; everything else is itself."""
    found = compile_url_pattern(pattern, "url_patterns").fullmatch(url)
    assert found is matches


@pytest.mark.parametrize("pattern", ["", "users", "{id}", "/a?b={c}"])
def test_what_is_no_url_pattern_is_refused(pattern: str) -> None:
    """The setting, the pattern and what is accepted are named."""
    with pytest.raises(ConfigError) as caught:
        compile_url_pattern(pattern, "url_patterns")
    assert str(caught.value).startswith(f"url_patterns: {pattern!r}: ")
    assert "/users/{id}" in str(caught.value)


def test_a_regular_expression_reads_bytes() -> None:
    """Patterns are text, what they read is UTF-8, and bytes that are not do no harm."""
    regex = compile_regex("caf[éè]+ [0-9]+", "ignore_body")
    assert regex.sub(b"", "un caféé 12 noir".encode()) == b"un  noir"
    assert regex.search(b"\xff\xfe\x00") is None


@pytest.mark.parametrize("expression", ["(", "(?=a)", r"(a)\1", "a{2,1}", "", "\ud800"])
def test_what_re2_does_not_know_is_refused(expression: str) -> None:
    """Look-around and backreferences, which cannot be done in linear time, as well as mistakes."""
    with pytest.raises(ConfigError, match=r"^ignore_url: "):
        compile_regex(expression, "ignore_url")


def test_a_hostile_text_takes_no_longer_than_any() -> None:
    """`(a+)+$`, which would keep a backtracking engine busy for days, reads a megabyte at once."""
    began = time.process_time()
    assert compile_regex("(a+)+$", "ignore_body").search(b"a" * 1_000_000 + b"b") is None
    assert time.process_time() - began < 30  # seconds, against years


def test_without_re2_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(ConfigError, match=r"pip install 'magneto-serge\[regex\]'"):
        compile_regex("a", "ignore_url")
