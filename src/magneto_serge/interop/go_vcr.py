"""go-vcr (Go): YAML of versions 1 and 2 of its format, and JSON of the same shape.

``interactions: [{id, request: {proto, host, body, form, headers, url, method, trailer}, response:
{proto, body, headers, status, code, duration, uncompressed, trailer}}]``, every key optional.
Go's client takes ``Transfer-Encoding`` out of the header and says it apart; where it has undone a
content coding (``uncompressed``), that is no longer in the header either. ``status`` is
``"200 OK"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from magneto_serge.messages import Interaction

from .converting import converted
from .normal import phrase, request_of, response_of
from .remarks import Remarks
from .source import Source
from .values import (
    RawFields,
    UnusableError,
    duration,
    fields,
    integer,
    listed,
    mapping,
    moment,
    text,
    utf8,
)

_OWN = ("url", "proto", "proto_major", "form", "request_uri", "remote_addr")


def recognises(source: Source) -> bool:
    """Tell whether the document is one of go-vcr."""
    document = source.document
    if not isinstance(document, dict) or not isinstance(document.get("interactions"), list):
        return False
    first = next(iter(document["interactions"]), None)
    request = first.get("request") if isinstance(first, dict) else None
    if first is None:  # nothing but a version: ours of 2 for go-vcr, VCR.py's is 1
        return text(document.get("version")) == "2"
    return isinstance(request, dict) and "uri" not in request and any(k in request for k in _OWN)


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    reader = _Reader(source.remarks)
    yield from converted(
        listed(source.document, "interactions"), reader.interaction, source.remarks
    )


class _Reader:
    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def interaction(self, item: Any) -> Interaction | None:
        held = mapping(item, "the interaction")
        asked = mapping(held.get("request"), "request")
        told = mapping(held.get("response"), "response")
        request = request_of(
            text(asked.get("method")) or "GET",  # net/http: empty is GET
            _url(asked),
            _fields(asked),
            _content(asked.get("body")),
            self._remarks,
            trailers=fields(asked.get("trailer")),
        )
        if request is None:
            return None
        code, reason = _status(told)
        response = response_of(
            code,
            reason,
            _fields(told),
            _content(told.get("body")),
            self._remarks,
            method=request.method,
            version=text(told.get("proto")),
            trailers=fields(told.get("trailer")),
        )
        elapsed = duration(told.get("duration"))
        started = moment(response.headers.get("date"))
        return Interaction(
            request, response, started=started, first_byte_ms=elapsed, total_ms=elapsed
        )


def _url(asked: dict[str, Any]) -> str:
    url = text(asked.get("url"))
    if "://" not in url and asked.get("host"):  # the request of a server, as middleware has it
        path = url or text(asked.get("request_uri")) or "/"
        return f"http://{text(asked['host'])}{path if path.startswith('/') else '/' + path}"
    return url


def _fields(message: dict[str, Any]) -> RawFields:
    found = fields(message.get("headers"))
    codings = message.get("transfer_encoding")
    if isinstance(codings, list) and "chunked" in codings:
        found.append(("Transfer-Encoding", "chunked"))
    return found


def _content(body: Any) -> bytes:
    return body if isinstance(body, bytes) else utf8(text(body))


def _status(told: dict[str, Any]) -> tuple[int, str]:
    if not told:
        raise UnusableError("there is no response")
    line = text(told.get("status"))
    code = integer(told.get("code"), 0) or integer(line, 0)
    reason = line.removeprefix(str(code)).strip() if line else phrase(code)
    return code, reason
