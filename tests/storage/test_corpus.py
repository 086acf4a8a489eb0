"""Damaged cassettes: those that were found or thought of, and those that Hypothesis makes."""

from __future__ import annotations

import random
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Interaction, Request, Response
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.frames import FrameBuffer, Head
from magneto_serge.storage.recover import recover
from magneto_serge.storage.store import CassetteStore

# fuzzing/ is not part of the package: it is found beside src/, from wherever pytest was called.
ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from fuzzing import atheris_cassette  # noqa: E402 - the path comes first
from fuzzing.fuzz_cassette import CORPUS, fault, variants  # noqa: E402

ASKED = Request("GET", "http", "h", 80, "/")
FILES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_corpus(path: Path) -> None:
    """Each file is damaged, is refused with its name, a place and a remedy, and breaks nothing."""
    assert fault(path) is None
    with pytest.raises(CassetteError, match=r": .*\. \w.*") as error, Cassette.open(path) as found:
        list(found)
    assert str(path) in str(error.value)


def test_there_is_a_corpus() -> None:
    """Nobody notices files that are not there."""
    assert len(FILES) > 10


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_damage_of_any_kind(seed: int) -> None:
    """Whatever is mangled, before or behind the checksums, is a CassetteError or harmless."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for format, data in islice(variants(random.Random(seed)), 11):
            path = Path(folder) / f"tape.{format}"
            path.write_bytes(data)
            wrong = fault(path)
            assert wrong is None, wrong


@pytest.mark.parametrize("how", range(5))
def test_the_corpus_behind_checksums(how: int) -> None:
    """What breaks nothing as a file breaks nothing in a compressed one, a container, a journal."""
    for path in FILES:
        atheris_cassette.target(bytes([how]) + path.read_bytes())


def test_seeds_of_the_fuzzer() -> None:
    """They are whole, so that what it mangles comes far; nothing is an input too."""
    for seed in (*atheris_cassette.seeds(), b""):
        atheris_cassette.target(seed)


@pytest.mark.parametrize("started", [1e300, -1.0, float("nan"), float("inf")])
def test_a_moment_that_is_no_date(tmp_path: Path, started: float) -> None:
    """In a journal or a container it is named, as what it is: not of this version."""
    found = Interaction(ASKED, Response(200), started=started)
    frames = FrameBuffer(tmp_path)
    frames.begin(Head("tape", 1, 0.0, ".x.bodies"))
    frames.add(found)
    journal = tmp_path / ".tape.journal"
    journal.write_bytes(frames.data)
    with pytest.raises(CassetteError, match=r"interaction 1: not one of this version \(Expected"):
        recover(journal, tmp_path / "tape.json")
    path = CassetteStore(tmp_path, format="msgpack").save("tape", [found])
    with pytest.raises(CassetteError, match=r"tape.msgpack: byte \d+: .*started"):
        Cassette.open(path)[0]
