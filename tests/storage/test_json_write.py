"""What a version "2" cassette looks like, and how faithful its bodies are."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.codings import Coding, CodingName, decode, encode
from magneto_serge.messages import (
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.storage.json_write import timestamp

from .interactions import bodies, dump, exchange, load, stored

GZIP = Headers.of(("Content-Encoding", "gzip"))
TEXT = b'{"hello":"world","n":[1,2,3]}'
ENCODED = encode(TEXT, Coding("gzip", 9, xfl=2, os=3))


def unusual_gzip(content: bytes = TEXT * 40) -> bytes:
    """Return gzip that none of the usual parameters reproduces."""
    encoder = zlib.compressobj(6, wbits=31)
    half = len(content) // 2
    flushed = encoder.compress(content[:half]) + encoder.flush(zlib.Z_FULL_FLUSH)
    return flushed + encoder.compress(content[half:]) + encoder.flush()


def response_body(interaction: Interaction, **rules: object) -> Any:
    """Return the form of the response's body."""
    found: Any = stored(interaction, **rules)
    return found["response"]["body"]


EXPECTED = """{
  "version": "2",
  "name": "tape",
  "recorded_at": "1970-01-01T00:00:00.000Z",
  "recorded_by": "magneto-serge %s",
  "interactions": [
    {
      "kind": "http",
      "request": {
        "method": "POST",
        "url": "https://api.example.com/items?q=1",
        "version": "HTTP/1.1",
        "headers": [
          ["Accept", "*/*"],
          ["X-Raw", {"latin-1": "caf\u00e9"}]
        ],
        "body": "a=1"
      },
      "informational": [
        {
          "status": 103,
          "reason": "Early Hints",
          "version": "HTTP/1.1",
          "headers": [
            ["Link", "</style.css>"]
          ]
        }
      ],
      "response": {
        "status": 200,
        "reason": "OK",
        "version": "HTTP/1.1",
        "headers": [
          ["Set-Cookie", "a=1"],
          ["Set-Cookie", "b=2"]
        ],
        "body": {
          "lines": [
            "one\\n",
            "two"
          ]
        },
        "trailers": [
          ["Digest", "x"]
        ]
      },
      "started": "2023-11-14T22:13:20.125Z",
      "first_byte_ms": 12.5,
      "total_ms": 40,
      "chunks": [[4, 12.5], [3, 40]],
      "peer": "192.0.2.1:443"
    },
    {
      "kind": "failure",
      "request": {
        "method": "OPTIONS",
        "url": "http://[::1]:8080",
        "target": "*",
        "version": "HTTP/1.0",
        "headers": []
      },
      "failure": {"kind": "refused", "detail": "connect: refused"},
      "started": "1970-01-01T00:00:00.000Z",
      "total_ms": 0.25
    }
  ]
}
"""


