"""One file: what it is written in is told by how it begins."""

from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.interop import source as module
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.source import Source


def source(folder: Path, content: bytes) -> Source:
    """Write a file and return it as a source."""
    path = folder / "file"
    path.write_bytes(content)
    return Source(path, Remarks())


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": ["b"]}',
        b'\xef\xbb\xbf{"a": ["b"]}',
        '{"a": ["b"]}'.encode("utf-16"),
        b"  {a: ['b',], /* c */}",
        b"// comment\n{a: ['b']}",
        b"/* c */ module.exports = {a: ['b']};\n",
        b"export default {a: ['b']}",
        b"{a: [b]}",
        b"a:\n- b\n",
        b'"a": ["b"]',
        gzip.compress(b'{"a": ["b"]}', mtime=0),
        zlib.compress(b'{"a": ["b"]}'),
        zlib.compress(b"a:\n- b\n", 9),
    ],
)
def test_documents(content: bytes, tmp_path: Path) -> None:
    """JSON, JSON5, modules, YAML, fragments; with marks and compressed."""
    assert source(tmp_path, content).document == {"a": ["b"]}


@pytest.mark.parametrize("content", [b"12:abc", b"magneto\x00", b"\x7fELF\0\0", b"PK\3\4\0"])
def test_what_is_no_text_is_no_document(content: bytes, tmp_path: Path) -> None:
    """Flows, containers, and whatever lies about."""
    assert source(tmp_path, content).document is None


@pytest.mark.parametrize("content", [b"{a: b: c]", b"[" * 5000, b"{" * 100_000, b"// {"])
def test_what_cannot_be_read_is_said(content: bytes, tmp_path: Path) -> None:
    """In a CassetteError, however deep it is nested."""
    with pytest.raises(CassetteError):
        source(tmp_path, content).document  # noqa: B018 - reading is what fails


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(CassetteError, match="No such file"):
        Source(tmp_path / "none", Remarks()).document  # noqa: B018


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is read."""
    monkeypatch.setattr(module, "LARGEST", 3)
    with pytest.raises(CassetteError, match="more than"):
        source(tmp_path, b"1234").document  # noqa: B018


def test_a_small_file_is_not_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it expands to is bounded, and text that begins with an x is text."""
    packed = zlib.compress(b'["' + b"a" * 5000 + b'"]')
    monkeypatch.setattr(module, "LARGEST", 1000)
    with pytest.raises(CassetteError, match="expands"):
        source(tmp_path, packed).document  # noqa: B018
    assert source(tmp_path, b"x\x9c: a").data == b"x\x9c: a"
    assert source(tmp_path, b"x^: a").document == {"x^": "a"}


def test_fragments_are_remarked(tmp_path: Path) -> None:
    """They are not what a tool writes."""
    found = source(tmp_path, b'"a": [1],')
    assert found.document == {"a": [1]}
    assert found.remarks.counts[Remark.FRAGMENT] == 1


def test_files_beside_stay_in_the_folder(tmp_path: Path) -> None:
    """A document cannot fetch what lies elsewhere."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "body.bin").write_bytes(b"body")
    (tmp_path / "secret").write_bytes(b"secret")
    found = source(inside, b"{}")
    assert found.beside("body.bin") == b"body"
    (inside / "link").symlink_to(tmp_path / "secret")
    for name in ("../secret", str(tmp_path / "secret"), "link", "none", ""):
        assert found.beside(name) is None


@pytest.mark.parametrize(
    ("library", "content"), [("yaml", b"a: b"), ("pyjson5", b"{a: 1}"), ("pyjson5", b"// c\n{}")]
)
def test_a_missing_library_is_named(
    library: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=r"magneto-serge\[import\]"):
        source(tmp_path, content).document  # noqa: B018
