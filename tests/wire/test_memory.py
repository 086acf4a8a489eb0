"""Heads remembered by their bytes: read as they were the first time, or not at all.

The memory is seen through the parsers, which are what it must not change; what it holds is its
own business. Nothing that llhttp would refuse may pass because its fields are known.
"""

from __future__ import annotations

import itertools

import pytest

from magneto_serge.wire.events import RequestReceived, ResponseReceived
from magneto_serge.wire.http1 import RequestParser, ResponseParser
from magneto_serge.wire.memory import RequestMemory, ResponseMemory

from .feeding import plain, read_requests, read_response, statuses
from .fixtures import REQUESTS, RESPONSES, ResponseFixture

SECTION = b"Host: a.example\r\nX-Known: yes\r\n\r\n"
KNOWN = b"GET /known HTTP/1.1\r\n" + SECTION


@pytest.fixture(autouse=True)
def known() -> None:
    """Have the section remembered, for GET and POST."""
    for method in (b"GET", b"POST"):
        for _ in range(3):
            read_requests([method + b" /known HTTP/1.1\r\n" + SECTION])


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_remembered_as_they_were(name: str) -> None:
    """The second, third and fourth time, a request is read as it was the first time."""
    first, *again = [plain(read_requests([REQUESTS[name]])) for _ in range(4)]
    assert again == [first] * 3


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_are_remembered_as_they_were(name: str) -> None:
    """The second, third and fourth time, a response is read as it was the first time."""
    first, *again = [plain(read_response(RESPONSES[name])) for _ in range(4)]
    assert again == [first] * 3


@pytest.mark.parametrize(
    "line",
    [
        b"GET  HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"GET /\n HTTP/1.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.1\r",
        b"GET / http/1.1",
        b"GET path HTTP/1.1",
        b"GET http://a.e|ample/ HTTP/1.1",
        b"GET http://a\\@b/ HTTP/1.1",
        b"GET http://a<b>/ HTTP/1.1",
        b"get / HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"G(T / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET /",
        b"GET",
    ],
)
def test_known_fields_do_not_excuse_a_request_line(line: bytes) -> None:
    """A request line is checked each time, whatever is known of the fields behind it."""
    assert statuses(read_requests([line + b"\r\n" + SECTION])) != []


@pytest.mark.parametrize(
    "target",
    [
        b"http://a.example/ b",
        b"http://a.example/\x01",
        b"http://a.example/\xc3\xa9",
        b"http://a|b/",
    ],
)
def test_a_known_authority_does_not_excuse_a_target(target: bytes) -> None:
    """What stands behind a known authority, or before it, is checked each time."""
    for _ in range(3):
        read_requests([b"GET http://a.example/ HTTP/1.1\r\n" + SECTION])
    assert statuses(read_requests([b"GET " + target + b" HTTP/1.1\r\n" + SECTION])) != []


def test_known_fields_go_with_any_target_and_method() -> None:
    """The same fields behind another line make the same request with another line."""
    for line in (b"GET /other?q HTTP/1.1", b"POST http://b.example/ HTTP/1.1"):
        (head,) = read_requests([line + b"\r\n" + SECTION])
        assert isinstance(head, RequestReceived)
        assert b"%b %b HTTP/1.1" % (head.method.encode(), head.target.encode()) == line
        assert tuple(head.fields) == ((b"Host", b"a.example"), (b"X-Known", b"yes"))


def test_known_fields_in_http_1_0() -> None:
    """HTTP/1.0 with the same fields is HTTP/1.0: it closes, and nothing follows it."""
    events = read_requests([b"GET / HTTP/1.0\r\n" + SECTION, KNOWN])
    (head,) = events
    assert isinstance(head, RequestReceived)
    assert head.version == "HTTP/1.0"
    assert not head.keep_alive


def test_known_fields_behind_connect() -> None:
    """CONNECT with the same fields leaves HTTP."""
    told = plain(read_requests([b"CONNECT a.example:443 HTTP/1.1\r\n" + SECTION, KNOWN]))
    assert [event[0] for event in told] == ["request", "after"]


@pytest.mark.parametrize(
    "before",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
        b"GET / HTTP/1.1\r\nX: ",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: ",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nG",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\nX: ",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"\x00",
    ],
)
def test_a_known_request_within_something_else(before: bytes) -> None:
    """A known request counts as one only where a request can begin."""
    events = read_requests([before, KNOWN])
    heads = [event for event in events if isinstance(event, RequestReceived)]
    assert not any(head.target == "/known" for head in heads)


def test_a_known_request_where_one_can_begin() -> None:
    """Behind content, and behind an empty line, a known request is read like any other."""
    content = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
    for before in (content, b"\r\n", KNOWN):
        last = read_requests([before, KNOWN])[-1]
        assert isinstance(last, RequestReceived)
        assert last.target == "/known"


