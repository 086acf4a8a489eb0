"""The benchmark of the pytest plugin measures what it says; no figure is judged here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks import _peers, pytest_overhead


def test_without_the_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pytest-recording is not there, the other rows are, and it is said."""
    monkeypatch.setattr(_peers, "python_of", lambda *_, **__: None)
    figures = pytest_overhead.measure(tmp_path, 2, 1)
    names = [each.name for each in figures]
    assert names == ["no plugin", "magneto", "overhead of magneto"]
    assert figures[0].holds is None
    assert list((tmp_path / "magneto/cassettes/test_it").iterdir())


def test_peers_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that was not installed is None, and has no version; an unknown one is a mistake."""
    monkeypatch.setattr(_peers, "folder_of", lambda peer: tmp_path / peer)
    assert _peers.python_of("mitmproxy", install=False) is None
    assert _peers.version("mitmproxy") == ""
    assert _peers.main(["nobody"]) == 2
