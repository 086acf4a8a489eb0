"""The benchmark of cassettes measures what it says; no figure is judged here."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import _vcr, cassette_sizes
from benchmarks._plots import Line, Panel, draw
from benchmarks.cassettes import api, beside_vcr, opening, recording_many


def test_the_interactions_are_always_the_same() -> None:
    """Two runs measure the same cassette."""
    assert list(api(5)) == list(api(5))
    assert len({each.request.target for each in api(5)}) == 5


def test_opening_is_measured(tmp_path: Path) -> None:
    """Opening, both ways to a first interaction, and memory; targets are for large ones only."""
    figures = opening(tmp_path, 20, "msgpack.zst", 1)
    assert [each.unit for each in figures] == ["ms", "ms", "ms", "MB"]
    assert all(each.value >= 0 and each.target is None for each in figures)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read on Linux")
@pytest.mark.parametrize("format", ["json", "msgpack.zst"])
def test_the_memory_of_a_recording_is_measured(tmp_path: Path, format: str) -> None:
    """While it goes on, and until it is saved, which takes no less."""
    during, saved = recording_many(tmp_path, format, 50)
    assert 0 <= during.value <= saved.value
    assert during.target == saved.target == 20


def test_vcr_reads_what_we_wrote_for_it(tmp_path: Path) -> None:
    """The same interactions stand in its cassette."""
    pytest.importorskip("vcr")
    said = list(api(3))
    _vcr.write(tmp_path / "tape.yaml", said)
    assert _vcr.read(tmp_path / "tape.yaml") == 3
    figures = beside_vcr(tmp_path, 3, 1)
    assert [each.unit for each in figures] == ["ms", "ms", "x"]


def test_sizes_are_measured_and_drawn(tmp_path: Path) -> None:
    """Every format at every size, a diagram for each thing measured, text as text."""
    figures = cassette_sizes.measure(tmp_path, "1 KB", 1)
    assert [each.format for each in figures] == list(cassette_sizes.FORMATS)
    assert all(second >= 0 for each in figures for second in each.seconds)
    panels = cassette_sizes.panels(figures)
    assert [each.title for each in panels] == list(cassette_sizes.WHAT)
    pytest.importorskip("matplotlib")
    draw(tmp_path / "sizes.svg", "Sizes", panels)
    texts = "".join(ElementTree.parse(tmp_path / "sizes.svg").getroot().itertext())
    assert "first replay" in texts
    assert "msgpack.zst" in texts


def test_the_same_figures_are_the_same_drawing(tmp_path: Path) -> None:
    """A diff of two drawings shows what changed, and nothing else."""
    pytest.importorskip("matplotlib")
    panel = Panel("t", "x", "y", [Line("a", [(1, 2), (2, 3)])], limit=2.5)
    draw(tmp_path / "a.svg", "T", [panel])
    draw(tmp_path / "b.svg", "T", [panel])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
