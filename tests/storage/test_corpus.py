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
from magneto_serge.storage.cassette import Cassette

# fuzzing/ is not part of the package: it is found beside src/, from wherever pytest was called.
ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from fuzzing.fuzz_cassette import CORPUS, fault, variants  # noqa: E402 - the path comes first

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
