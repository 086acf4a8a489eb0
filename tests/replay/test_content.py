"""What a body says: its kind, its decoded bytes, and streams of JSON as one list."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.messages import FileBody, Headers
from magneto_serge.replay import content
from magneto_serge.replay.content import content_of, json_view, media_type


def typed(kind: str) -> Headers:
    """Return the fields of a message of this type."""
    return Headers.of(("Content-Type", kind))


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"", "application/json", "empty"),
        (b'{"a": 1}', "application/json; charset=utf-8", "json"),
        (b"[1]", "", "json"),
        (b"1", "text/plain", "text"),
        (b'{"a": ', "application/json", "text"),
        (b"\x00\x01", "text/plain", "binary"),
        (b"caf\xe9", "text/plain; charset=latin-1", "text"),
        (b"caf\xe9", "text/plain; charset=klingon", "binary"),
        (b"\x1e{}\n", "application/json-seq", "text"),
        (b"\x1e{}\n", "text/plain", "binary"),
    ],
)
def test_a_body_is_what_it_is(body: bytes, kind: str, expected: str) -> None:
    """Not what its fields claim."""
    assert content_of(typed(kind), body).kind == expected


def test_a_side_file_is_not_read() -> None:
    """It may be larger than memory."""
    assert content_of(Headers(), FileBody(Path("nowhere"), 5, "")).kind == "file"


def test_the_content_coding_is_undone() -> None:
    """And named; what cannot be undone stays as it is."""
    fields = Headers.of(("Content-Encoding", "gzip"))
    found = content_of(fields, gzip.compress(b"hello"))
    assert (found.kind, found.data, found.coding, found.decoded) == ("text", b"hello", "gzip", True)
    torn = content_of(fields, b"hello")
    assert (torn.text, torn.decoded) == ("hello", False)


def test_a_bomb_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are what there is."""
    monkeypatch.setattr(content, "LARGEST", 100)
    bomb = gzip.compress(b"x" * 1000)
    found = content_of(Headers.of(("Content-Encoding", "gzip")), bomb)
    assert (found.kind, found.data) == ("binary", bomb)


def test_the_media_type_is_without_its_parameters() -> None:
    """Case does not matter (RFC 9110 §8.3.1)."""
    assert media_type(typed("Text/HTML ; charset=x")) == "text/html"
    assert media_type(Headers()) == ""


@pytest.mark.parametrize(
    "kind", ["application/x-ndjson", "application/jsonl", "application/json-seq"]
)
def test_lines_of_json_are_a_list(kind: str) -> None:
    """Empty lines and record separators are none."""
    body = b'\x1e{"a": 1.10}\r\n\n\x1e[2]\n' if "seq" in kind else b'{"a": 1.10}\r\n\n[2]\n'
    assert json_view(typed(kind), content_of(typed(kind), body)) == b'[{"a":1.10},[2]]'


def test_lines_of_which_one_is_no_json_are_text() -> None:
    """Then it is compared as text."""
    fields = typed("application/x-ndjson")
    assert json_view(fields, content_of(fields, b'{"a": 1}\n{"a"\n')) is None


def test_an_event_stream_is_a_list_of_events() -> None:
    """Fields as sent, data that is JSON as JSON, comments left out."""
    body = (
        b': hello\n\nevent: delta\nid: 1\ndata: {"text": "a"}\n\n'
        b"data: one\r\ndata: two\r\n\r\nretry:5\n\ndata: [DONE]"
    )
    fields = typed("text/event-stream")
    view = json_view(fields, content_of(fields, body))
    assert view is not None
    assert json.loads(view) == [
        {"event": "delta", "id": "1", "data": {"text": "a"}},
        {"data": "one\ntwo"},
        {"retry": "5"},
        {"data": "[DONE]"},
    ]


def test_json_is_its_own_view_and_text_has_none() -> None:
    """A view is of JSON."""
    fields = typed("application/json")
    assert json_view(fields, content_of(fields, b"[1]")) == b"[1]"
    assert json_view(typed("text/plain"), content_of(Headers(), b"x")) is None


@settings(deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["application/json", "text/event-stream", "application/jsonl", "x", "text/a"]),
    st.sampled_from(["gzip", "br", "zstd", "deflate", "identity"]),
)
def test_no_body_is_too_strange(body: bytes, kind: str, coding: str) -> None:
    """Nothing is raised for what a body holds."""
    fields = Headers.of(("Content-Type", kind), ("Content-Encoding", coding))
    view = json_view(fields, content_of(fields, body))
    assert view is None or json.loads(view) is not NotImplemented
