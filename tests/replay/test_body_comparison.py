"""Where two bodies differ: streams, shapes, and what is ignored; the rest is in test_comparison."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from magneto_serge.messages import Body, FileBody, Headers, Response
from magneto_serge.replay.body_comparison import BodyRules, body_differences
from magneto_serge.replay.json_paths import compile_json_paths

EVENTS, NDJSON, JSON = "text/event-stream", "application/x-ndjson", "application/json"


def differences(a: Body, b: Body, kind: str, **rules: Any) -> list[tuple[Any, ...]]:
    """Compare two bodies of one type; JSON as its bytes."""
    fields = Headers.of(("Content-Type", kind))
    one, other = (Response(200, "", fields, each) for each in (a, b))
    return [
        tuple(bytes(each) if isinstance(each, Raw) else each for each in found)
        for found in body_differences("body", one, other, BodyRules(**rules))
    ]


def test_events_are_compared_one_by_one() -> None:
    """Their data member by member; comments and line ends make no difference."""
    a = b'id: 1\ndata: {"t": "x", "n": 1}\n\ndata: [DONE]\n\n'
    b = b': ping\r\n\r\nid: 1\r\ndata: {"n": 2, "t": "x"}\r\n\r\ndata: [DONE]\r\n\r\n'
    assert differences(a, b, EVENTS) == [("body[0].data.n", b"1", b"2")]
    assert differences(a, b, EVENTS, shape_only=True) == []


def test_lines_of_json_are_compared_one_by_one() -> None:
    """One line more is one difference."""
    assert differences(b'{"a":1}\n', b'{"a":1}\n{"a":2}\n', NDJSON) == [
        ("body[1]", None, b'{"a":2}')
    ]


def test_what_is_ignored_is_not_there() -> None:
    """On either side, whether it is or not."""
    without = compile_json_paths(["$.meta", "$..at"], "test")
    a, b = b'{"meta": 1, "x": [{"at": 1, "v": 1.10}]}', b'{"x": [{"at": 2, "v": 1.10}]}'
    assert differences(a, b, JSON, without=without) == []
    assert [field for field, *_ in differences(a, b, JSON)] == ["body.meta", "body.x[0].at"]


def test_of_the_shape_only_text_is_text() -> None:
    """And binary is binary; a side file is as good as that."""
    file = FileBody(Path("nowhere"), 9, "a" * 64)
    assert differences(b"one", b"two", "text/plain", shape_only=True) == []
    assert differences(b"\0a", b"\0b", "image/png", shape_only=True) == []
    assert differences(b"\0a", file, "image/png", shape_only=True) == []
    assert differences(b"one", b"\0b", "text/plain", shape_only=True) == [
        ("body", "text", "binary")
    ]
    assert differences(b"one", b"", "text/plain", shape_only=True) == [("body", "text", None)]
    assert differences(b"<html>", b'{"a":1}', "text/html", shape_only=True) == [
        ("body", "text", "json")
    ]


def test_a_secret_is_masked_and_still_differs() -> None:
    """In the shape, no value is shown at all."""
    a, b = (b'{"password": "hunter2-and-more-of-it%d"}' % n for n in (1, 2))
    ((_, was, now),) = differences(a, b, JSON)
    assert b"more" not in was + now
    assert differences(a, b, JSON, shape_only=True) == []


@pytest.mark.parametrize("shape_only", [False, True])
@settings(deadline=None)
@given(
    body=st.binary(max_size=200) | st.text(max_size=50).map(str.encode),
    kind=st.sampled_from([JSON, EVENTS, NDJSON, "text/plain", "image/png"]),
)
def test_a_body_does_not_differ_from_itself(body: bytes, kind: str, shape_only: bool) -> None:
    """Whatever it claims to be, packed anew or not."""
    assert differences(body, bytes(bytearray(body)), kind, shape_only=shape_only) == []
    compressed = Response(
        200,
        "",
        Headers.of(("Content-Type", kind), ("Content-Encoding", "gzip")),
        gzip.compress(body) if body else b"",
    )
    plain = Response(200, "", Headers.of(("Content-Type", kind)), body)
    rules = BodyRules(shape_only=shape_only)
    assert list(body_differences("body", plain, compressed, rules)) == []
