"""VCR.py in its dialects: each small file here stands for hundreds that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .files import Taken, take


def cassette(request: str = "", response: str = "") -> str:
    """Return a cassette in YAML with these parts changed or added."""
    return f"""\
interactions:
- request:
    method: GET
    uri: http://h.example/p?q=1
    {request or "body: null"}
  response:
    status: {{code: 200, message: OK}}
    {response or "body: {string: text}"}
version: 1
"""


def taken(tmp_path: Path, request: str = "", response: str = "") -> Taken:
    """Read that cassette."""
    found = take(tmp_path, cassette(request, response))
    assert found.kind == "vcrpy"
    return found


def body(found: Taken) -> Any:
    """Return the body of the only response."""
    response = found.only.response
    assert response is not None
    return response.body


def test_a_cassette(tmp_path: Path) -> None:
    """All that it holds comes over."""
    found = taken(
        tmp_path,
        "headers: {Accept: ['*/*']}\n    body: a=1",
        "headers:\n      Set-Cookie: [a, b]\n      Content-Length: ['99']\n    body: {string: 'é'}",
    ).only
    assert (found.request.method, found.request.url) == ("GET", "http://h.example/p?q=1")
    assert (found.request.body, list(found.request.headers)) == (b"a=1", [("Accept", "*/*")])
    assert found.response is not None
    assert (found.response.status, found.response.reason) == (200, "OK")
    assert found.response.body == "é".encode()
    assert list(found.response.headers) == [
        ("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Content-Length", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        "body: {string: !!binary dGV4dA==}",
        "body: {string: !!python/unicode 'text'}",
        "body: {string: text, encoding: utf-8}",
        "body: {base64_string: dGV4dA==}",
        "body: {string: dGV4dA==, encoding: base64}",
        "body: text",
        "body: !!binary dGV4dA==",
        "body: [te, xt]",
        "body: !!python/object/new:_io.BytesIO\n      state: !!python/tuple [!!binary dGV4dA==, 0]",
        "body: !!python/object/apply:builtins.iter\n    - [!!binary dGV4dA==]",
        "content: text",
        "body: {string: {string: text}}",
    ],
)
def test_bodies(written: str, tmp_path: Path) -> None:
    """Text, bytes, and what was recorded instead of them."""
    found = taken(tmp_path, response=written)
    assert body(found) == b"text"
    assert not found.remarks


@pytest.mark.parametrize(
    "written", ["body: null", "body: {string: null}", "body: {}", "url: http://h/"]
)
def test_no_body(written: str, tmp_path: Path) -> None:
    """In each way to say so."""
    assert body(taken(tmp_path, response=written)) == b""


def test_bodies_that_were_stored_parsed(tmp_path: Path) -> None:
    """They are JSON again, with the types that YAML says."""
    written = "parsed_body: {n: 1, t: 'yes', b: true, l: [1.5, null]}"
    found = taken(
        tmp_path, f"{written}\n    headers: {{content-type: [application/json]}}", written
    )
    expected = {"n": 1, "t": "yes", "b": True, "l": [1.5, None]}
    assert json.loads(body(found)) == json.loads(found.only.request.body) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "written",
    [
        "headers: {A: '1', B: [2]}",
        "headers: [[A, '1'], [B, '2']]",
        'headers: ["A: 1\\r\\n", "B: 2\\r\\n"]',
        "headers: !!python/object/apply:__builtin__.frozenset\n    - - !!python/tuple [A, '1']\n"
        "      - !!python/tuple [B, '2']",
        "headers: !!python/object/new:vcr.request.HeadersDict\n"
        "      dictitems: {A: ['1'], B: ['2']}",
        "headers:\n      ? !!python/object/apply:multidict._multidict.istr [A]\n      : ['1']\n"
        "      B: [!!binary Mg==]",
    ],
)
def test_headers(written: str, tmp_path: Path) -> None:
    """Strings, lists, lines, pairs, and objects for all of them."""
    found = taken(tmp_path, request=written)
    assert list(found.only.request.headers) == [("A", "1"), ("B", "2")]


def test_version_0(tmp_path: Path) -> None:
    """A list; the URL is in parts, headers are lines."""
    found = take(
        tmp_path,
        [
            {
                "request": {
                    "body": None, "protocol": "https", "method": "GET", "host": "h.example",
                    "path": "/ip?x", "port": 8443, "headers": {"accept": "*/*"},
                },
                "response": {
                    "status": {"message": "OK", "code": 200},
                    "headers": ["content-type: text/plain\r\n", "content-length: 4\r\n"],
                    "body": {"string": "text"},
                },
            }
        ],
    )  # fmt: skip
    assert found.kind == "vcrpy"
    assert found.only.request.url == "https://h.example:8443/ip?x"
    assert body(found) == b"text"


def test_the_first_stub_for_httpx(tmp_path: Path) -> None:
    """It had names of its own, and no reason phrase."""
    request = {"method": "GET", "uri": "https://h/", "body": "", "headers": {}}
    response = {"status_code": 404, "http_version": "HTTP/1.1", "headers": {}, "content": "text"}
    found = take(
        tmp_path, {"version": 1, "interactions": [{"request": request, "response": response}]}
    )
    assert found.only.response is not None
    assert (found.only.response.status, found.only.response.reason) == (404, "Not Found")
    assert body(found) == b"text"


def test_what_goes_wrong_is_left_out(tmp_path: Path) -> None:
    """CONNECT, no response, no status; the rest comes."""
    good = {"method": "get", "uri": "http://h/"}
    answer = {"status": {"code": 204, "message": None}, "headers": {}, "body": {"string": ""}}
    found = take(
        tmp_path,
        {
            "interactions": [
                {"request": {"method": "CONNECT", "uri": "h:443"}, "response": answer},
                {"request": good, "response": None},
                {"request": good, "response": {"status": {}, "body": {}}},
                {"request": good, "response": answer},
                "noise",
            ]
        },
    )
    assert found.only.response is not None
    assert (found.only.response.status, found.only.response.reason) == (204, "")
    assert found.remarks == {"TUNNEL": 1, "LEFT_OUT": 3}


def test_a_body_that_was_stored_decoded(tmp_path: Path) -> None:
    """Its coding is done again, so that a client gets the content."""
    written = "headers: {Content-Encoding: [gzip]}\n    body: {string: text}"
    found = taken(tmp_path, response=written)
    assert found.remarks == {"CODED_AGAIN": 1}
    assert __import__("gzip").decompress(body(found)) == b"text"


def test_bodies_that_are_data_of_another_shape(tmp_path: Path) -> None:
    """They are written as JSON, with a remark."""
    found = taken(tmp_path, request="body: {a: 1}", response="body: [{b: 2}]")
    assert (found.only.request.body, body(found)) == (b'{"a": 1}', b'[{"b": 2}]')
    assert found.remarks == {"BODY_GUESSED": 2}


def test_times(tmp_path: Path) -> None:
    """Where nothing was recorded of them, the answer's own date is the nearest."""
    found = taken(tmp_path, response="headers: {Date: ['Thu, 01 Jan 1970 00:01:00 GMT']}")
    assert found.only.started == 60.0


def test_an_empty_cassette(tmp_path: Path) -> None:
    """It is one all the same."""
    found = take(tmp_path, "interactions: []\nversion: 1\n")
    assert (found.kind, found.interactions) == ("vcrpy", [])
    assert take(tmp_path, "interactions: null\n").interactions == []
