"""A cassette on the disk is a lazy sequence of interactions, in every format."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import magneto_serge
from magneto_serge.errors import CassetteError, CassetteNotFoundError
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.store import CassetteStore

from .containers import some
from .interactions import exchange, record

every_format = pytest.mark.parametrize("format", FORMATS)


@pytest.fixture
def path(store: CassetteStore, format: str) -> Path:
    """A cassette of seven interactions."""
    return record(CassetteStore(store.folder, format=format), "tape", *some(7))


@every_format
def test_it_is_a_sequence(path: Path) -> None:
    """Length, index, slice, iteration, search: as with a list."""
    with Cassette.open(str(path)) as cassette:
        said = some(7)
        assert len(cassette) == 7
        assert cassette[0] == said[0]
        assert cassette[-1] == said[-1]
        assert cassette[2:6:2] == said[2:6:2]
        assert list(cassette) == said
        assert list(reversed(cassette)) == said[::-1]
        assert said[3] in cassette
        assert cassette.index(said[4]) == 4
        for number in (7, -8):
            with pytest.raises(IndexError):
                cassette[number]


@every_format
def test_after_closing(path: Path) -> None:
    """What was read stays good; nothing more can be read; closing again does nothing."""
    cassette = Cassette.open(path)
    first = cassette[0]
    cassette.close()
    cassette.close()
    assert first == some(1)[0]
    for use in (lambda: cassette[0], lambda: len(cassette), cassette.shelves):
        with pytest.raises(CassetteError, match="open it again"):
            use()


@every_format
def test_it_stays_what_it_was(path: Path, store: CassetteStore, format: str) -> None:
    """Recording the cassette again changes nothing for who has opened it."""
    with Cassette.open(path) as cassette:
        record(CassetteStore(store.folder, format=format), "tape", exchange("/new"))
        assert cassette[:] == some(7)


@every_format
def test_replaying(path: Path) -> None:
    """The shelves play equal requests in recorded order, the last one again and again."""
    shelves = Cassette.open(path).shelves()
    request = some(4)[2].request
    played = [shelves.play(request) for _ in range(3)]
    assert [each.number for each in played if each] == [3, 4, 4]
    assert shelves.play(exchange("/unknown").request) is None
    assert len(shelves) == 7


def test_the_public_name() -> None:
    """It is `magneto_serge.Cassette`."""
    assert magneto_serge.Cassette is Cassette


def test_what_is_not_there(tmp_path: Path) -> None:
    """No file, and what is no file, are errors with a name."""
    with pytest.raises(CassetteNotFoundError, match=r"nothing\.json"):
        Cassette.open(tmp_path / "nothing.json")
    with pytest.raises(CassetteError, match="Is a directory"):
        Cassette.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", b"\x00" * 100, b"magneto", b"\xff\xfe{}"])
@every_format
def test_what_is_no_cassette(tmp_path: Path, content: bytes, format: str) -> None:
    """Under whatever name, a file that is none says so, with a place and a remedy."""
    path = tmp_path / f"tape.{format}"
    path.write_bytes(content)
    with pytest.raises(CassetteError, match=r"tape\.[\w.]+: (byte|line|the whole file).*\. \w"):
        Cassette.open(path)


@pytest.mark.parametrize("format", ["msgpack.zst"])
def test_threads(path: Path) -> None:
    """Any number of threads read one cassette."""
    with Cassette.open(path) as cassette:
        found: list[bool] = []
        readers = [
            threading.Thread(target=lambda: found.append(list(cassette) == some(7)))
            for _ in range(4)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert found == [True] * 4


@pytest.mark.parametrize("format", ["msgpack"])
def test_processes(path: Path) -> None:
    """Another process reads it while we have it open."""
    code = (
        "import pickle, sys; from magneto_serge import Cassette;"
        " sys.stdout.buffer.write(pickle.dumps(len(Cassette.open(sys.argv[1]))))"
    )
    with Cassette.open(path) as cassette:
        other = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, check=True
        )
        assert pickle.loads(other.stdout) == len(cassette)


def test_json_needs_no_more_than_before(store: CassetteStore) -> None:
    """Opening a JSON cassette imports nothing that other formats, or recording, need."""
    path = record(store, "tape", exchange())
    code = (
        "import sys; from magneto_serge import Cassette;"
        " import magneto_serge.storage.store; Cassette.open(sys.argv[1]).shelves();"
        " print(*sorted(each for each in sys.modules if each in"
        " ('zstandard', 'mmap', 'email.utils', 'magneto_serge.storage.container')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, check=True, text=True
    )
    assert done.stdout == "\n"
