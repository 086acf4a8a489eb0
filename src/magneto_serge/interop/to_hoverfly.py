"""A cassette as a Hoverfly simulation (schema v5.2): exact matchers, as Hoverfly itself captures.

Method, scheme, destination, path, query and body are matched; header fields are not, because a
client that sends another ``User-Agent`` should get its answer all the same. Equal requests take
turns by the states that a stateful capture writes: ``sequence:N``.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO
from urllib.parse import unquote, unquote_plus

from magneto_serge._version import __version__
from magneto_serge.messages import Interaction, Request

from .outgoing import answered, as_text, body_bytes, content_of, grouped, remark_losses, whole_text
from .remarks import Remark, Remarks
from .repeats import Turn, turns

_LOST = (
    Remark.PIECES,
    Remark.INTERIM,
    Remark.PEER,
    Remark.TRAILERS,
    Remark.VERSION,
    Remark.TARGET,
    Remark.REASON,
    Remark.FIELDS,
)


def write(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write the simulation; raises OSError."""
    out.write(b'{"data": {"pairs": [')
    for number, pair in enumerate(_pairs(interactions, remarks)):
        text = json.dumps(pair, ensure_ascii=False, indent=1)
        out.write((b",\n" if number else b"\n") + text.encode())
    meta = {"schemaVersion": "v5.2", "hoverflyVersion": f"magneto-serge {__version__}"}
    actions = {"delays": [], "delaysLogNormal": []}  # type: dict[str, list[object]]
    tail = f'\n], "globalActions": {json.dumps(actions)}}}, "meta": {json.dumps(meta)}}}\n'
    out.write(tail.encode())


def _pairs(interactions: Sequence[Interaction], remarks: Remarks) -> Iterator[dict[str, Any]]:
    kept = list(_places(interactions))
    taken = turns(interactions[at] for at in kept)
    for interaction, turn in zip(answered(interactions, remarks), taken, strict=True):
        remark_losses(interaction, _LOST, remarks)
        if interaction.started:
            remarks.add(Remark.TIMES, "when it was recorded")
        yield _pair(interaction, turn, remarks)


def _places(interactions: Sequence[Interaction]) -> Iterator[int]:
    for at, interaction in enumerate(interactions):
        if interaction.response is not None and interaction.response.status >= 200:
            yield at


def _pair(interaction: Interaction, turn: Turn, remarks: Remarks) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    assert response is not None  # noqa: S101 - `answered` yields no other
    asked = _matchers(request, remarks)
    body = body_bytes(response.body)
    text = whole_text(body)
    told: dict[str, Any] = {
        "status": response.status,
        "body": b64encode(body).decode() if text is None else text,
        "encodedBody": text is None,
        "headers": grouped(response.headers, remarks),
        "templated": False,
    }
    if interaction.total_ms >= 1:
        told["fixedDelay"] = round(interaction.total_ms)
    if turn.group:
        state = f"sequence:{turn.group}"
        asked["requiresState"] = {state: str(turn.number)}
        if turn.number < turn.of:
            told["transitionsState"] = {state: str(turn.number + 1)}
    return {"request": asked, "response": told}


def _exact(value: str) -> list[dict[str, str]]:
    return [{"matcher": "exact", "value": value}]


def _matchers(request: Request, remarks: Remarks) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    return {
        "path": _exact(unquote(path, errors="surrogateescape") if _plain(path) else path),
        "method": _exact(request.method),
        "destination": _exact(request.authority),
        "scheme": _exact(request.scheme),
        "body": _exact(_sent(request, remarks)),
        "query": _query(query),
    }


def _plain(path: str) -> bool:
    """Tell whether a path means the same without its escapes, and they are UTF-8."""
    try:
        found = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return not set(found) & set("?#%") and found.isprintable()


def _query(query: str) -> dict[str, list[dict[str, Any]]]:
    """Return a matcher for each name; the values of one that repeats are an array."""
    items: dict[str, list[str]] = {}
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        items.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return {
        name: _exact(values[0]) if len(values) == 1 else [{"matcher": "array", "value": values}]
        for name, values in items.items()
    }


def _sent(request: Request, remarks: Remarks) -> str:
    content = content_of(request, remarks)
    try:
        return content.decode()
    except UnicodeDecodeError:
        remarks.add(Remark.BODIES_BINARY)
        return as_text(content)
