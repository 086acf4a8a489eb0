"""HAR, as browsers, proxies and test tools write it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.messages import FailureKind

from .files import Taken, take

ENTRY: dict[str, Any] = {
    "startedDateTime": "1970-01-01T00:00:10.500Z",
    "time": 30,
    "request": {
        "method": "GET", "url": "https://h.example/p?q", "httpVersion": "h2", "cookies": [],
        "headers": [{"name": ":path", "value": "/p?q"}, {"name": "accept", "value": "*/*"}],
        "queryString": [], "headersSize": -1, "bodySize": 0,
    },
    "response": {
        "status": 200, "statusText": "", "httpVersion": "h2", "cookies": [], "redirectURL": "",
        "headers": [{"name": "content-type", "value": "text/plain"}],
        "content": {"size": 4, "mimeType": "text/plain", "text": "text"},
        "headersSize": -1, "bodySize": -1,
    },
    "cache": {},
    "timings": {"blocked": -1, "dns": 1, "connect": 4, "ssl": 3, "wait": 15, "receive": 10},
    "serverIPAddress": "192.0.2.1",
}  # fmt: skip


def har(tmp_path: Path, request: Any = (), response: Any = (), **entry: Any) -> Taken:
    """Read a HAR of one entry with these parts changed."""
    held = {
        **ENTRY,
        "request": {**ENTRY["request"], **dict(request)},
        "response": {**ENTRY["response"], **dict(response)},
        **entry,
    }
    found = take(tmp_path, {"log": {"version": "1.2", "creator": {}, "entries": [held]}})
    assert found.kind == "har"
    return found


def body(found: Taken) -> Any:
    """Return the response's body."""
    assert found.only.response is not None
    return found.only.response.body


def content(tmp_path: Path, *headers: tuple[str, str], **held: Any) -> Taken:
    """Read a HAR whose response has this content."""
    fields = [{"name": name, "value": value} for name, value in headers]
    return har(tmp_path, response={"content": held, "headers": fields})


def test_an_entry(tmp_path: Path) -> None:
    """All that it holds comes over; pseudo-fields are in the start line."""
    found = har(tmp_path)
    only = found.only
    assert only.request.url == "https://h.example/p?q"
    assert list(only.request.headers) == [("accept", "*/*")]
    assert (only.started, only.first_byte_ms, only.total_ms) == (10.5, 20.0, 30.0)
    assert only.peer == "192.0.2.1:443"
    assert body(found) == b"text"
    assert set(found.remarks) == {"HTTP_VERSION"}


def test_text_is_encoded_again(tmp_path: Path) -> None:
    """From its content coding, and from its charset."""
    found = content(tmp_path, ("Content-Encoding", "gzip"), text="text", mimeType="text/plain")
    assert gzip.decompress(body(found)) == b"text"
    mime = "text/html; charset=iso-8859-1"
    assert body(content(tmp_path, text="é", size=1, mimeType=mime)) == b"\xe9"
    assert body(content(tmp_path, text="é", size=2, mimeType=mime)) == "é".encode()


def test_bytes(tmp_path: Path) -> None:
    """Base64 where it is said so; what only claims to be is text."""
    assert body(content(tmp_path, text="/w==", encoding="base64")) == b"\xff"
    assert body(content(tmp_path, text="<>", encoding="base64")) in (b"", b"<>")


def test_files_beside(tmp_path: Path) -> None:
    """Playwright keeps bodies there."""
    (tmp_path / "a1.bin").write_bytes(b"\xff")
    assert body(content(tmp_path, _file="a1.bin", size=1)) == b"\xff"
    found = content(tmp_path, _file="../a1.bin", size=1)
    assert (body(found), found.remarks["BODY_MISSING"]) == (b"", 1)
    posted = har(tmp_path, request={"method": "POST", "postData": {"_file": "a1.bin"}})
    assert posted.only.request.body == b"\xff"


