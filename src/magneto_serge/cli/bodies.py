"""A body as a person reads it: decoded from its content coding, JSON indented, binary summarised.

What is shown is not what is stored: the note says how large it was and what was undone. The text
still has whatever control characters it came with; ``transcript`` makes it fit for a terminal.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from magneto_serge.codings import coding_of, decode
from magneto_serge.messages import Body, FileBody, Headers
from magneto_serge.replay.masking import mask_form, mask_json

from .units import size

LARGEST = 64 * 1024 * 1024  # bytes of decoded content that are shown; a bomb ends here
_HEAD = 256  # bytes of a binary body that are dumped
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)
_BINARY = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")

Kind = Literal["empty", "json", "text", "binary", "file"]


class ShownBody(msgspec.Struct, frozen=True):
    """``text`` is what to print (empty for none); ``note`` one line about size and coding.

    ``content`` holds the decoded bytes: the body's own where it could not be decoded.
    """

    kind: Kind
    text: str
    note: str
    content: bytes = b""


def shown_body(headers: Headers, body: Body, *, reveal: bool) -> ShownBody:
    """Prepare a body for the screen; secrets in JSON and forms are hidden unless ``reveal``."""
    if isinstance(body, FileBody):
        return ShownBody("file", "", f"{size(body.size)} in {body.path}, sha256 {body.sha256}")
    if not body:
        return ShownBody("empty", "", "no body")
    content, note = _decoded(headers, body)
    text = _text(headers, content)
    if text is None:
        return ShownBody("binary", hexdump(content), f"{note}, binary", content)
    kind = (headers.get("content-type") or "").lower()
    if (json := _json(kind, content)) is not None:
        return ShownBody("json", json if reveal else mask_json(json), note, content)
    if not reveal and "x-www-form-urlencoded" in kind:
        text = mask_form(text)
    return ShownBody("text", text, note, content)


def _decoded(headers: Headers, body: bytes) -> tuple[bytes, str]:
    coding = coding_of(headers)
    if coding is None:
        return body, size(len(body))
    content = decode(coding, body, LARGEST)
    if content is None:
        return body, f"{size(len(body))}, said to be {coding} but not decodable"
    return content, f"{size(len(body))} of {coding}, {size(len(content))} decoded"


def _text(headers: Headers, content: bytes) -> str | None:
    """Return the content as text; None where it is not text in the charset it declares."""
    declared = _CHARSET.search(headers.get("content-type") or "")
    for charset in (declared[1] if declared else "utf-8", "utf-8"):
        try:
            text = content.decode(charset)
        except (UnicodeError, LookupError):
            continue
        return None if _BINARY.search(text) else text
    return None


def _json(kind: str, content: bytes) -> str | None:
    if "json" not in kind and content[:1] not in (b"{", b"["):
        return None
    try:
        return msgspec.json.format(content, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def hexdump(content: bytes) -> str:
    """Return the first 256 bytes, sixteen to a line, with what is printable beside them."""
    lines = [
        f"{at:08x}  {content[at : at + 16].hex(' '):<47}  {_printable(content[at : at + 16])}"
        for at in range(0, min(len(content), _HEAD), 16)
    ]
    if len(content) > _HEAD:
        lines.append(f"... {len(content) - _HEAD:,} more bytes")
    return "\n".join(lines)


def _printable(piece: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)
