"""What a crash left behind becomes a cassette."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteBusyError, CassetteError, ConfigError
from magneto_serge.storage.recover import main, recover
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange
from .test_recorder import bodies_of, drained, streamed


@pytest.fixture
def journal(store: CassetteStore) -> Path:
    """A journal with two interactions, one with a side file, as a crash leaves it."""
    recorder = store.recorder("tape")
    recorder.record(exchange("/1", b"small"))
    streamed(recorder, "/2", b"large")
    recorder.open_body().write(b"never ended")
    drained(recorder)
    recorder._stop()
    recorder._journal.close(remove=False)
    path = store.folder / ".tape.journal"
    with path.open("ab") as file:
        file.write(b"\x00\x01")
    return path


def test_recovers(store: CassetteStore, journal: Path) -> None:
    """Everything whole is in the cassette, side files too, and the journal is gone."""
    assert recover(journal, store.path("found")) == 2
    assert bodies_of(store, "found") == [b"small", b"large"]
    names = {path.name for path in store.folder.iterdir()}
    assert names == {"found.json", "found.bodies"}


def test_after_the_next_recording(store: CassetteStore, journal: Path) -> None:
    """A journal that the next recording has moved aside still finds its side files."""
    store.recorder("tape").abort()
    moved = journal.with_name(".tape.journal.crashed-1")
    assert recover(moved, store.path("found")) == 2
    assert bodies_of(store, "found") == [b"small", b"large"]


def test_while_recording(store: CassetteStore) -> None:
    """A live recording is not to be recovered."""
    recorder = store.recorder("tape")
    with pytest.raises(CassetteBusyError, match="still being recorded"):
        recover(store.folder / ".tape.journal", store.path("found"))
    recorder.abort()


def test_only_into_a_new_cassette(store: CassetteStore, journal: Path) -> None:
    """An existing file is not replaced, and a name that cannot be loaded is refused."""
    store.path("found").touch()
    with pytest.raises(CassetteError, match="exists already"):
        recover(journal, store.path("found"))
    with pytest.raises(ConfigError, match=r"must end in \.json"):
        recover(journal, store.folder / "found")
    assert journal.exists()


def test_disk_trouble(store: CassetteStore, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk keeps the journal; a journal that is not there is named."""
    with pytest.raises(CassetteError, match=r"nothing: No such file"):
        recover(store.folder / "nothing", store.path("found"))

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CassetteError, match=r"cannot recover .*No space left"):
        recover(journal, store.path("found"))
    assert journal.exists()
    assert not store.exists("found")


def test_command(store: CassetteStore, journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command recovers and says how much; its mistakes are messages with an exit status."""
    found = str(store.path("found"))
    assert main([str(journal), found]) == 0
    assert capsys.readouterr().out == f"2 interactions recovered to {found}\n"
    assert main([str(journal), found]) == 3
    assert "exists already" in capsys.readouterr().err
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
