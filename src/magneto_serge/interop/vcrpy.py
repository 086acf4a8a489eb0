"""VCR.py (Python): YAML or JSON, in the dialects that ten years of versions and plug-ins left.

The one rule is ``interactions: [{request: {method, uri, body, headers}, response: {status: {code,
message}, headers, body: {string}}}]``. Around it: version 0 is a list, with ``protocol``,
``host``, ``port`` and ``path`` for the URL and ``"name: value\\r\\n"`` for headers; the first stub
for HTTPX has ``status_code`` and ``content``; serializers that people wrote for themselves keep
JSON bodies as ``parsed_body``; header values are strings, lists, bytes or objects; bodies are text,
bytes, None, a mapping with ``string`` or ``base64_string``, or an iterator that was recorded
instead of what it gave. Text is UTF-8, as VCR.py itself reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from magneto_serge.messages import Interaction

from .converting import converted
from .normal import phrase, request_of, response_of
from .remarks import Remark, Remarks
from .source import Source
from .values import (
    UnusableError,
    base64_bytes,
    encoded,
    fields,
    integer,
    listed,
    mapping,
    moment,
    number,
    text,
    utf8,
)
from .yaml_data import typed

_CONTENTS = ("string", "base64_string", "text", "content", "data")


def recognises(source: Source) -> bool:
    """Tell whether the document is one of VCR.py's."""
    interactions = _interactions(source.document)
    if interactions is None:
        return False
    first = interactions[0] if interactions else None
    if not isinstance(first, dict):
        return not interactions and not isinstance(source.document, list)
    request = first.get("request")
    return isinstance(request, dict) and "response" in first and "url" not in request


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    reader = _Reader(source.remarks)
    document = source.document
    held = document if isinstance(document, list) else listed(document, "interactions")
    yield from converted(held, reader.interaction, source.remarks)


def _interactions(document: Any) -> list[Any] | None:
    if isinstance(document, dict) and "interactions" in document:
        held = document["interactions"]
        return held if isinstance(held, list) else [] if held is None else None
    return document if isinstance(document, list) else None


class _Reader:
    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def interaction(self, item: Any) -> Interaction | None:
        held = mapping(item, "the interaction")
        asked, told = mapping(held.get("request"), "request"), held.get("response")
        request = request_of(
            text(asked.get("method")) or "GET",
            _url(asked),
            fields(asked.get("headers")),
            self._body(asked),
            self._remarks,
            version=text(asked.get("http_version")),
        )
        if request is None:
            return None
        response = self._response(mapping(told, "response"), request.method)
        started = moment(held.get("recorded_at") or asked.get("recorded_at"))
        elapsed = max(0.0, round(number(held.get("elapsed")) * 1000, 3))
        return Interaction(
            request,
            response,
            started=started or moment(response.headers.get("date")),
            first_byte_ms=elapsed,
            total_ms=elapsed,
        )

    def _response(self, told: dict[str, Any], method: str) -> Any:
        if not told:
            raise UnusableError("there is no response")
        status = told.get("status", told.get("status_code", told.get("code")))
        reason = told.get("reason")
        if isinstance(status, dict):
            reason = status.get("message", reason)
            status = status.get("code")
        code = integer(status, 0)
        if reason is None and "status_code" in told:
            reason = phrase(code)
        return response_of(
            code,
            text(reason),
            fields(told.get("headers")),
            self._body(told),
            self._remarks,
            method=method,
            version=_version(told),
        )

    def _body(self, message: dict[str, Any]) -> bytes:
        if "parsed_body" in message:
            return _as_json(message["parsed_body"])
        return self._content(message.get("body", message.get("content")))

    def _content(self, body: Any) -> bytes:
        if body is None:
            return b""
        if isinstance(body, bytes):
            return body
        if isinstance(body, str):
            return utf8(body)
        if isinstance(body, dict):
            return self._described(body)
        if isinstance(body, list) and all(isinstance(each, str | bytes | None) for each in body):
            return b"".join(map(self._content, body))
        self._remarks.add(Remark.BODY_GUESSED)
        return _as_json(body)

    def _described(self, body: dict[str, Any]) -> bytes:
        if "base64_string" in body:
            return base64_bytes(body["base64_string"])
        named = next((name for name in _CONTENTS if name in body), None)
        if named is None and "parsed_body" in body:
            return _as_json(body["parsed_body"])
        if named is None:
            if body:
                self._remarks.add(Remark.BODY_GUESSED)
            return _as_json(body) if body else b""
        held = body[named]
        charset = body.get("encoding")
        if isinstance(held, str) and isinstance(charset, str):
            if charset == "base64":
                return base64_bytes(held)
            return encoded(held, charset, self._remarks)
        return self._content(held)


def _as_json(value: Any) -> bytes:
    try:
        return json.dumps(typed(value)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableError(f"a body that was stored as data is no JSON ({error})") from error


def _url(asked: dict[str, Any]) -> str:
    url = text(asked.get("uri", asked.get("url")))
    if url or "host" not in asked:
        return url
    host, port = text(asked["host"]), text(asked.get("port"))
    path = text(asked.get("path")) or "/"
    if "://" in path:
        return path
    authority = f"{host}:{port}" if port and ":" not in host.rpartition("]")[2] else host
    return f"{text(asked.get('protocol')) or 'http'}://{authority}{path}"


def _version(told: dict[str, Any]) -> str:
    """Return the version; ``protocol`` may be a name, and http.client's are 10 and 11."""
    found = text(told.get("http_version", told.get("version", told.get("protocol"))))
    return {"10": "HTTP/1.0", "11": "HTTP/1.1", "20": "HTTP/2"}.get(found, found)
