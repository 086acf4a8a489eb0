"""The forms of a body: which is chosen, how it looks, and that it gives the exact bytes back."""

from __future__ import annotations

import json
import zlib

import msgspec
import pytest
from hypothesis import given

from magneto_serge.codings import Coding
from magneto_serge.messages import NO_HEADERS, Headers
from magneto_serge.storage.body_forms import (
    BodyForm,
    StoredBody,
    base64_form,
    check_form,
    form_bytes,
    form_text,
    readable_form,
)
from magneto_serge.storage.faults import FieldError

from .interactions import bodies, json_bodies

LATIN1 = Headers.of(("Content-Type", 'text/plain; charset="ISO-8859-1"'))


def text_of(body: bytes, headers: Headers = NO_HEADERS) -> bytes:
    """Return the JSON text of the form that a cassette has for ``body``."""
    return form_text(readable_form(body, headers) or base64_form(body), b"")


def read_back(text: bytes) -> bytes:
    """Return the body that a form's JSON text stands for."""
    form = msgspec.json.decode(text, type=StoredBody)
    if isinstance(form, BodyForm):
        check_form(form)
    return form_bytes(form)


@given(bodies)
def test_every_body_comes_back(body: bytes) -> None:
    """Whatever the form, reading it gives the exact bytes; the form is JSON to anybody."""
    text = text_of(body)
    json.loads(text)
    assert read_back(text) == body


@given(bodies)
def test_every_latin1_body_comes_back(body: bytes) -> None:
    """The same under a Content-Type that declares Latin-1."""
    assert read_back(text_of(body, LATIN1)) == body


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"hello", "hello"),
        (b"one line\n", "one line\n"),
        ("naïve \N{GRINNING FACE}".encode(), "naïve \N{GRINNING FACE}"),
        (b"a\nb\r\nc", {"lines": ["a\n", "b\r\n", "c"]}),
        (b"a\n\n", {"lines": ["a\n", "\n"]}),
        (b'{"a":1}', {"json": {"a": 1}}),
        (b'[1, {"a": null}]', {"json": [1, {"a": None}], "style": "spaced"}),
        (b'{\n  "a": []\n}\n', {"json": {"a": []}, "style": "indent 2", "end": "\n"}),
        (b'{\n    "a": 1\n}', {"json": {"a": 1}, "style": "indent 4"}),
        (b"42", "42"),
        (b'"text"', '"text"'),
        (b'{"a" :1}', '{"a" :1}'),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b"{not json}", "{not json}"),
        (b"\x00\x01", {"base64": "AAE="}),
        (b"\x1b[1m", {"base64": "G1sxbQ=="}),
        (b"\xe9t\xe9", {"base64": "6XTp"}),
        (b"", ""),
    ],
)
def test_form_chosen(body: bytes, form: object) -> None:
    """JSON before text before base64; controls are not text; a lone string is written as one."""
    assert json.loads(text_of(body)) == form


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1.10}',
        b"[1e5,1E+2,-0,0.0]",
        b"[123456789012345678901234567890123456789012]",
        b'{"a":1,"a":2}',
        b'["\\u00e9","\\/","\\ud83d\\ude00"]',
        b'["\xc3\xa9"]',
    ],
)
def test_json_is_kept_by_token(body: bytes) -> None:
    """Numbers, escapes and doubled keys that no parser would give back are still shown as JSON."""
    text = text_of(body)
    assert text.startswith(b'{"json": ')
    assert read_back(text) == body


@pytest.mark.parametrize("indent", [1, 2, 3, 4, 8])
def test_indented_json(indent: int) -> None:
    """What ``json.dumps(indent=n)`` and ``JSON.stringify(x, null, n)`` write is shown as JSON."""
    body = json.dumps({"a": [1, {"b": []}], "c": {}}, indent=indent).encode()
    assert json.loads(text_of(body))["style"] == f"indent {indent}"
    assert read_back(text_of(body)) == body


