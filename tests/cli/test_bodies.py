"""How a body is made readable, and what is said about it."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from magneto_serge.cli.bodies import ShownBody, hexdump, shown_body
from magneto_serge.messages import FileBody, Headers
from magneto_serge.replay import content


def shown(body: bytes, *fields: tuple[str, str], reveal: bool = False) -> ShownBody:
    """Prepare a body with these header fields."""
    return shown_body(Headers.of(*fields), body, reveal=reveal)


def test_no_body_is_empty() -> None:
    """There is nothing to print."""
    assert shown(b"") == ShownBody("empty", "", "no body")


def test_json_is_indented_and_its_numbers_stay() -> None:
    """1.10 is not 1.1 to whoever wrote it."""
    result = shown(b'{"a":[1.10,2]}', ("Content-Type", "application/problem+json"))
    assert result.kind == "json"
    assert result.text == '{\n  "a": [\n    1.10,\n    2\n  ]\n}'


def test_json_is_recognised_without_a_type() -> None:
    """Many a server does not say what it sends."""
    assert shown(b"[1]").kind == "json"


def test_what_says_json_and_is_not_is_text() -> None:
    """A broken body is what one looks for."""
    result = shown(b'{"a": ', ("Content-Type", "application/json"))
    assert (result.kind, result.text) == ("text", '{"a": ')


def test_json_nested_beyond_reason_is_text() -> None:
    """Nothing recurses without end."""
    assert shown(b"[" * 100_000).kind == "text"


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),  # its name is made of the bytes
        ("deflate", zlib.compress(b"hello")),
        ("br", brotli.compress(b"hello")),
        ("zstd", zstandard.compress(b"hello")),
    ],
)
def test_content_codings_are_undone(coding: str, encoded: bytes) -> None:
    """And named, with both sizes."""
    result = shown(encoded, ("Content-Encoding", coding))
    assert result.text == "hello"
    assert result.note == f"{len(encoded)} B of {coding}, 5 B decoded"


def test_a_coding_that_is_not_there_is_said() -> None:
    """Some servers lie."""
    result = shown(b"hello", ("Content-Encoding", "gzip"))
    assert (result.text, result.note) == ("hello", "5 B, said to be gzip but not decodable")


def test_a_bomb_does_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decodes to too much is shown as it came."""
    monkeypatch.setattr(content, "LARGEST", 1000)
    result = shown(gzip.compress(b"x" * 1001), ("Content-Encoding", "gzip"))
    assert result.kind == "binary"
    assert "not decodable" in result.note


def test_text_is_decoded_as_its_type_says() -> None:
    """A declared charset comes before UTF-8."""
    fields = ("Content-Type", 'text/plain; charset="iso-8859-1"')
    assert shown("naïve".encode("latin-1"), fields).text == "naïve"


def test_an_unknown_charset_is_taken_for_utf8() -> None:
    """A wrong name does not make text binary."""
    assert shown("naïve".encode(), ("Content-Type", "text/plain; charset=nonsense")).text == "naïve"


def test_what_is_not_text_is_dumped() -> None:
    """The head of it, sixteen bytes to a line."""
    result = shown(bytes(range(256)) * 2, ("Content-Type", "image/png"))
    assert (result.kind, result.note) == ("binary", "512 B, binary")
    assert result.text.splitlines()[-1] == "... 256 more bytes"
    assert result.content == bytes(range(256)) * 2


def test_control_characters_make_text_binary() -> None:
    """A NUL is no part of a text."""
    assert shown(b"a\x00b").kind == "binary"


def test_a_dump_has_offset_bytes_and_what_is_printable() -> None:
    """As hexdump -C has it."""
    assert hexdump(b"magneto\x00\xff") == (
        "00000000  6d 61 67 6e 65 74 6f 00 ff                       magneto.."
    )


def test_a_body_in_a_file_is_named_and_not_read(tmp_path: Path) -> None:
    """It was too large for memory."""
    body = FileBody(tmp_path / "gone", 5_000_000, "ab12")
    result = shown_body(Headers(), body, reveal=False)
    assert result == ShownBody("file", "", f"5.0 MB in {tmp_path / 'gone'}, sha256 ab12")


def test_secrets_in_json_and_forms_are_hidden_unless_revealed() -> None:
    """A password is one in a body too."""
    body = json.dumps({"password": "hunter2"}).encode()
    assert "hunter2" not in shown(body).text
    assert "hunter2" in shown(body, reveal=True).text
    form = (b"user=ann&password=hunter2", ("Content-Type", "application/x-www-form-urlencoded"))
    assert shown(*form).text == "user=ann&password=****"
    assert "hunter2" in shown(*form, reveal=True).text
