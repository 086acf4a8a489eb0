"""A cassette as HAR 1.2, with the custom fields that Chrome and mitmproxy have too.

WebSocket messages are ``_webSocketMessages``, with the Close frame as one of opcode 8; a failed
exchange has status 0 and ``_error``. Written entry by entry: the whole is never in memory.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from magneto_serge._version import __version__
from magneto_serge.messages import Conversation, Headers, Interaction, Request, Response

from .failing import spelt
from .har import sized_text
from .har_websocket import CLOSE, KINDS
from .outgoing import body_bytes, content_of, lines_of, numbered, remark_losses, whole_text
from .remarks import Remark, Remarks

_LOST = (Remark.PIECES, Remark.INTERIM, Remark.TRAILERS, Remark.TARGET, Remark.FRAMES)
_OPCODES = {kind: opcode for opcode, kind in KINDS.items()}


def write(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write a HAR; raises OSError."""
    log = {"version": "1.2", "creator": {"name": "magneto-serge", "version": __version__}}
    head = json.dumps({**log, "pages": []}, indent=1)
    out.write(b'{"log": ' + head[:-2].encode() + b',\n "entries": [')
    for number, interaction in enumerate(numbered(interactions, remarks)):
        remark_losses(interaction, _LOST, remarks)
        text = json.dumps(_entry(interaction, remarks), ensure_ascii=False, indent=1)
        out.write((b",\n" if number else b"\n") + text.encode())
    out.write(b"\n]}}\n")


def _entry(interaction: Interaction, remarks: Remarks) -> dict[str, Any]:
    first_byte = interaction.first_byte_ms or 0.0
    entry: dict[str, Any] = {
        "startedDateTime": _time(interaction.started),
        "time": interaction.total_ms,
        "request": _request(interaction.request),
        "response": _response(interaction, remarks),
        "cache": {},
        "timings": {
            "send": 0,
            "wait": first_byte,
            "receive": max(0.0, interaction.total_ms - first_byte),
        },
    }
    address, _, port = interaction.peer.rpartition(":")
    if address:
        entry["serverIPAddress"] = address.strip("[]")
        entry["_serverPort"] = int(port)
    if interaction.websocket is not None:
        opened = interaction.started + first_byte / 1000
        entry["_resourceType"] = "websocket"
        entry["_webSocketMessages"] = _messages(interaction.websocket, opened)
    return entry


def _time(seconds: float) -> str:
    written = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return written.replace("+00:00", "Z")


def _request(request: Request) -> dict[str, Any]:
    query = request.target.partition("?")[2]
    body = body_bytes(request.body)
    written: dict[str, Any] = {
        "method": request.method,
        "url": request.url,
        "httpVersion": request.version,
        "cookies": [
            _named(pair)
            for value in request.headers.get_all("cookie")
            for pair in value.split(";")
            if pair.strip()
        ],
        "headers": _headers(request.headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(query, keep_blank_values=True, errors="replace")
        ],
        "headersSize": -1,
        "bodySize": len(body),
    }
    if body:
        written["postData"] = _posted(body, request.headers.get("content-type") or "")
    return written


def _posted(body: bytes, mime: str) -> dict[str, Any]:
    text = whole_text(body)
    if text is not None and sized_text(text, mime, len(body)) == body:
        return {"mimeType": mime, "text": text}
    return {"mimeType": mime, "text": b64encode(body).decode(), "_encoding": "base64"}


def _response(interaction: Interaction, remarks: Remarks) -> dict[str, Any]:
    response, failure = interaction.response, interaction.failure
    told = Response(0, version="") if response is None else response
    written: dict[str, Any] = {
        "status": told.status,
        "statusText": told.reason,
        "httpVersion": told.version,
        "cookies": [_cookie(value) for value in told.headers.get_all("set-cookie")],
        "headers": _headers(told.headers),
        "content": _content(told, remarks),
        "redirectURL": told.headers.get("location") or "",
        "headersSize": -1,
        "bodySize": -1 if response is None else len(body_bytes(told.body)),
    }
    if failure is not None:
        written["_error"] = spelt(failure)
    return written


def _content(response: Response, remarks: Remarks) -> dict[str, Any]:
    mime = response.headers.get("content-type") or ""
    content = content_of(response, remarks)
    written: dict[str, Any] = {"size": len(content), "mimeType": mime}
    if not content:
        return written
    text = whole_text(content)
    if text is not None and sized_text(text, mime, len(content)) == content:
        return {**written, "text": text}
    return {**written, "text": b64encode(content).decode(), "encoding": "base64"}


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in lines_of(headers)]


def _named(pair: str) -> dict[str, Any]:
    name, _, value = pair.strip().partition("=")
    return {"name": name, "value": value}


def _cookie(value: str) -> dict[str, Any]:
    """Return a Set-Cookie field as HAR describes it (RFC 6265 §4.1)."""
    pair, *attributes = value.split(";")
    cookie = _named(pair)
    for attribute in attributes:
        name, _, held = attribute.strip().partition("=")
        if name.lower() in ("path", "domain"):
            cookie[name.lower()] = held
        elif name.lower() in ("httponly", "secure"):
            cookie["httpOnly" if name.lower() == "httponly" else "secure"] = True
    return cookie


def _messages(conversation: Conversation, opened: float) -> list[dict[str, Any]]:
    found = [
        _message(each.sender, _OPCODES[each.kind], body_bytes(each.data), opened, each.at_ms)
        for each in conversation.messages
    ]
    close = conversation.close
    if close is not None:
        # RFC 6455 §7.4.1: 1005 and 1006 are never on the wire; without a code, it is 1005 again.
        data = b"" if close.code == 1005 else close.code.to_bytes(2, "big") + close.reason.encode()
        found.append(_message(close.by, CLOSE, data, opened, close.at_ms))
    return found


def _message(sender: str, opcode: int, data: bytes, opened: float, at: float) -> dict[str, Any]:
    text = data.decode("utf-8", "replace") if opcode == 1 else b64encode(data).decode()
    return {
        "type": "send" if sender == "client" else "receive",
        "time": opened + at / 1000,
        "opcode": opcode,
        "data": text,
    }
