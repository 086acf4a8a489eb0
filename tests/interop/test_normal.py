"""Messages of what files tell of them: content right, framing true, the rest as it was."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.codings import Coding, decode, encode
from magneto_serge.interop.normal import http_version, phrase, request_of, response_of, split
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.values import UnusableError
from magneto_serge.messages import Response


def response(
    *lines: tuple[str, str], body: bytes = b"", status: int = 200, method: str = "GET"
) -> Response:
    """Return what becomes of a response."""
    return response_of(status, "", list(lines), body, Remarks(), method=method)


def fields_of(message: Response) -> list[tuple[str, str]]:
    """Return its field lines as text."""
    return list(message.headers)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
@given(content=st.binary(min_size=1, max_size=200))
def test_a_decoded_body_is_encoded_again(name: str, content: bytes) -> None:
    """The field stays and becomes true; what a client decodes is what was stored."""
    made = response(("Content-Encoding", name), ("Content-Length", "7"), body=content)
    assert decode(name, made.body, 10_000) in (content, decode(name, content, 10_000))  # type: ignore[arg-type]
    assert made.headers["content-length"] == str(len(made.body))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        encode(b"content", Coding("gzip")),
        gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0),
        gzip.compress(b"torn", mtime=0)[:-4],
    ],
)
def test_an_encoded_body_keeps_its_bytes(body: bytes) -> None:
    """Also of several members, and where it was torn: that is how it was received."""
    assert response(("Content-Encoding", "gzip"), body=body).body == body


def test_several_codings() -> None:
    """They are done in the order in which they are listed (RFC 9110 §8.4)."""
    made = response(("Content-Encoding", "deflate, gzip"), body=b"text")
    assert isinstance(made.body, bytes)
    assert zlib.decompress(gzip.decompress(made.body)) == b"text"


def test_codings_that_are_not_known_are_left_alone() -> None:
    """Nothing can be said of them."""
    assert response(("Content-Encoding", "aws-chunked"), body=b"text").body == b"text"


def test_lengths_become_true() -> None:
    """One field, in its place and its case; none is added to what was chunked."""
    made = response(("content-length", "9"), ("A", "1"), ("Content-Length", "8"), body=b"four")
    assert fields_of(made) == [("content-length", "4"), ("A", "1")]
    made = response(("Transfer-Encoding", "gzip, chunked"), ("Content-Length", "8"), body=b"four")
    assert fields_of(made) == [("Transfer-Encoding", "chunked")]


def test_a_body_without_framing_gets_its_length() -> None:
    """But not where it ended with the connection."""
    assert fields_of(response(body=b"four")) == [("Content-Length", "4")]
    made = response(("Connection", "close"), body=b"four")
    assert fields_of(made) == [("Connection", "close")]


def test_bodies_that_cannot_be_are_left_out() -> None:
    """HEAD, 204 and 304 have none; lengths of HEAD and 304 speak of another one."""
    for method, status in (("HEAD", 200), ("GET", 304)):
        made = response(("Content-Length", "9"), body=b"x", status=status, method=method)
        assert (made.body, fields_of(made)) == (b"", [("Content-Length", "9")])
    assert fields_of(response(("Content-Length", "9"), status=204)) == []


def test_fields_that_cannot_be_are_left_out() -> None:
    """Pseudo-fields in silence, other names with a remark; joined values come apart."""
    remarks = Remarks()
    lines = [(":status", "200"), ("a b", "1"), ("Set-Cookie", "a\nb"), ("X", "1\x00\r\n 2")]
    made = response_of(200, "O\nK", lines, b"", remarks, method="GET")
    assert fields_of(made)[:-1] == [("Set-Cookie", "a"), ("Set-Cookie", "b"), ("X", "1 2")]
    assert made.reason == "O K"
    assert remarks.counts == {Remark.FIELD_LEFT_OUT: 1, Remark.FIELD_MENDED: 1}


def test_field_values_are_latin1() -> None:
    """As libraries decode them; what is not is UTF-8."""
    made = response(("A", "caf\xe9"), ("B", "€"))
    assert made.headers.raw[:2] == ((b"A", b"caf\xe9"), (b"B", "€".encode()))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://H.example", ("http", "h.example", 80, "/")),
        ("HTTPS://h:8443/p?q#f", ("https", "h", 8443, "/p?q")),
        ("http://h:80?q", ("http", "h", 80, "/?q")),
        ("http://u:p@h/", ("http", "h", 80, "/")),
        ("http://[::1]:81/", ("http", "::1", 81, "/")),
        ("wss://h/s", ("https", "h", 443, "/s")),
        ("http://h/a b/é?x={}", ("http", "h", 80, "/a%20b/%C3%A9?x=%7B%7D")),
        ("http://h/%zz[1]?a[]=b", ("http", "h", 80, "/%zz[1]?a[]=b")),
        ("http://bücher.example/", ("http", "xn--bcher-kva.example", 80, "/")),
        ("http://h:99999/", ("http", "h", 80, "/")),
    ],
)
def test_urls(url: str, parts: tuple[str, str, int, str]) -> None:
    """Taken apart, and mended where no request line could hold them."""
    assert split(url, Remarks()) == parts


def test_urls_of_other_schemes_are_left_out() -> None:
    """With a remark."""
    remarks = Remarks()
    for url in ("file:///etc/passwd", "data:text/plain,x", "no url", "chrome-extension://x/"):
        assert split(url, remarks) is None
    assert remarks.counts[Remark.NOT_HTTP] == 4


def test_urls_without_a_host() -> None:
    """They are refused."""
    with pytest.raises(UnusableError, match="no host"):
        split("http:///p", Remarks())


def test_methods() -> None:
    """Known ones are in capitals; CONNECT is between client and proxy."""
    remarks = Remarks()
    made = request_of("get", "http://h/", [], b"", remarks)
    assert made is not None
    assert made.method == "GET"
    custom = request_of("Purge", "http://h/", [], b"", remarks)
    assert custom is not None
    assert custom.method == "Purge"
    assert request_of("CONNECT", "h:443", [], b"", remarks) is None
    assert remarks.counts == {Remark.TUNNEL: 1}
    with pytest.raises(UnusableError, match="no method"):
        request_of("A B", "http://h/", [], b"", remarks)


def test_the_target_of_options() -> None:
    """An asterisk has no path (RFC 9112 §3.2.4)."""
    made = request_of("OPTIONS", "http://h/", [], b"", Remarks(), asterisk=True)
    assert made is not None
    assert made.target == "*"


@pytest.mark.parametrize(
    ("version", "mapped"),
    [("HTTP/2.0", "HTTP/1.1"), ("h3", "HTTP/1.1"), ("http/1.0", "HTTP/1.0"), ("", "HTTP/1.1")],
)
def test_versions(version: str, mapped: str) -> None:
    """All replay over HTTP/1."""
    assert http_version(version, Remarks()) == mapped


def test_statuses() -> None:
    """What is no status is refused; phrases are the standard's."""
    with pytest.raises(UnusableError, match="0 is no status"):
        response(status=0)
    assert (phrase(404), phrase(799)) == ("Not Found", "")
