"""What a client says: heads, content, and where HTTP ends, rule by rule (RFC 9110, RFC 9112)."""

from __future__ import annotations

import pytest

from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Framing,
    RequestReceived,
    StreamEnded,
)
from magneto_serge.wire.http1 import RequestParser

from .feeding import plain, read_requests
from .fixtures import REQUESTS

HOST = b"Host: a.example\r\n"


def head(data: bytes) -> RequestReceived:
    """Return the head of the first request in ``data``."""
    event = RequestParser().feed(data)[0]
    assert isinstance(event, RequestReceived), event
    return event


# --- requests: the head


@pytest.mark.parametrize("name", REQUESTS)
def test_the_first_line_is_told_as_it_was_sent(name: str) -> None:
    """Method, target and version come out as they stand in the request line."""
    line = REQUESTS[name].lstrip(b"\r\n").partition(b"\r\n")[0]
    told = head(REQUESTS[name])
    assert f"{told.method} {told.target} {told.version}".encode() == line


def test_field_lines_keep_order_case_and_repeats() -> None:
    """Field lines come out byte for byte, but for white space around values (RFC 9112 §5.1)."""
    assert list(head(REQUESTS["fields in every shape"]).fields) == [
        (b"HOST", b"a.example"),
        (b"X-Empty", b""),
        (b"X-Blank", b""),
        (b"x-Spaces", b"a b"),
        (b"X-Repeat", b"2"),
        (b"X-Repeat", b"1"),
        (b"X-Repeat", b"2"),
        (b"!#$%&'*+-.^_`|~09", b"token"),
        (b"X-Latin", b"caf\xe9"),
        (b"X-UTF-8", "café".encode()),
        (b"X-Colon", b"a:b: c"),
        (b"X-Tab", b"a\tb"),
    ]


@pytest.mark.parametrize(
    ("fields", "framing", "length"),
    [
        (b"", Framing.NONE, 0),
        (b"Content-Length: 0\r\n", Framing.NONE, 0),
        (b"Content-Length: 5\r\n", Framing.LENGTH, 5),
        (b"Content-Length: \t 005 \r\n", Framing.LENGTH, 5),
        (b"Content-Length: 9007199254740993\r\n", Framing.LENGTH, 2**53 + 1),
        (b"Transfer-Encoding: chunked\r\n", Framing.CHUNKED, 0),
        (b"transfer-encoding: \t CHUNKED \t\r\n", Framing.CHUNKED, 0),
    ],
)
def test_request_framing(fields: bytes, framing: Framing, length: int) -> None:
    """Content has a length, chunks, or is not there (RFC 9112 §6.3); a length may have zeros."""
    told = head(b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n")
    assert (told.framing, told.content_length) == (framing, length)
    assert told.ended is (framing is Framing.NONE)


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"CLOSE", False),
        (b"1.1", b"foo, close", False),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"closed", True),
        (b"1.0", b"", False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"close", False),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_request_persistence(version: bytes, connection: bytes, kept: bool) -> None:
    """HTTP/1.1 persists until close, HTTP/1.0 with keep-alive and no close (RFC 9112 §9.3)."""
    line = b"Connection: %b\r\n" % connection if connection else b""
    assert head(b"GET / HTTP/%b\r\n%b%b\r\n" % (version, HOST, line)).keep_alive is kept


def test_nominated_fields() -> None:
    """Connection nominates hop-by-hop fields, over several lines, in any case (RFC 9110 §7.6.1)."""
    assert head(REQUESTS["nominated fields"]).nominated == {b"x-hop", b"keep-alive", b"te"}


