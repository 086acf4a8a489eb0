"""The default match key: method, scheme, host, port, path, query and body.

Both parts of the key are *projections* onto something hashable, so that look-up is one dictionary
access however large the cassette. Two requests match when their keys are equal:

* the query is a multiset: order between items does not matter, repeats do;
* a JSON body compares by value (key order and spacing do not matter), a form as a multiset,
  multipart without its boundary, everything else by its bytes; a content-encoded body is compared
  decoded where gzip or deflate says how. A body that claims to be JSON and is not: bytes.

A cassette can keep the keys of its recordings as *digests*, to be looked up without reading the
recordings: BLAKE2b of the key in MessagePack, 8 bytes for the head and 8 for head and body, both
of the request without its secrets and what stands for them (`replay/secrets`). Equal
keys have equal digests; whoever finds a digest still compares the keys. Any change of what a key
is must change ``KEY_SCHEME``, so that digests of another scheme are not looked up.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Hashable, Iterator
from functools import cache, lru_cache
from typing import Any

import msgspec

from magneto_serge.messages import Body, FileBody, Headers, Request

HeadKey = tuple[str, str, str, int, str, object]

# Bodies from this size on are compared by digest, so that keys stay small. It is far below any
# sensible `memory_limit`, so plain bytes compare the same way wherever they are kept. (JSON and
# forms above `memory_limit` compare by their bytes, since nobody wants to read them.)
DIGEST_FROM = 65_536  # bytes
_DECODED_LIMIT = 16 * 1024 * 1024  # bytes; a request that inflates further is compared as it is

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)  # RFC 2046 §5.1.1


def head_key(request: Request) -> HeadKey:
    """Return everything of the default key but the body."""
    path, mark, query = request.target.partition("?")
    items: object = query
    if mark and "&" in query:
        items = tuple(sorted(query.split("&")))
    return (request.method, request.scheme, request.host, request.port, path, items)


def head_text(request: Request) -> str:
    """Return the head's key as one text: equal for two requests if, and only if, their keys are.

    It is what recordings are looked up by in memory. A key of many parts lies in many places, and
    each of them is waited for once there are more recordings than the processor's caches hold.
    """
    target = request.target
    if "&" in target or target[-1:] == "?":
        path, mark, query = target.partition("?")
        if mark:
            target = f"{path}?{'&'.join(sorted(query.split('&')))}" if query else path
    return f"{request.method} {request.scheme}://{request.host}:{request.port}{target}"


def body_key(headers: Headers, body: Body) -> Hashable:
    """Return the body's part of the default key; never raises for what a body holds."""
    if not body:
        return b""
    if isinstance(body, FileBody):
        return ("sha256", body.sha256)
    content_type = headers.get("content-type") or ""
    decoded = decoded_body(headers, body)
    essence = content_type.partition(";")[0].strip().lower()
    if is_json(essence):
        key = json_key(decoded)
        if key is not None:
            return key
    elif essence == "application/x-www-form-urlencoded":
        return form_key(decoded)
    elif essence.startswith("multipart/"):
        decoded = without_boundary(content_type, decoded)
    return bytes_key(decoded)


def content_key(request: Request) -> Hashable:
    """Return the body's part of a request's default key."""
    return body_key(request.headers, request.body) if request.body else b""


KEY_SCHEME = 2
DIGEST_SIZE = 8  # bytes
_PAIR = b"\x92"  # how MessagePack begins an array of two
_pack = msgspec.msgpack.Encoder().encode


def head_digest(head: HeadKey) -> bytes:
    """Return the 8 bytes that stand for a head key; raises UnicodeEncodeError for lone surrogates.

    Two for the path's folder, two for the path, four for the whole: what lies near in a sorted
    index is near for people too, and is found by the beginning of its digest.
    """
    path = head[4]
    return _folder_digest(path.rpartition("/")[0]) + _digest(path, 2) + _digest(head, 4)


@lru_cache(1024)
def _folder_digest(folder: str) -> bytes:
    return _digest(folder, 2)  # most requests of a cassette are in a few


def head_prefixes(request: Request) -> Iterator[bytes]:
    """Yield what digests of heads like this one's begin with: of itself, its path, its folder."""
    try:
        digest = head_digest(head_key(request))
    except UnicodeEncodeError:
        return
    yield from (digest, digest[:4], digest[:2])


def key_digest(head: HeadKey, body: Hashable) -> bytes:
    """Return the 8 bytes that stand for a whole key: of the array of its two parts."""
    return _digest((head, body), DIGEST_SIZE)


def both_digests(head: HeadKey, body: Hashable) -> bytes:
    """Return :func:`head_digest` and then :func:`key_digest`, for less than both cost."""
    hashed = _blake2b()
    packed, path = _pack(head), head[4]
    digests: bytes = (
        _folder_digest(path.rpartition("/")[0])
        + hashed(_pack(path), digest_size=2).digest()
        + hashed(packed, digest_size=4).digest()
        + hashed(_PAIR + packed + _pack(body), digest_size=DIGEST_SIZE).digest()
    )
    return digests


def _digest(key: object, size: int) -> bytes:
    """Of what is hashed: MessagePack in its shortest forms; tuples are arrays, ``bytes`` bin."""
    digest: bytes = _blake2b()(_pack(key), digest_size=size).digest()
    return digest


@cache
def _blake2b() -> Callable[..., Any]:
    from hashlib import blake2b  # a replay from JSON digests nothing

    return blake2b


def is_json(essence: str) -> bool:
    """Tell whether a media type, without parameters and in lower case, is one of JSON."""
    return essence == "application/json" or essence.endswith("+json")


def bytes_key(body: bytes) -> Hashable:
    """Return the key of content that compares by its bytes."""
    if len(body) < DIGEST_FROM:
        return body
    import hashlib

    return ("sha256", hashlib.sha256(body).hexdigest())


def form_key(body: bytes) -> Hashable:
    """Return the key of a form: the multiset of its items."""
    return ("form", bytes_key(b"&".join(sorted(body.split(b"&")))))


def json_key(body: bytes) -> Hashable | None:
    """Return the key of JSON by its value; None where it is none."""
    try:
        value = msgspec.json.decode(body)
        canonical = msgspec.json.encode(value, order="deterministic")
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return ("json", bytes_key(canonical))


def decoded_body(headers: Headers, body: bytes) -> bytes:
    """Return the content of a body: decoded where gzip or deflate says how, else as it is."""
    encoding = headers.get("content-encoding")
    if encoding is None or encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
    try:
        decoded = inflate.decompress(body, _DECODED_LIMIT)
    except zlib.error:
        return body
    # What is cut off, too large, or followed by something (a second member) is not told by this.
    return decoded if inflate.eof and not inflate.unused_data else body


def without_boundary(content_type: str, body: bytes) -> bytes:
    """Blank the boundary out, which stands at the beginnings of lines: each request has another."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        return body
    boundary = (match[1] or match[2]).encode()
    return (b"\r\n" + body).replace(b"\r\n--" + boundary, b"\r\n--")
