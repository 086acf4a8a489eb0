"""Side files: named by content, brought in before they are needed, removed after they are not."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody
from magneto_serge.storage.faults import FieldError
from magneto_serge.storage.side_files import SideFiles, digest_of, resolve

DIGEST = hashlib.sha256(b"large").hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> SideFiles:
    """The side files of a cassette that has none yet."""
    return SideFiles(tmp_path / "tape.bodies", tmp_path / "workshop")


def referred(files: SideFiles, data: bytes = b"large") -> FileBody:
    """Return a body that the new cassette refers to."""
    body = files.spill(data)
    files.reference(body)
    return body


def test_reference_names_the_content(files: SideFiles) -> None:
    """A reference is the folder and the SHA-256 of the bytes."""
    assert files.reference(files.spill(b"large")) == f"tape.bodies/{DIGEST}"


@pytest.mark.parametrize("links", [True, False])
def test_adopted_files_are_copies(
    files: SideFiles, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """A file comes in whole, and the recording keeps its own, with links or without."""
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    body = referred(files)
    files.adopt()
    assert (files.folder / DIGEST).read_bytes() == b"large"
    assert body.path.read_bytes() == b"large"
    assert [file.name for file in files.folder.iterdir()] == [DIGEST]


def test_a_damaged_file_is_replaced(files: SideFiles) -> None:
    """Bringing a body in again puts the right bytes in place of wrong ones."""
    files.folder.mkdir()
    (files.folder / DIGEST).write_bytes(b"wrong")
    referred(files)
    files.adopt()
    assert (files.folder / DIGEST).read_bytes() == b"large"


def test_a_file_from_elsewhere_is_copied(files: SideFiles, tmp_path: Path) -> None:
    """A file that is somebody else's is never shared with them."""
    theirs = tmp_path / "download"
    theirs.write_bytes(b"large")
    files.reference(FileBody(theirs, 5, DIGEST))
    files.adopt()
    theirs.write_bytes(b"other")
    assert (files.folder / DIGEST).read_bytes() == b"large"


def test_a_file_in_place_stays(files: SideFiles) -> None:
    """A body that is where it belongs already is left alone."""
    referred(files)
    files.adopt()
    again = SideFiles(files.folder, files.folder.parent / "workshop")
    again.reference(FileBody(files.folder / DIGEST, 5, DIGEST))
    again.adopt()
    again.sweep()
    assert (files.folder / DIGEST).read_bytes() == b"large"


def test_failure_leaves_no_part(files: SideFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full while a body comes in leaves no half of it."""
    referred(files)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        files.adopt()
    assert list(files.folder.iterdir()) == []


def test_sweep_removes_what_nothing_refers_to(files: SideFiles) -> None:
    """Files of ours that are not mentioned go; the mentioned and the strange stay."""
    files.folder.mkdir()
    old, kept = "0" * 64, "1" * 64
    for name in (old, kept, "README"):
        (files.folder / name).touch()
    files.note_mentions(b'{"file": "tape.bodies/%s"}' % kept.encode())
    files.sweep()
    assert sorted(file.name for file in files.folder.iterdir()) == [kept, "README"]


def test_an_empty_folder_goes(files: SideFiles) -> None:
    """When nothing is left, neither is the folder; without a folder there is nothing to do."""
    files.folder.mkdir()
    (files.folder / ("0" * 64)).touch()
    files.sweep()
    assert not files.folder.exists()
    files.sweep()


def test_resolve(files: SideFiles, tmp_path: Path) -> None:
    """A reference is found beside the cassette."""
    referred(files)
    files.adopt()
    body = resolve(f"tape.bodies/{DIGEST}", 5, DIGEST, tmp_path, verify=True)
    assert body == FileBody(files.folder / DIGEST, 5, DIGEST)
    assert digest_of(body.path) == DIGEST


@pytest.mark.parametrize(
    "reference",
    [
        f"../{DIGEST}",
        f"/tape.bodies/{DIGEST}",
        f"a/tape.bodies/{DIGEST}",
        f"a\\tape.bodies/{DIGEST}",
        f"tape.bodies/../{DIGEST}",
        "tape.bodies/passwd",
        f"tape/{DIGEST}",
        f"tape.bodies/{'0' * 64}",
    ],
)
def test_references_elsewhere_are_refused(tmp_path: Path, reference: str) -> None:
    """A cassette cannot name a file that is not a body of its own."""
    with pytest.raises(FieldError, match="sha256"):
        resolve(reference, 5, DIGEST, tmp_path, verify=False)


def test_links_are_refused(files: SideFiles, tmp_path: Path) -> None:
    """A cassette folder that came with a symbolic link does not lead out of it."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"large")
    files.folder.mkdir()
    (files.folder / DIGEST).symlink_to(secret)
    with pytest.raises(FieldError, match="regular file"):
        resolve(f"tape.bodies/{DIGEST}", 5, DIGEST, tmp_path, verify=False)


def test_missing_changed_and_corrupted(files: SideFiles, tmp_path: Path) -> None:
    """A file that is missing or of another size is always noticed, other content when asked."""
    reference = f"tape.bodies/{DIGEST}"
    with pytest.raises(FieldError, match="No such file"):
        resolve(reference, 5, DIGEST, tmp_path, verify=False)
    files.folder.mkdir()
    (files.folder / DIGEST).write_bytes(b"larger")
    with pytest.raises(FieldError, match="has 6 bytes, 5 were recorded"):
        resolve(reference, 5, DIGEST, tmp_path, verify=False)
    (files.folder / DIGEST).write_bytes(b"LARGE")
    assert resolve(reference, 5, DIGEST, tmp_path, verify=False).size == 5
    with pytest.raises(FieldError, match="SHA-256"):
        resolve(reference, 5, DIGEST, tmp_path, verify=True)


def test_adopting_again(tmp_path: Path) -> None:
    """A file that is there already, as a second link, stays, and nothing beside it."""
    workshop = tmp_path / "workshop"
    files = SideFiles(tmp_path / "tape.bodies", workshop)
    files.reference(files.spill(b"large"))
    files.adopt()
    files.adopt()
    assert [path.read_bytes() for path in files.folder.iterdir()] == [b"large"]
