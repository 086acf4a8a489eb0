"""docs/cassette.schema.json says what the reader and the writer do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge import codings
from magneto_serge.messages import FailureKind, Headers, Interaction
from magneto_serge.storage import body_forms, json_conversation, json_shapes

from .interactions import dump, exchange, interactions, load

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "cassette.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def examples() -> list[str]:
    """Return the whole cassettes and interactions among the examples of the documentation."""
    page = (DOCS / "cassette-format.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(\{.*?)^```$", page, re.MULTILINE | re.DOTALL)
    cassettes = [block for block in blocks if '"version": "2"' in block and "…" not in block]
    single = [block for block in blocks if block.startswith('{\n  "kind"')]
    return cassettes + [f'{{"version": "2", "interactions": [{each}]}}' for each in single]


@pytest.mark.parametrize("text", examples())
def test_examples_are_cassettes(text: str) -> None:
    """What the documentation shows is valid, and loads."""
    VALIDATOR.validate(json.loads(text))
    assert load(text.encode())


def test_there_are_examples() -> None:
    """The documentation shows a whole cassette, an interaction and a conversation."""
    assert len(examples()) == 3


def test_the_schema_is_one() -> None:
    """The schema itself is valid under its draft."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@settings(max_examples=40)
@given(st.lists(interactions(), max_size=2))
def test_every_dump_is_valid(recorded: list[Interaction]) -> None:
    """Whatever is recorded, the cassette is valid."""
    VALIDATOR.validate(json.loads(dump(*recorded)))


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_encoded_and_large_bodies_are_valid(name: codings.CodingName, tmp_path: Path) -> None:
    """So are bodies shown decoded, exactly or not, and bodies in side files."""
    (tmp_path / "workshop").mkdir()
    fields = Headers.of(("Content-Encoding", name))
    exact = codings.encode(b"text", codings.Coding(name, 3))
    other = codings.encode(b"a\nb" * 2000, codings.Coding(name, 2))
    large = bytes(range(256)) * 100
    recorded = [exchange(body=body, fields=fields) for body in (exact, other, large)]
    VALIDATOR.validate(json.loads(dump(*recorded, folder=tmp_path, memory_limit=20_000)))


@pytest.mark.parametrize(
    ("definition", "shape"),
    [
        ("", json_shapes.StoredCassette),
        ("interaction", json_shapes.StoredInteraction),
        ("request", json_shapes.StoredRequest),
        ("response", json_shapes.StoredResponse),
        ("failure", json_shapes.StoredFailure),
        ("otherBytes", json_shapes.OtherBytes),
        ("message", json_conversation.StoredMessage),
        ("close", json_conversation.StoredClose),
    ],
)
def test_names_are_the_readers(definition: str, shape: type[msgspec.Struct]) -> None:
    """The schema has exactly the names that the reader knows, and requires what it requires."""
    described: dict[str, Any] = SCHEMA["$defs"][definition] if definition else SCHEMA
    fields = msgspec.structs.fields(shape)
    assert set(described["properties"]) == {field.encode_name for field in fields}
    assert set(described["required"]) == {field.encode_name for field in fields if field.required}
    assert described["additionalProperties"] is False


def test_body_names_are_the_readers() -> None:
    """All forms of a body together have the names that the reader knows."""
    names = {
        name for form in SCHEMA["$defs"]["body"]["oneOf"] for name in form.get("properties", {})
    }
    assert names == {field.name for field in msgspec.structs.fields(body_forms.BodyForm)}
    parameters = {field.name for field in msgspec.structs.fields(codings.Coding)}
    assert set(SCHEMA["$defs"]["encoding"]["oneOf"][1]["properties"]) == parameters


def test_lists_of_values_are_the_readers() -> None:
    """Kinds of failure, styles and line ends are the same in both."""
    definitions = SCHEMA["$defs"]
    assert definitions["failure"]["properties"]["kind"]["enum"] == list(FailureKind)
    [form] = [f for f in definitions["body"]["oneOf"] if "json" in f.get("properties", {})]
    assert form["properties"]["style"]["enum"] == list(body_forms.STYLES)
    assert form["properties"]["end"]["enum"] == list(body_forms.ENDS)
