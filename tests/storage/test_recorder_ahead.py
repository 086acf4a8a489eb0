"""When a recorder lets JSON be rendered before the end, and what becomes of it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator

import pytest

from magneto_serge.messages import Interaction
from magneto_serge.storage import recorder as recorder_module
from magneto_serge.storage.ahead import Ahead
from magneto_serge.storage.body_writer import Step
from magneto_serge.storage.json_write import JsonWriter
from magneto_serge.storage.recorder import Recorder
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange
from .test_recorder import Gate, drained


@pytest.fixture
def recorder(store: CassetteStore) -> Iterator[Recorder]:
    """A recorder of the cassette ``tape``, forgotten at the end if the test does not finish it."""
    recorder = store.recorder("tape")
    yield recorder
    recorder.abort()


@pytest.mark.parametrize("add", [False, True])
def test_rendered_in_the_lulls(
    store: CassetteStore, monkeypatch: pytest.MonkeyPatch, add: bool
) -> None:
    """What was rendered before the end is not rendered again; older interactions come first."""
    caught_up = threading.Event()
    advance = Ahead.advance

    def noted(ahead: Ahead) -> bool:
        more = advance(ahead)
        if ahead.count == 2 and not more:
            caught_up.set()
        return more

    monkeypatch.setattr(Ahead, "advance", noted)
    if add:
        store.save("tape", [exchange("/0")])
    recorder = store.recorder("tape")
    recorder.record(exchange("/1"))
    recorder.record(exchange("/2"))
    assert caught_up.wait(10)
    monkeypatch.setattr(Ahead, "advance", lambda _: False)
    recorder.record(exchange("/3"))
    rendered: list[str] = []
    add_one = JsonWriter.add

    def counted(writer: JsonWriter, interaction: Interaction) -> None:
        rendered.append(interaction.request.target)
        add_one(writer, interaction)

    monkeypatch.setattr(JsonWriter, "add", counted)
    recorder.finish(replace=not add)
    assert rendered == ["/3"]
    assert [each.request.target for each in store.load("tape")] == ["/0", "/1", "/2", "/3"][
        0 if add else 1 :
    ]


def test_a_full_disk_has_room_for_what_is_recorded(
    store: CassetteStore, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is rendered ahead goes when the journal finds no room, and the rest is written."""
    write, calls = os.write, iter(range(100))
    caught_up = threading.Event()
    advance = Ahead.advance

    def noted(ahead: Ahead) -> bool:
        more = advance(ahead)
        if ahead.count == 1 and not more:
            caught_up.set()
        return more

    def fill(descriptor: int, data: memoryview) -> int:
        match next(calls):
            case 0:
                return write(descriptor, data[:10])
            case 1:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(Ahead, "advance", noted)
    recorder.record(exchange("/1"))
    assert caught_up.wait(10)
    monkeypatch.setattr(os, "write", fill)
    recorder.record(exchange("/2"))
    drained(recorder)
    recorder.finish(replace=True)
    assert [each.request.target for each in store.load("tape")] == ["/1", "/2"]
    assert next(calls) > 2


def test_much_traffic_is_left_alone(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a large batch nothing is rendered until the traffic pauses; then it goes on."""
    said: list[str] = []
    went_on = threading.Event()

    def go_on(_: Ahead) -> None:
        said.append("go on")
        went_on.set()

    gate = Gate(recorder)
    monkeypatch.setattr(Ahead, "pause", lambda _: said.append("pause"))
    monkeypatch.setattr(Ahead, "go_on", go_on)
    for n in range(recorder_module.LULL + 1):
        recorder.record(exchange(f"/{n}"))
    gate.open()
    drained(recorder)
    went_on.clear()
    assert went_on.wait(10)
    assert "pause" in said
    assert said[-1] == "go on"


def test_after_silence_nothing_gathers_for_long(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes first, or after a pause, is written and rendered without waiting for a crowd."""
    monkeypatch.setattr(recorder_module, "GATHER", 3600.0)
    written = threading.Semaphore(0)
    write = recorder._scribe.write

    def noted(batch: list[Interaction | Step]) -> None:
        write(batch)
        for _ in batch:
            written.release()

    monkeypatch.setattr(recorder._scribe, "write", noted)
    for n in range(3):
        recorder.record(exchange(f"/{n}"))
        assert written.acquire(timeout=10)


def test_batches_leave_time_to_be_written() -> None:
    """What is promised (200 ms from an exchange's end to the journal) is mostly not for waiting."""
    assert 4 * recorder_module.GATHER <= 0.2
    assert recorder_module.GATHER_EAGERLY < recorder_module.GATHER


def test_a_crowd_gathers(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a batch was large the next one is waited for, up to a limit in bytes."""
    waited: list[float] = []
    wait = recorder._hurry.wait

    def noted(seconds: float) -> bool:
        waited.append(seconds)
        return wait(0)

    monkeypatch.setattr(recorder._hurry, "wait", noted)
    gate = Gate(recorder)
    for n in range(recorder_module.LULL + 1):
        recorder.record(exchange(f"/{n}"))
    gate.open()
    drained(recorder)
    recorder._stop()
    assert recorder_module.GATHER in waited
