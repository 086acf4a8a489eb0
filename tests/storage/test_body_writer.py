"""Bodies on their way to a side file: enqueued by one thread, written and hashed by another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody
from magneto_serge.storage.body_writer import BodySink, BodyWriter, Step

from .conftest import FullDisk


@pytest.fixture
def steps() -> list[Step]:
    """What was enqueued."""
    return []


@pytest.fixture
def unfinished() -> set[BodySink]:
    """The sinks whose files are open."""
    return set()


@pytest.fixture
def writer(tmp_path: Path, steps: list[Step], unfinished: set[BodySink]) -> BodyWriter:
    """A writer of a body in a folder that is not there yet."""
    body = FileBody(tmp_path / "bodies" / "1", 0, "")
    return BodyWriter(BodySink(body, unfinished), lambda step, _: steps.append(step))


def run(steps: list[Step]) -> None:
    """Do what the writer thread does."""
    for method, data in steps:
        method(data)
    steps.clear()


def test_nothing_is_written_before_its_turn(writer: BodyWriter, tmp_path: Path) -> None:
    """The caller's thread only enqueues; path and size are known at the end, the digest later."""
    writer.write(b"one ")
    writer.write(b"two")
    body = writer.close()
    assert body == FileBody(tmp_path / "bodies" / "1", 7, "")
    assert not body.path.parent.exists()


def test_written_and_hashed(
    writer: BodyWriter, steps: list[Step], unfinished: set[BodySink]
) -> None:
    """When the steps have run the file is complete, closed, and its digest known."""
    writer.write(b"one ")
    run(steps)
    assert len(unfinished) == 1
    writer.write(b"two")
    body = writer.close()
    run(steps)
    assert body.path.read_bytes() == b"one two"
    assert body.sha256 == hashlib.sha256(b"one two").hexdigest()
    assert not unfinished


def test_an_empty_body(writer: BodyWriter, steps: list[Step]) -> None:
    """A body that ended before it began is an empty file."""
    body = writer.close()
    run(steps)
    assert body.path.read_bytes() == b""
    assert body.size == 0


@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_discarding(
    writer: BodyWriter, steps: list[Step], unfinished: set[BodySink], tmp_path: Path, pieces: int
) -> None:
    """A body that is forgotten leaves no file, however much of it had come."""
    for _ in range(pieces):
        writer.write(b"x")
    writer.discard()
    run(steps)
    assert not unfinished
    assert list(tmp_path.rglob("1")) == []


def test_a_file_that_exists_is_not_overwritten(writer: BodyWriter, steps: list[Step]) -> None:
    """Two bodies never share a file."""
    writer.write(b"x")
    body = writer.close()
    body.path.parent.mkdir()
    body.path.touch()
    with pytest.raises(FileExistsError):
        run(steps)


def test_a_full_disk_is_passed_on(
    writer: BodyWriter, steps: list[Step], unfinished: set[BodySink], full_disk: FullDisk
) -> None:
    """What the disk refuses reaches the recorder, which can still close the file."""
    writer.write(b"x")
    full_disk("write")
    with pytest.raises(OSError, match="No space"):
        run(steps)
    [sink] = unfinished
    sink.close()
    sink.close()
    assert not unfinished
