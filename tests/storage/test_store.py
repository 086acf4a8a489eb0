"""The cassette folder: names, listing, loading."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteError, CassetteNotFoundError, ConfigError
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange


def saved(store: CassetteStore, *names: str) -> None:
    """Record one exchange in each cassette."""
    for name in names:
        recorder = store.recorder(name)
        recorder.record(exchange(f"/{name}"))
        recorder.finish(replace=True)


def test_paths(store: CassetteStore) -> None:
    """A name and the file's name are the same cassette, in a folder that need not exist."""
    assert store.path("a/b") == store.folder / "a" / "b.json"
    assert store.path("a/b.json") == store.path("a/b")
    assert not store.exists("a/b")
    assert store.names() == []
    assert not store.folder.exists()


def test_saved_cassettes(store: CassetteStore) -> None:
    """What was saved exists, is listed and loads, under either name."""
    saved(store, "b", "a/x")
    assert store.names() == ["a/x", "b"]
    assert store.exists("a/x.json")
    assert store.load("a/x.json") == [exchange("/a/x")]


def test_names_are_checked(store: CassetteStore) -> None:
    """Every door checks the name."""
    for door in (store.path, store.exists, store.load, store.recorder):
        with pytest.raises(ConfigError, match="cassette folder"):
            door("../x")


def test_not_found(store: CassetteStore) -> None:
    """A cassette that is not there names its file, the nearest that is, and how to record it."""
    saved(store, "github", "payments")
    with pytest.raises(CassetteNotFoundError, match=r"githbu\.json .*'github'\?.*magneto record"):
        store.load("githbu")
    with pytest.raises(CassetteNotFoundError) as error:
        store.load("zzz")
    assert "Did you mean" not in str(error.value)


def test_unreadable(store: CassetteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read is an error with the system's reason."""
    store.path("tape").mkdir(parents=True)
    with pytest.raises(CassetteError, match=r"cannot read .*tape\.json: Is a directory"):
        store.load("tape")

    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CassetteError, match="Permission denied"):
        store.load("tape")


def test_verify(store: CassetteStore) -> None:
    """Side files are checked for size when loaded, for content when asked."""
    small = CassetteStore(store.folder, memory_limit=3)
    recorder = small.recorder("tape")
    recorder.record(exchange(body=b"large"))
    recorder.finish(replace=True)
    [file] = (store.folder / "tape.bodies").iterdir()
    file.write_bytes(b"LARGE")
    store.load("tape")
    with pytest.raises(CassetteError, match=r"interaction 1, response\.body\.file: .*SHA-256"):
        store.load("tape", verify=True)


def test_directory_changes(
    store: CassetteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder is where it was when the store was made."""
    monkeypatch.chdir(tmp_path)
    relative = CassetteStore(Path("cassettes"))
    recorder = relative.recorder("tape")
    recorder.record(exchange())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert recorder.finish(replace=True) == store.path("tape")
    assert relative.load("tape") == [exchange()]