def test_framing_and_host_cannot_be_nominated() -> None:
    """What makes a message this message stays, whatever Connection says."""
    line = b"Connection: host, Content-Length, transfer-encoding, x\r\n"
    assert head(b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n").nominated == {b"x"}


@pytest.mark.parametrize(
    ("version", "value", "expects"),
    [
        (b"1.1", b"100-continue", True),
        (b"1.1", b"100-Continue", True),
        (b"1.1", b"200-ok", False),
        (b"1.0", b"100-continue", False),
    ],
)
def test_expectations(version: bytes, value: bytes, expects: bool) -> None:
    """100-continue is an expectation in HTTP/1.1 only (RFC 9110 §10.1.1)."""
    data = b"POST / HTTP/%b\r\n%bExpect: %b\r\nContent-Length: 5\r\n\r\n" % (version, HOST, value)
    assert head(data).expect_continue is expects


# --- requests: content


def test_content_may_look_like_a_request() -> None:
    """Content is content by its length, whatever it says; the next request follows it."""
    first, data, ended, second = read_requests([REQUESTS["a request inside content"]])
    assert isinstance(first, RequestReceived)
    assert first.target == "/"
    assert isinstance(data, DataReceived)
    assert b"GET /1" in data.data
    assert isinstance(ended, StreamEnded)
    assert isinstance(second, RequestReceived)
    assert second.target == "/2"


def test_chunks_are_told_without_their_coding() -> None:
    """Chunk sizes and extensions are gone from what is told (RFC 9112 §7.1.1)."""
    told = plain(read_requests([REQUESTS["chunked with extensions"]]))
    assert told[1:] == [("data", b"helloworld"), ("end", ())]


def test_trailers_come_with_the_end() -> None:
    """The trailer section is kept line by line, apart from the header section (RFC 9110 §6.5)."""
    assert read_requests([REQUESTS["chunked with trailers"]])[-1] == StreamEnded(
        ((b"Digest", b"sha-256=abc"), (b"X-T", b"1"), (b"x-t", b""))
    )


def test_pipelined_requests_come_out_in_order() -> None:
    """Requests sent without waiting come out one by one (RFC 9112 §9.3.2)."""
    events = read_requests([REQUESTS["pipelined"]])
    heads = [event for event in events if isinstance(event, RequestReceived)]
    assert [one.target for one in heads] == ["/1", "/2", "/3", "/4"]


# --- requests: the end of the connection


@pytest.mark.parametrize("name", ["close", "close, with content", "HTTP/1.0", "h2c and close"])
@pytest.mark.parametrize("behind", [b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n", b"\x00 no HTTP"])
def test_nothing_is_told_of_what_follows_a_close(name: str, behind: bytes) -> None:
    """What comes behind the last request of a connection is dropped (RFC 9112 §9.6)."""
    alone = plain(read_requests([REQUESTS[name]]))
    assert plain(read_requests([REQUESTS[name] + behind])) == alone
    assert plain(read_requests([REQUESTS[name], behind])) == alone


# --- requests: leaving HTTP


@pytest.mark.parametrize("method", [b"CONNECT a.example:443", b"CONNECT [::1]:443"])
def test_connect_leaves_http(method: bytes) -> None:
    """What follows the head of a CONNECT is not HTTP (RFC 9110 §9.3.6); it may be empty."""
    data = method + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    connect, after = RequestParser().feed(data + b"\x16\x03GET")
    assert isinstance(connect, RequestReceived)
    assert connect.ended
    assert after == BytesAfterUpgrade(b"\x16\x03GET")
    assert RequestParser().feed(data)[1] == BytesAfterUpgrade(b"")


def test_an_offered_upgrade_holds_what_follows() -> None:
    """Whether what follows an Upgrade is HTTP is not known yet: it is told as bytes."""
    offer, after = read_requests([REQUESTS["upgrade and what follows"]])
    assert isinstance(offer, RequestReceived)
    assert offer.upgrade == b"foo/2, bar"
    assert offer.ended
    assert after == BytesAfterUpgrade(b"GET \x00\xff no HTTP")


def test_a_refused_upgrade_goes_on_in_http() -> None:
    """Bytes behind an upgrade that the origin did not make are the next request."""
    parser = RequestParser()
    following = b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n"
    offer = REQUESTS["upgrade"]
    after = parser.feed(offer + following)[-1]
    assert isinstance(after, BytesAfterUpgrade)
    again = parser.feed(after.data)[0]
    assert isinstance(again, RequestReceived)
    assert again.target == "/2"


@pytest.mark.parametrize("offer", [b"h2c", b"H2C", b"h2c, foo", b"TLS/1.0", b"tls/1.2, HTTP/1.1"])
def test_retired_upgrades_are_ignored(offer: bytes) -> None:
    """h2c (RFC 9113 §3.1) and TLS (RFC 2817) are not offered onwards: HTTP/1.1 goes on."""
    data = b"GET /1 HTTP/1.1\r\n%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % (HOST, offer)
    events = read_requests([data + b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n"])
    assert [one.target for one in events if isinstance(one, RequestReceived)] == ["/1", "/2"]
    assert not any(one.upgrade for one in events if isinstance(one, RequestReceived))


@pytest.mark.parametrize(
    "name",
    [
        "upgrade without a connection option",
        "upgrade in HTTP/1.0",
        "upgrade with content",
        "h2c with content",
        "h2c with chunks",
    ],
)
def test_upgrades_that_are_none(name: str) -> None:
    """Upgrade takes Connection and HTTP/1.1 (RFC 9110 §7.8); beside content it is ignored."""
    events = read_requests([REQUESTS[name]])
    heads = [event for event in events if isinstance(event, RequestReceived)]
    assert [(one.target, one.upgrade) for one in heads] == [("/1", b""), ("/2", b"")]


def test_the_content_of_an_ignored_upgrade_is_content() -> None:
    """Java's client offers h2c with a POST: the content is told, and is not the next request."""
    told = plain(read_requests([REQUESTS["h2c with content"]]))
    assert told[1:3] == [("data", b"GET /no HTTP/1.1\r\nHost: b.example\r\n\r\n"), ("end", ())]
    told = plain(read_requests([REQUESTS["h2c with chunks"]]))
    assert told[1:3] == [("data", b"abc"), ("end", ((b"X-T", b"1"),))]


def test_ignored_upgrades_may_come_by_the_thousand() -> None:
    """However many requests with an ignored upgrade one read holds, each is told."""
    data = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert len(read_requests([data * 4000])) == 4000


def test_an_ignored_upgrade_with_content_may_close() -> None:
    """Connection: close ends the connection behind the content of an ignored upgrade too."""
    data = (
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n"
        b"Content-Length: 2\r\n\r\nhi"
    )
    told = plain(read_requests([data + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"]))
    assert [event[0] for event in told] == ["request", "data", "end"]


# --- whether something is under way


def test_mid_message() -> None:
    """A connection with part of a head on it is not idle; one between two requests is."""
    parser = RequestParser()
    assert not parser.mid_message
    parser.feed(b"GET / HTTP/1.1\r\n")
    assert parser.mid_message
    parser.feed(HOST + b"\r\n")
    assert not parser.mid_message
