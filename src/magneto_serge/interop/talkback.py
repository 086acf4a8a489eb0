"""talkback (Node): one exchange a file, in JSON5, or as a module that exports the same.

``{meta: {createdAt, host, reqHumanReadable, resHumanReadable, reqUncompressed, resUncompressed},
req: {url, method, headers, body}, res: {status, headers, body}}``. A body is base64, unless it is
human-readable *and* either uncompressed for the tape or without a content coding; then it is text,
or, of JSON, the value itself. Reason phrases and versions are not recorded.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from magneto_serge.messages import Interaction

from .converting import converted
from .normal import phrase, request_of, response_of
from .remarks import Remark, Remarks
from .source import Source
from .values import RawFields, UnusableError, fields, integer, mapping, moment, text, utf8


def recognises(source: Source) -> bool:
    """Tell whether the document is a tape."""
    document = source.document
    if not isinstance(document, dict):
        return False
    return all(isinstance(document.get(part), dict) for part in ("req", "res"))


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the one interaction; raises CassetteError where the file cannot be read."""
    reader = _Reader(source.remarks)
    yield from converted([source.document], reader.interaction, source.remarks)


class _Reader:
    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def interaction(self, item: Any) -> Interaction | None:
        tape = mapping(item, "the tape")
        meta = mapping(tape.get("meta"), "meta")
        asked, told = mapping(tape.get("req"), "req"), mapping(tape.get("res"), "res")
        asked_fields, told_fields = fields(asked.get("headers")), fields(told.get("headers"))
        request = request_of(
            text(asked.get("method")) or "GET",
            _url(text(meta.get("host")), text(asked.get("url"))),
            asked_fields,
            self._body(meta, "req", asked, asked_fields),
            self._remarks,
        )
        if request is None:
            return None
        if not told:
            raise UnusableError("there is no response")
        status = integer(told.get("status"), 0)
        response = response_of(
            status,
            phrase(status),
            told_fields,
            self._body(meta, "res", told, told_fields),
            self._remarks,
            method=request.method,
        )
        started = moment(meta.get("createdAt")) or moment(response.headers.get("date"))
        return Interaction(request, response, started=started, first_byte_ms=0.0)

    def _body(self, meta: dict[str, Any], part: str, held: dict[str, Any], raw: RawFields) -> bytes:
        body = held.get("body")
        if body is None or body == "":
            return b""
        if not isinstance(body, str):
            return json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
        plain = bool(meta.get(part + "Uncompressed")) or not _coding(raw)
        if plain and meta.get(part + "HumanReadable"):
            return utf8(body)
        try:
            return b64decode("".join(body.split()))
        except ValueError:
            self._remarks.add(Remark.CHARSET, "not base64, taken as text")
            return utf8(body)


def _coding(raw: RawFields) -> str:
    found = [str(value) for name, value in raw if str(name).lower() == "content-encoding"]
    return "" if not found or found[0] == "identity" else found[0]


def _url(host: str, url: str) -> str:
    if "://" in url:
        return url
    return host.rstrip("/") + (url if url.startswith("/") else "/" + url)
