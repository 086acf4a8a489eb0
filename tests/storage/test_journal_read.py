"""Both kinds of journal are read alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from magneto_serge.storage.journal_read import reading
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange
from .test_recorder import drained


@pytest.mark.parametrize("format", ["json", "msgpack", "msgpack.zst"])
def test_while_it_is_written(store: CassetteStore, format: str) -> None:
    """A reader finds who records, and what is whole by now, whichever kind the journal is."""
    recorder = CassetteStore(store.folder, format=format).recorder("tape")
    for number in range(3):
        recorder.record(exchange(f"/{number}"))
    drained(recorder)
    with reading(store.folder / ".tape.journal") as reader:
        assert reader.head is not None
        assert (reader.head.name, reader.head.pid) == ("tape", os.getpid())
        assert list(reader.interactions()) == [exchange(f"/{number}") for number in range(3)]
        assert reader.torn == 0
        assert reader.home == recorder._journal.bodies
    recorder.abort()


@pytest.mark.parametrize("content", [b"", b"notes", b"magneto\x02", b"magneto\x03", b"magneto\x09"])
def test_no_journal(tmp_path: Path, content: bytes) -> None:
    """What is no journal, or was cut in its head, has no head."""
    path = tmp_path / ".tape.journal"
    path.write_bytes(content)
    with reading(path) as reader:
        assert reader.head is None
