"""The recorder: cheap for the traffic, prompt on the disk, honest about what went wrong."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteBusyError, CassetteError
from magneto_serge.messages import FileBody, Headers, Interaction
from magneto_serge.storage import recorder as recorder_module
from magneto_serge.storage.ahead import Ahead
from magneto_serge.storage.frames import FrameReader
from magneto_serge.storage.recorder import CONGESTED, DRAINED, Recorder
from magneto_serge.storage.store import CassetteStore

from .conftest import FullDisk
from .interactions import exchange

Listing = Callable[[], list[str]]
JOURNAL = ".tape.journal"


def drained(recorder: Recorder) -> None:
    """Wait until what was recorded so far is in the journal.

    The first call back may come from a batch that was taken before; the second does not.
    """
    for _ in range(2):
        event = threading.Event()
        recorder.when_drained(event.set)
        assert event.wait(10)


def journalled(store: CassetteStore) -> list[str]:
    """Return the targets of the requests in the journal."""
    path = store.folder / JOURNAL
    with path.open("rb") as file:
        return [x.request.target for x in FrameReader(file, path).interactions()]


class Gate:
    """Holds the writer thread, so that a test sees what waits in the queue."""

    def __init__(self, recorder: Recorder) -> None:
        self._open = threading.Event()
        held = threading.Event()

        def hold() -> None:
            held.set()
            self._open.wait(10)

        recorder.when_drained(hold)
        assert held.wait(10)

    def open(self) -> None:
        """Let the writer thread go on."""
        self._open.set()


@pytest.fixture
def recorder(store: CassetteStore) -> Iterator[Recorder]:
    """A recorder of the cassette ``tape``, forgotten at the end if the test does not finish it."""
    recorder = store.recorder("tape")
    yield recorder
    recorder.abort()


def test_records_and_saves(store: CassetteStore, recorder: Recorder, files: Listing) -> None:
    """What was recorded is in the cassette, in order, and nothing else is left."""
    recorded = [exchange(f"/{n}", b"x" * n) for n in range(200)]
    for interaction in recorded:
        recorder.record(interaction)
    assert recorder.count == 200
    assert recorder.finish(replace=True) == store.path("tape")
    assert store.load("tape") == recorded
    assert files() == ["tape.json"]


def test_nothing_recorded(store: CassetteStore, recorder: Recorder) -> None:
    """A recording of nothing returns None and leaves the disk as it was before."""
    assert recorder.finish(replace=True) is None
    assert not store.folder.exists()


def test_nothing_recorded_keeps_the_older(store: CassetteStore, recorder: Recorder) -> None:
    """An older cassette is not replaced by nothing."""
    recorder.record(exchange("/old"))
    recorder.finish(replace=True)
    assert store.recorder("tape").finish(replace=True) is None
    assert store.load("tape") == [exchange("/old")]


def test_journal_follows_at_once(store: CassetteStore, recorder: Recorder) -> None:
    """What was recorded is in the journal before anybody asks for the cassette."""
    recorder.record(exchange("/1"))
    drained(recorder)
    assert journalled(store) == ["/1"]
    recorder.record(exchange("/2"))
    drained(recorder)
    assert journalled(store) == ["/1", "/2"]


def test_journal_follows_by_itself(
    store: CassetteStore, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer thread wakes for the first interaction without being asked."""
    written = threading.Event()
    write = os.write

    def note(file: int, data: bytes) -> int:
        size = write(file, data)
        written.set()
        return size

    monkeypatch.setattr(os, "write", note)
    recorder.record(exchange("/1"))
    assert written.wait(10)
    assert journalled(store) == ["/1"]


def test_appending_keeps_the_older_text(store: CassetteStore, recorder: Recorder) -> None:
    """Older interactions come first and stay exactly as they were written, by hand or not."""
    recorder.record(exchange("/1"))
    path = recorder.finish(replace=True)
    assert path is not None
    edited = (
        path.read_text().replace('"total_ms": 13', '"total_ms":   13e0').replace("com/1", "com/one")
    )
    path.write_text(edited)
    again = store.recorder("tape")
    again.record(exchange("/2"))
    again.finish(replace=False)
    assert '"total_ms":   13e0' in path.read_text()
    assert store.load("tape") == [exchange("/one"), exchange("/2")]


