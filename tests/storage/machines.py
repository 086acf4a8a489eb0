"""Machines that have their cassettes in one remote folder, each with a cache of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import platformdirs
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from magneto_serge.config_values import RemoteFolder
from magneto_serge.messages import FileBody
from magneto_serge.storage.recorder import Recorder
from magneto_serge.storage.remote import RemoteStore
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange

URL = "memory://bucket/tapes"


class Machine:
    """A machine with a cache of its own; what it asks of the store is counted."""

    def __init__(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._cache = cache
        self._monkeypatch = monkeypatch

    def store(self, url: str = URL, **rules: Any) -> RemoteStore:
        """Return a store on this machine."""
        self._monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: self._cache)
        return RemoteStore(RemoteFolder(url), **rules)


def record(store: CassetteStore, name: str, *paths: str, body: bytes = b"") -> Path:
    """Record an exchange for each path; a body goes to a side file."""
    recorder = store.recorder(name)
    for path in paths:
        recorder.record(exchange(path, side_file(recorder, body) if body else b""))
    saved = recorder.finish(replace=True)
    assert saved is not None
    return saved


def side_file(recorder: Recorder, body: bytes) -> FileBody:
    """Return a body as the proxy keeps a large one."""
    writer = recorder.open_body()
    writer.write(body)
    return writer.close()


def targets(store: CassetteStore, name: str) -> list[str]:
    """Return what the requests of a cassette asked for."""
    return [each.request.target for each in store.load(name)]


def breaks(monkeypatch: pytest.MonkeyPatch, *operations: str) -> None:
    """Make operations of the store fail as they do without a network."""

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    for operation in operations:
        monkeypatch.setattr(MemoryFileSystem, operation, fail)


def count_downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of what is downloaded from now on."""
    downloaded: list[str] = []
    get_file = MemoryFileSystem.get_file

    def counted(self: MemoryFileSystem, key: str, *rest: Any, **named: Any) -> None:
        downloaded.append(key)
        get_file(self, key, *rest, **named)

    monkeypatch.setattr(MemoryFileSystem, "get_file", counted)
    return downloaded
