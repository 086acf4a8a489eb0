"""What was once read in two ways: the corpus of `fuzzing/fuzz_http1.py`, every cut of every file.

A file holds the raw bytes; its name begins with what they are: "request", or the method that a
response answers before the connection closes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .feeding import Told, comparable, cuts, plain, read_requests, read_response
from .fixtures import ResponseFixture

CORPUS = sorted((Path(__file__).parents[2] / "fuzzing" / "corpus").glob("*.http"))


def told(kind: str, data: bytes, pieces: list[bytes]) -> Told:
    """Return what is told of ``data`` in these pieces."""
    if kind == "request":
        return comparable(plain(read_requests(pieces)))
    return comparable(plain(read_response(ResponseFixture(data, kind, closes=True), pieces)))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path) -> None:
    """Each file of the corpus tells the same wherever it is cut, the first time and again."""
    kind, data = path.name.partition("-")[0], path.read_bytes()
    whole = told(kind, data, [data])
    for pieces in ([data], [data], *cuts(data)):
        assert told(kind, data, pieces) == whole, pieces


def test_there_is_a_corpus() -> None:
    """The corpus is part of the repository, and found from here."""
    assert len(CORPUS) > 10