def test_what_is_done_with_one_event_does_not_change_the_next() -> None:
    """Connections own their events: marks put on one are not on another of the same bytes."""
    first = read_requests([KNOWN])[0]
    assert isinstance(first, RequestReceived)
    first.expect_continue = True
    first.keep_alive = False
    again = read_requests([KNOWN])[0]
    assert isinstance(again, RequestReceived)
    assert again.keep_alive
    assert not again.expect_continue


LENGTH = b"HTTP/1.1 200 OK\r\nX-Known: yes\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "data", "kinds"),
    [
        ("GET", LENGTH + b"world", ["response", "data", "end"]),
        ("GET", LENGTH + b"worl", ["response", "data"]),
        ("GET", LENGTH, ["response"]),
        ("GET", LENGTH + b"world!", ["response", "data", "end", "broke"]),
        ("HEAD", LENGTH, ["response"]),
        ("HEAD", LENGTH + b"world", ["response", "broke"]),
        ("CONNECT", LENGTH + b"world", ["response", "after"]),
    ],
)
def test_a_known_response_head(method: str, data: bytes, kinds: list[str]) -> None:
    """A known head is read by what it answers, and by the content that really came."""
    for _ in range(3):
        read_response(ResponseFixture(LENGTH + b"hello"))
    told = plain(read_response(ResponseFixture(data, method)))
    assert [event[0] for event in told] == kinds


EMPTY = b"HTTP/1.1 200 OK\r\nX-Known: yes\r\nContent-Length: 0\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\nX-Known: yes\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nX-Known: yes\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize("head", [EMPTY, NO_CONTENT, NOT_MODIFIED])
@pytest.mark.parametrize(
    ("method", "cut", "more", "kinds"),
    [
        ("GET", 0, b"", ["response"]),
        ("GET", 4, b"", []),
        ("GET", 2, b"", []),
        ("GET", 0, b"hello", ["response", "broke"]),
        ("HEAD", 0, b"", ["response"]),
        ("HEAD", 0, b"hello", ["response", "broke"]),
    ],
)
def test_a_known_head_without_content(
    head: bytes, method: str, cut: int, more: bytes, kinds: list[str]
) -> None:
    """It is known where it is whole and nothing follows it; anything else is read anew."""
    first = plain(read_response(ResponseFixture(head)))
    for _ in range(3):
        assert plain(read_response(ResponseFixture(head))) == first
    data = head[: len(head) - cut] + more
    told = plain(read_response(ResponseFixture(data, method)))
    assert [event[0] for event in told] == kinds


def test_heads_without_content_are_remembered() -> None:
    """As one event; what was one read before is never taken for less, or more, than it is."""
    memory = ResponseMemory()
    for data in (EMPTY, NO_CONTENT, NOT_MODIFIED):
        parser = ResponseParser()
        for _ in range(2):
            parser.expect("GET")
            told = parser.feed(data)
            memory.learn(data, told)
        assert memory.recall(data) == told
        for other in (data[:-4], data[:-2], data + b"x", data + b"hello"):
            assert memory.recall(other) is None


def test_known_responses_end_their_exchange() -> None:
    """A remembered response is awaited no longer, and the next one on the connection is."""
    parser = ResponseParser()
    for body in (b"hello", b"again", b"third", b"other"):
        parser.expect("GET")
        told = plain(parser.feed(LENGTH + body))
        assert told[1:] == [("data", body), ("end", ())]
        assert not parser.awaiting
    assert plain(parser.feed(LENGTH)) == [("broke", "UpstreamProtocolError", None)]


def test_the_memory_is_bounded() -> None:
    """However many different heads come twice, what is kept of them is bounded."""
    requests, responses = RequestMemory(), ResponseMemory()
    recalled = 0
    for number in itertools.chain(range(2000), range(2000)):
        data = b"GET / HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % number
        recalled += requests.recall(data) is not None
        events = RequestParser().feed(data)
        requests.learn(data, events)
        requests.learn(data, events)
    for number in range(2000):
        data = b"HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 1\r\n\r\nx" % number
        parser = ResponseParser()
        parser.expect("GET")
        told = parser.feed(data)
        assert isinstance(told[0], ResponseReceived)
        responses.learn(data, told)
        responses.learn(data, told)
    kept = sum(
        memory.recall(data % number) is not None
        for memory, data in (
            (requests, b"GET / HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n"),
            (responses, b"HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 1\r\n\r\nx"),
        )
        for number in range(2000)
    )
    assert 0 < kept <= 1024
    assert recalled < 2000
