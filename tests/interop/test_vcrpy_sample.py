"""What VCR.py reads in its own cassettes, we read too: the sample, by its loader and by ours.

The sample is not part of the project; where it is absent this is skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

from magneto_serge.codings import coding_of, decode
from magneto_serge.interop.outgoing import lines_of
from magneto_serge.messages import Headers, Interaction

from .files import Taken

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
FILES = sorted(path for path in CORPUS.glob("vcrpy-*/*"))
FRAMING = {"content-length", "transfer-encoding"}

pytestmark = pytest.mark.skipif(not FILES, reason="the sample is not here")


def as_vcrpy_reads(path: Path) -> list[tuple[Any, Any]] | None:
    """Return requests and responses; None where VCR.py cannot open its own file."""
    serializer = jsonserializer if path.suffix == ".json" else yamlserializer
    try:
        requests, responses, *_ = deserialize(path.read_text(encoding="utf-8"), serializer)
    except Exception:  # noqa: BLE001 - whatever it raises on what it does not know
        return None
    return list(zip(requests, responses, strict=True))


def content(body: bytes, coding: str | None) -> bytes:
    """Return a body decoded where it is encoded."""
    name: Any = coding
    decoded = decode(name, body, 1 << 28) if coding and body else None
    return body if decoded is None else decoded


def multiset(headers: Any) -> list[tuple[str, str]]:
    """Return VCR.py's header mapping as lines that are no framing."""
    lines = [
        (name, value)
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return sorted(line for line in lines if line[0].lower() not in FRAMING)


def check(ours: Interaction, request: Any, response: Any) -> None:
    """Compare what was asked and what was answered."""
    assert ours.request.method == request.method
    assert ours.request.body == (request.body or b"")
    assert ours.response is not None
    assert ours.response.status == response["status"]["code"]
    assert ours.response.reason == (response["status"]["message"] or "")
    lines = [*lines_of(ours.response.headers)]
    assert sorted(x for x in lines if x[0].lower() not in FRAMING) == multiset(response["headers"])
    coding = coding_of(Headers.of(*lines))
    assert isinstance(ours.response.body, bytes)
    told = content(ours.response.body, coding)
    if "parsed_body" in response:  # of a serializer that VCR.py does not know
        assert json.loads(told) == response["parsed_body"]
    else:
        assert told == content(response["body"]["string"] or b"", coding)


def test_the_sample_reads_as_vcrpy_reads_it() -> None:
    """Method, status, reason, headers and content, of each interaction that it can open."""
    opened = 0
    for path in FILES:
        theirs = as_vcrpy_reads(path)
        ours = Taken(path).interactions
        assert ours, path
        if theirs is None:
            continue
        opened += 1
        for mine, (request, response) in zip(ours, theirs, strict=True):
            try:
                check(mine, request, response)
            except AssertionError as error:
                raise AssertionError(path.name) from error
    assert opened > 40
