"""VCR of Ruby, from version 1 on."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import take

FILE = """\
---
http_interactions:
- request:
    method: post
    uri: http://h.example/p
    body: {{encoding: UTF-8, string: 'a=1'}}
    headers: {{Accept: ['*/*']}}
  response:
    status: {{code: 201, message: Created}}
    headers: {{Content-Type: [text/plain]}}
    body: {body}
    http_version: {version}
  recorded_at: Thu, 01 Jan 1970 00:00:05 GMT
recorded_with: VCR 6.4.0
"""


def test_a_file(tmp_path: Path) -> None:
    """All that it holds comes over."""
    found = take(tmp_path, FILE.format(body="{encoding: UTF-8, string: é}", version="'1.1'"))
    assert found.kind == "ruby-vcr"
    request, response = found.only.request, found.only.response
    assert (request.method, request.body) == ("POST", b"a=1")
    assert response is not None
    assert (response.status, response.reason, response.body) == (201, "Created", "é".encode())
    assert found.only.started == 5.0
    assert not found.remarks


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("text", b"text"),
        ("! 'text'", b"text"),
        ("{encoding: ASCII-8BIT, base64_string: '/w=='}", b"\xff"),
        ("{encoding: ASCII-8BIT, string: !binary '/w=='}", b"\xff"),
        ("{encoding: ISO-8859-1, string: é}", b"\xe9"),
        ("{string: é}", "é".encode()),
        ("{encoding: US-ASCII, string: ''}", b""),
        ("", b""),
    ],
)
def test_bodies(body: str, content: bytes, tmp_path: Path) -> None:
    """Plain, in a charset, in base64 of YAML's or of its own."""
    response = take(tmp_path, FILE.format(body=body, version="")).only.response
    assert response is not None
    assert response.body == content


def test_version_1(tmp_path: Path) -> None:
    """Structures of Ruby, symbols for methods, nothing for empty headers."""
    found = take(
        tmp_path,
        """\
---
- !ruby/struct:VCR::HTTPInteraction
  request: !ruby/struct:VCR::Request
    method: :get
    uri: http://h.example:80/
    body:
    headers:
  response: !ruby/struct:VCR::Response
    status: !ruby/struct:VCR::ResponseStatus
      code: 200
      message: OK
    headers:
      etag:
      - "\\"1\\""
    body: text
    http_version: "1.1"
""",
    )
    assert found.kind == "ruby-vcr"
    assert (found.only.request.method, found.only.request.url) == ("GET", "http://h.example/")
    assert found.only.response is not None
    assert found.only.response.headers["etag"] == '"1"'
    assert not found.remarks


def test_json(tmp_path: Path) -> None:
    """The same shape."""
    request = {"method": "get", "uri": "http://h/", "body": {"string": ""}, "headers": {}}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "x"}}
    held = [{"request": request, "response": response, "recorded_at": ""}]
    found = take(tmp_path, {"http_interactions": held, "recorded_with": "VCR 6.0.0"})
    assert found.kind == "ruby-vcr"
    assert found.only.response is not None


def test_templates_are_text(tmp_path: Path) -> None:
    """Nothing of them is run; that they are there is remarked."""
    found = take(tmp_path, FILE.format(body="{string: 'a <%= `id` %>'}", version=""))
    assert found.only.response is not None
    assert found.only.response.body == b"a <%= `id` %>"
    assert found.remarks == {"ERB": 1}
