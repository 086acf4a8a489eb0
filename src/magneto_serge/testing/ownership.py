"""Which cassettes belong to a test: told from the tests that were collected, run or not.

A cassette is an orphan if it lies where a test's cassette would, and no test has it: its test was
renamed or removed. That can only be said of a folder all of whose tests were collected. With a
selection (``-k``, ``-m``, ``::``) nothing is said; with some files, only about their own folders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from magneto_serge.testing.naming import FOLDER
from magneto_serge.testing.results import Results


class Item(Protocol):
    """A collected test."""

    path: Path


def note(
    results: Results,
    items: Sequence[Item],
    *,
    names: Sequence[tuple[list[Any], str]],
    root: Path,
    configured: str,
    selected: bool,
) -> None:
    """Note the cassettes of ``items``; ``names`` are the marks and the default name of each."""
    for item, (marks, name) in zip(items, names, strict=True):
        folder = Path(root, configured) if configured else item.path.parent / FOLDER
        given = next((mark.names for mark in marks if mark.names), (name,))
        for mark in reversed(marks):
            folder = Path(mark.options.get("cassette_dir", folder))
        for each in given:
            results.owned.add(str(folder / each))
        if not selected:
            results.folders = (results.folders or set()) | {str(folder / item.path.stem)}


def existing(folders: set[str] | None) -> dict[str, Path]:
    """Return the cassettes in ``folders``: the file of each, by its path without its suffix."""
    from magneto_serge.storage.formats import split_suffix

    found: dict[str, Path] = {}
    for folder in folders or ():
        for parent, _, files in os.walk(folder):
            for file in files:
                bare, format = split_suffix(file)
                if format is not None and not file.startswith("."):
                    found[os.path.join(parent, bare)] = Path(parent, file)
    return found
