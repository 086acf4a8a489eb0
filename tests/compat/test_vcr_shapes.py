"""Requests and responses in VCR.py's shapes, there and back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.compat.vcr_shapes import (
    CaseInsensitiveDict,
    Request,
    request_after,
    response_after,
    response_of,
)
from magneto_serge.messages import Headers, Response
from magneto_serge.messages import Request as OurRequest

RAW = ((b"Host", b"api.test"), (b"X-One", b"1"), (b"x-two", b"a"), (b"X-Two", b"b"))


def ours(**changes: Any) -> OurRequest:
    """Return a request of ours."""
    given: dict[str, Any] = {"headers": Headers(RAW), "body": b"hello"}
    return OurRequest("POST", "https", "api.test", 8443, "/a?q=2&q=1", **(given | changes))


def test_what_vcr_py_shows() -> None:
    """All that VCR.py's requests have, ours have too."""
    request = Request.of(ours())
    assert request.uri == request.url == "https://api.test:8443/a?q=2&q=1"
    assert (request.scheme, request.protocol, request.host) == ("https", "https", "api.test")
    assert (request.port, request.path) == (8443, "/a")
    assert request.query == [("q", "1"), ("q", "2")]
    assert request.body == b"hello"
    assert request.headers["HOST"] == "api.test"
    assert request.headers["x-two"] == "a, b"
    assert Request("GET", "http://x/", None, {}).port == 80
    assert Request.of(ours(body=b"")).body is None
    assert repr(request) == "<Request (POST) https://api.test:8443/a?q=2&q=1>"


def test_headers_compare_without_case() -> None:
    """A name is found however it is spelt, and shown as it was last set."""
    headers = CaseInsensitiveDict([("Accept", "a")])
    headers["ACCEPT"] = "b"
    assert dict(headers.items()) == {"ACCEPT": "b"}
    del headers["accept"]
    assert len(headers) == 0


def test_request_that_was_left_alone() -> None:
    """What no callable touched is the same object."""
    request = ours()
    assert request_after(request, Request.of(request)) is request


def test_request_that_was_changed() -> None:
    """Every part can be changed, and the rest stays as it was on the wire."""
    request = ours()
    seen = Request.of(request)
    seen.method = "PUT"
    seen.uri = "http://other.test/b"
    seen.body = "text"
    seen.headers["x-one"] = "2"
    seen.headers["New"] = "n"
    del seen.headers["host"]
    after = request_after(request, seen)
    assert after.url == "http://other.test/b"
    assert (after.method, after.body) == ("PUT", b"text")
    expected = ((b"x-one", b"2"), (b"x-two", b"a"), (b"X-Two", b"b"), (b"New", b"n"))
    assert after.headers.raw == expected


def test_response_in_vcr_py_s_shape() -> None:
    """A response is VCR.py's dictionary, repeats and all."""
    response = Response(404, "Gone", Headers((*RAW[2:],)), b"body")
    assert response_of(response) == {
        "status": {"code": 404, "message": "Gone"},
        "headers": {"x-two": ["a", "b"]},
        "body": {"string": b"body"},
    }


def test_response_that_was_changed() -> None:
    """Status, fields and body can be changed; untouched it is the same object."""
    response = Response(200, "OK", Headers(RAW), b"body")
    told = response_of(response)
    assert response_after(response, told) is response
    told["status"] = {"code": 500, "message": "No"}
    told["headers"]["X-One"] = ["2", "3"]
    told["body"]["string"] = "new"
    after = response_after(response, told)
    assert (after.status, after.reason, after.body) == (500, "No", b"new")
    assert after.headers.raw[1:3] == ((b"X-One", b"2"), (b"X-One", b"3"))


names = st.sampled_from(["A", "a", "B", "Set-Cookie", "set-cookie"])
values = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=5)


@given(st.lists(st.tuples(names, values), max_size=6))
def test_nothing_changes_by_itself(lines: list[tuple[str, str]]) -> None:
    """However a section repeats its names, a look at it changes nothing."""
    headers = Headers((name.encode(), value.encode()) for name, value in lines)
    request, response = ours(headers=headers), Response(200, "", headers, b"")
    assert request_after(request, Request.of(request)) is request
    assert response_after(response, response_of(response)) is response
