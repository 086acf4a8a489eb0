"""Cassette names for files of other tools: the same, as far as a cassette's name can be.

The path below the folder that was named stays, without the suffix that says what a file is. What no
cassette's name may have (``storage/names.py``: characters that some system refuses, leading dots,
device names, overlong parts) is replaced. No two files get the same name, nor names that differ in
case alone: cassettes are checked out on every system.
"""

from __future__ import annotations

import re
from hashlib import sha256

from magneto_serge.errors import ConfigError
from magneto_serge.storage.formats import split_suffix
from magneto_serge.storage.names import BODIES_SUFFIX, MAX_NAME, canonical_name

# What recordings are called. Files with other suffixes are none, unless they are named one by one.
SUFFIXES = frozenset(
    (".yaml", ".yml", ".json", ".json5", ".har", ".mitm", ".mitmproxy", ".flow", ".flows", ".dump",
     ".vcr", ".zz", ".cassette", ".tape", ".msgpack")
)  # fmt: skip
_PACKED = (".gz", ".zst")
_UNPORTABLE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|\ud800-\udfff]')
_DIGEST = 8  # characters that tell shortened names apart


def suffix_of(name: str) -> str:
    """Return the suffix that says what a file is, in lower case; empty where there is none."""
    for packed in _PACKED:
        name = name.removesuffix(packed)
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


class Names:
    """Gives out names, each once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def name_for(self, path: str) -> str:
        """Return the name for a file; ``path`` is relative, with ``/`` between its parts."""
        *folders, file = path.split("/")
        for packed in _PACKED:
            file = file.removesuffix(packed)
        suffix = suffix_of(file)
        if suffix in SUFFIXES or suffix == ".js":
            file = file[: -len(suffix)]
        name = "/".join(_segment(part) for part in (*folders, file))
        if _is_unusable(name):
            name = _shortened(name)
        return self._unique(name)

    def _unique(self, name: str) -> str:
        chosen, number = name, 1
        while chosen.casefold() in self._given:
            number += 1
            chosen = f"{name}-{number}"
        self._given.add(chosen.casefold())
        return chosen


def _segment(part: str) -> str:
    part = _UNPORTABLE.sub("_", part).rstrip(". ")
    if part.startswith("."):
        part = "_" + part[1:]
    while split_suffix(part)[1] is not None or part.endswith(BODIES_SUFFIX):
        stem, _, suffix = part.rpartition(".")
        part = f"{stem}_{suffix}"
    if len(part.encode()) > MAX_NAME - 10:
        part = _shortened(part)
    return part if part and not _is_unusable(part) else f"_{part}"


def _shortened(text: str) -> str:
    """Return a name that is short enough; a digest keeps it apart from others that begin so."""
    digest = sha256(text.encode()).hexdigest()[:_DIGEST]
    folder, slash, last = text.rpartition("/")
    if len(folder) > MAX_NAME // 2:
        folder, slash, last = "", "", text.replace("/", "_")
    room = MAX_NAME - 10 - len(folder) - len(slash) - _DIGEST - 1
    kept = last.encode()[:room].decode(errors="ignore").rstrip(". ")
    return f"{folder}{slash}{kept}-{digest}"


def _is_unusable(name: str) -> bool:
    try:
        canonical_name(name)
    except ConfigError:
        return True
    return False
