"""Assertions about what a session saw."""

from __future__ import annotations

import pytest

from magneto_serge.messages import Request
from magneto_serge.testing import assertions
from magneto_serge.testing.assertions import assert_requested, matches


def request(method: str = "GET", target: str = "/users?page=2") -> Request:
    """Return a request."""
    return Request(method, "https", "api.test", 443, target)


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/users", True),
        ("get", "/users?page=2", True),
        ("GET", "/users?page=3", False),
        ("POST", "/users", False),
        ("GET", "/user", False),
        ("GET", "https://api.test/users", True),
        ("GET", "https://api.test/users?page=2", True),
        ("GET", "http://api.test/users", False),
        ("GET", "/us*", True),
        ("GET", "https://*.test/*", True),
    ],
)
def test_what_describes_a_request(method: str, url: str, expected: bool) -> None:
    """A path, a path with its query, or a whole URL, with wildcards."""
    assert matches(request(), method, url) is expected


def test_no_session_is_open() -> None:
    """Without a session there is nothing to say, and the error tells what to do."""
    with pytest.raises(AssertionError, match="No session is open"):
        assert_requested("GET", "/")


def test_message_lists_what_was_requested() -> None:
    """The reader of a failed assertion sees what there was instead, some of it."""
    text = assertions._listed([request(target=f"/{n}?api_key=secret") for n in range(30)])
    assert "GET https://api.test/0?" in text
    assert "and 10 more" in text
    assert "secret" not in text
    assert assertions._listed([]) == "Nothing was requested."
