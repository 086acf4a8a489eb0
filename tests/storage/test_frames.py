"""Frames: what is read is what was written, up to wherever the file was cut."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.messages import FileBody, Headers, Interaction
from magneto_serge.storage.frames import FRAME, MAGIC, FrameBuffer, FrameReader, Head, own_folder

from .interactions import exchange, interactions

HOME = Path("/tapes/.tape.journal-1.bodies")
HEAD = Head("tape", 1, 0.5, HOME.name)


def written(*values: Interaction) -> bytes:
    """Return a file of frames."""
    frames = FrameBuffer(HOME)
    frames.data += MAGIC
    for value in (HEAD, *values):
        frames.add(value)
    return bytes(frames.data)


def read(data: bytes, place: Path) -> tuple[FrameReader, list[Interaction]]:
    """Read ``data`` to its end as if it stood in /tapes; return the reader and what it found."""
    path = place / "frames"
    path.write_bytes(data)
    with path.open("rb") as file:
        reader = FrameReader(file, Path("/tapes/.tape.journal"))
        return reader, list(reader.interactions())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the whole module."""
    return tmp_path_factory.mktemp("frames")


@settings(max_examples=50)
@given(recorded=st.lists(interactions(), max_size=3))
def test_what_was_written_is_read(place: Path, recorded: list[Interaction]) -> None:
    """Interactions come back as they were, in order, with nothing left over."""
    reader, found = read(written(*recorded), place)
    assert reader.head == HEAD
    assert found == recorded
    assert reader.torn == 0


def test_every_cut_keeps_what_is_whole(place: Path) -> None:
    """A file cut anywhere gives the frames that are whole, and says how much is left over."""
    first = written(exchange("/1"))
    data = written(exchange("/1"), exchange("/2"))
    head = written()
    for length in range(len(data)):
        reader, found = read(data[:length], place)
        assert len(found) == (length >= len(first))
        assert reader.head == (HEAD if length >= len(head) else None)
        if reader.head:
            assert reader.torn == length - len(first if found else head)


def test_a_changed_byte_ends_the_file(place: Path) -> None:
    """After a frame whose checksum does not hold nothing is believed."""
    first = written(exchange("/1"))
    data = bytearray(written(exchange("/1"), exchange("/2"), exchange("/3")))
    data[len(first) + FRAME.size + 5] ^= 1
    reader, found = read(bytes(data), place)
    assert [x.request.target for x in found] == ["/1"]
    assert reader.whole == len(first)


def test_a_huge_length_is_not_believed(place: Path) -> None:
    """A length beyond the end of the file allocates nothing."""
    reader, found = read(written() + FRAME.pack(0xFFFFFFFF, 0), place)
    assert found == []
    assert reader.torn == FRAME.size


@pytest.mark.parametrize("data", [b"", b"something else entirely", MAGIC, MAGIC + b"\x01"])
def test_other_files_have_no_head(place: Path, data: bytes) -> None:
    """A file that is no journal is recognised as none."""
    assert read(data, place)[0].head is None


def test_a_frame_that_is_no_head(place: Path) -> None:
    """The first frame must be a head."""
    frames = FrameBuffer(HOME)
    frames.data += MAGIC
    frames.add(exchange())
    assert read(bytes(frames.data), place)[0].head is None


def test_a_whole_frame_of_another_version(place: Path) -> None:
    """A frame that is whole and yet no interaction is an error, not an end."""
    frames = FrameBuffer(HOME)
    frames.data += written()
    frames.add(HEAD)
    with pytest.raises(msgspec.DecodeError):
        read(bytes(frames.data), place)


def test_own_side_files_move_with_the_journal(place: Path) -> None:
    """A side file in the recording's folder is found beside the journal; another by its path."""
    interaction = exchange()
    assert interaction.response is not None
    interaction.request.body = FileBody(HOME / "1", 3, "a")
    interaction.response.body = FileBody(Path("/elsewhere/2"), 4, "b")
    path = place / "frames"
    path.write_bytes(written(interaction))
    with path.open("rb") as file:
        [found] = FrameReader(file, Path("/moved/.tape.journal")).interactions()
    assert found.request.body == FileBody(Path("/moved") / HOME.name / "1", 3, "a")
    assert found.response is not None
    assert found.response.body == FileBody(Path("/elsewhere/2"), 4, "b")


@pytest.mark.parametrize(
    "change",
    [
        lambda x: setattr(x, "peer", object()),
        lambda x: setattr(x, "peer", "\udc80"),
        lambda x: setattr(x, "total_ms", 1 << 70),
    ],
)
def test_what_cannot_be_encoded_leaves_no_trace(change: object) -> None:
    """A value that has no encoding raises, and the frames before it are as they were."""
    assert callable(change)
    frames = FrameBuffer(HOME)
    frames.add(exchange(fields=Headers.of(("A", "b"))))
    before = bytes(frames.data)
    wrong = exchange()
    change(wrong)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        frames.add(wrong)
    assert bytes(frames.data) == before


@pytest.mark.parametrize("name", ["", ".", "..", "src", "../x.bodies", ".a/b.bodies", "a.bodies"])
def test_the_folder_of_bodies_is_hidden_and_beside_the_journal(name: str, tmp_path: Path) -> None:
    """A head that names any other folder names none: what it names is removed in the end."""
    folder = own_folder(tmp_path / ".tape.journal", Head("tape", 1, 0.0, name))
    assert folder == tmp_path / ".no.bodies"
    fine = Head("tape", 1, 0.0, ".tape.journal-0a1b2c3d.bodies")
    assert own_folder(tmp_path / ".tape.journal", fine) == tmp_path / fine.bodies
