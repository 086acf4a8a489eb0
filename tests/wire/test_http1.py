"""Bytes to events: what each message means, however it was cut on its way.

The fixtures are fed whole, cut in two at every point, and byte by byte, cold and when every head
in them is remembered from before (`wire/memory.py`); h11 reads them too. What the fields of an
event say is checked rule by rule below. Refusals are in `test_http1_strictness`, limits in
`test_http1_limits`.
"""

from __future__ import annotations

import pytest

from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Framing,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.http1 import RequestParser, ResponseParser

from .feeding import cuts, plain, read_requests, read_response
from .fixtures import REQUESTS, RESPONSES, ResponseFixture
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


def head(data: bytes) -> RequestReceived:
    """Return the head of the first request in ``data``."""
    event = RequestParser().feed(data)[0]
    assert isinstance(event, RequestReceived), event
    return event


def answer(data: bytes, method: str = "GET") -> ResponseReceived:
    """Return the head of the response in ``data``."""
    parser = ResponseParser()
    parser.expect(method)
    event = parser.feed(data)[0]
    assert isinstance(event, ResponseReceived), event
    return event


# --- cuts, and a second opinion -----------------------------------------------------------------


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


# --- requests: the head ---------------------------------------------------------------------------


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


# --- requests: content -----------------------------------------------------------------------------


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


def test_a_request_inside_a_field_is_no_request() -> None:
    """A head that is cut stays one head, even where its rest is a request known from before."""
    data = REQUESTS["pipelined, a request inside a field"]
    cut = data.rindex(b"GET /1")
    events = read_requests([data[:cut], data[cut:]])
    assert [one.target for one in events if isinstance(one, RequestReceived)] == ["/1", "/2"]


# --- requests: the end of the connection ------------------------------------------------------------


@pytest.mark.parametrize("name", ["close", "close, with content", "HTTP/1.0", "h2c and close"])
@pytest.mark.parametrize("behind", [b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n", b"\x00 no HTTP"])
def test_nothing_is_told_of_what_follows_a_close(name: str, behind: bytes) -> None:
    """What comes behind the last request of a connection is dropped (RFC 9112 §9.6)."""
    alone = plain(read_requests([REQUESTS[name]]))
    assert plain(read_requests([REQUESTS[name] + behind])) == alone
    assert plain(read_requests([REQUESTS[name], behind])) == alone


# --- requests: leaving HTTP --------------------------------------------------------------------------


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


# --- whether something is under way ---------------------------------------------------------------------


def test_mid_message() -> None:
    """A connection with part of a head on it is not idle; one between two requests is."""
    parser = RequestParser()
    assert not parser.mid_message
    parser.feed(b"GET / HTTP/1.1\r\n")
    assert parser.mid_message
    parser.feed(HOST + b"\r\n")
    assert not parser.mid_message


# --- responses: the head ----------------------------------------------------------------------------------


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


# --- responses: one after the other -------------------------------------------------------------------------


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


# --- responses: the end of the connection -----------------------------------------------------------------------


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
