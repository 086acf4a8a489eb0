"""Which requests a rule is about."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import ConfigError
from magneto_serge.messages import DEFAULT_PORTS, Request
from magneto_serge.replay.routes import EVERYTHING, glob, split_route, words_of


def request(method: str = "GET", url: str = "http://api.example.com/pay/1?x=2") -> Request:
    """Return a request for a URL."""
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    host, _, port = authority.partition(":")
    return Request(method, scheme, host, int(port) if port else DEFAULT_PORTS[scheme], f"/{path}")


@pytest.mark.parametrize(
    "rule",
    [
        "*",
        "GET *",
        "GET,POST *",
        "/pay/1",
        "/pay*",
        "GET /pay*",
        "/*/1",
        "/pay/1?x=2",
        "/pay/1?*",
        "api.example.com",
        "API.example.com",
        "*.example.com",
        "api.example.com:80",
        "api.example.com/pay*",
        "*/pay/1",
        "http://api.example.com/*",
        "http://*",
        "*://api.example.com",
    ],
)
def test_rule_is_about_this_request(rule: str) -> None:
    """Method, scheme, host, port, path and query each narrow a rule, and none has to."""
    route, rest = split_route("faults", rule + " 503")
    assert route.matches(request())
    assert [word.text for word in rest] == ["503"]


@pytest.mark.parametrize(
    "rule",
    [
        "POST *",
        "/pay",
        "/pay/1?x=3",
        "/pay/*/2",
        "example.com",
        "*.example.org",
        "api.example.com:8080",
        "api.example.com/",
        "https://api.example.com",
        "/1",
    ],
)
def test_rule_is_not_about_this_request(rule: str) -> None:
    """A pattern is about the whole of what it names, not about something in it."""
    assert not split_route("faults", rule)[0].matches(request())


def test_query_counts_only_where_the_pattern_has_one() -> None:
    """Without a ``?`` the query is left out of the comparison."""
    route, _ = split_route("faults", "/pay/1")
    assert route.matches(request(url="http://a.example/pay/1"))
    assert route.matches(request(url="http://a.example/pay/1?anything"))


def test_port_of_a_host() -> None:
    """A host alone stands for its every port, as `ignore_hosts` has it."""
    route, _ = split_route("faults", "localhost")
    assert route.matches(request(url="http://localhost:8000/"))
    assert not split_route("faults", "localhost:8001")[0].matches(
        request(url="http://localhost:8000/")
    )


def test_no_rule_is_about_everything() -> None:
    """The route without members matches whatever there is."""
    assert EVERYTHING.matches(request("PURGE"))


@pytest.mark.parametrize("rule", ["", "GET", "503", "GET 503", "reset", "get /path"])
def test_rule_without_a_pattern_is_refused(rule: str) -> None:
    """The error names the setting, the rule, the place, and what could stand there."""
    with pytest.raises(ConfigError) as caught:
        split_route("faults", rule)
    message = str(caught.value)
    assert message.startswith(f"faults: {rule!r} cannot be used: at ")
    assert "column" in message
    assert "/path*" in message


def test_columns_count_from_one() -> None:
    """A word's column is where a person counting from 1 finds it."""
    assert words_of("GET  /a 503") == [("GET", 1), ("/a", 6), ("503", 9)]


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_glob_agrees_with_the_shells(pattern: str, text: str) -> None:
    """The linear comparison says what a backtracking one would."""
    expected = re.fullmatch(fnmatch.translate(pattern), text) is not None
    assert glob(tuple(pattern.split("*")), text) is expected


def test_glob_of_many_stars_is_quick() -> None:
    """A pattern that makes a backtracking comparison explode costs nothing here."""
    assert not glob((*["a"] * 200, "b"), "a" * 100_000)
