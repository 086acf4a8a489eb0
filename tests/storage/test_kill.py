"""``kill -9`` while recording: the older cassette is intact, and what was recorded can be had."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.errors import CassetteBusyError
from magneto_serge.storage.recover import recover
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange
from .test_recorder import bodies_of

PROGRAM = """
import sys, threading
from pathlib import Path
from magneto_serge.messages import Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore
recorder = CassetteStore(Path(sys.argv[1])).recorder("tape")
def record(target, body):
    recorder.record(Interaction(Request("GET", "http", "h", 80, target), Response(200, body=body)))
writer = recorder.open_body()
writer.write(b"large")
record("/1", b"new")
record("/2", writer.close())
recorder.open_body().write(b"never ended")
for _ in range(2):  # the first may be that of a batch which was taken before
    on_disk = threading.Event()
    recorder.when_drained(on_disk.set)
    on_disk.wait()
print("recording", flush=True)
while True:
    record("/more", bytes(100_000))
"""


@pytest.fixture
def recording(store: CassetteStore) -> Iterator[subprocess.Popen[str]]:
    """Another process that records without end the cassette that exists already."""
    older = store.recorder("tape")
    older.record(exchange("/old", b"old"))
    older.finish(replace=True)
    command = [sys.executable, "-c", PROGRAM, str(store.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        yield process
        process.kill()


def test_killed(store: CassetteStore, recording: subprocess.Popen[str], tmp_path: Path) -> None:
    """The older cassette loads as before; the next recording works and keeps what was left."""
    older = store.path("tape").read_bytes()
    with pytest.raises(CassetteBusyError, match=f"process {recording.pid}"):
        store.recorder("tape")
    recording.send_signal(signal.SIGKILL)
    recording.wait()
    assert store.path("tape").read_bytes() == older
    assert store.load("tape") == [exchange("/old", b"old")]
    again = store.recorder("tape")
    again.record(exchange("/again"))
    again.finish(replace=False)
    assert [x.request.target for x in store.load("tape")] == ["/old", "/again"]
    left = store.folder / ".tape.journal.crashed-1"
    assert recover(left, store.path("found")).interactions >= 2
    assert bodies_of(store, "found")[:2] == [b"new", b"large"]
