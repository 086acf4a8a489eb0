"""The standing scripts: one path for each thing that HTTP/1.1 can say (RFC 9110, RFC 9112).

``install`` puts them all on an origin. ``CALLS`` lists the ones that any ordinary client can make,
for the tests that compare clients. Every response is written out, byte by byte.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
from typing import NamedTuple

from . import faults
from .bytestream import StreamEnded, read_chunk, read_section
from .exchange import Exchange, HungUp, Step, leave_body, read_body
from .origin import Origin

BINARY = random.Random(1895).randbytes(5 * 1024 * 1024)
TEXT = "Magnéto, Serge ! « Quand tu veux. »\n"
ZIPPED = gzip.compress((TEXT * 50).encode(), mtime=0)


def response(
    body: bytes = b"", *lines: bytes, status: bytes = b"200 OK", version: bytes = b"HTTP/1.1"
) -> bytes:
    """Write a response: ``lines`` as given, then a Content-Length."""
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([version + b" " + status, *lines, length, b"", body])


def head(*lines: bytes, status: bytes = b"200 OK", version: bytes = b"HTTP/1.1") -> bytes:
    """Write a response head: only ``lines``, no framing of its own."""
    return b"\r\n".join([version + b" " + status, *lines, b"", b""])


def echo(exchange: Exchange) -> None:
    """Answer with what was received, as JSON: bytes as Latin-1 text, the body in base64.

    Field lines about the connection are left out: they may differ with and without a proxy.
    """
    request = exchange.request
    seen = {
        "method": request.method,
        "target": request.target,
        "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in request.end_to_end],
        "body": base64.b64encode(request.body).decode(),
        "trailers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in request.trailers],
    }
    exchange.send(response(json.dumps(seen).encode(), b"Content-Type: application/json"))


def count_upload(exchange: Exchange) -> None:
    """Read a body of any size without keeping it; answer its length and SHA-256."""
    digest, size, stream = hashlib.sha256(), 0, exchange.stream
    if exchange.request.values("transfer-encoding"):
        while data := read_chunk(stream)[0]:
            digest.update(data)
            size += len(data)
        exchange.request.trailers = read_section(stream)[0]
    else:
        left = int(exchange.request.values("content-length")[0])
        while size < left:
            if not stream.buffer:
                stream.fill()
            data = stream.take(min(left - size, len(stream.buffer)))
            digest.update(data)
            size += len(data)
    answer = json.dumps({"size": size, "sha256": digest.hexdigest()}).encode()
    exchange.send(response(answer, b"Content-Type: application/json"))


def switch_protocols(exchange: Exchange) -> None:
    """Answer 101, then echo bytes until the other side is done (RFC 9110 §7.8)."""
    exchange.send(
        head(
            b"Upgrade: smoke-signals",
            b"Connection: Upgrade",
            status=b"101 Switching Protocols",
        )
    )
    stream = exchange.stream
    try:
        while True:
            if not stream.buffer:
                stream.fill()
            exchange.send(stream.take(len(stream.buffer)))
    except StreamEnded:
        raise HungUp from None


CHUNKED_HEAD = head(
    b"Content-Type: text/plain",
    b"Trailer: X-Checksum, X-Signed-By",
    b"Transfer-Encoding: chunked",
)
TRAILERS = b"X-Checksum: 3e25960a\r\nX-Signed-By: Serge\r\n\r\n"

ODD_HEAD = (
    b"HTTP/1.1 200 \r\n"  # an empty reason phrase (RFC 9112 §4)
    b"x-lower: 1\r\nX-UPPER: 2\r\nX-MiXeD-cAsE: 3\r\n"
    b"X-Twice: first\r\nContent-Length: 3\r\nx-twice: second\r\n"
    b"X-Empty:\r\nX-Padded: \t wide\r\nX-Comma: a, b,, c\r\n\r\nodd"
)

ROUTES: dict[str, tuple[Step, ...]] = {
    "/json": (response(b'{"ok": true}', b"Content-Type: application/json"),),
    "/gzip": (response(ZIPPED, b"Content-Type: text/plain", b"Content-Encoding: gzip"),),
    "/binary": (response(BINARY, b"Content-Type: application/octet-stream"),),
    "/empty": (response(b""),),
    "/204": (head(b"X-Nothing: more", status=b"204 No Content"),),
    "/304": (head(b'ETag: "v1"', b"Content-Length: 12345", status=b"304 Not Modified"),),
    "/head": (head(b"Content-Type: text/plain", b"Content-Length: 54321"),),
    "/head-chunked": (head(b"Content-Type: text/plain", b"Transfer-Encoding: chunked"),),
    "/404": (response(b"gone", b"Content-Type: text/plain", status=b"404 Not Here, Sorry"),),
    "/chunked": (
        CHUNKED_HEAD,
        b"5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\n" + TRAILERS,
    ),
    "/chunk-extensions": (  # apart: Node 20 cannot read the quoted one
        CHUNKED_HEAD,
        b"5;a\r\nhello\r\n",
        b'7;ext=1;quoted="a;b"\r\n, world\r\n',
        b"0;last\r\n" + TRAILERS,
    ),
    "/until-close": (head(b"Content-Type: text/plain"), b"until ", b"the end", faults.close),
    "/http10": (head(b"X-Age: 30", version=b"HTTP/1.0"), b"old but gold", faults.close),
    "/http10-keep": (response(b"kept", b"Connection: keep-alive", version=b"HTTP/1.0"),),
    "/cookies": (
        response(
            b"crumbs",
            b"Set-Cookie: a=1; Path=/",
            b"X-Between: them",
            b"Set-Cookie: b=2; Expires=Wed, 21 Oct 2065 07:28:00 GMT",
            b"set-cookie: a=3",
        ),
    ),
    "/utf8": (response(b"utf-8", b"X-Name: " + "Magnéto – 磁".encode()),),
    "/latin1": (response(b"latin-1", b"X-Name: " + "Magnéto ÿ".encode("latin-1")),),
    "/odd": (ODD_HEAD,),
    "/early-hints": (
        head(b"Link: </style.css>; rel=preload", status=b"103 Early Hints"),
        head(b"Link: </more.js>; rel=preload", status=b"103 Early Hints"),
        response(b"final"),
    ),
    "/echo": (echo,),
    "/upload": (leave_body, count_upload),
    "/continue": (head(status=b"100 Continue"), read_body, echo),
    "/refuse-body": (
        leave_body,
        response(b"no", b"Connection: close", status=b"417 Expectation Failed"),
        faults.linger,
    ),
    "/silence": (leave_body, faults.stay_silent),
    "/reset": (faults.reset,),
    "/reset-mid-body": (head(b"Content-Length: 100"), b"x" * 40, faults.reset),
    "/truncated": (head(b"Content-Length: 100"), b"y" * 40, faults.close),
    "/truncated-chunk": (head(b"Transfer-Encoding: chunked"), b"64\r\nzzzz", faults.close),
    "/malformed": (b"ICY 200 OK\r\n\r\nnot http", faults.close),
    "/stale": (faults.close_if_reused, response(b"fresh")),
    "/switch": (switch_protocols,),
}


class Call(NamedTuple):
    """One request that every client can make; ``body`` None sends none."""

    method: str
    path: str
    body: bytes | None = None


CALLS = {
    "json": Call("GET", "/json"),
    "query": Call("GET", "/echo?b=2&a=1&a=%C3%A9"),
    "gzip": Call("GET", "/gzip"),
    "5 MB": Call("GET", "/binary"),
    "empty": Call("GET", "/empty"),
    "204": Call("GET", "/204"),
    "304": Call("GET", "/304"),
    "HEAD": Call("HEAD", "/head"),
    "404": Call("GET", "/404"),
    "chunked": Call("GET", "/chunked"),
    "until close": Call("GET", "/until-close"),
    "cookies": Call("GET", "/cookies"),
    "UTF-8": Call("GET", "/utf8"),
    "Latin-1": Call("GET", "/latin1"),
    "odd fields": Call("GET", "/odd"),
    "POST": Call("POST", "/echo", TEXT.encode()),
    "PUT empty": Call("PUT", "/echo", b""),
    "POST binary": Call("POST", "/upload", BINARY[:100_000]),
    "DELETE": Call("DELETE", "/echo?id=7"),
}


def install(origin: Origin) -> Origin:
    """Put every standing script on ``origin``."""
    for path, script in ROUTES.items():
        origin.on(path, *script)
    return origin
