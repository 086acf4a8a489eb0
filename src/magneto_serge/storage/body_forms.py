"""The forms in which a body stands in a JSON cassette: as readable as its exact bytes allow.

In order of preference: a JSON value, text (one string, or a list of lines), Latin-1 text where the
message declares it, base64; and a reference to a side file where it is large. The rule for all:
reading the form back gives exactly the bytes that were written as it.

A JSON value is never parsed. Its *tokens* (numbers, strings with their escapes, keys, repeats and
order) are copied and only the white space between them changes, in C, by ``msgspec.json.format``;
the white space that the body had is named by ``style``. So ``1.10``, ``1e5``, integers of forty
digits, doubled keys and ``\\u00e9`` need no exceptions: they stay as they are.
"""

from __future__ import annotations

import binascii
import re

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.json import format as respace

from magneto_serge.codings import Coding, CodingName, encode
from magneto_serge.messages import Headers

from .faults import FieldError

STYLES = {"compact": -1, "spaced": 0} | {f"indent {width}": width for width in range(1, 9)}
ENDS = ("", "\n", "\r\n")

_SHORT = 72  # bytes; a JSON value no longer than this stays on one line
_DEEPEST = b"\n" + b" " * (2 * 100)  # deeper values are kept as text: readers recurse
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\r\n")) + b"\x7f"
_LATIN1_CONTROLS = _CONTROLS + bytes(range(0x80, 0xA0))
_LATIN1 = re.compile(r'charset\s*=\s*"?(iso[-_]?8859-1|latin-?1)\b(?!\d)', re.IGNORECASE)

Member = tuple[bytes, bytes]
"""A member of the form's object: its name, and its value as JSON."""

_encode_json = msgspec.json.Encoder().encode


class BodyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body as an object; exactly one of json, lines, text, base64 and file is present.

    ``style`` and ``end`` go with json, ``charset`` with lines and text, ``encoding`` with those
    three, ``size`` (bytes) and ``sha256`` with file.
    """

    json: msgspec.Raw = msgspec.Raw()
    lines: list[str] | UnsetType = UNSET
    text: str | UnsetType = UNSET
    base64: bytes | UnsetType = UNSET
    file: str | UnsetType = UNSET
    style: str = "compact"
    end: str = ""
    charset: str = "utf-8"
    encoding: CodingName | Coding | UnsetType = UNSET
    size: int = 0
    sha256: str = ""


StoredBody = str | BodyForm


def readable_form(content: bytes, headers: Headers) -> list[Member] | None:
    """Return the members that show ``content`` as JSON or text; None if it is neither."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _latin1_form(content, headers)
    if len(content.translate(None, _CONTROLS)) != len(content):
        return None
    return _json_form(content) or _text_form(text)


def base64_form(body: bytes) -> list[Member]:
    """Return the member that holds any bytes."""
    return [(b"base64", b'"' + binascii.b2a_base64(body, newline=False) + b'"')]


def form_text(members: list[Member], indent: bytes) -> bytes:
    """Return the JSON text of a form whose first line stands at ``indent``.

    A form that is nothing but one string is written as that string.
    """
    if len(members) == 1 and members[0][0] == b"text":
        return members[0][1]
    inner = b"\n" + indent + b"  "
    tall = any(b"\n" in value for _, value in members)
    fields = [b'"%s": %s' % (name, value.replace(b"\n", inner)) for name, value in members]
    if tall:
        return b"{" + inner + (b"," + inner).join(fields) + b"\n" + indent + b"}"
    return b"{" + b", ".join(fields) + b"}"


def form_bytes(form: StoredBody) -> bytes:
    """Return the body that a form other than ``file`` stands for; raises FieldError."""
    if isinstance(form, str):
        return form.encode()
    if form.base64 is not UNSET:
        _forbid_encoding(form)
        return form.base64
    value = bytes(form.json)
    content = _json_bytes(form, value) if value else _text_bytes(form)
    if form.encoding is UNSET:
        return content
    coding = form.encoding if isinstance(form.encoding, Coding) else Coding(form.encoding)
    try:
        return encode(content, coding)
    except ValueError as error:
        raise FieldError("body.encoding", f"the body cannot be encoded so ({error})") from error


def check_form(form: BodyForm) -> None:
    """Raise FieldError unless exactly one way of storing the body is used."""
    others = (form.lines, form.text, form.base64, form.file)
    used = (bytes(form.json) != b"") + sum(each is not UNSET for each in others)
    if used != 1:
        raise FieldError("body", f"needs one of json, lines, text, base64 and file; has {used}")


def _json_form(content: bytes) -> list[Member] | None:
    value = content.rstrip(b"\r\n")
    end = content[len(value) :].decode()
    if value[:1] not in (b"{", b"[") or end not in ENDS:
        return None
    try:
        style = _style_of(value)
        if style is None:
            return None
        shown = _shown(value)
    except (msgspec.DecodeError, RecursionError):
        return None
    if _DEEPEST in shown:
        return None
    members = [(b"json", shown)]
    members += [] if style == "compact" else [(b"style", _encode_json(style))]
    return members + ([(b"end", _encode_json(end))] if end else [])


def _shown(value: bytes) -> bytes:
    if len(value) <= 4 * _SHORT:  # more white space than that is no longer a short value
        line = respace(value, indent=0)
        if len(line) <= _SHORT:
            return line
    return respace(value, indent=2)


def _style_of(value: bytes) -> str | None:
    if b"\n" in value:
        first = value[2:] if value[1:2] == b"\n" else b""
        candidates = [f"indent {len(first) - len(first.lstrip(b' '))}"]
    else:
        candidates = ["compact", "spaced"]
    for style in candidates:
        if style in STYLES and respace(value, indent=STYLES[style]) == value:
            return style
    return None


def _text_form(text: str) -> list[Member]:
    lines = text.split("\n")
    whole = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    if len(whole) < 2:
        return [(b"text", _encode_json(text))]
    return [(b"lines", b"[\n  " + b",\n  ".join(map(_encode_json, whole)) + b"\n]")]


def _latin1_form(content: bytes, headers: Headers) -> list[Member] | None:
    declared = _LATIN1.search(headers.get("content-type") or "")
    if not declared or len(content.translate(None, _LATIN1_CONTROLS)) != len(content):
        return None
    return [*_text_form(content.decode("latin-1")), (b"charset", b'"latin-1"')]


def _json_bytes(form: BodyForm, value: bytes) -> bytes:
    if form.style not in STYLES:
        raise FieldError("body.style", f"'{form.style}' is not one of {', '.join(STYLES)}")
    if form.end not in ENDS:
        raise FieldError("body.end", "is not a line end")
    if not value.isascii():
        _check_utf8(value)
    return respace(value, indent=STYLES[form.style]) + form.end.encode()


def _check_utf8(value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise FieldError("body.json", "is not UTF-8") from error


def _text_bytes(form: BodyForm) -> bytes:
    text = form.text if form.text is not UNSET else "".join(form.lines or ())
    if form.charset not in ("utf-8", "latin-1"):
        raise FieldError("body.charset", f"'{form.charset}' is neither utf-8 nor latin-1")
    try:
        return text.encode(form.charset)
    except UnicodeEncodeError as error:
        reason = f"has characters outside {form.charset}"
        raise FieldError("body", reason) from error


def _forbid_encoding(form: BodyForm) -> None:
    if form.encoding is not UNSET:
        raise FieldError("body.encoding", "goes with json, lines or text; base64 is exact already")
