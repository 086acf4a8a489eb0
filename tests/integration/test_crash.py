"""Ends without a goodbye: `kill -9` while recording costs moments, never an older cassette."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import MakeProxy
from .doors import Door
from .exchange import PATIENCE
from .origin import Origin

RECORDER = """
import sys, urllib.request
from magneto_serge import MagnetoProxy
proxy = MagnetoProxy(sys.argv[1], port=0, data_dir=sys.argv[2]).start()
proxy.start_recording("tape")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
for line in sys.stdin:
    opener.open(line.strip()).read()
    print("recorded", flush=True)
"""


class Recording:
    """A program that records what it is told to fetch, until it is killed."""

    def __init__(self, cassettes: Path, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(cassettes), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def fetch(self, url: str) -> None:
        """Have it fetch ``url``; returns when it has the answer."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(url + "\n")
        stdin.flush()
        assert stdout.readline() == "recorded\n"

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        assert self.process.returncode == -signal.SIGKILL


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition on files holds: another process brings it about, so it is polled."""
    tick = threading.Event()
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the journal is behind by more than it may"
        tick.wait(0.01)


@pytest.fixture
def recording(tmp_path: Path, data_dir: Path) -> Iterator[Recording]:
    """A recording program of its own, ended with the test."""
    recording = Recording(tmp_path / "cassettes", data_dir)
    yield recording
    recording.process.kill()
    recording.process.communicate()


def test_kill_leaves_the_older_cassette(
    make_proxy: MakeProxy, origin: Origin, tmp_path: Path, data_dir: Path
) -> None:
    """A recording killed in the middle leaves the cassette before it byte for byte."""
    proxy = make_proxy()
    door = Door("absolute", proxy, origin)
    proxy.start_recording("tape")
    door.ask("/json")
    path = proxy.stop_recording()
    assert path is not None
    before = path.read_bytes()

    crashed = Recording(tmp_path / "cassettes", data_dir)
    for number in range(5):
        crashed.fetch(origin.url(f"/echo?n={number}"))
    crashed.kill()

    assert path.read_bytes() == before
    origin.stop()
    proxy.replay("tape")
    assert door.ask("/json").body == b'{"ok": true}'


def test_next_recording_is_not_in_the_way(
    recording: Recording, make_proxy: MakeProxy, origin: Origin, tmp_path: Path
) -> None:
    """After a crash the cassette can be recorded again, and what the crash left is kept."""
    folder = tmp_path / "cassettes"
    recording.fetch(origin.url("/json?crashed"))
    wait_for(lambda: any(b"/json?crashed" in file.read_bytes() for file in folder.iterdir()))
    recording.kill()

    proxy = make_proxy()
    proxy.start_recording("tape")
    Door("absolute", proxy, origin).ask("/empty")
    path = proxy.stop_recording()
    assert path is not None
    kept = [file for file in folder.iterdir() if b"/json?crashed" in file.read_bytes()]
    assert [file.name.partition(".journal")[2] for file in kept] == [".crashed-1"]
