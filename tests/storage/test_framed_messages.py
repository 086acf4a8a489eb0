"""Long conversations in a container: damaged in one frame, they can be read up to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.store import CassetteStore

from .talk import end, handshake, say


def test_a_damaged_frame_of_messages(tmp_path: Path) -> None:
    """Opening tells nothing of it; reading that far does, with the place and the remedy."""
    store = CassetteStore(tmp_path, format="msgpack")
    recorder = store.recorder("tape")
    writer = recorder.open_conversation(handshake())
    for number in range(1500):
        say(writer, "server", f"tick {number:04} " + "x" * 90)
    end(writer)
    recorder.finish(replace=True)
    path = store.path("tape")
    data = path.read_bytes()
    at = data.index(b"tick 1200")
    path.write_bytes(data[:at] + b"TICK" + data[at + 4 :])
    (recorded,) = Cassette.open(path)
    assert recorded.websocket is not None
    read = iter(recorded.websocket.messages)
    assert next(read).data == b"tick 0000 " + b"x" * 90
    with pytest.raises(CassetteError, match=r"byte \d+: .*checksum.* recover"):
        list(read)
