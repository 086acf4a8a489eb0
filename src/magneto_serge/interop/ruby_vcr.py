"""VCR (Ruby): YAML or JSON, of every version since 1.0.

``http_interactions: [{request: {method, uri, body: {encoding, string | base64_string}, headers},
response: {status: {code, message}, headers, body, http_version}, recorded_at}]``. Bodies were plain
strings before; version 1 wrote a list of Ruby structures, which are read as the data that they are.
A body is in the charset that ``encoding`` names: Ruby's ``ASCII-8BIT`` means just bytes. Files may
be templates (ERB); nothing of them is run, and their tags stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from magneto_serge.messages import Interaction, Response

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
    text,
    utf8,
)


def recognises(source: Source) -> bool:
    """Tell whether the document is one of Ruby's VCR."""
    document = source.document
    if isinstance(document, dict):
        return "http_interactions" in document
    return isinstance(document, list) and b"!ruby/struct:VCR" in source.data[:4096]


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    document = source.document
    items = document if isinstance(document, list) else listed(document, "http_interactions")
    if b"<%" in source.data and b"%>" in source.data:
        source.remarks.add(Remark.ERB)
    reader = HttpInteractions(source.remarks)
    yield from converted(items, reader.interaction, source.remarks)


class HttpInteractions:
    """Reads the elements of ``http_interactions``, which Betamax has too."""

    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def interaction(self, item: Any) -> Interaction | None:
        """Return the interaction of one element; raises UnusableError."""
        held = mapping(item, "the interaction")
        asked = mapping(held.get("request"), "request")
        request = request_of(
            text(asked.get("method")) or "GET",
            text(asked.get("uri", asked.get("url"))),
            fields(asked.get("headers")),
            self._body(asked.get("body")),
            self._remarks,
        )
        if request is None:
            return None
        response = self._response(mapping(held.get("response"), "response"), request.method)
        started = moment(held.get("recorded_at")) or moment(response.headers.get("date"))
        return Interaction(request, response, started=started, first_byte_ms=0.0)

    def _response(self, told: dict[str, Any], method: str) -> Response:
        if not told:
            raise UnusableError("there is no response")
        status = told.get("status", told.get("status_code"))
        reason = None
        if isinstance(status, dict):
            reason = status.get("message")
            status = status.get("code")
        code = integer(status, 0)
        return response_of(
            code,
            phrase(code) if reason is None and "status_code" in told else text(reason),
            fields(told.get("headers")),
            self._body(told.get("body")),
            self._remarks,
            method=method,
            version=text(told.get("http_version")),
        )

    def _body(self, body: Any) -> bytes:
        if isinstance(body, bytes):
            return body
        if not isinstance(body, dict):
            return utf8(text(body))
        if body.get("base64_string") is not None:
            return base64_bytes(body["base64_string"])
        held = body.get("string")
        return held if isinstance(held, bytes) else self._encoded(text(held), body)

    def _encoded(self, held: str, body: dict[str, Any]) -> bytes:
        return encoded(held, text(body.get("encoding")), self._remarks)
