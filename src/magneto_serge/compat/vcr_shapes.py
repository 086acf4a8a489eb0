"""Requests and responses as VCR.py's callables know them, made from ours and made ours again.

A request is an object (``method``, ``uri``, ``headers``, ``body``, and what follows from the URI);
a response is a dictionary (``status``, ``headers`` with lists of values, ``body`` with ``string``).
What a callable did not touch stays as it was on the wire, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from magneto_serge.messages import (
    DEFAULT_PORTS,
    FieldLine,
    FileBody,
    Headers,
    Response,
    field_text,
)
from magneto_serge.messages import Request as OurRequest


class CaseInsensitiveDict(MutableMapping[str, Any]):
    """A mapping whose keys compare without case and keep the case that they were set with."""

    def __init__(self, items: Iterable[tuple[str, Any]] = ()) -> None:
        self._items: dict[str, tuple[str, Any]] = {}
        for name, value in items:
            self[name] = value

    def __getitem__(self, name: str) -> Any:
        return self._items[name.lower()][1]

    def __setitem__(self, name: str, value: Any) -> None:
        self._items[name.lower()] = (name, value)

    def __delitem__(self, name: str) -> None:
        del self._items[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(dict(self.items()))


class Request:
    """A request as VCR.py has it; ``headers`` hold one text a name, ``body`` bytes or None."""

    def __init__(self, method: str, uri: str, body: Any, headers: Any) -> None:
        self.method = method
        self.uri = uri
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = CaseInsensitiveDict(dict(headers).items())

    @classmethod
    def of(cls, request: OurRequest) -> Request:
        """Make one of ours; a body that is in a file is None."""
        headers = CaseInsensitiveDict()
        for name, value in request.headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        body = request.body if isinstance(request.body, bytes) and request.body else None
        return cls(request.method, request.url, body, headers)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return urlsplit(self.uri).scheme

    protocol = scheme

    @property
    def host(self) -> str | None:
        """The host's name."""
        return urlsplit(self.uri).hostname

    @property
    def port(self) -> int | None:
        """The port, the scheme's own where none is given."""
        return urlsplit(self.uri).port or DEFAULT_PORTS.get(self.scheme)

    @property
    def path(self) -> str:
        """The path."""
        return urlsplit(self.uri).path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's items, sorted."""
        return sorted(parse_qsl(urlsplit(self.uri).query))

    @property
    def url(self) -> str:
        """The URI."""
        return self.uri

    def __repr__(self) -> str:
        return f"<Request ({self.method}) {self.uri}>"


def request_after(original: OurRequest, seen: Request) -> OurRequest:
    """Return our request as a callable has left VCR.py's; the same where it left all alone."""
    before = Request.of(original)
    changes: dict[str, Any] = {}
    if seen.method != before.method:
        changes["method"] = seen.method
    if seen.uri != before.uri:
        parts = urlsplit(seen.uri)
        target = parts.path or "/"
        changes |= {
            "scheme": parts.scheme,
            "host": (parts.hostname or "").lower(),
            "port": parts.port or DEFAULT_PORTS.get(parts.scheme, 80),
            "target": f"{target}?{parts.query}" if parts.query else target,
        }
    if seen.body != before.body:
        changes["body"] = _bytes(seen.body)
    lines = _lines_after(original.headers, before.headers, seen.headers)
    if lines is not None:
        changes["headers"] = Headers(lines)
    return msgspec.structs.replace(original, **changes) if changes else original


def response_of(response: Response) -> dict[str, Any]:
    """Return VCR.py's dictionary for a response; a body that is in a file is empty."""
    headers: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in response.headers:
        headers.setdefault(names.setdefault(name.lower(), name), []).append(value)
    body = response.body if isinstance(response.body, bytes) else b""
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": headers,
        "body": {"string": body},
    }


def response_after(original: Response, seen: dict[str, Any]) -> Response:
    """Return our response as a callable has left VCR.py's; the same where it left all alone."""
    before = response_of(original)
    changes: dict[str, Any] = {}
    if seen["status"] != before["status"]:
        changes["status"] = int(seen["status"]["code"])
        changes["reason"] = str(seen["status"].get("message") or "")
    if seen["body"] != before["body"] and not isinstance(original.body, FileBody):
        changes["body"] = _bytes(seen["body"].get("string"))
    lines = _lines_after(original.headers, before["headers"], seen["headers"])
    if lines is not None:
        changes["headers"] = Headers(lines)
    return msgspec.structs.replace(original, **changes) if changes else original


def _lines_after(
    original: Headers, before: MutableMapping[str, Any], after: MutableMapping[str, Any]
) -> list[FieldLine] | None:
    """Return the field lines after a change; None where there was none."""
    old = {name.lower(): value for name, value in before.items()}
    new = {name.lower(): (name, value) for name, value in after.items()}
    if old == {name: value for name, (_, value) in new.items()}:
        return None
    lines: list[FieldLine] = []
    written: set[str] = set()
    for name, value in original.raw:
        key = field_text(name).lower()
        if key not in new:
            continue
        if new[key][1] == old.get(key):
            lines.append((name, value))
        elif key not in written:
            lines += _as_lines(*new[key])
        written.add(key)
    for key, (spelt, value) in new.items():
        if key not in written:
            lines += _as_lines(spelt, value)
    return lines


def _as_lines(name: str, value: Any) -> list[FieldLine]:
    values = value if isinstance(value, list | tuple) else [value]
    return [(name.encode("latin-1"), _bytes(each)) for each in values]


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    return value if isinstance(value, bytes) else str(value).encode()
