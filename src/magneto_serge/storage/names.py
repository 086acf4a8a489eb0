"""Cassette names, and the files that belong to one cassette.

A name is what a person types: ``github``, ``payments/refund``. It is also a path inside the
cassette folder, so it is checked here, once, before anything touches the disk:

* it cannot leave the folder (no ``..``, no absolute path, no symbol of another system's paths);
* it can be checked out on every system, because cassettes are committed: no device names, no
  characters that Windows refuses, no hidden files;
* it leaves room for the suffixes below within the 255 bytes that file systems give a file name.

For ``a/b`` the files are ``a/b.json`` (the cassette; or another suffix of ``formats``),
``a/b.bodies/`` (bodies too large for it) and ``a/.b.journal`` (while recording). Listing skips
dotfiles and ``*.bodies``. A name may end in a format's suffix; then it means that very file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from magneto_serge.errors import CassetteError, ConfigError

from .formats import FORMATS, JSON, Format, split_suffix

BODIES_SUFFIX = ".bodies"
MAX_NAME = 200  # characters; per segment also bytes, so that ".NAME.journal.crashed-99" fits in 255

# Reserved in every folder and with every extension on Windows.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNPORTABLE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')


class CassettePaths(NamedTuple):
    """The files of one cassette: ``cassette`` in ``format``, its ``bodies``, its ``journal``."""

    cassette: Path
    bodies: Path
    journal: Path
    format: Format = JSON

    def existing(self) -> list[Path]:
        """Return the files of this cassette that exist, in whatever format."""
        stem = str(self.cassette).removesuffix(self.format.suffix)
        candidates = (stem + each.suffix for each in FORMATS.values())
        return [Path(path) for path in candidates if os.path.exists(path)]

    def older(self) -> Path | None:
        """Return the one file of this cassette that exists, None where there is none.

        Raises CassetteError where there are two: which one is meant is not for us to guess.
        """
        found = self.existing()
        if len(found) < 2:
            return found[0] if found else None
        names = " and ".join(map(str, found))
        raise CassetteError(
            f"there are {len(found)} files of one cassette: {names}. Name the one that you mean"
            f" with its suffix ({found[0].name}), or remove what is not needed."
        )


def paths_of(folder: Path, name: str, format: Format = JSON) -> CassettePaths:
    """Return the files of ``name`` in ``folder``; a suffix in the name is preferred to ``format``.

    Raises ConfigError where the name cannot be used.
    """
    segments = canonical_name(name).split("/")
    format = split_suffix(name)[1] or format
    parent, stem = folder.joinpath(*segments[:-1]), segments[-1]
    return CassettePaths(
        cassette=parent / (stem + format.suffix),
        bodies=parent / (stem + BODIES_SUFFIX),
        journal=parent / f".{stem}.journal",
        format=format,
    )


def canonical_name(name: str) -> str:
    """Return ``name`` without a format's suffix; raises ConfigError saying what is wrong."""
    bare = split_suffix(name)[0]
    problem = _problem_with(bare)
    if problem:
        raise ConfigError(
            f"cassette name {name!r} cannot be used: {problem}. A name is a short relative path"
            f" such as 'github' or 'payments/refund', kept as NAME{JSON.suffix} (or in another"
            " format) in the cassette folder."
        )
    return bare


def _problem_with(name: str) -> str | None:
    if not name:
        return "it is empty"
    if len(name) > MAX_NAME:
        return f"it has {len(name)} characters, more than {MAX_NAME}"
    found = _UNPORTABLE.search(name)
    if found:
        return f"it contains {found.group()!r}, which not every system allows in a file name"
    if name.startswith("/"):
        return "it is an absolute path"
    return next(filter(None, map(_problem_with_segment, name.split("/"))), None)


def _problem_with_segment(segment: str) -> str | None:
    if segment == "..":
        return "'..' would leave the cassette folder"
    if not segment:
        return "it has an empty part between slashes"
    if segment.startswith(".") or segment.endswith((".", " ")):
        return f"its part {segment!r} starts with a dot, or ends with a dot or a space"
    if segment.endswith(BODIES_SUFFIX):
        return f"'{BODIES_SUFFIX}' is the ending of the folders that hold large bodies"
    if _DEVICE.fullmatch(segment):
        return f"{segment!r} is a device on Windows"
    try:
        size = len(segment.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if size > MAX_NAME:
        return f"a part of it takes {size} bytes in UTF-8, more than {MAX_NAME}"
    return None


def list_names(folder: Path) -> list[str]:
    """Return the names of the cassettes in ``folder`` and below, sorted; none if it is absent."""
    found: set[str] = set()
    for parent, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and not f.endswith(BODIES_SUFFIX)]
        prefix = Path(parent).relative_to(folder).as_posix()
        for file in files:
            stem, format = split_suffix(file)
            if format is not None and not file.startswith("."):
                found.add(stem if prefix == "." else f"{prefix}/{stem}")
    return sorted(found)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the existing name that ``name`` was most likely meant to be, if one is near."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return close[0] if close else None
