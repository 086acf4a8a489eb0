"""Everything that makes no event has a limit, however fast or slow it comes.

The limit in these tests is small; what counts against it are target and field section, or what
has come without an event where they are not complete (`max_header_size` in the settings).
"""

from __future__ import annotations

import itertools

import pytest

from magneto_serge.wire.events import DataReceived, RequestReceived, StreamEnded
from magneto_serge.wire.http1 import DEFAULT_MAX_HEADER_SIZE, RequestParser, ResponseParser

from .feeding import plain, read_requests, read_response, statuses
from .fixtures import ResponseFixture

LIMIT = 1000  # bytes
OVER = b"x" * (LIMIT + 1)
HOST = b"Host: a.example\r\n"
CHUNKS = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = b"GET /good HTTP/1.1\r\n" + HOST + b"\r\n"
BROKE = ("broke", "UpstreamProtocolError", None)
RESPONSE = b"HTTP/1.1 200 OK\r\n"

TOO_MUCH: dict[str, tuple[int, bytes]] = {
    "a target": (414, b"GET /" + OVER + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target without an end": (414, b"GET /" + OVER + OVER),
    "an absolute target": (414, b"GET http://a/" + OVER + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a field value": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + OVER + b"\r\n\r\n"),
    "a field value without an end": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + OVER + OVER),
    "a field name": (431, b"GET / HTTP/1.1\r\n" + HOST + OVER + b": x\r\n\r\n"),
    "a Host": (431, b"GET / HTTP/1.1\r\nHost: " + OVER + b"\r\n\r\n"),
    "many fields": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n"),
    "many fields without a value": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X:\r\n" * 300 + b"\r\n"),
    "target and fields together": (
        431,
        b"GET /" + b"x" * 400 + b" HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 700 + b"\r\n\r\n",
    ),
    "a target and a few fields": (
        414,
        b"GET /" + b"x" * 700 + b" HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 400 + b"\r\n\r\n",
    ),
    "a trailer": (431, CHUNKS + b"0\r\nX: " + OVER + b"\r\n\r\n"),
    "many trailers": (431, CHUNKS + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
}


def sizes(data: bytes) -> list[list[bytes]]:
    """Return ``data`` whole, in pieces of several sizes, and byte by byte."""
    return [
        [data[start : start + size] for start in range(0, len(data), size)]
        for size in (len(data), 700, 100, 7, 1)
    ]


@pytest.mark.parametrize("name", TOO_MUCH)
def test_requests_over_the_limit(name: str) -> None:
    """A target over the limit is 414, a field section 431 (RFC 6585 §5), at any speed."""
    status, data = TOO_MUCH[name]
    for pieces in sizes(data):
        events = read_requests(pieces, RequestParser(LIMIT))
        assert statuses(events) == [status], [len(piece) for piece in pieces]


@pytest.mark.parametrize("name", [name for name in TOO_MUCH if "without an end" not in name])
def test_the_limit_holds_behind_another_request(name: str) -> None:
    """A head is measured from its own beginning, wherever in a read that is."""
    data = GOOD + TOO_MUCH[name][1]
    for pieces in sizes(data):
        events = read_requests(pieces, RequestParser(LIMIT))
        assert isinstance(events[0], RequestReceived)
        assert statuses(events) == [TOO_MUCH[name][0]], [len(piece) for piece in pieces]


@pytest.mark.parametrize("behind", [0, 200, 900])
def test_requests_within_the_limit(behind: int) -> None:
    """A request just within the limit passes whole and in pieces, and so does the next one."""
    line = b"GET /" + b"x" * 400 + b" HTTP/1.1\r\n" + HOST
    head = line + b"X: " + b"y" * 500 + b"\r\n\r\n"
    data = b"".join(itertools.repeat(head, 5)) + GOOD[:behind]
    for pieces in sizes(data):
        events = read_requests(pieces, RequestParser(LIMIT))
        assert [event for event in events if not isinstance(event, RequestReceived)] == []
        assert len(events) >= 5


@pytest.mark.parametrize("pieces", [1, 10, 999])
def test_chunk_extensions_are_limited(pieces: int) -> None:
    """An extension that does not end makes no event, and is stopped (RFC 9112 §7.1.1)."""
    parser = RequestParser(LIMIT)
    parser.feed(CHUNKS + b"5;")
    events = [event for _ in range(0, 3000, pieces) for event in parser.feed(b"x" * pieces)]
    assert statuses(events) == [431]


def test_empty_lines_are_limited() -> None:
    """Empty lines before a request line are skipped, but not for ever (RFC 9112 §2.2)."""
    parser = RequestParser(LIMIT)
    events = [event for _ in range(LIMIT) for event in parser.feed(b"\r\n")]
    assert statuses(events) == [431]


def test_content_is_not_limited() -> None:
    """Content makes events, and may be as long as it likes, in chunks of any size."""
    parser = RequestParser(LIMIT)
    parser.feed(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n")
    assert parser.feed(b"x" * 100_000)[-1] == StreamEnded(())
    parser.feed(CHUNKS)
    for _ in range(2000):
        assert parser.feed(b"1\r\nx\r\n") == [DataReceived(b"x")]
    assert parser.feed(b"0\r\n\r\n") == [StreamEnded(())]


def test_pipelined_requests_are_not_limited_together() -> None:
    """The limit is for one head: many small ones in one read are many small ones."""
    assert len(read_requests([GOOD * 1000], RequestParser(LIMIT))) == 1000


def test_a_remembered_head_does_not_pass_a_smaller_limit() -> None:
    """What one connection has learnt passes on another only within that one's limit."""
    head = b"GET / HTTP/1.1\r\n" + HOST + b"X-Remembered: " + b"y" * LIMIT + b"\r\n\r\n"
    for _ in range(3):
        assert statuses(read_requests([head])) == []
    assert statuses(read_requests([head], RequestParser(LIMIT))) == [431]


def test_the_default_limit_is_in_the_settings_too() -> None:
    """65,536 bytes: more than nginx and Node take, less than Apache."""
    fits = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * (DEFAULT_MAX_HEADER_SIZE - 100)
    assert statuses(read_requests([fits + b"\r\n\r\n"])) == []
    assert statuses(read_requests([fits + b"y" * 200 + b"\r\n\r\n"])) == [431]


TOO_MUCH_SAID: dict[str, bytes] = {
    "a field value": RESPONSE + b"X: " + OVER + b"\r\nContent-Length: 0\r\n\r\n",
    "a field value without an end": RESPONSE + b"X: " + OVER + OVER,
    "many fields": RESPONSE + b"Content-Length: 0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "a reason phrase": b"HTTP/1.1 200 " + OVER + b"\r\nContent-Length: 0\r\n\r\n",
    "an interim response": b"HTTP/1.1 103 X\r\nX: " + OVER + b"\r\n\r\n",
    "a response behind an interim one": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + RESPONSE + b"X: " + OVER + b"\r\n\r\n"
    ),
    "a trailer": RESPONSE + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + OVER + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", TOO_MUCH_SAID)
def test_responses_over_the_limit(name: str) -> None:
    """An origin is held to the same limit, at any speed."""
    fixture = ResponseFixture(TOO_MUCH_SAID[name])
    for pieces in sizes(fixture.data):
        told = plain(read_response(fixture, pieces, ResponseParser(LIMIT)))
        assert told[-1] == BROKE, [len(piece) for piece in pieces]


def test_response_content_is_not_limited() -> None:
    """The content of a response is as long as it is."""
    fixture = ResponseFixture(RESPONSE + b"\r\n" + b"x" * 100_000, closes=True)
    told = plain(read_response(fixture, None, ResponseParser(LIMIT)))
    assert told[1:] == [("data", b"x" * 100_000), ("end", ())]
