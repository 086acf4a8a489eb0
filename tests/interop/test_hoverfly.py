"""Hoverfly's simulations: matchers, as the requests that they accept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .files import Taken, take


def exact(value: str) -> list[dict[str, str]]:
    """Return the matchers of version 5 for one value."""
    return [{"matcher": "exact", "value": value}]


REQUEST: dict[str, Any] = {
    "method": exact("PUT"), "scheme": exact("https"), "destination": exact("h.example:81"),
    "path": exact("/p"), "body": exact(""),
}  # fmt: skip


def pair(tmp_path: Path, request: Any = (), response: Any = (), **data: Any) -> Taken:
    """Read a simulation of one pair with these parts changed."""
    asked = {**REQUEST, **dict(request)}
    told = {"status": 404, "body": "text", "encodedBody": False, **dict(response)}
    held = {"pairs": [{"request": asked, "response": told}], **data}
    found = take(tmp_path, {"data": held, "meta": {"schemaVersion": "v5.2"}})
    assert found.kind == "hoverfly"
    return found


def test_exact_matchers(tmp_path: Path) -> None:
    """They are the request."""
    asked = {"query": {"q": exact("a b&c"), "r": exact("1;2")}, "body": exact("sent"),
             "headers": {"A": exact("1")}}  # fmt: skip
    told = {"headers": {"Hoverfly": ["Was-Here"], "B": ["2"]}, "fixedDelay": 7}
    found = pair(tmp_path, asked, told)
    request, response = found.only.request, found.only.response
    assert request.method == "PUT"
    assert request.url == "https://h.example:81/p?q=a%20b%26c&r=1&r=2"
    assert (request.body, list(request.headers)) == (b"sent", [("A", "1")])
    assert response is not None
    assert (response.status, response.reason, response.body) == (404, "Not Found", b"text")
    assert next(iter(response.headers)) == ("B", "2")
    assert "hoverfly" not in response.headers
    assert found.only.total_ms == 7
    assert not found.remarks


@pytest.mark.parametrize(
    ("matcher", "value", "path"),
    [
        ("glob", "/a/*", "/a/any"),
        ("regex", "^/a\\.b$", "/a.b"),
        ("regex", "/a/[0-9]+", "/"),
        ("glob", "*", "/"),
    ],
)
def test_patterns(matcher: str, value: str, path: str, tmp_path: Path) -> None:
    """Something that they accept stands for them, with a remark."""
    found = pair(tmp_path, {"path": [{"matcher": matcher, "value": value}]})
    assert found.only.request.target == path
    assert found.remarks == {"PATTERN": 1}


def test_what_is_not_asked_for(tmp_path: Path) -> None:
    """Stand-ins, with a remark each."""
    held = {"data": {"pairs": [{"request": {}, "response": {"status": 200}}]}, "meta": {}}
    found = take(tmp_path, held)
    assert found.only.request.url == "http://any.invalid/"
    assert found.remarks == {"UNASKED": 4}


@pytest.mark.parametrize(
    ("matcher", "sent", "remarks"),
    [("json", b'{"a":1}', {}), ("jsonPartial", b'{"a":1}', {"PATTERN": 1}),
     ("jsonpath", b"", {"PATTERN": 1})],
)  # fmt: skip
def test_bodies(matcher: str, sent: bytes, remarks: dict[str, int], tmp_path: Path) -> None:
    """A value that is accepted as it is can be sent."""
    found = pair(tmp_path, {"body": [{"matcher": matcher, "value": '{"a":1}'}]})
    assert (found.only.request.body, found.remarks) == (sent, remarks)


def test_array_matchers(tmp_path: Path) -> None:
    """All of their values."""
    query = {"q": [{"matcher": "array", "value": ["1", "2"]}]}
    assert pair(tmp_path, {"query": query}).only.request.target == "/p?q=1&q=2"


def test_versions_2_to_4(tmp_path: Path) -> None:
    """A matcher is named by its kind; queries are whole or in items."""
    asked = {name: {"exactMatch": matchers[0]["value"]} for name, matchers in REQUEST.items()}
    assert pair(tmp_path, {**asked, "query": {"exactMatch": "a=1"}}).only.request.target == "/p?a=1"
    items = {"query": None, "queriesWithMatchers": {"a": {"exactMatch": "1"}},
             "headersWithMatchers": {"A": {"exactMatch": "1"}}, "headers": None}  # fmt: skip
    del items["query"], items["headers"]
    found = pair(tmp_path, {**asked, **items}).only.request
    assert (found.target, list(found.headers)) == ("/p?a=1", [("A", "1")])
    assert pair(tmp_path, {"deprecatedQuery": exact("b=2")}).only.request.target == "/p?b=2"


def test_version_1(tmp_path: Path) -> None:
    """Plain values."""
    asked = {name: matchers[0]["value"] for name, matchers in REQUEST.items()}
    held = {**asked, "query": "a=1", "headers": {"A": ["1"]}, "requestType": "recording"}
    found = take(
        tmp_path,
        {"data": {"pairs": [{"request": held, "response": {"status": 200}}]}, "meta": {}},
    )
    request = found.only.request
    assert (request.method, request.target) == ("PUT", "/p?a=1")
    assert list(request.headers) == [("A", "1")]


def test_bodies_of_responses(tmp_path: Path) -> None:
    """Text, base64, or a file beside."""
    (tmp_path / "body").write_bytes(b"\xff")
    for told, expected in (
        ({"body": "/w==", "encodedBody": True}, b"\xff"),
        ({"body": "", "bodyFile": "body"}, b"\xff"),
        ({"body": "", "bodyFile": "../body"}, b""),
    ):
        response = pair(tmp_path, (), told).only.response
        assert response is not None
        assert response.body == expected


def test_what_cannot_come_over(tmp_path: Path) -> None:
    """Templates, state and delays by pattern are remarked."""
    told = {"templated": True, "transitionsState": {"sequence:1": "2"}}
    delays = {"delays": [{"urlPattern": ".", "delay": 9}]}
    found = pair(tmp_path, {"requiresState": {"sequence:1": "1"}}, told, globalActions=delays)
    assert found.remarks == {"TEMPLATE": 1, "STATE": 1, "DELAYS": 1}


def test_a_fragment(tmp_path: Path) -> None:
    """A matcher alone, as documentation has it, is no interaction."""
    found = take(tmp_path, '"path": [{"matcher": "glob", "value": "/a/*"}]')
    assert (found.kind, found.interactions, found.remarks) == ("hoverfly", [], {"FRAGMENT": 1})
