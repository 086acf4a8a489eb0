"""The copy of a remote folder: what is brought and sent, and what trouble leaves behind."""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from magneto_serge.errors import CassetteError, CassetteNotFoundError
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange
from .machines import URL, Machine, breaks, count_downloads, record, side_file, targets


def test_only_what_has_changed_is_downloaded(
    here: Machine, elsewhere: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cassette is downloaded once, what was recorded here never, and again when it changes."""
    downloaded = count_downloads(monkeypatch)
    record(here.store(), "tape", "/1")
    assert targets(here.store(), "tape") == ["/1"]
    assert downloaded == []
    assert targets(elsewhere.store(), "tape") == ["/1"]
    assert targets(elsewhere.store(), "tape") == ["/1"]
    assert downloaded == ["/bucket/tapes/tape.json"]
    record(here.store(), "tape", "/2", "/3")
    assert targets(elsewhere.store(), "tape") == ["/2", "/3"]
    assert len(downloaded) == 2


def test_recording_again_in_another_format(
    here: Machine, elsewhere: Machine, there: MemoryFileSystem
) -> None:
    """The older cassette goes there as it does here, with the side files that only it had."""
    record(here.store(), "tape", "/1", body=b"large")
    record(elsewhere.store(format="msgpack.zst"), "tape", "/2")
    assert there.find("/bucket") == ["/bucket/tapes/tape.msgpack.zst"]
    assert targets(here.store(), "tape") == ["/2"]
    assert not here.store().path("tape").with_name("tape.json").exists()


def test_what_is_gone_there_is_gone_here(here: Machine, there: MemoryFileSystem) -> None:
    """A cassette that somebody removed is not found any more, under its address there."""
    record(here.store(), "tape", "/1")
    there.rm_file("/bucket/tapes/tape.json")
    with pytest.raises(CassetteNotFoundError, match=r"memory://bucket/tapes/tape\.json does not"):
        here.store().load("tape")


# --- trouble ------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_reached(
    here: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The copy is used, with a warning; without one it is an error with the reason."""
    record(here.store(), "tape", "/1")
    breaks(monkeypatch, "ls", "find")
    with caplog.at_level(logging.WARNING):
        store = here.store()
        assert targets(store, "tape") == targets(store, "tape") == ["/1"]
        assert len(caplog.messages) == 1
        assert here.store().names() == ["tape"]
    assert "memory://bucket/tapes cannot be read: no route to host" in caplog.text
    with pytest.raises(CassetteError, match=r"no copy here: no route to host"):
        here.store().load("other")


def test_names_without_a_copy(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed, and has no copy, is an error."""
    breaks(monkeypatch, "find")
    with pytest.raises(CassetteError, match="no copy here"):
        here.store().names()


@pytest.mark.parametrize("operation", ["put_file", "mv"])
def test_a_failed_upload(
    operation: str, here: Machine, there: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there stays as it was; what was recorded is kept, and the error says how to go on."""
    record(here.store(), "tape", "/old")
    with monkeypatch.context() as broken:
        breaks(broken, operation)
        recorder = here.store().recorder("tape")
        recorder.record(exchange("/new", side_file(recorder, b"large")))
        with pytest.raises(CassetteError, match=r"bucket/tapes/tape could not be") as raised:
            recorder.finish(replace=True)
        with pytest.raises(CassetteError, match=r"could not be"):
            recorder.finish(replace=True)
    assert targets(here.store(), "tape") == ["/old"]
    assert there.find("/bucket") == ["/bucket/tapes/tape.json"]
    _, _, command = str(raised.value).partition("To send it: ")
    magneto, merge, kept, *rest = command.split()
    assert (magneto, merge) == ("magneto", "merge")
    assert rest == ["-o", "tape.json", "--force", "-d", URL]
    assert CassetteStore(Path(kept).parent).load("tape", verify=True)[0].request.target == "/new"


def test_a_failed_removal(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be removed there is named, and comes back here."""
    store = here.store()
    path = record(store, "a/tape.v1", "/1")
    with monkeypatch.context() as broken:
        breaks(broken, "rm_file")
        with (
            pytest.raises(CassetteError, match=r"tapes/a/tape.v1 could not be removed: no route"),
            store.changing("a/tape.v1"),
        ):
            path.unlink()
    assert targets(store, "a/tape.v1") == ["/1"]


def test_somebody_else_was_first(here: Machine, there: MemoryFileSystem) -> None:
    """Removing what is not there any more is no failure."""
    store = here.store()
    path = record(store, "tape", "/1")
    there.rm_file("/bucket/tapes/tape.json")
    with store.changing("tape"):
        path.unlink()
    assert not store.exists("tape")


def test_one_at_a_time(here: Machine) -> None:
    """While a cassette is changed on this machine, nobody else brings or sends it here."""
    store = here.store()
    with (
        store.changing("tape"),
        (store.folder / ".tape.lock").open() as lock,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lost_memory(here: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """Without what is remembered of a copy, it is set aside and brought again."""
    store = here.store()
    path = record(store, "tape", "/1")
    path.with_name(".tape.remote").write_bytes(b"{")
    assert targets(store, "tape") == ["/1"]
    assert "never sent" in caplog.text


def test_a_crash_before_the_upload(here: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """A change that never arrived is set aside, not lost, and a warning says where."""
    store = here.store()
    record(store, "tape", "/1")
    record(CassetteStore(store.folder), "tape", "/unsent")
    with caplog.at_level(logging.WARNING):
        assert targets(store, "tape") == ["/1"]
    [message] = caplog.messages
    kept = Path(message.split()[0])
    assert targets(CassetteStore(kept.parent), "tape") == ["/unsent"]
    assert "magneto merge" in message


def test_a_download_that_is_cut(here: Machine, elsewhere: Machine, monkeypatch: Any) -> None:
    """A file that does not arrive whole is not taken for the cassette."""
    record(here.store(), "tape", "/1")

    def cut(_: MemoryFileSystem, __: str, place: str) -> None:
        Path(place).write_bytes(b"{")

    monkeypatch.setattr(MemoryFileSystem, "get_file", cut)
    store = elsewhere.store()
    with pytest.raises(CassetteError, match="did not arrive whole"):
        store.load("tape")
    assert [path.name for path in store.folder.iterdir()] == [".tape.lock"]


def test_a_cache_that_cannot_be_written(here: Machine, tmp_path: Path) -> None:
    """A cache that is no folder is an error that names it."""
    (tmp_path / "here").write_bytes(b"")
    with pytest.raises(CassetteError, match=r"copy of memory://bucket/tapes cannot be kept in"):
        here.store().load("tape")
