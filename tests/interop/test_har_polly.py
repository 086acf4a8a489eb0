"""Polly's bodies: pieces of the bytes as they arrived."""

from __future__ import annotations

from base64 import b64encode
from gzip import compress
from typing import Any

import pytest

from magneto_serge.interop.har_polly import chunked_body
from magneto_serge.interop.values import RawFields

CODED: RawFields = [("content-encoding", "gzip")]
PACKED = compress(b"text", mtime=0)


@pytest.mark.parametrize(
    ("content", "raw"),
    [
        ({"text": f'["{PACKED.hex()}"]'}, CODED),
        ({"text": f'["{PACKED[:9].hex()}", "{PACKED[9:].hex()}"]'}, CODED),
        ({"text": [PACKED.hex()]}, CODED),
        ({"text": f'["{PACKED.hex()}"]', "_isBinary": True}, []),
        ({"text": f'["{b64encode(PACKED).decode()}"]', "encoding": "base64"}, CODED),
    ],
)
def test_pieces(content: dict[str, Any], raw: RawFields) -> None:
    """Hexadecimal or base64, in one or in several."""
    assert chunked_body(content, raw) == PACKED


@pytest.mark.parametrize(
    ("content", "raw"),
    [
        ({"text": '["ff"]'}, []),
        ({"text": "text"}, CODED),
        ({"text": "[1]"}, CODED),
        ({"text": "[torn"}, CODED),
        ({"text": '["<no>"]'}, CODED),
        ({}, CODED),
    ],
)
def test_what_is_none(content: dict[str, Any], raw: RawFields) -> None:
    """A JSON body that is an array is one, not pieces of another."""
    assert chunked_body(content, raw) is None
