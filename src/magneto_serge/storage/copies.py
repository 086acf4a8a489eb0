"""What is remembered of the copy of a remote cassette, and how a change of either is noticed.

Beside the copy, ``.NAME.remote`` has for each file what the store said of it when both were equal
(its ETag, or whatever else that store tells versions by), and the copy's size and time. It is a
note, nothing more: where it is lost, the copy is taken for changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .atomic import replacing
from .names import BODIES_SUFFIX, CassettePaths

# What stores tell the version of a file by, the best first.
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "created")


class Copied(msgspec.Struct, frozen=True):
    """A copy when it was equal to what is there: ``version`` there, ``size`` and ``mtime`` here."""

    version: str
    size: int
    mtime: int


class Memory(msgspec.Struct):
    """What is remembered of one cassette: its files, and the side files that were there too."""

    files: dict[str, Copied] = {}
    bodies: list[str] = []


def beside(paths: CassettePaths, kind: str) -> Path:
    """Return the hidden file of that kind which belongs to the copy of a cassette."""
    stem = paths.bodies.name.removesuffix(BODIES_SUFFIX)
    return paths.bodies.with_name(f".{stem}.{kind}")


def memory_of(paths: CassettePaths) -> Memory:
    """Return what is remembered of a cassette; nothing where that cannot be read."""
    try:
        return msgspec.json.decode(beside(paths, "remote").read_bytes(), type=Memory)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Memory()


def remember(paths: CassettePaths, memory: Memory) -> None:
    """Write what is to be remembered of a cassette; raises OSError."""
    with replacing(beside(paths, "remote"), durable=False) as file:
        file.write(msgspec.json.encode(memory))


def changed_here(paths: CassettePaths, memory: Memory) -> list[Path]:
    """Return the files that are not what was brought or sent."""
    found = []
    for path in paths.existing():
        status, known = path.stat(), memory.files.get(path.name)
        if known is None or (known.size, known.mtime) != (status.st_size, status.st_mtime_ns):
            found.append(path)
    return found


def _version(entry: Mapping[str, Any]) -> str:
    """Return what tells this version of a file from others; empty where nothing does."""
    for field in _VERSIONS:
        if entry.get(field):
            return f"{field} {entry[field]}"
    return ""


def is_known(entry: Mapping[str, Any], known: Copied | None) -> bool:
    """Tell whether a file there, as the store lists it, is the one that was copied."""
    version = _version(entry)
    return known is not None and version != "" and known.version == version


def copied(path: Path, entry: Mapping[str, Any]) -> Copied:
    """Return what to remember; without a version, where another machine wrote meanwhile."""
    status = path.stat()
    version = _version(entry) if entry["size"] == status.st_size else ""
    return Copied(version, status.st_size, status.st_mtime_ns)
