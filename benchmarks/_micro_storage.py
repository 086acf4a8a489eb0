"""What ``serialization`` times: writing and reading a whole cassette, by format and by size."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks._micro import Bench, Timed, cassette, repeated, said
from magneto_serge import Cassette
from magneto_serge.storage.store import CassetteStore

FORMATS = ("json", "json.gz", "json.zst", "msgpack", "msgpack.gz", "msgpack.zst")
COUNTS = (1, 10, 100, 500)
QUICKLY = (1, 100)


def benches(*, quick: bool) -> list[Bench]:
    """Return writing and reading in every format, at every size (quick: at two)."""
    return [
        Bench(group, format, partial(prepare, format, count), parameter=count)
        for group, prepare in (("write", _writing), ("read", _reading))
        for format in FORMATS
        for count in (QUICKLY if quick else COUNTS)
    ]


def _writing(format: str, count: int, folder: Path) -> Timed:
    store = CassetteStore(folder / "written", format=format, fsync="never")
    interactions = said(count)
    return repeated(lambda: store.save("written", interactions))


def _reading(format: str, count: int, folder: Path) -> Timed:
    path = cassette(folder, format, count)
    return repeated(lambda: Cassette.open(path)[:])
