"""What an origin says: heads, content, and the end of the connection, rule by rule (RFC 9112)."""

from __future__ import annotations

import pytest

from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    Framing,
    InformationalReceived,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.http1 import ResponseParser

from .feeding import plain, read_response
from .fixtures import RESPONSES, ResponseFixture


def answer(data: bytes, method: str = "GET") -> ResponseReceived:
    """Return the head of the response in ``data``."""
    parser = ResponseParser()
    parser.expect(method)
    event = parser.feed(data)[0]
    assert isinstance(event, ResponseReceived), event
    return event


# --- responses: the head


@pytest.mark.parametrize(
    ("method", "status", "fields", "framing"),
    [
        ("GET", 200, b"Content-Length: 5\r\n", Framing.LENGTH),
        ("GET", 200, b"Content-Length: 0\r\n", Framing.LENGTH),
        ("GET", 200, b"Transfer-Encoding: chunked\r\n", Framing.CHUNKED),
        ("GET", 200, b"", Framing.CLOSE),
        ("HEAD", 200, b"Content-Length: 5\r\n", Framing.NONE),
        ("HEAD", 200, b"Transfer-Encoding: chunked\r\n", Framing.NONE),
        ("HEAD", 404, b"", Framing.NONE),
        ("GET", 204, b"", Framing.NONE),
        ("GET", 304, b"", Framing.NONE),
        ("GET", 304, b"Content-Length: 5\r\n", Framing.NONE),
        ("CONNECT", 200, b"", Framing.NONE),
        ("CONNECT", 299, b"Content-Length: 5\r\n", Framing.NONE),
        ("CONNECT", 407, b"Content-Length: 5\r\n", Framing.LENGTH),
    ],
)
def test_response_framing(method: str, status: int, fields: bytes, framing: Framing) -> None:
    """The rules of RFC 9112 §6.3, in their order; a response without content has ended."""
    told = answer(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, fields), method)
    assert told.framing is framing
    assert told.ended is (framing is Framing.NONE or b"h: 0" in fields)


