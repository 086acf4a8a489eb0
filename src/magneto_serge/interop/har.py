"""HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), as browsers and proxies write it.

What goes beyond the specification, or short of it: HTTP/2's pseudo-fields among the headers;
repeats of a field joined by line feeds (Chrome); headers as pairs, or with lists for values
(Polly); bodies in files beside (Playwright); a failed exchange as status 0 with ``_error``;
``_webSocketMessages`` (Chrome, mitmproxy); a byte order mark. The text of a response is *decoded*:
from its content coding, which is done again, and from its charset, which is too. Polly's
content-coded bodies are the encoded bytes themselves (``har_polly``).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from magneto_serge.messages import (
    DEFAULT_PORTS,
    Failure,
    Interaction,
    Request,
    Response,
)

from .converting import converted
from .failing import failure_of
from .har_polly import chunked_body
from .har_websocket import conversation_of
from .normal import request_of, response_of
from .remarks import Remark, Remarks
from .source import Source
from .values import (
    RawFields,
    encoded,
    fields,
    integer,
    listed,
    mapping,
    moment,
    number,
    sequence,
    text,
    utf8,
)

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_BEFORE_ANSWER = ("blocked", "dns", "connect", "send", "wait")


def recognises(source: Source) -> bool:
    """Tell whether the document is a HAR."""
    document = source.document
    log = document.get("log") if isinstance(document, dict) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    entries = listed(source.document, "log", "entries")
    if any(isinstance(each, dict) and "_order" in each for each in entries):
        entries = sorted(entries, key=_started)
    reader = _Reader(source)
    yield from converted(entries, reader.interaction, source.remarks)


def _started(entry: Any) -> float:
    return moment(entry.get("startedDateTime")) if isinstance(entry, dict) else 0.0


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._remarks = source.remarks

    def interaction(self, item: Any) -> Interaction | None:
        entry = mapping(item, "the entry")
        asked, told = mapping(entry.get("request"), "request"), entry.get("response")
        raw = fields(asked.get("headers"))
        request = request_of(
            text(asked.get("method")) or "GET",
            text(asked.get("url")),
            raw,
            self._posted(asked),
            self._remarks,
            version=text(asked.get("httpVersion")),
        )
        if request is None:
            return None
        interaction = Interaction(request, started=moment(entry.get("startedDateTime")))
        interaction.total_ms = max(0.0, round(number(entry.get("time")), 3))
        interaction.peer = _peer(entry, request)
        self._answer(interaction, entry, mapping(told, "response"))
        return interaction

    def _answer(
        self, interaction: Interaction, entry: dict[str, Any], told: dict[str, Any]
    ) -> None:
        status = integer(told.get("status"), 0)
        if status <= 0:
            interaction.failure = self._failure(told)
            return
        interaction.response = self._response(told, status, interaction.request)
        before = mapping(entry.get("timings"), "timings")
        waited = sum(max(0.0, number(before.get(part))) for part in _BEFORE_ANSWER)
        interaction.first_byte_ms = min(round(waited, 3), interaction.total_ms)
        if told.get("_error"):  # the answer had begun
            interaction.failure = self._failure(told)
        if status == 101:
            interaction.websocket = conversation_of(
                entry.get("_webSocketMessages"),
                interaction.started + interaction.first_byte_ms / 1000,
                self._remarks,
            )

    def _failure(self, told: dict[str, Any]) -> Failure:
        error = text(told.get("_error"))
        if not error:
            self._remarks.add(Remark.NO_ANSWER)
        return failure_of(error or "no response was recorded")

    def _response(self, told: dict[str, Any], status: int, request: Request) -> Response:
        content = mapping(told.get("content"), "content")
        raw = fields(told.get("headers"))
        exact = chunked_body(content, raw)
        response = response_of(
            status,
            text(told.get("statusText")),
            raw,
            self._content(content, raw) if exact is None else exact,
            self._remarks,
            method=request.method,
            version=text(told.get("httpVersion")),
        )
        if not response.body and self._is_missing(content, request, status):
            self._remarks.add(Remark.BODY_MISSING)
        return response

    def _is_missing(self, content: dict[str, Any], request: Request, status: int) -> bool:
        if "text" in content or "_file" in content or integer(content.get("size"), 0) <= 0:
            return False
        return request.method != "HEAD" and status not in (204, 304)

    def _content(self, content: dict[str, Any], raw: RawFields) -> bytes:
        held = content.get("text")
        if held is None and content.get("_file"):
            beside = self._source.beside(text(content["_file"]))
            if beside is None:
                self._remarks.add(Remark.BODY_MISSING, text(content["_file"]))
            return beside or b""
        if text(content.get("encoding")).lower() == "base64":
            return _lenient(text(held))
        mime = text(content.get("mimeType")) or _declared(raw)
        return sized_text(text(held), mime, integer(content.get("size"), -1), self._remarks)

    def _posted(self, asked: dict[str, Any]) -> bytes:
        posted = mapping(asked.get("postData"), "postData")
        held = posted.get("text")
        if isinstance(held, list):
            return chunked_body(posted, fields(asked.get("headers"))) or b""
        if held is None and posted.get("_file"):
            return self._source.beside(text(posted["_file"])) or b""
        mime = text(posted.get("mimeType"))
        if held is None:
            return self._parameters(sequence(posted.get("params"), "params"), mime)
        if posted.get("_isBinary") is True:  # Polly 5: a JSON array of hexadecimal pieces
            return chunked_body(posted, [], coded=True) or utf8(text(held))
        if "base64" in (text(posted.get("encoding")), text(posted.get("_encoding"))):
            return _lenient(text(held))
        size = integer(asked.get("bodySize"), -1)
        return sized_text(text(held), mime, size, self._remarks)

    def _parameters(self, parameters: list[Any], mime: str) -> bytes:
        if not parameters:
            return b""
        if "x-www-form-urlencoded" not in mime.lower():
            self._remarks.add(Remark.BODY_MISSING, f"only its parameters were recorded ({mime})")
            return b""
        pairs = [mapping(each, "a parameter") for each in parameters]
        names = [(text(each.get("name")), text(each.get("value"))) for each in pairs]
        if any("%" in part for pair in names for part in pair):  # browsers: as they were sent
            return utf8("&".join(f"{name}={value}" for name, value in names))
        return urlencode(names).encode()


def _declared(raw: RawFields) -> str:
    return next((text(value) for name, value in raw if text(name).lower() == "content-type"), "")


def sized_text(held: str, mime: str, size: int, remarks: Remarks | None = None) -> bytes:
    """Return text in its charset; of two ways to write it, the one that has the recorded size."""
    plain = utf8(held)
    charset = _CHARSET.search(mime)
    if charset is None or held.isascii() or len(plain) == size:
        return plain
    return encoded(held, charset[1], Remarks() if remarks is None else remarks)


def _lenient(held: str) -> bytes:
    try:
        return b64decode("".join(held.split()))
    except ValueError:
        return utf8(held)


def _peer(entry: dict[str, Any], request: Request) -> str:
    address = text(entry.get("serverIPAddress")).strip("[]")
    if not re.fullmatch(r"[0-9A-Fa-f:.]+", address) or not address:
        return ""
    port = integer(entry.get("_serverPort"), 0) or request.port or DEFAULT_PORTS[request.scheme]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