def test_a_body_that_was_not_recorded(tmp_path: Path) -> None:
    """It is remarked where there was one."""
    assert content(tmp_path, size=9).remarks["BODY_MISSING"] == 1
    assert "BODY_MISSING" not in content(tmp_path, size=0).remarks


@pytest.mark.parametrize(
    ("posted", "sent"),
    [
        ({"mimeType": "text/plain", "text": "é"}, "é".encode()),
        ({"mimeType": "x", "text": "/w==", "encoding": "base64"}, b"\xff"),
        (
            {"mimeType": "application/x-www-form-urlencoded",
             "params": [{"name": "a", "value": "1 2"}, {"name": "b", "value": "é"}]},
            b"a=1+2&b=%C3%A9",
        ),
        (
            {"mimeType": "application/x-www-form-urlencoded",
             "params": [{"name": "a", "value": "1%202"}]},
            b"a=1%202",
        ),
        ({"mimeType": "multipart/form-data", "params": [{"name": "a"}]}, b""),
        ({"mimeType": "text/plain"}, b""),
        ({"_isBinary": True, "text": '["ff00"]'}, b"\xff\x00"),
    ],
)  # fmt: skip
def test_what_was_sent(posted: Any, sent: bytes, tmp_path: Path) -> None:
    """Text, bytes, or the parameters of a form."""
    found = har(tmp_path, request={"method": "POST", "postData": posted})
    assert found.only.request.body == sent


@pytest.mark.parametrize(
    ("error", "kind"),
    [("net::ERR_CONNECTION_REFUSED", FailureKind.REFUSED), (None, FailureKind.UNREACHABLE)],
)
def test_failures(error: str | None, kind: FailureKind, tmp_path: Path) -> None:
    """Status 0 is none."""
    found = har(tmp_path, response={"status": 0, "_error": error})
    assert found.only.response is None
    assert found.only.failure is not None
    assert found.only.failure.kind is kind
    assert found.remarks.get("NO_ANSWER", 0) == (error is None)


def test_an_answer_that_broke_off(tmp_path: Path) -> None:
    """Both are there."""
    found = har(tmp_path, response={"_error": "net::ERR_CONNECTION_RESET"})
    assert found.only.response is not None
    assert found.only.failure is not None


def test_headers_in_other_shapes(tmp_path: Path) -> None:
    """Pairs, lists for values, repeats joined by line feeds."""
    found = har(
        tmp_path,
        request={"headers": [["A", "1"]]},
        response={"headers": [{"name": "set-cookie", "value": ["a", "b"], "_fromType": "array"},
                              {"name": "set-cookie", "value": "c\nd"}]},
    )  # fmt: skip
    assert list(found.only.request.headers) == [("A", "1")]
    assert found.only.response is not None
    assert found.only.response.headers.get_all("set-cookie") == ["a", "b", "c", "d"]


def test_what_is_not_http(tmp_path: Path) -> None:
    """Data and extensions are left out."""
    found = har(tmp_path, request={"url": "data:text/plain,x"})
    assert (found.interactions, found.remarks) == ([], {"NOT_HTTP": 1})


def test_a_mark_before_it(tmp_path: Path) -> None:
    """Windows tools put it there."""
    held = b'\xef\xbb\xbf{"log": {"entries": []}}'
    assert take(tmp_path, held).kind == "har"


def test_ipv6_peers(tmp_path: Path) -> None:
    """In brackets; what is no address is none."""
    assert har(tmp_path, serverIPAddress="[::1]").only.peer == "[::1]:443"
    assert har(tmp_path, serverIPAddress="localhost").only.peer == ""


def test_polly_s_order(tmp_path: Path) -> None:
    """Its entries are sorted by what they are; we want them as they were made."""
    later = {**ENTRY, "_order": 0, "startedDateTime": "1970-01-01T00:00:20Z"}
    held = {"log": {"entries": [later, {**ENTRY, "_order": 0}]}}
    assert [each.started for each in take(tmp_path, held).interactions] == [10.5, 20.0]
