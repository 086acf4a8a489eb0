"""A journal becomes a cassette whole, whatever the older cassette was."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.storage.assemble import assemble
from magneto_serge.storage.body_rules import DEFAULT_RULES
from magneto_serge.storage.frames import MAGIC, FrameBuffer, Head
from magneto_serge.storage.names import paths_of
from magneto_serge.storage.side_files import SideFiles
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange
from .test_json_format import V1


def journal_of(folder: Path, *targets: str, rest: bytes = b"") -> Path:
    """Write a journal with a request for each target, and then ``rest``."""
    path = folder / ".tape.journal"
    frames = FrameBuffer(folder / "bodies")
    frames.data += MAGIC
    frames.add(Head("tape", 1, 0.0, ".x.bodies"))
    for target in targets:
        frames.add(exchange(target))
    path.write_bytes(frames.data + rest)
    return path


def make(folder: Path, journal: Path, *, keep_older: bool = False) -> int:
    """Assemble the cassette ``tape``."""
    target = paths_of(folder, "tape")
    return assemble(
        journal, target, name="tape", rules=DEFAULT_RULES, keep_older=keep_older
    ).interactions


def test_torn_end(tmp_path: Path) -> None:
    """What a crash left of the last frame is left out."""
    assert make(tmp_path, journal_of(tmp_path, "/1", rest=b"\x10\x00\x00")) == 1
    assert CassetteStore(tmp_path).load("tape") == [exchange("/1")]


def test_appending_to_1_0(tmp_path: Path) -> None:
    """Interactions of a 1.0 cassette come first, all of them."""
    store = CassetteStore(tmp_path)
    store.path("tape").write_bytes(V1)
    older = store.load("tape")
    make(tmp_path, journal_of(tmp_path, "/new"), keep_older=True)
    assert store.load("tape") == [*older, exchange("/new")]
    assert len(older) == 2
    assert store.names() == ["tape"]


def test_not_a_journal(tmp_path: Path) -> None:
    """A file that is no journal, or holds something else in a whole frame, is named."""
    path = tmp_path / ".tape.journal"
    path.write_bytes(b"notes")
    with pytest.raises(CassetteError, match="not a journal"):
        make(tmp_path, path)
    other = FrameBuffer(tmp_path)
    other.add(Head("x", 1, 0.0, "y"))
    with pytest.raises(CassetteError, match="interaction 2: not one of this version"):
        make(tmp_path, journal_of(tmp_path, "/1", rest=bytes(other.data)))
    assert not (tmp_path / "tape.json").exists()


def test_sweeping_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Files that cannot be removed afterwards are a warning: the cassette is complete."""

    def fail(_: SideFiles) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(SideFiles, "sweep", fail)
    assert make(tmp_path, journal_of(tmp_path, "/1")) == 1
    assert "Permission denied" in caplog.text