@pytest.mark.parametrize(
    "body", [b'["\\ud800"]', b"[" * 500 + b"]" * 500, b"[" * 5000 + b"]" * 5000]
)
def test_json_that_readers_refuse_is_text(body: bytes) -> None:
    """A lone surrogate, or nesting that a reader may not survive, stays inside a string."""
    assert json.loads(text_of(body)) == body.decode()


def test_layout() -> None:
    """Short values stay on one line; long ones and lines of text have a line each, indented."""
    assert text_of(b'{"a":1,"b":[2]}') == b'{"json": {"a": 1, "b": [2]}}'
    members = readable_form(b'{"a":"%s"}' % (b"x" * 80), NO_HEADERS)
    assert members is not None
    assert form_text(members, b"  ") == (
        b'{\n    "json": {\n      "a": "%s"\n    }\n  }' % (b"x" * 80)
    )
    assert text_of(b"a\nb") == b'{\n  "lines": [\n    "a\\n",\n    "b"\n  ]\n}'


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("text/html; charset=iso-8859-1", {"text": "été", "charset": "latin-1"}),
        ("text/html; charset=latin1; x=y", {"text": "été", "charset": "latin-1"}),
        ("text/html; charset=iso-8859-15", {"base64": "6XTp"}),
        ("text/html", {"base64": "6XTp"}),
    ],
)
def test_latin1_where_declared(content_type: str, form: object) -> None:
    """Bytes that are not UTF-8 are text only where the message says that they are Latin-1."""
    text = text_of("été".encode("latin-1"), Headers.of(("Content-Type", content_type)))
    assert json.loads(text) == form


def test_latin1_lines_and_controls() -> None:
    """Latin-1 text has lines too; a C1 control is not text."""
    assert json.loads(text_of(b"\xe9\n\xe8", LATIN1)) == {
        "lines": ["é\n", "è"],
        "charset": "latin-1",
    }
    assert json.loads(text_of(b"\xe9\x85", LATIN1)) == {"base64": "6YU="}


@given(json_bodies())
def test_reformatted_cassettes_keep_json_bodies(body: bytes) -> None:
    """White space that an editor changes inside a JSON value does not change the body."""
    text = text_of(body)
    if not text.startswith(b'{"json"') and b'"json": ' not in text[:20]:
        return
    assert read_back(msgspec.json.format(text, indent=7)) == body
    assert read_back(msgspec.json.format(text, indent=-1)) == body


def test_encoded_forms() -> None:
    """A readable form with an encoding stands for the encoded bytes."""
    assert form_bytes(BodyForm(text="x", encoding=Coding("deflate", 6))) == zlib.compress(b"x", 6)


@pytest.mark.parametrize(
    ("form", "field", "reason"),
    [
        (BodyForm(), "body", "exactly|one of"),
        (BodyForm(text="x", base64=b"x"), "body", "one of"),
        (BodyForm(json=msgspec.Raw(b"1"), text="x"), "body", "one of"),
        (BodyForm(json=msgspec.Raw(b"1"), style="wide"), "body.style", "wide"),
        (BodyForm(json=msgspec.Raw(b"1"), end="x"), "body.end", "line end"),
        (BodyForm(json=msgspec.Raw(b'"\xff"')), "body.json", "UTF-8"),
        (BodyForm(text="x", charset="ebcdic"), "body.charset", "ebcdic"),
        (BodyForm(text="\u20ac", charset="latin-1"), "body", "latin-1"),
        (BodyForm(base64=b"x", encoding="gzip"), "body.encoding", "exact"),
        (BodyForm(text="x", encoding=Coding("gzip", 22)), "body.encoding", "cannot be encoded"),
    ],
)
def test_forms_that_say_nothing_sensible(form: BodyForm, field: str, reason: str) -> None:
    """A form that a person got wrong names the field and says why."""

    def read() -> None:
        check_form(form)
        form_bytes(form)

    with pytest.raises(FieldError, match=reason) as error:
        read()
    assert error.value.field == field
