"""The messages that every test of the parsers is fed: well-formed HTTP/1.x, in all its framings.

They are literals, with their line ends written out, because every byte of them counts. A response
comes with the method it answers and whether the connection closes behind it; both are part of how
its end is found (RFC 9112 §6.3). What is malformed has a table of its own in
`test_http1_strictness`.
"""

from __future__ import annotations

from typing import NamedTuple

REQUESTS: dict[str, bytes] = {
    "origin-form": b"GET /path?query=1&query=2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "absolute-form": b"GET http://a.example:8080/p?q HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
    "absolute-form without a path": b"GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "absolute-form, https": b"GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "absolute-form with userinfo": b"GET http://u:p%40@a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute-form, IPv6": b"GET http://[2001:db8::1]:81/ HTTP/1.1\r\nHost: [::1]:81\r\n\r\n",
    "asterisk-form": b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "authority-form": b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    "authority-form and what follows": (
        b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n\x16\x03\x01GET / HTTP/1.1\r\n\r\n"
    ),
    "every legal character in a target": (
        b"GET /a-._~!$&'()*+,;=:@%20b?/?[]|\\^`{}\"<> HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with Host": b"GET / HTTP/1.0\r\nHost: a.example\r\nUser-Agent: old\r\n\r\n",
    "HTTP/1.0 kept alive": (
        b"GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n"
    ),
    "HTTP/1.0 with content": b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
    "empty lines before the request": b"\r\n\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "HEAD": b"HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "method with a hyphen": b"M-SEARCH / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "content-length": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 14\r\n\r\nGET / HTTP/1.1"
    ),
    "content-length of nothing": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"
    ),
    "content-length with leading zeros": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0005\r\n\r\nhello"
    ),
    "content with a GET": b"GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n{}",
    "chunked": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\nA\r\n, chunked \r\n00a\r\nworld\r\n012\r\n0\r\n\r\n"
    ),
    "chunked of nothing": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: Chunked\r\n\r\n000\r\n\r\n"
    ),
    "chunked with extensions": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'5;a\r\nhello\r\n5;b=c;d="e f"\r\nworld\r\n0;last=yes\r\n\r\n'
    ),
    "chunked with trailers": (
        b"PUT / HTTP/1.1\r\nHost: a.example\r\nTrailer: Digest, X-T\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\nDigest: sha-256=abc\r\nX-T: 1\r\nx-t:\r\n\r\n"
    ),
    "fields in every shape": (
        b"GET / HTTP/1.1\r\nHOST:a.example\r\nX-Empty:\r\nX-Blank:   \r\nx-Spaces: \t a b \t \r\n"
        b"X-Repeat: 2\r\nX-Repeat: 1\r\nX-Repeat: 2\r\n!#$%&'*+-.^_`|~09: token\r\n"
        b"X-Latin: caf\xe9\r\nX-UTF-8: caf\xc3\xa9\r\nX-Colon: a:b: c\r\nX-Tab: a\tb\r\n\r\n"
    ),
    "expect": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi"
    ),
    "nominated fields": (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: X-Hop, ,Keep-Alive\r\n"
        b"connection: te\r\nTE: trailers\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n"
    ),
    "close": b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    "close, with content": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi"
    ),
    "pipelined": (
        b"GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
        b"POST /2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n123"
        b"POST /3 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n45\r\n0\r\nX-T: 1\r\n\r\n"
        b"\r\nGET /4 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
    ),
    # Whoever takes the tail of a read for a request of its own sees one that nobody has sent.
    "pipelined, a request inside a field": (
        b"GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
        b"GET /2 HTTP/1.1\r\nX-Inner: GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "a request inside content": (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 38\r\n\r\n"
        b"GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n \n"
        b"GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "upgrade": (
        b"GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ),
    "upgrade and what follows": (
        b"GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: foo/2, bar\r\nConnection: upgrade\r\n"
        b"\r\nGET \x00\xff no HTTP"
    ),
    "upgrade without a connection option": (
        b"GET /1 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n"
        b"GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "upgrade in HTTP/1.0": (
        b"GET /1 HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n"
        b"GET /2 HTTP/1.0\r\n\r\n"
    ),
    "upgrade with content": (
        b"POST /1 HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: foo\r\n"
        b"Content-Length: 5\r\n\r\nhello"
        b"GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "h2c": (
        b"GET /1 HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: a.example\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n\r\n"
        b"GET /2 HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        b"GET /3 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "h2c with content": (
        b"POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 37\r\nUpgrade: h2c\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEA\r\n\r\n"
        b"GET /no HTTP/1.1\r\nHost: b.example\r\n\r\n"
        b"GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "h2c with chunks": (
        b"POST /1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\n"
        b"Connection: Upgrade\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
        b"GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"
    ),
    "h2c and close": (
        b"GET /1 HTTP/1.1\r\nHost: a.example\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n"
    ),
}


class ResponseFixture(NamedTuple):
    """A response: what it answers, its bytes, and whether the connection closes behind them."""

    data: bytes
    method: str = "GET"
    closes: bool = False


RESPONSES: dict[str, ResponseFixture] = {
    "content-length": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n\r\nHTTP/1.1 200 OK"
    ),
    "content-length of nothing": ResponseFixture(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    "chunked": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n"
    ),
    "chunked with trailers": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
        b"1\r\na\r\n0\r\nX-T: 1\r\nX-T: 2\r\n\r\n"
    ),
    "close-delimited": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nuntil\r\n\r\nthe end", closes=True
    ),
    "close-delimited, nothing": ResponseFixture(b"HTTP/1.1 200 OK\r\n\r\n", closes=True),
    "HTTP/1.0": ResponseFixture(b"HTTP/1.0 200 OK\r\n\r\nhello", closes=True),
    "HTTP/1.0 with a length": ResponseFixture(
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", closes=True
    ),
    "HTTP/1.0 kept alive": ResponseFixture(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"
    ),
    "close": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", closes=True
    ),
    "HEAD": ResponseFixture(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"),
    "HEAD, chunked": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"
    ),
    "HEAD without a framing": ResponseFixture(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "HEAD"),
    "204": ResponseFixture(b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
    "304": ResponseFixture(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'),
    "304 with the length that a 200 would have": ResponseFixture(
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"
    ),
    "no reason phrase": ResponseFixture(b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi"),
    "a long reason phrase": ResponseFixture(
        b"HTTP/1.1 404 Not Found: caf\xe9 \xc3\xa9!\r\nContent-Length: 2\r\n\r\nhi"
    ),
    "an unknown status": ResponseFixture(b"HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nhi"),
    "fields in every shape": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nSET-cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nX-Empty:\r\n"
        b"x-Spaces: \t a b \t \r\nX-Latin: caf\xe9\r\nX-UTF-8: caf\xc3\xa9\r\n"
        b"Set-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n"
    ),
    "nominated fields": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n"
        b"Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi"
    ),
    "an upgrade on offer": ResponseFixture(
        b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi"
    ),
    "100 and the final response": ResponseFixture(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi", "POST"
    ),
    "several interim responses": ResponseFixture(
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n"
        b"Link: </b>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\n\r\n"
    ),
    "100 to a HEAD": ResponseFixture(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD"
    ),
    "101": ResponseFixture(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    ),
    "101 and what follows": ResponseFixture(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
        b"HTTP/1.1 \x00\xff no HTTP"
    ),
    "200 to CONNECT": ResponseFixture(
        b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n", "CONNECT"
    ),
    "407 to CONNECT": ResponseFixture(
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno", "CONNECT"
    ),
}
