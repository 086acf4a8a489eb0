"""JSON that is rendered before the end of a recording is the JSON that the end would render."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Interaction
from magneto_serge.storage.ahead import Ahead
from magneto_serge.storage.assemble import assemble
from magneto_serge.storage.body_rules import BodyRules
from magneto_serge.storage.frames import FrameBuffer, Head
from magneto_serge.storage.json_write import JsonWriter
from magneto_serge.storage.names import paths_of
from magneto_serge.storage.side_files import SideFiles

from .interactions import exchange, interactions

RULES = BodyRules(memory_limit=20)


class Recording:
    """A journal that grows, and what is rendered of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / ".tape.journal"
        self.frames = FrameBuffer(folder / ".x.bodies")
        self.frames.begin(Head("tape", 1, 0.0, ".x.bodies"))
        self.journal.write_bytes(self.frames.data)
        self.target = paths_of(folder, "tape")
        files = SideFiles(self.target.bodies, folder / ".x.bodies")
        self.ahead = Ahead(self.journal, files, RULES)

    def write(self, *said: Interaction, rest: bytes = b"") -> None:
        """Append to the journal."""
        del self.frames.data[:]
        for each in said:
            self.frames.add(each)
        with self.journal.open("ab") as file:
            file.write(bytes(self.frames.data) + rest)

    def cassette(self, ahead: Ahead | None) -> bytes:
        """Return the cassette that the journal makes."""
        assemble(self.journal, self.target, name="tape", rules=RULES, keep_older=False, ahead=ahead)
        return self.target.cassette.read_bytes()


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """A recording of nothing yet."""
    recording = Recording(tmp_path)
    yield recording
    recording.ahead.drop()


@given(st.lists(interactions(), max_size=3), st.integers(0, 3))
def test_the_same_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, said: list[Interaction], early: int
) -> None:
    """However much of it was rendered ahead, bodies in side files among it."""
    recording = Recording(tmp_path_factory.mktemp("ahead"))
    recording.write(*said[:early])
    while recording.ahead.advance():
        pass
    recording.write(*said[early:])
    assert recording.ahead.count == len(said[:early])
    made = recording.cassette(recording.ahead)
    files = sorted(recording.target.bodies.glob("*"))
    recording.ahead.drop()
    assert recording.cassette(None) == made
    assert sorted(recording.target.bodies.glob("*")) == files


def test_it_follows_the_journal(recording: Recording) -> None:
    """What is appended later is found later."""
    assert not recording.ahead.advance()
    recording.write(exchange("/1"))
    assert recording.ahead.advance()
    assert not recording.ahead.advance()
    recording.write(exchange("/2"))
    assert recording.ahead.advance()
    assert recording.ahead.count == 2
    assert recording.ahead.whole == recording.journal.stat().st_size


def test_a_frame_that_is_not_whole_waits(recording: Recording) -> None:
    """It is read when its rest is there."""
    recording.write(exchange("/1"))
    data = recording.journal.read_bytes()
    recording.journal.write_bytes(data[:-3])
    assert not recording.ahead.advance()
    recording.journal.write_bytes(data)
    assert recording.ahead.advance()


def test_nothing_is_left_in_the_folder(recording: Recording) -> None:
    """The file has no name, so that a crash leaves nothing behind."""
    recording.write(exchange("/1"))
    recording.ahead.advance()
    assert list(recording.folder.iterdir()) == [recording.journal]


def test_trouble_is_left_to_the_end(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk drops what is rendered; the end makes the whole cassette without it."""
    recording.write(exchange("/1"), exchange("/2"))
    assert recording.ahead.advance()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JsonWriter, "add", fail)
        assert not recording.ahead.advance()
    assert not recording.ahead.advance()
    assert recording.ahead.count == 0
    assert recording.cassette(recording.ahead) == recording.cassette(None)


def caught_up(recording: Recording, monkeypatch: pytest.MonkeyPatch, count: int) -> threading.Event:
    """Return what is set when so many are rendered, and there are no more."""
    event = threading.Event()
    advance = Ahead.advance

    def noted(ahead: Ahead) -> bool:
        more = advance(ahead)
        if not more and ahead.count == count:
            event.set()
        return more

    monkeypatch.setattr(Ahead, "advance", noted)
    return event


def test_a_thread_of_its_own(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """It renders when it is told to go on, whatever came since; after the end, no more."""
    first = caught_up(recording, monkeypatch, 1)
    recording.write(exchange("/1"))
    recording.ahead.go_on()
    assert first.wait(10)
    both = caught_up(recording, monkeypatch, 2)
    recording.ahead.pause()
    recording.write(exchange("/2"))
    recording.ahead.go_on()
    assert both.wait(10)
    recording.ahead.stop()
    recording.write(exchange("/3"))
    recording.ahead.go_on()
    assert recording.ahead.count == 2
    assert recording.cassette(recording.ahead) == recording.cassette(None)


def test_dropping_says_if_there_is_room_now(recording: Recording) -> None:
    """Only what was rendered takes any."""
    assert recording.ahead.drop() is False
    other = Recording(recording.folder)
    other.write(exchange("/1"))
    other.ahead.advance()
    assert other.ahead.drop() is True
    assert other.ahead.drop() is False
