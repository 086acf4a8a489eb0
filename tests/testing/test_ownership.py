"""Whose cassette is whose."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from magneto_serge.testing import ownership
from magneto_serge.testing.options import Mark
from magneto_serge.testing.results import Results


class Item(NamedTuple):
    """A test."""

    path: Path


def note(tmp_path: Path, *marks: Mark, selected: bool = False, configured: str = "") -> Results:
    """Note one test, ``test_x.py::test_y``."""
    results = Results(records=[], owned=set())
    ownership.note(
        results,
        [Item(tmp_path / "test_x.py")],
        names=[(list(marks), "test_x/test_y")],
        root=tmp_path,
        configured=configured,
        selected=selected,
    )
    return results


def test_default_name(tmp_path: Path) -> None:
    """A test owns the cassette of its own name, and its file's folder is known whole."""
    results = note(tmp_path)
    assert results.owned == {str(tmp_path / "cassettes/test_x/test_y")}
    assert results.folders == {str(tmp_path / "cassettes/test_x")}


def test_names_and_folder_of_a_mark(tmp_path: Path) -> None:
    """A mark's names and folder are what it says."""
    results = note(tmp_path, Mark(("a", "b"), {"cassette_dir": tmp_path / "tapes"}, ""))
    assert results.owned == {str(tmp_path / "tapes/a"), str(tmp_path / "tapes/b")}


def test_selection_knows_nothing(tmp_path: Path) -> None:
    """With a selection of tests no folder is known whole."""
    assert note(tmp_path, selected=True).folders is None


def test_configured_folder(tmp_path: Path) -> None:
    """One folder for all tests is counted from the root."""
    assert note(tmp_path, configured="tapes").owned == {str(tmp_path / "tapes/test_x/test_y")}


def test_existing(tmp_path: Path) -> None:
    """Cassettes of every format are found; other files and journals are none."""
    folder = tmp_path / "test_x"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.json", "b.msgpack.zst", "deeper/c.json.gz", ".d.json", "notes.txt"):
        (folder / name).write_text("x")
    found = ownership.existing({str(folder), str(tmp_path / "absent")})
    assert set(found) == {str(folder / "a"), str(folder / "b"), str(folder / "deeper/c")}
    assert found[str(folder / "a")] == folder / "a.json"
    assert ownership.existing(None) == {}
