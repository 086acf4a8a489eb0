"""A body as a person reads it: decoded from its content coding, JSON indented, binary summarised.

What is shown is not what is stored: the note says how large it was and what was undone. The text
still has whatever control characters it came with; ``transcript`` makes it fit for a terminal.
"""

from __future__ import annotations

import msgspec

from magneto_serge.messages import Body, FileBody, Headers
from magneto_serge.replay.content import Content, Kind, content_of, media_type
from magneto_serge.replay.masking import mask_form, mask_json
from magneto_serge.units import size

_HEAD = 256  # bytes of a binary body that are dumped


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
    content = content_of(headers, body)
    note = _note(body, content)
    if content.kind == "binary":
        return ShownBody("binary", hexdump(content.data), f"{note}, binary", content.data)
    text = content.text
    if content.kind == "json":
        text = msgspec.json.format(content.data, indent=2).decode()
        return ShownBody("json", text if reveal else mask_json(text), note, content.data)
    if not reveal and media_type(headers) == "application/x-www-form-urlencoded":
        text = mask_form(text)
    return ShownBody("text", text, note, content.data)


def _note(body: bytes, content: Content) -> str:
    if content.coding is None:
        return size(len(body))
    if not content.decoded:
        return f"{size(len(body))}, said to be {content.coding} but not decodable"
    return f"{size(len(body))} of {content.coding}, {size(len(content.data))} decoded"


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
