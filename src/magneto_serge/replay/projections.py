"""The built-in matchers: projections of a request, or of its content, onto something hashable.

Projections of the *head* need no body, so that a request can be known before its body has come;
those of the *content* do. None of them raises for what a request holds: content that claims to be
JSON and is not compares as bytes.

``strict`` compares everything that a client decides; ``lenient`` what names a resource, so that
neither a port chosen by the system nor a changed body matters; ``path-only`` the path. Under every
one a HEAD request stands apart: what answers another method has content, which it may not get; and
so does a WebSocket's handshake.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from fnmatch import fnmatchcase
from urllib.parse import unquote_plus

import msgspec

from magneto_serge.messages import DEFAULT_PORTS, FileBody, Headers, Request
from magneto_serge.replay.graphql import graphql_key
from magneto_serge.replay.json_paths import Without
from magneto_serge.replay.matching import (
    body_key,
    bytes_key,
    decoded_body,
    form_key,
    is_json,
    json_key,
    without_boundary,
)
from magneto_serge.replay.patterns import Regex

HEAD_PARTS = ("method", "scheme", "host", "port", "path", "query", "headers")
CONTENT_PARTS = ("body", "json", "form", "multipart", "graphql", "raw_body")
PARTS = (*HEAD_PARTS, *CONTENT_PARTS)

_DEFAULT = ("method", "scheme", "host", "port", "path", "query", "body")
PRESETS = {
    "strict": ("method", "scheme", "host", "port", "path", "query", "headers", "raw_body"),
    "default": _DEFAULT,
    "lenient": ("method", "host", "path", "query"),
    "path-only": ("path",),
}

# How a message came over one connection, and what other parts of the key say already.
_NEVER_COMPARED = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"sec-websocket-key",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class Names:
    """Names that are left out: as they are, or shell patterns; compared as ``fold`` makes them."""

    def __init__(self, names: Iterable[str], fold: Callable[[str], str] = str) -> None:
        folded = [fold(name) for name in names]
        self._patterns = tuple(name for name in folded if any(c in name for c in "*?["))
        self._exact = frozenset(folded) - frozenset(self._patterns)

    def __contains__(self, name: str) -> bool:
        return name in self._exact or any(fnmatchcase(name, each) for each in self._patterns)

    def __bool__(self) -> bool:
        return bool(self._exact or self._patterns)


class Location:
    """Where a request goes, as it is compared: its URL without what is ignored in it."""

    __slots__ = ("host", "path", "port", "query", "scheme")

    def __init__(self, request: Request, ignored: tuple[Regex, ...]) -> None:
        if not ignored:
            self.scheme, self.host = request.scheme, request.host
            self.port: object = request.port
            self.path, _, self.query = request.target.partition("?")
            return
        url = request.url.encode(errors="surrogatepass")
        for regex in ignored:
            url = regex.sub(b"", url)
        scheme, _, rest = url.decode(errors="replace").partition("://")
        before, _, self.query = rest.partition("?")
        authority, slash, path = before.partition("/")
        host, colon, port = authority.rpartition(":")
        if not colon or not port.isdecimal():
            host, port = authority, str(DEFAULT_PORTS.get(scheme, ""))
        self.scheme, self.host, self.port, self.path = scheme, host, port, slash + path


def query_key(query: str, ignored: Names) -> object:
    """Return a query as a multiset of its items, without those of ignored names."""
    if not ignored:
        return tuple(sorted(query.split("&"))) if "&" in query else query
    items = [
        item
        for item in query.split("&")
        if item and unquote_plus(item.partition("=")[0]) not in ignored
    ]
    return tuple(sorted(items)) if len(items) > 1 else "".join(items)


def field_key(headers: Headers, name: bytes) -> Hashable:
    """Return a field's value, several lines of it as one list (RFC 9110 §5.3); None: absent."""
    values = [value.strip(b" \t") for key, value in headers.raw if key.lower() == name]
    return b", ".join(values) if values else None


def takes_part(name: bytes, ignored: Names) -> bool:
    """Tell whether a field, by its name in lower case, is compared where all are."""
    return name not in _NEVER_COMPARED and name.decode("latin-1") not in ignored


def fields_key(headers: Headers, ignored: Names) -> Hashable:
    """Return every field that takes part, as a set: order among names means nothing."""
    found: dict[bytes, list[bytes]] = {}
    for key, value in headers.raw:
        name = key.lower()
        if takes_part(name, ignored):
            found.setdefault(name, []).append(value.strip(b" \t"))
    return frozenset((name, b", ".join(values)) for name, values in found.items())


class Content:
    """How content is compared: ``part`` is one of `CONTENT_PARTS`; what is ignored goes first."""

    def __init__(self, part: str, without: Without | None, ignored: tuple[Regex, ...]) -> None:
        self._part = part
        self._without = without
        self._ignored = ignored
        self._as_default = part == "body" and without is None and not ignored

    def __call__(self, request: Request) -> Hashable:
        """Return the key of a request's content; ``b""`` where it has none."""
        body, headers = request.body, request.headers
        if isinstance(body, FileBody) or self._as_default:
            return body_key(headers, body)
        if self._part == "graphql":
            content = self._stripped(self._reduced(headers, body))
            found = graphql_key(headers, request.target, content)
            if found is not None:
                return found
        if not body:
            return b""
        if self._part == "raw_body":
            for regex in self._ignored:
                body = regex.sub(b"", body)
            return bytes_key(body)
        return self._key(headers, self._reduced(headers, body))

    def _reduced(self, headers: Headers, body: bytes) -> bytes:
        if not body:
            return body
        content = decoded_body(headers, body)
        for regex in self._ignored:
            content = regex.sub(b"", content)
        return content

    def _key(self, headers: Headers, content: bytes) -> Hashable:
        part, declared = self._part, headers.get("content-type") or ""
        if part == "form":
            return form_key(content)
        if part == "multipart":
            return bytes_key(without_boundary(declared, content))
        essence = declared.partition(";")[0].strip().lower()
        if part == "json" or is_json(essence):
            found = self._json(content)
            if found is not None:
                return found
        elif essence == "application/x-www-form-urlencoded":
            return form_key(content)
        elif essence.startswith("multipart/"):
            content = without_boundary(declared, content)
        return bytes_key(content)

    def _json(self, content: bytes) -> Hashable | None:
        return json_key(self._stripped(content))

    def _stripped(self, content: bytes) -> bytes:
        """Return JSON without the nodes that are ignored; what is none, or too deep, as it is."""
        if self._without is None or not content:
            return content
        try:
            stripped: bytes = msgspec.json.encode(self._without(msgspec.json.decode(content)))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return content
        return stripped
