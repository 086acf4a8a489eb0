"""Recording a binary cassette: its journal becomes it, and no trouble damages anything older."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteBusyError, CassetteError
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange, record
from .test_recorder import drained

FORMATS = ["msgpack", "msgpack.gz", "msgpack.zst"]


@pytest.fixture(params=FORMATS)
def binary(request: pytest.FixtureRequest, store: CassetteStore) -> CassetteStore:
    """A store that writes containers."""
    return CassetteStore(store.folder, format=request.param)


def test_the_journal_becomes_the_cassette(binary: CassetteStore) -> None:
    """What was written while recording is not written again: the same file gets an index."""
    recorder = binary.recorder("tape")
    recorder.record(exchange("/1"))
    drained(recorder)
    journal = binary.folder / ".tape.journal"
    number, content = journal.stat().st_ino, journal.read_bytes()
    path = recorder.finish(replace=True)
    assert path is not None
    assert path.stat().st_ino == number
    assert path.read_bytes().startswith(content)
    assert not journal.exists()


def test_the_older_permissions_are_kept(binary: CassetteStore) -> None:
    """A cassette that only its owner may read stays so."""
    path = record(binary, "tape", exchange("/1"))
    path.chmod(0o600)
    record(binary, "tape", exchange("/2"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_second_recording_is_told_who_holds_it(binary: CassetteStore) -> None:
    """Of two recordings of one name, in whatever format, the second learns of the first."""
    recorder = binary.recorder("tape")
    for name in ("tape", "tape.json", "tape.msgpack"):
        with pytest.raises(CassetteBusyError, match=f"process {os.getpid()}"):
            binary.recorder(name)
    with pytest.raises(CassetteBusyError, match=f"process {os.getpid()}"):
        binary.save("tape", [exchange()])
    recorder.abort()


def test_the_next_recording_does_not_lose_its_journal(binary: CassetteStore) -> None:
    """A recording that begins once another has its name keeps its own journal."""
    first = binary.recorder("tape")
    first.record(exchange("/1"))
    first.finish(replace=True)
    second = binary.recorder("tape")
    second.record(exchange("/2"))
    drained(second)
    assert (binary.folder / ".tape.journal").exists()
    second.finish(replace=True)
    assert binary.load("tape") == [exchange("/2")]


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk(binary: CassetteStore, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end, the older cassette is as it was, the journal stays, and the error says where."""
    path = record(binary, "tape", exchange("/old"))
    before = path.read_bytes()
    recorder = binary.recorder("tape")
    recorder.record(exchange("/new"))
    drained(recorder)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, step, fail)
        with pytest.raises(CassetteError, match=r"No space left .* as it was before.*journal"):
            recorder.finish(replace=True)
    assert path.read_bytes() == before
    recovered = binary.recover("tape")
    assert binary.load("tape-recovered") == [exchange("/new")]
    assert recovered.interactions == 1


def test_a_disk_that_fills_up_meanwhile(
    binary: CassetteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before the disk was full is recovered; what came after is counted."""
    recorder = binary.recorder("tape")
    recorder.record(exchange("/1"))
    drained(recorder)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "write", fail)
        recorder.record(exchange("/2"))
        recorder._stop()
    with pytest.raises(CassetteError, match=r"1 of 2 interactions could not be recorded"):
        recorder.finish(replace=True)
    assert not binary.exists("tape")
    assert binary.load("tape") == [exchange("/1")]  # recovered as it is opened


def test_a_folder_that_cannot_be_written(
    binary: CassetteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only folder is an error when a recording begins, and when one is to be saved."""
    binary.folder.mkdir()

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EROFS, "Read-only file system", str(binary.folder))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CassetteError, match=r"Read-only file system.*make .* writable"):
        binary.recorder("tape")
    with pytest.raises(CassetteError, match="Read-only file system"):
        binary.save("tape", [exchange()])
    assert list(Path(binary.folder).iterdir()) == []


@pytest.mark.parametrize(
    ("fsync", "while_recording", "at_the_end"),
    [("always", True, True), ("finish", False, True), ("never", False, False)],
)
@pytest.mark.parametrize("format", ["json", *FORMATS])
def test_durability(
    store: CassetteStore,
    format: str,
    fsync: str,
    while_recording: bool,
    at_the_end: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is waited for as `fsync` says: with each batch, at the end, or not at all."""
    flushed = []
    original = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(file) or original(file))
    recorder = CassetteStore(store.folder, format=format, fsync=fsync).recorder("tape")
    flushed.clear()
    recorder.record(exchange())
    drained(recorder)
    assert bool(flushed) == while_recording
    flushed.clear()
    recorder.finish(replace=True)
    assert bool(flushed) == at_the_end
