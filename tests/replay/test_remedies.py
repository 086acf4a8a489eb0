"""What to do about a miss: options as they are written. `test_misses` shows that they are exact."""

from __future__ import annotations

from typing import Any

import pytest

from magneto_serge.config import Settings
from magneto_serge.replay.differences import Difference
from magneto_serge.replay.remedies import in_words, options_for, recording
from magneto_serge.replay.rules import compile_rules

from .telling import asks


def options(*fields: str, path: str = "/a/b", **settings: Any) -> dict[str, list[str]]:
    """Return the options for differences in these fields."""
    comparison = compile_rules(Settings(**settings)).of(asks())
    return options_for([Difference(field, "1", "2") for field in fields], path, comparison)


def test_each_field_has_its_option() -> None:
    """Items, fields, members and segments by name; the rest of the key by leaving it out."""
    assert options("query ts") == {"ignore_query": ["ts"]}
    assert options("header x-id") == {"ignore_headers": ["x-id"]}
    assert options("body $.a", "body $.b") == {"ignore_json_paths": ["$.a", "$.b"]}
    assert options("path segment 2") == {"url_patterns": ["/a/{id}"]}
    assert options("port") == {"match_on": ["method", "scheme", "host", "path", "query", "body"]}
    for field in ("body", "content $.a", "form a"):
        assert "body" not in options(field)["match_on"]


@pytest.mark.parametrize("fields", [["method"], ["path"], ["matcher own"], ["query a", "path"]])
def test_another_request_is_another_request(fields: list[str]) -> None:
    """No option makes sense."""
    assert options(*fields) == {}


@pytest.mark.parametrize(
    ("asked", "recorded", "helps"),
    [("http", "https", True), ("ws", "wss", True), ("http", "ws", False), ("wss", "https", False)],
)
def test_a_websocket_is_no_other_request(asked: str, recorded: str, helps: bool) -> None:
    """Nobody is told to compare no schemes where that would not do."""
    comparison = compile_rules(Settings()).of(asks())
    found = options_for([Difference("scheme", asked, recorded)], "/a", comparison)
    assert bool(found) is helps


def test_something_has_to_be_compared() -> None:
    """Nobody is told to compare nothing, or all paths as one."""
    assert options("path segment 1", path="/a") == {}
    assert options("body", match_on=("body",)) == {}


def test_a_shell_can_read_the_flags() -> None:
    """What has a meaning there is quoted."""
    words = in_words({"ignore_json_paths": ["$.a"], "match_on": ["method", "path"]})
    assert words == (
        'ignore_json_paths = ["$.a"], match_on = ["method", "path"]'
        "  (--ignore-json-path '$.a' --match-on method,path)"
    )
    assert "`magneto hybrid 'a b'`" in recording("a b")
