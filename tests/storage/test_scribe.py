"""The scribe: everything handed over is written in order, and trouble is kept, not raised."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody
from magneto_serge.storage.frames import FrameReader
from magneto_serge.storage.journal import Journal
from magneto_serge.storage.scribe import SLICE, SLICE_ITEMS, Scribe

from .conftest import FullDisk
from .interactions import exchange


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal."""
    journal = Journal.open(tmp_path / ".tape.journal", "tape")
    yield journal
    journal.close(remove=True)


def targets(journal: Journal) -> list[str]:
    """Return the targets of the requests in the journal."""
    with journal.path.open("rb") as file:
        return [x.request.target for x in FrameReader(file, journal.path).interactions()]


def test_order(journal: Journal) -> None:
    """Interactions and the steps of bodies happen in the order in which they were handed over."""
    done: list[tuple[bytes, list[str]]] = []
    scribe = Scribe(journal, None)
    scribe.write([exchange("/1"), (lambda data: done.append((data, [])), b"x"), exchange("/2")])
    assert done == [(b"x", [])]
    assert targets(journal) == ["/1", "/2"]
    assert scribe.error is None


def test_slices(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is written in slices of so many interactions, or so many bytes."""
    sizes: list[int] = []
    write = os.write

    def note(file: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(file, data)

    monkeypatch.setattr(os, "write", note)
    scribe = Scribe(journal, None)
    scribe.write([exchange()] * (SLICE_ITEMS + 1))
    assert len(sizes) == 2
    scribe.write([exchange(body=bytes(SLICE)), exchange()])
    assert len(sizes) == 4
    assert len(targets(journal)) == SLICE_ITEMS + 3


def test_what_cannot_be_encoded_is_left_out(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad interaction costs itself; the first is logged, all are counted."""
    bad = exchange("/\udc80")
    scribe = Scribe(journal, None)
    scribe.write([exchange("/1"), bad, exchange("/2"), bad])
    assert targets(journal) == ["/1", "/2"]
    assert scribe.lost == 2
    assert isinstance(scribe.error, UnicodeEncodeError)
    assert scribe.error.__traceback__ is None
    assert len(caplog.records) == 1


def test_after_disk_trouble_nothing_is_written(
    journal: Journal, full_disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk trouble outweighs other trouble and ends the writing, also when there is room again."""
    scribe = Scribe(journal, None)
    scribe.write([exchange("/\udc80")])
    with monkeypatch.context():
        full_disk("write")
        scribe.write([exchange("/1"), exchange("/2")])
        monkeypatch.undo()
    scribe.write([exchange("/3")])
    assert targets(journal) == []
    assert scribe.lost == 4
    assert isinstance(scribe.error, OSError)


def test_half_a_frame_is_the_last(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that the disk took only half of leaves those before it readable."""
    scribe = Scribe(journal, None)
    scribe.write([exchange("/1")])
    write = os.write

    def take_half(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", refuse)
        return write(file, data[: len(data) // 2])

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", take_half)
    scribe.write([exchange("/2")])
    monkeypatch.undo()
    scribe.write([exchange("/3")])
    assert targets(journal) == ["/1"]
    assert scribe.lost == 2


def test_bodies_must_be_closed(journal: Journal) -> None:
    """An interaction whose body has no digest yet is left out."""
    interaction = exchange()
    interaction.request.body = FileBody(journal.bodies / "1", 1, "")
    scribe = Scribe(journal, None)
    scribe.write([interaction])
    assert "has not been closed" in str(scribe.error)
    assert targets(journal) == []
