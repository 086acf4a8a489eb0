"""What is refused: every message that two readers could understand differently (RFC 9112 §11.2).

Each row is one malformed message with the status that its sender is told. It is fed alone and
behind good requests, whole, cut in two at every point, and byte by byte: it must be refused each
time, and no event may come of it that a request with other boundaries would make.
"""

from __future__ import annotations

import pytest

from magneto_serge.wire.events import PeerBrokeProtocol, RequestReceived, StreamEnded
from magneto_serge.wire.http1 import RequestParser, ResponseParser

from .feeding import cuts, plain, read_requests, read_response, statuses
from .fixtures import ResponseFixture

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\n"
TE = b"Transfer-Encoding: "
CHUNKED = TE + b"chunked\r\n"
CHUNKS = POST + CHUNKED + b"\r\n"
END = b"\r\n0\r\n\r\n"  # of a head, and five bytes of content or the end of a chunked body

REFUSED: dict[str, tuple[int, bytes]] = {
    # --- which framing (RFC 9112 §6.1, §6.3)
    "CL then TE": (400, POST + b"Content-Length: 5\r\n" + CHUNKED + END),
    "TE then CL": (400, POST + CHUNKED + b"Content-Length: 5\r\n" + END),
    "TE then CL of 0": (400, POST + CHUNKED + b"Content-Length: 0\r\n" + END),
    "two CL that differ": (400, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n" + END),
    "two CL that agree": (400, POST + b"Content-Length: 5\r\ncontent-length: 5\r\n" + END),
    "a list as CL": (400, POST + b"Content-Length: 5, 5\r\n" + END),
    "CL with a sign": (400, POST + b"Content-Length: +5\r\n" + END),
    "negative CL": (400, POST + b"Content-Length: -5\r\n" + END),
    "CL in hexadecimal": (400, POST + b"Content-Length: 0x5\r\n" + END),
    "CL with an exponent": (400, POST + b"Content-Length: 5e0\r\n" + END),
    "CL with a fraction": (400, POST + b"Content-Length: 5.0\r\n" + END),
    "CL with a space inside": (400, POST + b"Content-Length: 5 0\r\n" + END),
    "CL with an underscore": (400, POST + b"Content-Length: 0_5\r\n" + END),
    "CL in quotes": (400, POST + b'Content-Length: "5"\r\n' + END),
    "CL in other digits": (400, POST + "Content-Length: ٥\r\n".encode() + END),
    "empty CL": (400, POST + b"Content-Length:\r\n" + END),
    "blank CL": (400, POST + b"Content-Length: \r\n" + END),
    "CL beyond 64 bits": (400, POST + b"Content-Length: 18446744073709551621\r\n" + END),
    "CL beyond everything": (400, POST + b"Content-Length: 1" + b"0" * 400 + b"\r\n" + END),
    "TE xchunked": (501, POST + TE + b"xchunked\r\n" + END),
    "TE identity": (501, POST + TE + b"identity\r\n" + END),
    "TE gzip, chunked": (501, POST + TE + b"gzip, chunked\r\n" + END),
    "TE gzip and then chunked": (501, POST + TE + b"gzip\r\n" + CHUNKED + END),
    "TE chunked, identity": (400, POST + TE + b"chunked, identity\r\n" + END),
    "TE chunked, chunked": (400, POST + TE + b"chunked, chunked\r\n" + END),
    "TE chunked twice": (400, POST + CHUNKED + CHUNKED + END),
    "TE with a parameter": (501, POST + TE + b"chunked;q=1\r\n" + END),
    "TE with a comma": (501, POST + TE + b",chunked\r\n" + END),
    "TE in quotes": (501, POST + TE + b'"chunked"\r\n' + END),
    "empty TE": (400, POST + TE + b"\r\n" + END),
    "TE with a vertical tab": (400, POST + TE + b"\x0bchunked\r\n" + END),
    "TE with a NUL": (400, POST + TE + b"chunked\x00\r\n" + END),
    "TE in HTTP/1.0": (400, b"POST / HTTP/1.0\r\n" + CHUNKED + END),
    "CONNECT with CL": (400, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n" + END),
    "CONNECT with TE": (400, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n" + CHUNKED + END),
    # --- field lines (RFC 9112 §5)
    "space before the colon": (400, POST + b"Content-Length : 5\r\n" + END),
    "tab before the colon": (400, POST + b"Transfer-Encoding\t: chunked\r\n" + END),
    "obs-fold": (400, GET + b"X-A: 1\r\n 2\r\n\r\n"),
    "obs-fold with a tab": (400, GET + b"X-A: 1\r\n\t2\r\n\r\n"),
    "obs-fold of nothing": (400, GET + b"X-A: 1\r\n \r\n\r\n"),
    "folded TE": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n" + END),
    "space before the first field": (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    "bare LF after a field": (400, GET + b"X-A: 1\nX-B: 2\r\n\r\n"),
    "bare LF after the request line": (400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    "bare LF at the end": (400, GET + b"X-A: 1\r\n\n"),
    "bare CR in a value": (400, GET + b"X-A: 1\rX-B: 2\r\n\r\n"),
    "bare CR at the end": (400, GET + b"X-A: 1\r\r\n\r\n"),
    "bare CR before the first field": (400, b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    "NUL in a value": (400, GET + b"X-A: 1\x002\r\n\r\n"),
    "NUL in a name": (400, GET + b"X\x00A: 1\r\n\r\n"),
    "control character in a value": (400, GET + b"X-A: 1\x012\r\n\r\n"),
    "DEL in a value": (400, GET + b"X-A: 1\x7f2\r\n\r\n"),
    "no ASCII in a name": (400, GET + "X-É: 1\r\n\r\n".encode()),
    "space in a name": (400, GET + b"X A: 1\r\n\r\n"),
    "no colon": (400, GET + b"X-A\r\n\r\n"),
    "empty name": (400, GET + b": 1\r\n\r\n"),
    "quote in a name": (400, GET + b'X"A: 1\r\n\r\n'),
    "brackets in a name": (400, GET + b"X[A]: 1\r\n\r\n"),
    # --- Host (RFC 9112 §3.2)
    "no Host": (400, b"GET / HTTP/1.1\r\nX-A: 1\r\n\r\n"),
    "no fields": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, GET + b"Host: a.example\r\n\r\n"),
    "two Hosts that differ": (400, GET + b"host: b.example\r\n\r\n"),
    "two Hosts in HTTP/1.0": (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    "Host with a space": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "Host as a list": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "Host with a slash": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "Host with a backslash": (400, b"GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"),
    "Host with userinfo": (400, b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "Host with a bad port": (400, b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    "Host with two ports": (400, b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"),
    "Host in raw UTF-8": (400, "GET / HTTP/1.1\r\nHost: é\r\n\r\n".encode()),
    "Host with a broken bracket": (400, b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    # --- chunks (RFC 9112 §7.1)
    "space after a chunk size": (400, CHUNKS + b"5 \r\nhello\r\n0\r\n\r\n"),
    "space before a chunk size": (400, CHUNKS + b" 5\r\nhello\r\n0\r\n\r\n"),
    "0x chunk size": (400, CHUNKS + b"0x5\r\nhello\r\n0\r\n\r\n"),
    "negative chunk size": (400, CHUNKS + b"-5\r\nhello\r\n0\r\n\r\n"),
    "signed chunk size": (400, CHUNKS + b"+5\r\nhello\r\n0\r\n\r\n"),
    "empty chunk size": (400, CHUNKS + b"\r\nhello\r\n0\r\n\r\n"),
    "no chunk size": (400, CHUNKS + b";a=b\r\nhello\r\n0\r\n\r\n"),
    "chunk size with LF only": (400, CHUNKS + b"5\nhello\r\n0\r\n\r\n"),
    "chunk size that is none": (400, CHUNKS + b"G\r\nhello\r\n0\r\n\r\n"),
    "underscore in a chunk size": (400, CHUNKS + b"0_5\r\nhello\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": (400, CHUNKS + b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "bare LF in an extension": (400, CHUNKS + b"5;a\nhello\r\n0\r\n\r\n"),
    "bare CR in an extension": (400, CHUNKS + b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "NUL in an extension": (400, CHUNKS + b"5;a\x00\r\nhello\r\n0\r\n\r\n"),
    "more than the chunk size": (400, CHUNKS + b"5\r\nhelloX0\r\n\r\n"),
    "LF only after a chunk": (400, CHUNKS + b"5\r\nhello\n0\r\n\r\n"),
    "CR only after a chunk": (400, CHUNKS + b"5\r\nhello\r0\r\n\r\n"),
    "obs-fold in trailers": (400, CHUNKS + b"0\r\nX-A: 1\r\n 2\r\n\r\n"),
    "bare LF in trailers": (400, CHUNKS + b"0\r\nX-A: 1\nX-B: 2\r\n\r\n"),
    "space before the colon in trailers": (400, CHUNKS + b"0\r\nX-A : 1\r\n\r\n"),
    "CL in trailers": (400, CHUNKS + b"0\r\nContent-Length: 5\r\n\r\n"),
    "TE in trailers": (400, CHUNKS + b"0\r\n" + CHUNKED + b"\r\n"),
    # --- the request line (RFC 9112 §2.3, §3)
    "version 0.9": (505, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    "version 2.0": (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "version 1.2": (400, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "version 3.0": (400, b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
    "version in lower case": (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    "version with two digits": (400, b"GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    "version with a leading zero": (400, b"GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
    "no minor version": (400, b"GET / HTTP/1\r\nHost: a\r\n\r\n"),
    "another protocol": (400, b"GET / HTTPS/1.1\r\nHost: a\r\n\r\n"),
    "method in lower case": (501, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "unknown method": (501, b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "unknown method behind an empty line": (501, b"\r\nBREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "method with too much": (501, b"GETT / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "method that is no token": (400, b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no method": (400, b" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no target": (400, b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    "space in the target": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "space before the method": (400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "space after the version": (400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    "tab before the target": (400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "tab before the version": (400, b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    "form feed before the version": (400, b"GET /\x0cHTTP/1.1\r\nHost: a\r\n\r\n"),
    "control character in the target": (400, b"GET /js\x01on HTTP/1.1\r\nHost: a\r\n\r\n"),
    "NUL in the target": (400, b"GET /js\x00on HTTP/1.1\r\nHost: a\r\n\r\n"),
    "DEL in the target": (400, b"GET /js\x7fon HTTP/1.1\r\nHost: a\r\n\r\n"),
    "raw UTF-8 in the target": (400, "GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode()),
    "a target that is none": (400, b"GET path HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a host as target": (400, b"GET a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a TLS handshake": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "the HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "not HTTP at all": (400, b"\x00\x01\x02\x03\r\n\r\n"),
}

HELLO = b"POST /good HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_requests_are_refused(name: str) -> None:
    """A request that two readers could understand differently is refused, however it is cut."""
    status, data = REFUSED[name]
    for pieces in ([data], *cuts(data)):
        events = read_requests(pieces)
        assert statuses(events) == [status], pieces
        assert isinstance(events[-1], PeerBrokeProtocol)
        assert not any(isinstance(event, StreamEnded) for event in events), pieces


@pytest.mark.parametrize("name", REFUSED)
def test_good_requests_before_a_bad_one_still_come_out(name: str) -> None:
    """What was good before the bad bytes is told first, content and all, in one read or several."""
    good = plain(read_requests([HELLO]))
    data = HELLO + REFUSED[name][1]
    for pieces in (
        [data],
        [HELLO, REFUSED[name][1]],
        [data[index : index + 1] for index in range(len(data))],
    ):
        told = plain(read_requests(pieces))
        assert told[: len(good)] == good
        assert told[-1][0] == "broke"


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_told_after_a_refusal(name: str) -> None:
    """What follows bad bytes cannot be understood, and is not tried."""
    parser = RequestParser()
    parser.feed(REFUSED[name][1])
    assert parser.broken
    assert parser.feed(HELLO) == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_behind_an_ambiguous_one_is_not_told(name: str) -> None:
    """The request that an attacker hides behind an ambiguous one never comes out."""
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a.example\r\n\r\n"
    for pieces in ([REFUSED[name][1] + hidden], [REFUSED[name][1], hidden]):
        told = [event for event in read_requests(pieces) if isinstance(event, RequestReceived)]
        assert not any("hidden" in head.target for head in told)


# --- what an origin may not say


OK = b"HTTP/1.1 200 OK\r\n"

REFUSED_RESPONSES: dict[str, bytes] = {
    "CL then TE": OK + b"Content-Length: 5\r\n" + CHUNKED + END,
    "TE then CL": OK + CHUNKED + b"Content-Length: 5\r\n" + END,
    "two CL that differ": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n" + END,
    "two CL that agree": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n" + END,
    "CL that is none": OK + b"Content-Length: five\r\n" + END,
    "TE gzip, chunked": OK + TE + b"gzip, chunked\r\n" + END,
    "TE gzip": OK + TE + b"gzip\r\n" + END,
    "TE chunked twice": OK + CHUNKED + CHUNKED + END,
    "NUL in the reason phrase": b"HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n",
    "escape in the reason phrase": b"HTTP/1.1 200 \x1b[2J\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"Content-Length : 5\r\n" + END,
    "obs-fold": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare LF after the status line": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "bare LF after a field": OK + b"Content-Length: 0\n\r\n",
    "bare CR in a value": OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "NUL in a value": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "bad chunk size": OK + CHUNKED + b"\r\n5 \r\nhello\r\n0\r\n\r\n",
    "more than the chunk size": OK + CHUNKED + b"\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "version 0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status with two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status with four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status in letters": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "101 without an Upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "no HTTP at all": b"220 mail.example ESMTP\r\n",
    "an answer in HTTP/0.9": b"<html>hello</html>",
}


@pytest.mark.parametrize("name", REFUSED_RESPONSES)
def test_ambiguous_responses_are_refused(name: str) -> None:
    """A response that two readers could understand differently is refused, however it is cut."""
    data = REFUSED_RESPONSES[name]
    for pieces in ([data], *cuts(data)):
        events = read_response(ResponseFixture(data), pieces)
        assert plain(events)[-1] == ("broke", "UpstreamProtocolError", None), pieces
        assert not any(isinstance(event, StreamEnded) for event in events)


LENGTH = OK + b"Content-Length: 5\r\n\r\n"

UNASKED: dict[str, tuple[str, bytes, bytes]] = {
    "a second response": ("GET", LENGTH + b"hello", LENGTH + b"again"),
    "the beginning of one": ("GET", LENGTH + b"hello", b"HTTP/1.1 200 OK\r\nContent-Le"),
    "one byte of one": ("GET", LENGTH + b"hello", b"H"),
    "an interim response": ("GET", LENGTH + b"hello", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "more than the length": ("GET", LENGTH + b"hello", b"world"),
    "a response behind chunks": ("GET", OK + CHUNKED + END, LENGTH),
    "a response behind 204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", LENGTH),
    "content in a 204": ("GET", b"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", b"hello"),
    "content in a 304": ("GET", b"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", b"hello"),
    "content to HEAD": ("HEAD", LENGTH, b"hello"),
    "chunks to HEAD": ("HEAD", OK + CHUNKED + b"\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "content without framing to HEAD": ("HEAD", OK + b"X: y\r\n\r\n", b"hello"),
    "a second response to HEAD": ("HEAD", OK + b"Content-Length: 0\r\n\r\n", LENGTH),
    "something behind a close": (
        "GET",
        OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
        b"x",
    ),
}


@pytest.mark.parametrize("name", UNASKED)
def test_bytes_that_nobody_asked_for(name: str) -> None:
    """What comes behind a response breaks the protocol; the response itself is told (§9.2)."""
    method, data, beyond = UNASKED[name]
    good = plain(read_response(ResponseFixture(data, method)))
    for pieces in ([data + beyond], [data, beyond]):
        told = plain(read_response(ResponseFixture(data, method), pieces))
        assert told == [*good, ("broke", "UpstreamProtocolError", None)]


def test_a_refusal_behind_an_ignored_upgrade_keeps_its_status() -> None:
    """What is wrong with a request is told as ever where the one before it offered an upgrade."""
    before = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    for name in ("version 2.0", "TE identity", "no Host", "TE in HTTP/1.0"):
        status, data = REFUSED[name]
        for pieces in ([before + data], [before, data]):
            assert statuses(read_requests(pieces)) == [status], name


def test_bytes_before_the_first_request() -> None:
    """An origin that speaks first does not speak HTTP."""
    parser = ResponseParser()
    assert plain(parser.feed(LENGTH)) == [("broke", "UpstreamProtocolError", None)]
    assert parser.broken


def test_half_a_response_is_not_the_next_one() -> None:
    """What an origin has said too early cannot become the answer to the next request."""
    parser = ResponseParser()
    parser.expect("GET")
    parser.feed(LENGTH + b"hello" + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n")
    parser.expect("GET")
    assert parser.feed(b"\r\nevil") == []


def test_what_is_unusual_and_clear_passes() -> None:
    """What the grammar allows, or every reader takes alike, is not refused."""
    for data in (
        b"\r\n\r\n" + GET + b"\r\n",
        GET + b"X-A:  \t 1 \t \r\n\r\n",
        GET + b"X-A:1\r\n\r\n",
        GET + b"X-A: \xe9\xff\r\n\r\n",
        b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example \r\n\r\n",
        b"GET / HTTP/1.1\r\nhOST: xn--bcher-kva.example:8080\r\n\r\n",
        CHUNKS + b"0005\r\nhello\r\n000\r\n\r\n",
        CHUNKS + b"a\r\n0123456789\r\n0\r\n\r\n",
        CHUNKS + b"A\r\n0123456789\r\n0\r\n\r\n",
        POST + b"Content-Length: 005\r\n\r\nhello",
    ):
        assert statuses(read_requests([data])) == [], data
