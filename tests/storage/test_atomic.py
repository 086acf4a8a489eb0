"""A file is replaced whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from magneto_serge.storage.atomic import replacing


def test_replaces(tmp_path: Path) -> None:
    """The new content has the name, the older file's permissions, and nothing is left beside it."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_makes_a_new_file(tmp_path: Path) -> None:
    """There need not be an older file."""
    with replacing(tmp_path / "f") as file:
        file.write(b"new")
    assert (tmp_path / "f").read_bytes() == b"new"


@pytest.mark.parametrize("stop", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_failure_inside_keeps_the_older_file(tmp_path: Path, stop: BaseException) -> None:
    """Whatever ends the block early, the older file stays and the new one goes."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def write() -> None:
        with replacing(path) as file:
            file.write(b"ne")
            raise stop

    with pytest.raises(type(stop)):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_at_the_end_keeps_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A disk that is full when everything is written leaves the older file and nothing else."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"), replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_new_content_is_flushed_before_it_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync of the file comes before the rename, fsync of the folder after it."""
    steps: list[str] = []
    path = tmp_path / "f"
    fsync = os.fsync

    def note(descriptor: int) -> None:
        steps.append("after" if path.exists() else "before")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with replacing(path) as file:
        file.write(b"new")
    assert steps == ["before", "after"]


def test_folder_that_cannot_be_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that refuses fsync on folders still gets the new file."""
    path = tmp_path / "f"
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if path.exists():
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
