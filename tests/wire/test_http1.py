"""Bytes to events: what each message means, however it was cut on its way.

The fixtures are fed whole, cut in two at every point, and byte by byte, cold and when every head
in them is remembered from before (`wire/memory.py`); h11 reads them too. What the fields of an
event say is checked rule by rule in `test_http1_requests` and `test_http1_responses`; refusals are
in `test_http1_strictness`, limits in `test_http1_limits`.
"""

from __future__ import annotations

import pytest

from magneto_serge.wire.events import (
    DataReceived,
    RequestReceived,
    StreamEnded,
)
from magneto_serge.wire.http1 import RequestParser

from .feeding import cuts, plain, read_requests, read_response
from .fixtures import REQUESTS, RESPONSES
from .oracle import ours, requests_by_h11, response_by_h11, same

HOST = b"Host: a.example\r\n"

# h11 ends with every HTTP/1.0 request, and takes no empty line before a request line.
NOT_READ_BY_H11 = {
    "HTTP/1.0 kept alive",
    "upgrade in HTTP/1.0",
    "empty lines before the request",
    "pipelined",
}


@pytest.fixture(autouse=True)
def everything_is_remembered() -> None:
    """Feed every request and response often enough that their heads are known by their bytes."""
    simple = [b"GET /%d HTTP/1.1\r\n%b\r\n" % (number, HOST) for number in range(5)]
    for _ in range(3):
        for data in [*REQUESTS.values(), *simple]:
            read_requests([data])
        for fixture in RESPONSES.values():
            read_response(fixture)


# --- cuts, and a second opinion


@pytest.mark.parametrize("name", REQUESTS)
def test_where_a_request_is_cut_makes_no_difference(name: str) -> None:
    """A request gives the same events whole, cut in two anywhere, and byte by byte."""
    whole = plain(read_requests([REQUESTS[name]]))
    for pieces in cuts(REQUESTS[name]):
        assert plain(read_requests(pieces)) == whole, pieces


@pytest.mark.parametrize("name", RESPONSES)
def test_where_a_response_is_cut_makes_no_difference(name: str) -> None:
    """A response gives the same events whole, cut in two anywhere, and byte by byte."""
    fixture = RESPONSES[name]
    whole = plain(read_response(fixture))
    for pieces in cuts(fixture.data):
        assert plain(read_response(fixture, pieces)) == whole, pieces


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - NOT_READ_BY_H11))
def test_h11_reads_the_same_requests(name: str) -> None:
    """h11 sees the same method, target, fields, content and trailers in every request."""
    mine = ours(read_requests([REQUESTS[name]]))
    assert same(mine, requests_by_h11(REQUESTS[name])), mine


@pytest.mark.parametrize("name", RESPONSES)
def test_h11_reads_the_same_responses(name: str) -> None:
    """h11 sees the same status, reason, fields, content and trailers in every response."""
    mine = ours(read_response(RESPONSES[name]))
    assert same(mine, response_by_h11(RESPONSES[name])), mine


def test_no_bytes_make_no_events() -> None:
    """Feeding nothing tells nothing, before, within and after a message."""
    parser = RequestParser()
    for piece in (b"GET / HT", b"TP/1.1\r\n", HOST, b"\r\n"):
        assert parser.feed(b"") == []
        parser.feed(piece)
    assert parser.feed(b"") == []


def test_events_come_as_soon_as_their_bytes_have() -> None:
    """Head, content and end are told in the read that completes them: nothing is buffered."""
    parser = RequestParser()
    start = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST
    assert parser.feed(start) == []
    assert [type(event) for event in parser.feed(b"\r\n")] == [RequestReceived]
    assert parser.feed(b"5\r\n") == []
    assert parser.feed(b"he") == [DataReceived(b"he")]
    assert parser.feed(b"llo\r\n0\r\n") == [DataReceived(b"llo")]
    assert [type(event) for event in parser.feed(b"\r\n")] == [StreamEnded]


def test_a_request_inside_a_field_is_no_request() -> None:
    """A head that is cut stays one head, even where its rest is a request known from before."""
    data = REQUESTS["pipelined, a request inside a field"]
    cut = data.rindex(b"GET /1")
    events = read_requests([data[:cut], data[cut:]])
    assert [one.target for one in events if isinstance(one, RequestReceived)] == ["/1", "/2"]
