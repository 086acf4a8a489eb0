"""One file to import: its bytes, and the document in them whatever it is written in.

JSON, JSON5 and YAML are told apart by how the text begins, and each is tried where the one before
fails: a tape may end in ``.json`` and have comments. What is compressed whole is unpacked. A file
is read at most once, and never more of it than ``LARGEST``; only flows of mitmproxy, which are read
one by one, may be larger.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

from magneto_serge.errors import CassetteError, ConfigError

from .remarks import Remark, Remarks

LARGEST = 256 * 1024 * 1024  # bytes of a document

_BOM = b"\xef\xbb\xbf"
_COMMENT = re.compile(rb"\s*(//|/\*)")
_MODULE = re.compile(r"^(?:\s|//[^\n]*\n|/\*.*?\*/)*(?:module\.exports\s*=|export\s+default)", re.S)
_FLOW = re.compile(rb"\d{1,12}:")


class Source:
    """The file ``path``; ``remarks`` takes what cannot be carried over.

    Raises CassetteError where it cannot be read, or is larger than ``LARGEST``.
    """

    def __init__(self, path: Path, remarks: Remarks) -> None:
        self.path = path
        self.remarks = remarks

    @cached_property
    def begins(self) -> bytes:
        """The first bytes, as they are in the file."""
        with self._opened() as file:
            return bytes(file.read(64))

    @property
    def is_binary(self) -> bool:
        """Whether this is no text: flows of mitmproxy, or a cassette in a container."""
        return bool(_FLOW.match(self.begins)) or self.begins.startswith(b"magneto")

    @cached_property
    def data(self) -> bytes:
        """The content, unpacked, without a byte order mark."""
        from magneto_serge.storage.packing import unpacked

        with self._opened() as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise CassetteError(f"it has more than {LARGEST >> 20} MiB.")
            data = _inflated(unpacked(self.path, file.read()))
        return data.removeprefix(_BOM)

    @cached_property
    def document(self) -> Any:
        """What the text stands for: None, str, bytes, bool, numbers, lists and dicts.

        Raises CassetteError where it is in no format that we know, ConfigError where what it
        needs is not installed.
        """
        if self.is_binary or (b"\0" in self.data[:1024] and not self._utf16):
            return None
        return self._parsed(self.data)

    def beside(self, name: str) -> bytes | None:
        """Return the content of a file that the document refers to; None where there is none.

        It must be in the document's folder or below.
        """
        folder = self.path.parent.resolve()
        path = (folder / name).resolve()
        if not name or not path.is_relative_to(folder) or not path.is_file():
            return None
        return path.read_bytes() if path.stat().st_size <= LARGEST else None

    @property
    def _utf16(self) -> bool:
        return self.data[:2] in (b"\xff\xfe", b"\xfe\xff")

    def _opened(self) -> Any:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise CassetteError(f"cannot be read: {error.strerror}.") from error

    def _parsed(self, data: bytes) -> Any:
        start = data.lstrip()[:1]
        if start in (b"{", b"["):
            return self._like_json(data)
        if start == b'"':
            return self._fragment(data)
        if _COMMENT.match(data) or _MODULE.match(data[:4096].decode("latin-1")):
            return _json5(data)
        return self._yaml(data)

    def _like_json(self, data: bytes) -> Any:
        try:
            return _json(data)
        except ValueError as error:
            refusal = error
        try:
            return _json5(data)
        except CassetteError:
            pass
        try:
            return self._yaml(data)  # collections in YAML may be written so too
        except CassetteError as error:
            raise CassetteError(f"it is not JSON: {refusal}") from error

    def _fragment(self, data: bytes) -> Any:
        """Members without the braces around them are how documentation prints a part."""
        try:
            whole = _json(b"{" + data.strip().rstrip(b",") + b"}")
        except ValueError:
            return self._yaml(data)
        self.remarks.add(Remark.FRAGMENT)
        return whole

    def _yaml(self, data: bytes) -> Any:
        from .yaml_data import load

        return load(data, self.remarks)


def _inflated(data: bytes) -> bytes:
    """Return what a zlib stream holds (VCR's ``:compressed`` cassettes), or ``data`` if it is none.

    RFC 1950 §2.2: CMF and FLG, read as a number, are a multiple of 31; method 8. That is also what
    ``x``, and a fitting character, at the beginning of a text are.
    """
    if data[:1] != b"x" or int.from_bytes(data[:2], "big") % 31:
        return data
    decoder = zlib.decompressobj()
    try:
        content = decoder.decompress(data, LARGEST + 1)
    except zlib.error:
        return data
    if len(content) > LARGEST:
        raise CassetteError(f"it expands to more than {LARGEST >> 20} MiB.")
    return content if decoder.eof else data


def _json(data: bytes) -> Any:
    """Return the value of JSON text, in UTF-8 or UTF-16; raises ValueError and CassetteError."""
    try:
        return json.loads(data.decode(json.detect_encoding(data), "surrogatepass"))
    except RecursionError as error:
        raise CassetteError("it is nested too deeply.") from error


def _json5(data: bytes) -> Any:
    """Return the value of JSON5, or of the JavaScript module that exports nothing else."""
    try:
        import pyjson5
    except ImportError as error:
        raise ConfigError(
            "reading JSON5 needs pyjson5: pip install 'magneto-serge[import]'"
        ) from error
    text = data.decode("utf-8", "replace")
    text = _MODULE.sub("", text, count=1).strip().removesuffix(";")
    try:
        return pyjson5.decode(text, maxdepth=200)
    except pyjson5.Json5Exception as error:
        raise CassetteError(f"it is neither JSON nor JSON5: {error}") from error
