"""The scribe: everything handed over is written in order, and trouble is kept, not raised."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody, Interaction
from magneto_serge.storage.frames import FrameReader
from magneto_serge.storage.journal import Journal
from magneto_serge.storage.scribe import FEW, GROUP, SLICE, SLICE_ITEMS, Scribe

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


class Glances:
    """Sees at a glance all but what has "odd" in its target, and notes what it was shown."""

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.closely: list[str] = []

    def glance(self, group: Sequence[Interaction]) -> Sequence[Interaction] | None:
        """Return the group, if nothing in it is odd."""
        self.shown.append(len(group))
        return None if any("odd" in each.request.target for each in group) else group

    def redact(self, interaction: Interaction) -> Interaction:
        """Note what is read closely."""
        self.closely.append(interaction.request.target)
        return interaction


def test_a_group_that_one_look_suffices_for(journal: Journal) -> None:
    """Groups are redacted at once; only around what is odd one interaction after the other."""
    glances = Glances()
    scribe = Scribe(journal, glances.redact, None, glances.glance)
    batch = [exchange(f"/{number}") for number in range(GROUP + 1)]
    batch[1] = exchange("/odd")
    scribe.write([*batch])
    assert targets(journal) == [each.request.target for each in batch]
    assert glances.closely == [each.request.target for each in batch[:FEW]]
    assert glances.shown == [GROUP, *[FEW] * (GROUP // FEW), 1]


def test_steps_among_a_group(journal: Journal) -> None:
    """A group with a step of a body in it is worked off in its order."""
    glances = Glances()
    scribe = Scribe(journal, glances.redact, None, glances.glance)
    done: list[list[str]] = []
    scribe.write([exchange("/1"), (lambda _: done.append([*glances.closely]), b""), exchange("/2")])
    assert done == [["/1"]]
    assert targets(journal) == ["/1", "/2"]


def test_a_glance_that_fails(journal: Journal) -> None:
    """What cannot be looked at together is redacted one by one, and trouble with one is its own."""

    def glance(group: Sequence[Interaction]) -> None:
        raise ValueError

    scribe = Scribe(journal, lambda interaction: interaction, None, glance)
    scribe.write([exchange("/1"), exchange("/2")])
    assert targets(journal) == ["/1", "/2"]
    assert scribe.error is None


def test_what_cannot_be_encoded_of_a_group(journal: Journal) -> None:
    """One bad interaction costs itself, as by itself."""
    glances = Glances()
    scribe = Scribe(journal, glances.redact, None, glances.glance)
    scribe.write([exchange("/1"), exchange("/\udc80"), exchange("/2")])
    assert targets(journal) == ["/1", "/2"]
    assert scribe.lost == 1


def test_groups_after_disk_trouble(journal: Journal, full_disk: FullDisk) -> None:
    """Once the disk has refused anything, groups are lost whole, and counted."""
    glances = Glances()
    scribe = Scribe(journal, glances.redact, None, glances.glance)
    full_disk("write")
    scribe.write([exchange(body=bytes(SLICE)), exchange("/2"), exchange("/odd")])
    scribe.write([exchange("/3"), exchange("/4")])
    assert scribe.lost == 5
    assert isinstance(scribe.error, OSError)
    assert glances.shown == [3]


def test_a_disk_that_fails_while_a_group_is_encoded(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after it in the group is not written behind what is torn."""
    glances = Glances()
    scribe = Scribe(journal, glances.redact, None, glances.glance)
    add = journal.frames.add

    def refuse(interaction: Interaction) -> None:
        if interaction.request.target == "/2":
            raise OSError(errno.EIO, "Input/output error")
        add(interaction)

    monkeypatch.setattr(journal.frames, "add", refuse)
    scribe.write([exchange("/1"), exchange("/2"), exchange("/3")])
    assert scribe.lost == 2
    assert isinstance(scribe.error, OSError)
