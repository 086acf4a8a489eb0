"""Simulations for Hoverfly: the shape of its schema, and back again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magneto_serge.interop.normal import phrase
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.to_hoverfly import write
from magneto_serge.messages import Headers, Interaction, Request, Response

from .exchanges import in_http_1_1, interactions, there_and_back, with_grouped_fields

several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

# The parts of Hoverfly's v5.2 schema that are used (docs.hoverfly.io, "Simulation schema").
MATCHERS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["matcher", "value"],
        "properties": {"matcher": {"enum": ["exact", "array"]}},
        "additionalProperties": {},
    },
}
STATES = {"type": "object", "additionalProperties": {"type": "string"}}
SCHEMA = {
    "type": "object",
    "required": ["data", "meta"],
    "properties": {
        "data": {
            "type": "object",
            "required": ["pairs", "globalActions"],
            "properties": {
                "pairs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["request", "response"],
                        "properties": {
                            "request": {
                                "type": "object",
                                "properties": {
                                    **dict.fromkeys(
                                        ("path", "method", "destination", "scheme", "body"),
                                        MATCHERS,
                                    ),
                                    "query": {"type": "object", "additionalProperties": MATCHERS},
                                    "requiresState": STATES,
                                },
                                "additionalProperties": False,
                            },
                            "response": {
                                "type": "object",
                                "properties": {
                                    "status": {"type": "integer"},
                                    "body": {"type": "string"},
                                    "encodedBody": {"type": "boolean"},
                                    "templated": {"type": "boolean"},
                                    "fixedDelay": {"type": "integer"},
                                    "headers": {
                                        "type": "object",
                                        "additionalProperties": {
                                            "type": "array",
                                            "items": {"type": "string"},
                                        },
                                    },
                                    "transitionsState": STATES,
                                },
                                "additionalProperties": False,
                            },
                        },
                        "additionalProperties": False,
                    },
                }
            },
        },
        "meta": {"type": "object", "required": ["schemaVersion"]},
    },
}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def exported(*held: Interaction) -> list[Any]:
    """Return the pairs for these; the whole fits the schema."""
    out = io.BytesIO()
    write(held, out, Remarks())
    simulation = json.loads(out.getvalue())
    VALIDATOR.validate(simulation)
    pairs: list[Any] = simulation["data"]["pairs"]
    return pairs


def kept(interaction: Interaction) -> tuple[object, ...]:
    """Return what a simulation holds of an interaction."""
    request, response = interaction.request, interaction.response
    assert response is not None
    path, _, query = request.target.partition("?")
    answer = in_http_1_1(
        response,
        request.method,
        headers=with_grouped_fields(response.headers),
        reason=phrase(response.status),
    )
    asked = (request.method, request.authority, unquote(path))
    return (*asked, parse_qsl(query, keep_blank_values=True), answer, interaction.total_ms)


@several
@given(held=st.lists(interactions(), max_size=3))
def test_there_and_back(held: list[Interaction], tmp_path: Path) -> None:
    """What was asked for in its meaning, what was answered to the byte."""
    back, remarked = there_and_back("hoverfly", held, tmp_path)
    answers = [each for each in held if each.response is not None]
    assert list(map(kept, back)) == list(map(kept, answers))
    exported(*held)
    text = [each for each in answers if not is_binary(each.request)]
    assert (Remark.BODIES_BINARY in remarked) == (len(text) < len(answers))
    bodies = [each.request.body for each in back]
    assert all(each.request.body in bodies for each in text)


def is_binary(request: Request) -> bool:
    """Tell whether a body is no UTF-8."""
    assert isinstance(request.body, bytes)
    try:
        request.body.decode()
    except UnicodeDecodeError:
        return True
    return False


def ask(body: bytes, target: str = "/p") -> Interaction:
    """Return an exchange."""
    return Interaction(Request("GET", "http", "h", 80, target), Response(200, "OK", body=body))


def test_equal_requests_take_turns() -> None:
    """By states; the last stays."""
    first, other, second, third = exported(ask(b"1"), ask(b"x", "/q"), ask(b"2"), ask(b"3"))
    assert first["request"]["requiresState"] == {"sequence:1": "1"}
    assert first["response"]["transitionsState"] == {"sequence:1": "2"}
    assert second["response"]["transitionsState"] == {"sequence:1": "3"}
    assert third["request"]["requiresState"] == {"sequence:1": "3"}
    assert "transitionsState" not in third["response"]
    assert "requiresState" not in other["request"]


def test_queries_are_matched_decoded() -> None:
    """A name that repeats is an array."""
    (pair,) = exported(ask(b"", "/a%20b?q=x%20y&r=1&r=2&s"))
    assert pair["request"]["path"] == [{"matcher": "exact", "value": "/a b"}]
    assert pair["request"]["query"] == {
        "q": [{"matcher": "exact", "value": "x y"}],
        "r": [{"matcher": "array", "value": ["1", "2"]}],
        "s": [{"matcher": "exact", "value": ""}],
    }


def test_what_it_cannot_hold_is_remarked() -> None:
    """Request headers above all."""
    remarks = Remarks()
    request = Request("GET", "http", "h", 80, "/%ff%2f", Headers.of(("A", "1")))
    held = Interaction(request, Response(200, "Fine"), started=1.0)
    write([held], io.BytesIO(), remarks)
    assert set(remarks.counts) == {Remark.FIELDS, Remark.REASON, Remark.TIMES}
