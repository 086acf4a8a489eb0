"""A cassette as stub mappings of WireMock: one JSON file for its ``mappings`` folder or import API.

A stub matches method, path and query to the letter and, where there was one, the body: JSON by
value, other text and bytes exactly. WireMock is asked as itself, so the host is matched only where
a cassette has several. Equal requests take turns in a *scenario*. Framing headers are left to
WireMock.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from magneto_serge.messages import Interaction, Request, Response

from .outgoing import (
    FRAMING,
    answered,
    as_text,
    body_bytes,
    content_of,
    remark_losses,
    whole_text,
)
from .remarks import Remark, Remarks
from .repeats import Turn, turns

_LOST = (
    Remark.PIECES,
    Remark.INTERIM,
    Remark.PEER,
    Remark.TRAILERS,
    Remark.VERSION,
    Remark.TARGET,
    Remark.FIELDS,
)
_STARTED = "Started"  # the first state of every scenario


def write(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write the mappings; raises OSError."""
    total = 0
    out.write(b'{"mappings": [')
    for mapping in _mappings(interactions, remarks):
        text = json.dumps(mapping, ensure_ascii=False, indent=1)
        out.write((b",\n" if total else b"\n") + text.encode())
        total += 1
    out.write(f'\n], "meta": {{"total": {total}}}}}\n'.encode())


def _mappings(interactions: Sequence[Interaction], remarks: Remarks) -> Iterator[dict[str, Any]]:
    kept = [at for at, each in enumerate(interactions) if _has_answer(each)]
    taken = turns(interactions[at] for at in kept)
    several = len({interactions[at].request.authority for at in kept}) > 1
    with_body = {_line(interactions[at].request) for at in kept if interactions[at].request.body}
    if len({_origin(interactions[at].request) for at in kept}) > 1:
        remarks.add(Remark.ORIGINS)
    for interaction, turn in zip(answered(interactions, remarks), taken, strict=True):
        remark_losses(interaction, _LOST, remarks)
        if interaction.started:
            remarks.add(Remark.TIMES, "when it was recorded")
        mapping = _mapping(interaction, turn, remarks)
        asked = mapping["request"]
        if several:
            asked["host"] = {"equalTo": interaction.request.host}
        if "bodyPatterns" not in asked and _line(interaction.request) in with_body:
            asked["bodyPatterns"] = [{"absent": True}]  # a stub without patterns takes any body
        yield mapping


def _has_answer(interaction: Interaction) -> bool:
    return interaction.response is not None and interaction.response.status >= 200


def _line(request: Request) -> tuple[str, str]:
    return request.method, request.url


def _origin(request: Request) -> tuple[str, int]:
    return request.scheme, request.port


def _mapping(interaction: Interaction, turn: Turn, remarks: Remarks) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    assert response is not None  # noqa: S101 - `answered` yields no other
    asked: dict[str, Any] = {"method": request.method, "url": request.target}
    pattern = _body_pattern(request, remarks)
    if pattern:
        asked["bodyPatterns"] = [pattern]
    mapping: dict[str, Any] = {"request": asked, "response": _response(response)}
    if interaction.total_ms >= 1:
        mapping["response"]["fixedDelayMilliseconds"] = round(interaction.total_ms)
    if turn.group:
        mapping["scenarioName"] = f"{request.method} {request.url} ({turn.group})"
        mapping["requiredScenarioState"] = _STARTED if turn.number == 1 else str(turn.number)
        if turn.number < turn.of:
            mapping["newScenarioState"] = str(turn.number + 1)
    return mapping


def _body_pattern(request: Request, remarks: Remarks) -> dict[str, Any] | None:
    content = content_of(request, remarks)
    if not content:
        return None
    text = whole_text(content)
    if text is None:
        return {"binaryEqualTo": b64encode(content).decode()}
    if "json" in (request.headers.get("content-type") or "").lower():
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return {"equalTo": text}
        return {"equalToJson": text}
    return {"equalTo": text}


def _response(response: Response) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in response.headers.raw:
        if name.lower() not in FRAMING:
            headers.setdefault(as_text(name), []).append(as_text(value))
    written: dict[str, Any] = {
        "status": response.status,
        "statusMessage": response.reason,
        "headers": {k: v[0] if len(v) == 1 else v for k, v in headers.items()},
    }
    body = body_bytes(response.body)
    text = whole_text(body)
    return {
        **written,
        **({"base64Body": b64encode(body).decode()} if text is None else {"body": text}),
    }
