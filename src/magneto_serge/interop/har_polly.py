"""Bodies of Polly.js in HAR: where there is a content coding, the encoded bytes as they arrived.

They are a JSON array of pieces inside the text: hexadecimal up to version 5, where ``_isBinary``
marks binary ones too, base64 with ``encoding: base64`` from version 6 on.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from typing import Any

from .values import RawFields, text

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def chunked_body(content: dict[str, Any], raw: RawFields, *, coded: bool = False) -> bytes | None:
    """Return the bytes of an array of pieces; None where the text is none."""
    held = content.get("text")
    marked = coded or content.get("_isBinary") is True or content.get("encoding") == "base64"
    if not marked and not any(text(name).lower() == "content-encoding" for name, _ in raw):
        return None
    if isinstance(held, str) and held.startswith("["):
        try:
            held = json.loads(held)
        except ValueError:
            return None
    if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
        return None
    return _pieces(held)


def _pieces(pieces: list[str]) -> bytes | None:
    if all(_HEX.fullmatch(each) for each in pieces):
        return b"".join(map(bytes.fromhex, pieces))
    try:
        return b"".join(b64decode(each, validate=True) for each in pieces)
    except (binascii.Error, ValueError):
        return None
