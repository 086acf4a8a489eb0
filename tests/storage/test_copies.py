"""What is remembered of a copy, and what is noticed by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.storage.copies import (
    Copied,
    Memory,
    changed_here,
    copied,
    is_known,
    memory_of,
    remember,
)
from magneto_serge.storage.names import CassettePaths, paths_of


@pytest.fixture
def paths(tmp_path: Path) -> CassettePaths:
    """The files of a copied cassette."""
    paths = paths_of(tmp_path, "tape.v1")
    paths.cassette.write_bytes(b"{}")
    return paths


def test_what_is_remembered(paths: CassettePaths) -> None:
    """A note is read as it was written; one that is absent or damaged says nothing."""
    assert memory_of(paths) == Memory()
    memory = Memory({"tape.v1.json": Copied("ETag x", 2, 3)}, ["digest"])
    remember(paths, memory)
    assert memory_of(paths) == memory
    paths.cassette.with_name(".tape.v1.remote").write_bytes(b"[")
    assert memory_of(paths) == Memory()


def test_a_change_here(paths: CassettePaths) -> None:
    """A file that is unknown, or has another size or time than remembered, has changed."""
    known = copied(paths.cassette, {"size": 2, "ETag": "x"})
    assert changed_here(paths, Memory()) == [paths.cassette]
    assert changed_here(paths, Memory({paths.cassette.name: known})) == []
    paths.cassette.write_bytes(b"{ }")
    assert changed_here(paths, Memory({paths.cassette.name: known})) == [paths.cassette]


@pytest.mark.parametrize("field", ["ETag", "etag", "md5Hash", "generation", "mtime", "created"])
def test_a_change_there(field: str, paths: CassettePaths) -> None:
    """A version is told by whatever the store has for it."""
    known = copied(paths.cassette, {"size": 2, field: 1})
    assert is_known({"size": 2, field: 1}, known)
    assert not is_known({"size": 2, field: 2}, known)
    assert not is_known({"size": 2, field: 1}, None)


def test_no_version(paths: CassettePaths) -> None:
    """Where a store tells no version, or has not what is here, nothing is taken for known."""
    assert not is_known({"size": 2}, copied(paths.cassette, {"size": 2}))
    assert not is_known({"size": 9, "ETag": "x"}, copied(paths.cassette, {"size": 9, "ETag": "x"}))