@pytest.mark.parametrize(
    ("version", "fields", "kept"),
    [
        (b"1.1", b"Content-Length: 0\r\n", True),
        (b"1.1", b"Content-Length: 0\r\nConnection: close\r\n", False),
        (b"1.1", b"Content-Length: 0\r\nConnection: x\r\nconnection: Close\r\n", False),
        (b"1.1", b"", False),
        (b"1.0", b"Content-Length: 0\r\n", False),
        (b"1.0", b"Content-Length: 0\r\nConnection: Keep-Alive\r\n", True),
        (b"1.0", b"Content-Length: 0\r\nConnection: keep-alive, close\r\n", False),
        (b"1.0", b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_response_persistence(version: bytes, fields: bytes, kept: bool) -> None:
    """A connection is kept where both want it and its end is known (RFC 9112 §6.1, §9.3)."""
    assert answer(b"HTTP/%b 200 OK\r\n%b\r\n" % (version, fields)).keep_alive is kept


@pytest.mark.parametrize("reason", [b"", b"OK", b"Not Found: caf\xe9 \xc3\xa9!", b"a  b\tc"])
def test_the_reason_phrase_is_kept(reason: bytes) -> None:
    """The reason phrase comes out byte for byte; it may be empty (RFC 9112 §4)."""
    told = answer(b"HTTP/1.1 404 %b\r\nContent-Length: 0\r\n\r\n" % reason)
    assert (told.status, told.reason) == (404, reason)


def test_response_nominations() -> None:
    """An origin nominates hop-by-hop fields as a client does."""
    told = answer(RESPONSES["nominated fields"].data)
    assert told.nominated == {b"x-hop", b"keep-alive"}


def test_repeated_response_fields_stay_apart() -> None:
    """Set-Cookie lines come out one by one, in order, in their case (RFC 9110 §5.3)."""
    told = answer(RESPONSES["fields in every shape"].data)
    cookies = [line for line in told.fields if line[0].lower() == b"set-cookie"]
    assert cookies == [
        (b"SET-cookie", b"a=1; Path=/"),
        (b"Set-Cookie", b"b=2"),
        (b"Set-Cookie", b"a=1; Path=/"),
    ]


# --- responses: one after the other


def test_interim_responses_come_before_the_final_one() -> None:
    """Any number of 1xx comes out before the response that was expected (RFC 9110 §15.2)."""
    events = read_response(RESPONSES["several interim responses"])
    interim = [event for event in events if isinstance(event, InformationalReceived)]
    assert [event.status for event in interim] == [102, 103]
    assert interim[1].fields[1] == (b"Link", b"</b>; rel=preload")
    assert isinstance(events[2], ResponseReceived)
    assert events[2].status == 200


def test_one_connection_carries_many_responses() -> None:
    """Each response is read by the method that it was expected for, HEAD among others."""
    parser = ResponseParser()
    head_only = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    for method, data in (
        ("GET", head_only + b"hello"),
        ("HEAD", head_only),
        ("GET", head_only + b"world"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        ("POST", b"HTTP/1.1 100 Continue\r\n\r\n" + head_only + b"again"),
    ):
        parser.expect(method)
        assert parser.awaiting
        events = parser.feed(data)
        assert not parser.awaiting
        assert not parser.broken
        assert isinstance(events[-1], StreamEnded) is (method != "HEAD")


def test_switching_protocols_leaves_http() -> None:
    """What follows a 101 is not HTTP (RFC 9110 §15.2.2); it may be empty."""
    switched, after = read_response(RESPONSES["101 and what follows"])
    assert isinstance(switched, ResponseReceived)
    assert switched.status == 101
    assert after == BytesAfterUpgrade(b"HTTP/1.1 \x00\xff no HTTP")
    assert read_response(RESPONSES["101"])[1] == BytesAfterUpgrade(b"")


def test_a_tunnel_begins_behind_a_successful_connect() -> None:
    """What comes behind a 2xx to CONNECT in the same read belongs to the tunnel."""
    fixture = ResponseFixture(RESPONSES["200 to CONNECT"].data + b"220 hello\r\n", "CONNECT")
    assert read_response(fixture)[1:] == [BytesAfterUpgrade(b"220 hello\r\n")]


# --- responses: the end of the connection


def after_eof(data: bytes, method: str = "GET") -> list[tuple[object, ...]]:
    """Return what the end of the connection behind ``data`` tells."""
    parser = ResponseParser()
    parser.expect(method)
    if data:
        parser.feed(data)
    return plain(parser.feed_eof())


BROKE = [("broke", "UpstreamProtocolError", None)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", []),
        (b"HTTP/1.1 100 Continue\r\n\r\n", []),
        (b"\r\n", []),
        (b"HTTP/1.1 100 Continue\r\n\r\n\r\n", []),
        (b"H", BROKE),
        (b"HTTP/1.1 200 OK\r\nContent-Le", BROKE),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200", BROKE),
        (b"HTTP/1.1 200 OK\r\n\r\n", [("end", ())]),
        (b"HTTP/1.1 200 OK\r\n\r\ncontent", [("end", ())]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BROKE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", BROKE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", []),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", BROKE),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", BROKE),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", BROKE),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []),
        (b"HTTP/1.1 204 No Content\r\n\r\n", []),
        (b"no HTTP at all", []),
    ],
)
def test_the_end_of_the_connection(data: bytes, told: list[tuple[object, ...]]) -> None:
    """Closing ends a response delimited by it, breaks an unfinished one, else says nothing.

    What was broken already is not broken twice.
    """
    assert after_eof(data) == told


def test_the_end_without_a_request() -> None:
    """An idle connection that closes says nothing, before its first request and after."""
    parser = ResponseParser()
    assert parser.feed_eof() == []
    parser.expect("GET")
    parser.feed(RESPONSES["content-length"].data)
    assert parser.feed_eof() == []


def test_a_closed_connection_awaits_nothing() -> None:
    """The end of the connection is the end of the response that it delimits."""
    parser = ResponseParser()
    parser.expect("GET")
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert parser.awaiting
    parser.feed_eof()
    assert not parser.awaiting
    assert parser.feed_eof() == []
