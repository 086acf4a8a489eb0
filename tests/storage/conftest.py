"""What tests of recording share: a store, its files, and disks that fill up."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from magneto_serge.storage.store import CassetteStore

from .machines import Machine

FullDisk = Callable[[str], None]


@pytest.fixture
def store(tmp_path: Path) -> CassetteStore:
    """A store in a folder that does not exist yet."""
    return CassetteStore(tmp_path / "cassettes")


@pytest.fixture
def files(store: CassetteStore) -> Callable[[], list[str]]:
    """Return every file and empty folder of the store, as paths within it."""

    def listing() -> list[str]:
        found = sorted(store.folder.rglob("*"))
        return [
            path.relative_to(store.folder).as_posix()
            for path in found
            if path.is_file() or not any(path.iterdir())
        ]

    return listing


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    """Make a function of ``os`` fail as it does when the disk is full; call with its name."""

    def fill(step: str) -> None:
        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, step, fail)

    return fill


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFileSystem]:
    """An empty store."""
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    yield fsspec.filesystem("memory")
    MemoryFileSystem.clear_instance_cache()


@pytest.fixture
def here(tmp_path: Path, there: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """This machine."""
    return Machine(tmp_path / "here", monkeypatch)


@pytest.fixture
def elsewhere(tmp_path: Path, there: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Another one."""
    return Machine(tmp_path / "elsewhere", monkeypatch)