def test_layout() -> None:
    """One field on a line, each field line on one line, always in this order, nothing empty."""
    from magneto_serge._version import __version__

    first = exchange("/items?q=1", b"one\ntwo", sent=b"a=1")
    first.request.headers = Headers([(b"Accept", b"*/*"), (b"X-Raw", b"caf\xe9")])
    assert first.response is not None
    first.response.headers = Headers.of(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    first.response.trailers = Headers.of(("Digest", "x"))
    first.informational = (Response(103, "Early Hints", Headers.of(("Link", "</style.css>"))),)
    first.total_ms = 40.0
    first.chunks = ((4, 12.5), (3, 40.0))
    second = Interaction(
        Request("OPTIONS", "http", "::1", 8080, "*", version="HTTP/1.0"),
        failure=Failure(FailureKind.REFUSED, "connect: refused"),
        total_ms=0.25,
    )
    assert dump(first, second).decode() == EXPECTED % __version__


def test_empty_cassette() -> None:
    """A cassette of nothing is a cassette."""
    assert b'"interactions": []' in dump()
    assert load(dump()) == []


def test_timestamps() -> None:
    """Seconds since the epoch are written to the millisecond, in UTC."""
    assert timestamp(0.0) == b"1970-01-01T00:00:00.000Z"
    assert timestamp(1_700_000_000.9996) == b"2023-11-14T22:13:21.000Z"


def test_times_are_rounded_to_microseconds() -> None:
    """Milliseconds have three decimals: what a clock says beyond that is noise."""
    interaction = exchange()
    interaction.total_ms = 13.000249999
    interaction.first_byte_ms = 12.9996
    found = stored(interaction)
    assert (found["total_ms"], found["first_byte_ms"]) == (13, 13)


def test_encoded_text_is_shown_decoded() -> None:
    """Content-encoded text is text, with the parameters that give the same bytes again."""
    interaction = exchange(body=ENCODED, fields=GZIP)
    assert response_body(interaction) == {
        "json": {"hello": "world", "n": [1, 2, 3]},
        "encoding": {"name": "gzip", "level": 9, "xfl": 2, "os": 3},
    }
    assert load(dump(interaction)) == [interaction]


@given(st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.integers(0, 9), bodies.filter(bool))
def test_encoded_bodies_keep_their_content(name: CodingName, level: int, content: bytes) -> None:
    """Whatever the coding and its level, a response decodes to the same, a request is the same."""
    fields = Headers.of(("Content-Encoding", name))
    body = encode(content, Coding(name, level))
    interaction = exchange(body=body, fields=fields, sent=body)
    interaction.request.headers = fields
    [loaded] = load(dump(interaction))
    assert loaded.request == interaction.request
    assert loaded.response is not None
    assert isinstance(loaded.response.body, bytes)
    assert decode(name, loaded.response.body, 10**6) == content


def test_unusual_encoding_keeps_the_content() -> None:
    """Without such parameters the coding is named alone; what is loaded decodes to the same."""
    interaction = exchange(body=unusual_gzip(), fields=GZIP)
    assert response_body(interaction)["encoding"] == "gzip"
    assert interaction.response is not None
    [loaded] = load(dump(interaction))
    assert loaded.response is not None
    assert isinstance(loaded.response.body, bytes)
    assert loaded.response.headers == interaction.response.headers
    assert decode("gzip", loaded.response.body, 10**6) == TEXT * 40


def test_a_coding_that_lies_is_ignored() -> None:
    """A body that is not what Content-Encoding says is stored as what it is."""
    interaction = exchange(body=TEXT, fields=GZIP)
    assert response_body(interaction) == {"json": {"hello": "world", "n": [1, 2, 3]}}


def test_an_encoded_picture_is_not_shown() -> None:
    """Where the decoded content is not text, the exact bytes are kept."""
    interaction = exchange(body=gzip.compress(b"\x89PNG\x00"), fields=GZIP)
    assert set(response_body(interaction)) == {"base64"}


def test_a_bomb_is_not_decoded() -> None:
    """Content larger than four times the memory limit is kept encoded."""
    interaction = exchange(body=gzip.compress(b"x" * 4001), fields=GZIP)
    assert set(response_body(interaction, memory_limit=1000)) == {"base64"}
    assert "text" in response_body(interaction, memory_limit=1001)


@pytest.mark.parametrize(
    "change",
    [
        {"status": 206},
        {"fields": Headers.of(("Content-Encoding", "gzip"), ("content-md5", "x"))},
        {"fields": Headers.of(("Content-Encoding", "gzip"), ("Digest", "x"))},
        {"fields": Headers.of(("Content-Encoding", "gzip"), ("Content-Digest", "x"))},
        {"fields": Headers.of(("Content-Encoding", "gzip"), ("Repr-Digest", "x"))},
        {"fields": Headers.of(("Content-Encoding", "gzip"), ("x-amz-checksum-crc32", "x"))},
        {"fields": Headers.of(("Content-Encoding", "gzip, gzip"))},
    ],
)
def test_bodies_that_must_be_exact(change: dict[str, Any]) -> None:
    """A range, a body under a digest, and more than one coding are kept as they came."""
    interaction = exchange(body=ENCODED, **({"fields": GZIP} | change))
    assert set(response_body(interaction)) == {"base64"}


def test_digest_in_the_trailers() -> None:
    """A digest that came after the body counts as well (RFC 9530 §6.5)."""
    interaction = exchange(body=ENCODED, fields=GZIP)
    assert interaction.response is not None
    interaction.response.trailers = Headers.of(("Content-Digest", "x"))
    assert set(response_body(interaction)) == {"base64"}


def test_exact_bodies() -> None:
    """On request every encoded body is kept as it came; plain text is still text."""
    assert set(response_body(exchange(body=ENCODED, fields=GZIP), exact=True)) == {"base64"}
    assert response_body(exchange(body=b"text"), exact=True) == "text"


def test_a_body_that_broke_off_is_exact() -> None:
    """With a failure nothing is decoded: what had arrived is what there is."""
    interaction = exchange(body=ENCODED, fields=GZIP)
    interaction.failure = Failure(FailureKind.TRUNCATED)
    assert stored(interaction)["kind"] == "failure"
    assert set(response_body(interaction)) == {"base64"}


def test_streams_and_requests_are_reproducible() -> None:
    """Where encoded bytes are counted or compared, they are shown only if they come back."""
    stream = exchange(body=unusual_gzip(), fields=GZIP)
    stream.chunks = ((5, 5.0), (len(unusual_gzip()) - 5, 26.0))
    assert set(response_body(stream)) == {"base64"}
    stream.chunks = ((5, 5.0), (len(unusual_gzip()) - 5, 24.0))  # nobody watches that
    assert set(response_body(stream)) == {"text", "encoding"}
    upload = exchange(sent=unusual_gzip())
    upload.request.headers = GZIP
    found: Any = stored(upload)
    assert set(found["request"]["body"]) == {"base64"}
    upload.request.body = ENCODED
    assert load(dump(upload)) == [upload]
    found = stored(upload)
    assert set(found["request"]["body"]) == {"json", "encoding"}


def test_large_bodies_go_to_side_files(tmp_path: Path) -> None:
    """Above the memory limit a body is a reference; at the limit it is not."""
    (tmp_path / "workshop").mkdir()
    assert b'"file"' not in dump(exchange(body=b"x" * 10), folder=tmp_path, memory_limit=10)
    text = dump(exchange(body=b"x" * 11), folder=tmp_path, memory_limit=10)
    assert b'"body": {"file": "tape.bodies/' in text
    assert b'"size": 11, "sha256": "' in text


def test_side_files_of_the_recording(tmp_path: Path) -> None:
    """A body that streamed into a file is referred to, and an empty one is not there at all."""
    interaction = exchange()
    assert interaction.response is not None
    interaction.response.body = FileBody(tmp_path / "1", 7, "a" * 64)
    assert response_body(interaction) == {
        "file": f"tape.bodies/{'a' * 64}",
        "size": 7,
        "sha256": "a" * 64,
    }
    interaction.response.body = FileBody(tmp_path / "2", 0, "b" * 64)
    found: Any = stored(interaction)
    assert "body" not in found["response"]


def test_many_different_field_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remembering rendered field lines is bounded, and changes nothing."""
    from magneto_serge.storage import json_write

    monkeypatch.setattr(json_write, "_FIELDS_KEPT", 2)
    fields = Headers.of(*(("X", str(n % 3)) for n in range(9)))
    interaction = exchange(fields=fields)
    assert load(dump(interaction, interaction)) == [interaction, interaction]