def test_replacing_forgets_the_older(store: CassetteStore, recorder: Recorder) -> None:
    """With replace only what was recorded now is in the cassette."""
    recorder.record(exchange("/1"))
    recorder.finish(replace=True)
    again = store.recorder("tape")
    again.record(exchange("/2"))
    again.finish(replace=True)
    assert store.load("tape") == [exchange("/2")]


def test_appending_to_nothing(store: CassetteStore, recorder: Recorder) -> None:
    """Without an older cassette appending is the same as replacing."""
    recorder.record(exchange())
    recorder.finish(replace=False)
    assert store.load("tape") == [exchange()]


def test_finishing_twice(store: CassetteStore, recorder: Recorder) -> None:
    """A second finish says the same and does nothing; what comes after the end is not taken."""
    recorder.record(exchange())
    path = recorder.finish(replace=True)
    recorder.record(exchange("/late"))
    recorder.open_body().write(b"late")
    assert recorder.count == 1
    store.path("tape").unlink()
    assert recorder.finish(replace=True) == path
    assert not store.path("tape").exists()


def test_interrupted_finish(
    store: CassetteStore, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second Ctrl-C while the cassette is written keeps the journal and never looks saved."""

    def interrupt(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("magneto_serge.storage.assemble.assemble", interrupt)
    recorder.record(exchange())
    with pytest.raises(KeyboardInterrupt):
        recorder.finish(replace=True)
    with pytest.raises(CassetteError, match=r"interrupted.*recover"):
        recorder.finish(replace=True)
    assert journalled(store) == ["/"]


def test_aborting(store: CassetteStore, recorder: Recorder) -> None:
    """An aborted recording leaves nothing, and has nothing to finish."""
    recorder.record(exchange())
    recorder.open_body().write(b"never ended")
    recorder.abort()
    recorder.abort()
    assert not store.folder.exists()
    assert recorder.finish(replace=True) is None


def test_many_threads(store: CassetteStore, recorder: Recorder) -> None:
    """Any thread may record; none of it is lost."""

    def record(thread: int) -> None:
        for n in range(300):
            recorder.record(exchange(f"/{thread}/{n}"))

    threads = [threading.Thread(target=record, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.count == 1200
    recorder.finish(replace=True)
    targets = [x.request.target for x in store.load("tape")]
    assert len(set(targets)) == 1200
    for thread_number in range(4):
        mine = [t for t in targets if t.startswith(f"/{thread_number}/")]
        assert mine == [f"/{thread_number}/{n}" for n in range(300)]


def test_redaction_comes_before_the_disk(store: CassetteStore) -> None:
    """What redaction removes is in neither the journal nor the cassette."""

    def redact(interaction: Interaction) -> Interaction:
        assert threading.current_thread() is not threading.main_thread()
        return exchange(interaction.request.target, b"[redacted]")

    recorder = store.recorder("tape", redact=redact)
    recorder.record(exchange("/1", b"secret"))
    drained(recorder)
    assert b"secret" not in (store.folder / JOURNAL).read_bytes()
    recorder.finish(replace=True)
    assert store.load("tape") == [exchange("/1", b"[redacted]")]


def test_redaction_that_fails(store: CassetteStore, caplog: pytest.LogCaptureFixture) -> None:
    """What could not be redacted is not written; the rest is, and finish says what happened."""

    def redact(interaction: Interaction) -> Interaction:
        if interaction.request.target == "/2":
            raise ValueError("no such rule")
        return interaction

    recorder = store.recorder("tape", redact=redact)
    with caplog.at_level(logging.ERROR):
        for n in range(4):
            recorder.record(exchange(f"/{n}"))
        drained(recorder)
    assert "no such rule" in caplog.text
    with pytest.raises(CassetteError, match=r"1 of 4 interactions .*no such rule.*recover"):
        recorder.finish(replace=True)
    assert journalled(store) == ["/0", "/1", "/3"]
    assert not store.exists("tape")


def test_two_recorders(store: CassetteStore, recorder: Recorder) -> None:
    """A cassette has one recorder at a time; another cassette is another matter."""
    with pytest.raises(CassetteBusyError, match="'tape' is being recorded"):
        store.recorder("tape.json")
    store.recorder("tape2").abort()
    recorder.abort()
    store.recorder("tape").abort()


# --- bodies in side files ---------------------------------------------------------------------


def streamed(recorder: Recorder, target: str, *pieces: bytes) -> Interaction:
    """Record an exchange whose response body streams into a side file."""
    writer = recorder.open_body()
    for piece in pieces:
        writer.write(piece)
    interaction = exchange(target)
    assert interaction.response is not None
    interaction.response.body = writer.close()
    recorder.record(interaction)
    return interaction


def bodies_of(store: CassetteStore, name: str = "tape") -> list[bytes]:
    """Return the response bodies of a cassette, wherever they are."""
    found = []
    for interaction in store.load(name, verify=True):
        assert interaction.response is not None
        body = interaction.response.body
        found.append(body.path.read_bytes() if isinstance(body, FileBody) else body)
    return found


def test_streamed_bodies(store: CassetteStore, recorder: Recorder, files: Listing) -> None:
    """A body that streamed into a file is beside the cassette, under its digest."""
    streamed(recorder, "/1", b"large ", b"body")
    recorder.open_body().discard()
    digest = hashlib.sha256(b"large body").hexdigest()
    recorder.finish(replace=True)
    assert files() == [f"tape.bodies/{digest}", "tape.json"]
    assert bodies_of(store) == [b"large body"]


def test_equal_bodies_are_kept_once(
    store: CassetteStore, recorder: Recorder, files: Listing
) -> None:
    """Two bodies of the same bytes share a file, and so do two uses of one body."""
    first = streamed(recorder, "/1", b"same")
    streamed(recorder, "/2", b"sa", b"me")
    recorder.record(first)
    recorder.finish(replace=True)
    assert len(files()) == 2
    assert bodies_of(store) == [b"same"] * 3


def test_large_bodies_in_memory(tmp_path: Path) -> None:
    """A body above the memory limit is a file in the cassette, even if it came in memory."""
    store = CassetteStore(tmp_path, memory_limit=100)
    recorder = store.recorder("tape")
    recorder.record(exchange("/1", b"x" * 100))
    recorder.record(exchange("/2", b"x" * 101))
    recorder.finish(replace=True)
    [inline, filed] = store.load("tape", verify=True)
    assert inline.response is not None
    assert filed.response is not None
    assert isinstance(inline.response.body, bytes)
    assert isinstance(filed.response.body, FileBody)
    assert bodies_of(store) == [b"x" * 100, b"x" * 101]


def test_side_files_of_older_interactions(
    store: CassetteStore, recorder: Recorder, files: Listing
) -> None:
    """Appending keeps what the older interactions refer to; replacing removes it."""
    streamed(recorder, "/1", b"first")
    recorder.finish(replace=True)
    again = store.recorder("tape")
    streamed(again, "/2", b"second")
    again.finish(replace=False)
    assert bodies_of(store) == [b"first", b"second"]
    assert len(files()) == 3
    last = store.recorder("tape")
    streamed(last, "/3", b"second")
    last.finish(replace=True)
    assert bodies_of(store) == [b"second"]
    assert len(files()) == 2


def test_a_body_that_was_never_closed(store: CassetteStore, recorder: Recorder) -> None:
    """An interaction cannot refer to a body that has not ended."""
    writer = recorder.open_body()
    writer.write(b"x")
    interaction = exchange()
    interaction.request.body = FileBody(store.folder / "elsewhere", 1, "")
    recorder.record(interaction)
    with pytest.raises(CassetteError, match="has not been closed"):
        recorder.finish(replace=True)


# --- back pressure ----------------------------------------------------------------------------


def test_congestion(recorder: Recorder) -> None:
    """Above the limit the recorder is congested; when the disk has caught up it says so once."""
    gate = Gate(recorder)
    piece = bytes(1024 * 1024)
    body = recorder.open_body()
    for _ in range(CONGESTED // len(piece)):
        assert not recorder.congested
        body.write(piece)
    body.write(b"x")
    assert recorder.congested
    calls: list[str] = []
    relieved = threading.Event()
    recorder.when_drained(lambda: calls.append(threading.current_thread().name))
    recorder.when_drained(relieved.set)
    assert not calls
    gate.open()
    assert relieved.wait(10)
    assert calls == ["recorder tape"]
    assert not recorder.congested
    drained(recorder)
    assert len(calls) == 1


def test_interactions_count_by_their_bodies(recorder: Recorder) -> None:
    """Bodies in memory, of requests and of responses, are what congests."""
    gate = Gate(recorder)
    for _ in range(4):
        recorder.record(exchange(body=bytes(1024 * 1024), sent=bytes(1024 * 1024)))
    assert recorder.congested
    gate.open()
    drained(recorder)
    assert not recorder.congested


def test_not_drained_while_more_keeps_coming(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callbacks wait while as much is queued again as before."""
    gate = Gate(recorder)
    body = recorder.open_body()
    order: list[str] = []

    def note_write(*_: object) -> int:
        if not order:
            body.write(bytes(DRAINED))
        order.append("write")
        return 1

    monkeypatch.setattr(recorder_module.BodySink, "append", note_write)
    body.write(b"x")
    relieved = threading.Event()
    recorder.when_drained(lambda: (order.append("drained"), relieved.set()))
    gate.open()
    assert relieved.wait(10)
    assert order == ["write", "write", "drained"]


def test_drained_after_the_end(recorder: Recorder) -> None:
    """After the end nothing waits, so a callback is called at once."""
    recorder.finish(replace=True)
    calls: list[str] = []
    recorder.when_drained(lambda: calls.append("called"))
    assert calls == ["called"]


def test_callbacks_that_fail(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """A callback that raises does not end the recording."""

    def fail() -> None:
        raise RuntimeError("the loop is closed")

    recorder.when_drained(fail)
    drained(recorder)
    recorder.record(exchange())
    assert "the loop is closed" in caplog.text
    assert recorder.finish(replace=True) is not None


def test_nothing_is_kept_for_what_is_written(recorder: Recorder) -> None:
    """An interaction that is in the journal is not in memory any more."""

    class Watched(Headers):
        """Headers of which one can see that they are gone."""

    def watched() -> weakref.ref[Headers]:
        headers = Watched([(b"A", b"b")])
        recorder.record(exchange(fields=headers))
        return weakref.ref(headers)

    found = watched()
    drained(recorder)
    assert found() is None


# --- disks ------------------------------------------------------------------------------------


def test_full_disk_while_recording(
    store: CassetteStore, recorder: Recorder, full_disk: FullDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk is logged at once, never raised by record, and raised by finish each time."""
    recorder.record(exchange("/1"))
    drained(recorder)
    full_disk("write")
    recorder.record(exchange("/2"))
    drained(recorder)
    assert "No space left on device" in caplog.text
    recorder.record(exchange("/3"))
    body = recorder.open_body()
    body.write(b"x")
    body.close()
    for _ in range(2):
        with pytest.raises(CassetteError, match=r"2 of 3 interactions .*No space left") as error:
            recorder.finish(replace=True)
    assert "recover" in str(error.value)
    assert journalled(store) == ["/1"]
    assert not store.exists("tape")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_at_the_end(
    store: CassetteStore, recorder: Recorder, full_disk: FullDisk, files: Listing, step: str
) -> None:
    """A disk that fills up while the cassette is written leaves the older one and the journal."""
    recorder.record(exchange("/old"))
    recorder.finish(replace=True)
    older = store.path("tape").read_bytes()
    again = store.recorder("tape")
    again.record(exchange("/new"))
    streamed(again, "/large", b"large")
    drained(again)
    full_disk(step)
    with pytest.raises(CassetteError, match=r"cannot write .*tape.json: No space left.*\.journal"):
        again.finish(replace=False)
    assert store.path("tape").read_bytes() == older
    assert journalled(store) == ["/new", "/large"]
    assert not [name for name in files() if name.endswith(".new")]


def test_damaged_older_cassette(store: CassetteStore, recorder: Recorder) -> None:
    """An older cassette that cannot be read is not thrown away by appending to it."""
    store.path("tape").write_text("{ not a cassette")
    recorder.record(exchange())
    with pytest.raises(CassetteError, match=r"tape.json: line 1, column 3: not JSON.*recover"):
        recorder.finish(replace=False)
    assert store.path("tape").read_text() == "{ not a cassette"
    assert journalled(store) == ["/"]


def test_damaged_journal(
    store: CassetteStore, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that does not hold everything accepted is an error, not a shorter cassette."""
    monkeypatch.setattr(Ahead, "advance", lambda _: False)  # nothing is read before the end
    for n in range(3):
        recorder.record(exchange(f"/{n}"))
    drained(recorder)
    path = store.folder / JOURNAL
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    with pytest.raises(CassetteError, match="damaged after 2 of 3 interactions"):
        recorder.finish(replace=True)
    assert not store.exists("tape")
