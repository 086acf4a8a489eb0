"""JSON cassettes: which version a file is, and the one door to reading them.

What others know of the format is this module's names: :func:`read` a file's content into
interactions, :func:`older_texts` to carry an older file's interactions into its successor without
touching them. Compression is undone before (``packing``). Writing is in ``json_write``.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from magneto_serge.messages import Interaction

from . import doubled_keys, json_read, json_shapes
from .faults import damaged, decode_json, upgrade

_OLDER = "1.0"
_BOM = b"\xef\xbb\xbf"
_OPENING = re.compile(rb'\s*\{\s*"version"\s*:\s*"([^"\\]*)"')


class _Versioned(msgspec.Struct):
    version: str


class _Recorded(msgspec.Struct):
    recorded_by: str = ""


class _Outline(msgspec.Struct):
    version: str
    interactions: list[msgspec.Raw]


_versioned = msgspec.json.Decoder(_Versioned)
_outline = msgspec.json.Decoder(_Outline)


def read(path: Path, data: bytes, *, verify: bool = False) -> list[Interaction]:
    """Return the interactions of a JSON cassette of any version that we know.

    A byte order mark is accepted. ``verify`` compares the side files' digests too, and looks for
    doubled keys in files of any size. Raises CassetteError.
    """
    data = data.removeprefix(_BOM)
    if _version(path, data) == json_shapes.VERSION:
        interactions = json_read.read(path, data, verify=verify)
        if verify or len(data) <= doubled_keys.ALWAYS:
            doubled_keys.refuse(path, data)
        return interactions
    from . import json_v1  # few files are so old

    return json_v1.read(path, data)


def older_texts(path: Path, data: bytes) -> list[msgspec.Raw] | None:
    """Return each interaction of a version "2" file as the text that it is.

    None if the file has another version, and its interactions must be read and written anew.
    Raises CassetteError.
    """
    data = data.removeprefix(_BOM)
    if _version(path, data) != json_shapes.VERSION:
        return None
    return decode_json(path, data, _outline).interactions


def _version(path: Path, data: bytes) -> str:
    """Return "2" or "1.0"; raises CassetteError for anything else."""
    opening = _OPENING.match(data)
    if opening:
        version = opening[1].decode(errors="replace")
    else:
        version = decode_json(path, data, _versioned).version
    if version in (json_shapes.VERSION, _OLDER):
        return version
    raise damaged(
        path,
        "version",
        f"{version!r} is not one that this program reads (it reads '2' and '1.0')",
        upgrade(_writer(data)),
    )


def _writer(data: bytes) -> str:
    """Return which program a file of a version that we do not know says it was written by."""
    try:
        return msgspec.json.decode(data, type=_Recorded).recorded_by
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
