"""What a crash left behind becomes a cassette."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from magneto_serge.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    ConfigError,
)
from magneto_serge.messages import Interaction
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.recover import Recovery, recover
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange, record
from .test_recorder import bodies_of, drained, streamed

every_format = pytest.mark.parametrize("format", FORMATS)


@pytest.fixture
def journal(store: CassetteStore) -> Path:
    """A journal with two interactions, one with a side file, as a crash leaves it."""
    recorder = store.recorder("tape")
    recorder.record(exchange("/1", b"small"))
    streamed(recorder, "/2", b"large")
    recorder.open_body().write(b"never ended")
    drained(recorder)
    recorder._stop()
    recorder._close(remove=False)
    path = store.folder / ".tape.journal"
    with path.open("ab") as file:
        file.write(b"\x00\x01")
    return path


def test_recovers(store: CassetteStore, journal: Path) -> None:
    """Everything whole is in the cassette, side files too, and the journal is gone."""
    assert recover(journal, store.path("found")).interactions == 2
    assert bodies_of(store, "found") == [b"small", b"large"]
    names = {path.name for path in store.folder.iterdir()}
    assert names == {"found.json", "found.bodies"}


def test_after_the_next_recording(store: CassetteStore, journal: Path) -> None:
    """A journal that the next recording has moved aside still finds its side files."""
    store.recorder("tape").abort()
    moved = journal.with_name(".tape.journal.crashed-1")
    assert recover(moved, store.path("found")).interactions == 2
    assert bodies_of(store, "found") == [b"small", b"large"]


def test_while_recording(store: CassetteStore) -> None:
    """A live recording is not to be recovered."""
    recorder = store.recorder("tape")
    with pytest.raises(CassetteBusyError, match="still being recorded"):
        recover(store.folder / ".tape.journal", store.path("found"))
    recorder.abort()


def test_only_into_a_new_cassette(store: CassetteStore, journal: Path) -> None:
    """An existing file is not replaced, and a name that cannot be loaded is refused."""
    store.path("found").touch()
    with pytest.raises(CassetteError, match="exists already"):
        recover(journal, store.path("found"))
    with pytest.raises(ConfigError, match=r"must end in one of \.json"):
        recover(journal, store.folder / "found")
    assert journal.exists()


def crashed(
    store: CassetteStore, name: str, *said: Interaction, torn: bytes = b"", streams: bytes = b""
) -> Path:
    """Leave the journal of a recording that was killed, and return its path."""
    recorder = store.recorder(name)
    for interaction in said:
        recorder.record(interaction)
    if streams:
        streamed(recorder, "/streamed", streams)
    drained(recorder)
    recorder._stop()
    recorder._close(remove=False)
    path = recorder._journal.path
    with path.open("ab") as file:
        file.write(torn)
    return path


@every_format
def test_by_name(store: CassetteStore, format: str) -> None:
    """What a crash left takes the cassette's name, whole, and says what was lost."""
    chosen = CassetteStore(store.folder, format=format)
    said = [exchange(f"/{number}") for number in range(3)]
    journal = crashed(chosen, "a/tape", *said, torn=b"half", streams=b"streamed")
    found = chosen.recover("a/tape")
    assert found == Recovery(store.folder / "a" / f"tape.{format}", 4, 4)
    assert store.load("a/tape", verify=True)[:3] == said
    assert bodies_of(store, "a/tape")[3] == b"streamed"
    assert not journal.exists()
    left = {path.name for path in journal.parent.iterdir()}
    assert left == {f"tape.{format}", "tape.bodies"}
    with pytest.raises(CassetteNotFoundError, match="nothing to recover"):
        chosen.recover("a/tape")


@every_format
def test_when_it_is_opened(
    store: CassetteStore, format: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A cassette that exists only as a crashed recording is recovered when it is opened."""
    chosen = CassetteStore(store.folder, format=format)
    crashed(chosen, "tape", exchange("/1"), torn=b"torn")
    with caplog.at_level(logging.WARNING):
        assert chosen.load("tape") == [exchange("/1")]
    assert "1 interactions are recovered, 4 bytes were lost" in caplog.text
    assert chosen.load("tape") == [exchange("/1")]


def test_nothing_is_recovered_behind_a_recording(store: CassetteStore) -> None:
    """While the first recording of a cassette goes on there is no such cassette."""
    recorder = store.recorder("tape")
    recorder.record(exchange())
    drained(recorder)
    with pytest.raises(CassetteNotFoundError):
        store.load("tape")
    with pytest.raises(CassetteBusyError, match=rf"by process {os.getpid()}"):
        store.recover("tape")
    recorder.finish(replace=True)


@every_format
def test_an_older_cassette_stays(store: CassetteStore, format: str) -> None:
    """Beside an older cassette what is recovered gets a name of its own, each time another."""
    chosen = CassetteStore(store.folder, format=format)
    path = record(chosen, "tape", exchange("/old"))
    before = path.read_bytes()
    for number, name in ((1, "tape-recovered"), (2, "tape-recovered-2")):
        crashed(chosen, "tape", exchange(f"/{number}"))
        assert chosen.recover("tape").path.name == f"{name}.{format}"
        assert chosen.load(name) == [exchange(f"/{number}")]
    assert path.read_bytes() == before


def test_the_newest_first(store: CassetteStore) -> None:
    """Of several crashed recordings the newest is recovered first, and the others after it."""
    for number in range(3):
        crashed(store, "tape", exchange(f"/{number}"))
        store.recorder("tape").abort()  # moves it aside
    assert sorted(path.suffix for path in store.folder.iterdir())[:2] == [
        ".crashed-1",
        ".crashed-2",
    ]
    for number in (2, 1, 0):
        path = store.recover("tape").path
        assert store.load(path.name) == [exchange(f"/{number}")]


@pytest.mark.parametrize("coding", ["", "gz", "zst"])
def test_a_cassette_that_was_cut(store: CassetteStore, coding: str) -> None:
    """A binary cassette without its end gives what is whole of it, and is left as it is."""
    said = [exchange(f"/{number}") for number in range(5)]
    path = store.folder / ("tape.msgpack" + (coding and f".{coding}"))
    record(store, path.name, *said)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    found = store.recover("tape")
    assert 0 < found.interactions <= 5
    assert store.load("tape-recovered") == said[: found.interactions]
    assert path.exists()


@pytest.mark.parametrize("format", ["json", "msgpack", "msgpack.zst"])
def test_a_journal_cut_anywhere(store: CassetteStore, format: str) -> None:
    """Truncated at any byte, a journal gives every complete interaction, or says it has none."""
    chosen = CassetteStore(store.folder, format=format)
    said = [exchange("/1"), exchange("/2", b"body")]
    journal = crashed(chosen, "tape", *said)
    whole = journal.read_bytes()
    counts = []
    for cut in range(len(whole) + 1):
        journal.write_bytes(whole[:cut])
        try:
            found = chosen.recover("tape")
        except CassetteError:
            counts.append(0)
            continue
        assert chosen.load("tape") == said[: found.interactions]
        counts.append(found.interactions)
        found.path.unlink()
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


def test_disk_trouble(store: CassetteStore, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk keeps the journal; a journal that is not there is named."""
    with pytest.raises(CassetteError, match=r"nothing: No such file"):
        recover(store.folder / "nothing", store.path("found"))

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CassetteError, match=r"cannot recover .*No space left"):
        recover(journal, store.path("found"))
    assert journal.exists()
    assert not store.exists("found")
