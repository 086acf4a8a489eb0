"""The journal: one recording at a time, and nothing that was recorded is lost without a word."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteBusyError, CassetteError
from magneto_serge.storage.frames import MAGIC, FrameBuffer, FrameReader
from magneto_serge.storage.journal import Journal, advice, is_being_written

from .conftest import FullDisk
from .interactions import exchange


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal of a cassette ``tape`` is."""
    return tmp_path / "tapes" / ".tape.journal"


def left_behind(path: Path, *, interactions: int = 1) -> Path:
    """Leave a journal as a crash does, with ``interactions`` in it; return its folder of bodies."""
    journal = Journal.open(path, "tape")
    frames = FrameBuffer(journal.bodies)
    for _ in range(interactions):
        frames.add(exchange())
    journal.write(frames.data)
    journal.bodies.mkdir()
    (journal.bodies / "1").touch()
    journal.close(remove=False)
    return journal.bodies


def test_says_who_records(path: Path) -> None:
    """The journal begins with the cassette's name, the process and the time."""
    journal = Journal.open(path, "tape")
    with path.open("rb") as file:
        head = FrameReader(file, path).head
    journal.close(remove=True)
    assert head == journal.head
    assert head is not None
    assert (head.name, head.pid) == ("tape", os.getpid())
    assert head.recorded_at > 1_700_000_000
    assert journal.bodies.parent == path.parent


def test_one_recording_at_a_time(path: Path) -> None:
    """A second recording of the same cassette is refused and names the first one's process."""
    journal = Journal.open(path, "tape")
    with pytest.raises(
        CassetteBusyError, match=f"'tape' is being recorded by process {os.getpid()}"
    ):
        Journal.open(path, "tape")
    assert is_being_written(path)
    journal.close(remove=True)
    Journal.open(path, "tape").close(remove=True)


def test_busy_without_a_head(path: Path) -> None:
    """A recording that has only just begun is busy all the same."""
    path.parent.mkdir()
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CassetteBusyError, match="another process"):
            Journal.open(path, "tape")


def test_removing(path: Path) -> None:
    """A journal that is done with goes, with its bodies and the folders made for it."""
    journal = Journal.open(path, "tape")
    journal.bodies.mkdir()
    (journal.bodies / "1").touch()
    journal.close(remove=True)
    assert not path.parent.exists()


def test_folders_in_use_stay(path: Path) -> None:
    """A folder made for the journal stays when something else is in it."""
    journal = Journal.open(path, "tape")
    (path.parent / "tape.json").touch()
    journal.close(remove=True)
    assert [file.name for file in path.parent.iterdir()] == ["tape.json"]


def test_what_a_crash_left_is_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A journal with interactions is renamed, not overwritten, and the warning says what to do."""
    bodies = [left_behind(path), left_behind(path)]
    with caplog.at_level(logging.WARNING):
        Journal.open(path, "tape").close(remove=True)
    for number in (1, 2):
        kept = path.with_name(f".tape.journal.crashed-{number}")
        assert kept.exists()
        assert str(kept) in caplog.text
    assert f"process {os.getpid()}" in caplog.text
    assert "magneto recover" in caplog.text
    assert all((folder / "1").exists() for folder in bodies)


def test_a_strange_file_is_kept(path: Path) -> None:
    """A file in the journal's place that is none is not ours to remove."""
    path.parent.mkdir()
    path.write_bytes(b"somebody's notes")
    Journal.open(path, "tape").close(remove=True)
    assert path.with_name(".tape.journal.crashed-1").read_bytes() == b"somebody's notes"


@pytest.mark.parametrize("content", [b"", MAGIC, MAGIC + b"\x05\x00", None])
def test_an_empty_journal_is_used_again(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A journal that was left without interactions holds nothing worth a warning."""
    if content is None:
        bodies = left_behind(path, interactions=0)
    else:
        path.parent.mkdir()
        path.write_bytes(content)
        bodies = path.parent / "none"
    journal = Journal.open(path, "tape")
    with path.open("rb") as file:
        assert FrameReader(file, path).head == journal.head
    assert not bodies.exists()
    journal.close(remove=True)
    assert not path.exists()
    assert caplog.text == ""


def test_a_journal_that_was_removed_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locking a file that its owner has just removed or renamed does not count as having it."""
    path.parent.mkdir()
    flock = fcntl.flock
    removals = iter([True, False])

    def lock(file: int, operation: int) -> None:
        flock(file, operation)
        if next(removals):
            path.unlink()

    monkeypatch.setattr(fcntl, "flock", lock)
    journal = Journal.open(path, "tape")
    assert path.exists()
    journal.close(remove=True)


@pytest.mark.parametrize(
    ("step", "reason"),
    [("open", "Read-only file system"), ("write", "No space left on device")],
)
def test_folders_that_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, reason: str
) -> None:
    """A folder that is read-only or full is an error at once, which names it and leaves nothing."""
    path.parent.mkdir()

    def fail(*_: object) -> int:
        number = errno.EROFS if step == "open" else errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(CassetteError, match=f"cannot record 'tape': {path}: {reason}"):
        Journal.open(path, "tape")
    assert list(path.parent.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """A cassette folder that is a file is an error that says so."""
    (tmp_path / "tapes").touch()
    with pytest.raises(CassetteError, match=r"(File exists|Not a directory).*writable"):
        Journal.open(tmp_path / "tapes" / ".tape.journal", "tape")


def test_file_systems_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be locked there is no recording, and the reason is given."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(CassetteError, match="No locks available"):
        Journal.open(path, "tape")


def test_short_writes_are_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes only a part is followed by another for the rest."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    journal = Journal.open(path, "tape")
    with path.open("rb") as file:
        assert FrameReader(file, path).head == journal.head
    journal.close(remove=True)


def test_a_full_disk_is_passed_on(path: Path, full_disk: FullDisk) -> None:
    """What the disk refuses is the caller's to know."""
    journal = Journal.open(path, "tape")
    full_disk("write")
    with pytest.raises(OSError, match="No space"):
        journal.write(bytearray(b"x"))
    journal.close(remove=True)


def test_advice_is_a_command(path: Path) -> None:
    """What to do is a command that can be pasted, whatever the names are."""
    text = advice(Path("my tapes/.tape.journal.crashed-2"))
    assert text.endswith("magneto recover -d 'my tapes' tape")
