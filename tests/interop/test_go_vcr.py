"""go-vcr, both versions of its format."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import take


def test_version_2(tmp_path: Path) -> None:
    """All that it holds comes over."""
    found = take(
        tmp_path,
        """\
---
version: 2
interactions:
- id: 0
  request:
    proto: HTTP/1.1
    host: h.example
    body: 'a=1'
    form: {a: ['1']}
    headers: {Accept: ['*/*']}
    url: https://h.example/p
    method: POST
  response:
    proto: HTTP/2.0
    transfer_encoding: [chunked]
    trailer: {X-Sum: ['9']}
    headers: {Content-Type: [text/plain]}
    body: !!binary /w==
    status: 201 Created
    code: 201
    duration: 2.5s
""",
    )
    assert found.kind == "go-vcr"
    request, response = found.only.request, found.only.response
    assert (request.method, request.url, request.body) == ("POST", "https://h.example/p", b"a=1")
    assert response is not None
    assert (response.status, response.reason, response.body) == (201, "Created", b"\xff")
    assert list(response.headers)[-1] == ("Transfer-Encoding", "chunked")
    assert list(response.trailers) == [("X-Sum", "9")]
    assert found.only.total_ms == 2500
    assert found.remarks == {"HTTP_VERSION": 1}


def test_version_1(tmp_path: Path) -> None:
    """Fewer names; a method that is empty is GET, as in Go."""
    found = take(
        tmp_path,
        """\
---
version: 1
interactions:
- request: {body: "", form: {}, headers: {}, url: 'http://h/', method: ""}
  response: {body: text, headers: {}, status: "", code: 404, duration: ""}
""",
    )
    assert found.kind == "go-vcr"
    assert found.only.request.method == "GET"
    assert found.only.response is not None
    assert (found.only.response.status, found.only.response.reason) == (404, "Not Found")


@pytest.mark.parametrize(
    ("request_uri", "url"), [("/p?q", "http://h:81/p?q"), ("", "http://h:81/")]
)
def test_requests_of_a_server(request_uri: str, url: str, tmp_path: Path) -> None:
    """Middleware has the host apart."""
    request = {"host": "h:81", "url": "", "request_uri": request_uri, "method": "GET"}
    found = take(
        tmp_path, {"version": 2, "interactions": [{"request": request, "response": {"code": 204}}]}
    )
    assert found.only.request.url == url


def test_nothing_recorded(tmp_path: Path) -> None:
    """Its version says whose it is."""
    found = take(tmp_path, "---\nversion: 2\ninteractions: []\n")
    assert (found.kind, found.interactions) == ("go-vcr", [])


def test_no_response(tmp_path: Path) -> None:
    """It is left out."""
    held = [{"request": {"url": "http://h/"}}]
    assert take(tmp_path, {"version": 2, "interactions": held}).remarks == {"LEFT_OUT": 1}
