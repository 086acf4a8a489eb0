"""Containers as they are written: frames in order, dictionaries, large bodies, side files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import FileBody, Interaction
from magneto_serge.replay.matching import body_key, head_digest, head_key, key_digest
from magneto_serge.storage.container import SHARED
from magneto_serge.storage.container_write import BODY_FRAME, Index
from magneto_serge.storage.store import CassetteStore

from .containers import contained, everything, opened, some
from .interactions import exchange, interactions, record


@given(st.lists(interactions(), max_size=4), st.sampled_from(["", "gz", "zst"]))
def test_whatever_was_recorded_comes_back(said: list[Interaction], coding: str) -> None:
    """Every interaction, of every shape, is the same afterwards."""
    assert everything(opened(contained(*said, coding=coding))) == said


@given(st.lists(st.sampled_from("abcdef"), max_size=400))
def test_every_interaction_is_found_by_its_key(paths: list[str]) -> None:
    """The index finds exactly the interactions with a digest, in recorded order."""
    said = [exchange(f"/{path}") for path in paths]
    container = opened(contained(*said))
    for path in set("abcdefg"):
        request = exchange(f"/{path}").request
        head = head_key(request)
        digest = head_digest(head) + key_digest(head, body_key(request.headers, request.body))
        expected = [number for number, each in enumerate(paths) if each == path]
        assert list(container.find(digest)) == expected
        assert list(container.find(digest[:8])) == expected


def test_digests_at_both_ends() -> None:
    """The smallest and the largest digest are entries like any other."""
    index = Index()
    for number, digest in enumerate((b"\xff" * 16, b"\x00" * 16, b"\xff" * 16)):
        index.add(digest, number, number)
    entries = list(index.tables())[1]
    assert [entries[at + 16 : at + 20] for at in (0, 20, 40)] == [
        b"\x00\x00\x00\x01",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x02",
    ]


@pytest.mark.parametrize("coding", ["gz", "zst"])
def test_frames_share_a_dictionary(coding: str) -> None:
    """Once there are enough interactions their likeness is used, and all still come back."""
    said = some(300)
    data = contained(*said, coding=coding)
    container = opened(data)
    assert container.footer.dictionary
    assert container.buffer[container.place(299) + 9] & SHARED
    assert not container.buffer[container.place(0) + 9] & SHARED
    assert everything(container) == said
    assert len(data) < len(contained(*said)) / 4


@pytest.mark.parametrize("coding", ["", "gz", "zst"])
def test_large_bodies_have_frames_of_their_own(coding: str) -> None:
    """They are lent as they lie where that is not compressed, and are bytes to everybody else."""
    noise = bytes(range(256)) * (BODY_FRAME // 256)
    text = b"text " * BODY_FRAME
    said = [
        exchange("/noise", noise, sent=noise),
        exchange("/text", text),
        exchange("/small", noise[:-1]),
    ]
    container = opened(contained(*said, coding=coding))
    assert everything(container) == said
    assert all(isinstance(each.response.body, bytes) for each in everything(container))
    lent = container.lend(0)
    assert lent.response is not None
    assert bytes(lent.response.body) == noise
    if not coding:
        assert isinstance(lent.response.body, memoryview)
        assert lent.response.body.obj is container.buffer.obj


def test_side_files(store: CassetteStore) -> None:
    """Streamed bodies are side files, as with JSON, and go when nothing mentions them."""
    for name in ("one.msgpack", "two.msgpack.zst"):
        recorder = store.recorder(name)
        body = recorder.open_body()
        body.write(b"streamed")
        reference = body.close()
        recorder.record(exchange("/large", reference))  # type: ignore[arg-type]  # as the proxy does
        recorder.finish(replace=True)
        [held] = store.load(name)
        assert held.response is not None
        assert isinstance(held.response.body, FileBody)
        assert held.response.body.path.read_bytes() == b"streamed"
        record(store, name, exchange("/more"), add=True)
        assert len(store.load(name, verify=True)) == 2
        record(store, name, exchange("/other"))
        assert not held.response.body.path.exists()
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "one.msgpack",
        "two.msgpack.zst",
    ]


def test_adding_copies_what_was_there(store: CassetteStore) -> None:
    """Adding to a container of the same format changes none of its frames."""
    said = some(200)
    path = record(store, "tape.msgpack.zst", *said)
    before = path.read_bytes()
    end = opened(before).footer.start
    record(store, "tape.msgpack.zst", exchange("/new"), *said[:2], add=True)
    assert path.read_bytes()[:end] == before[:end]
    assert store.load("tape") == [*said, exchange("/new"), *said[:2]]
    found = opened(path.read_bytes()).find(head_digest(head_key(said[0].request)))
    assert list(found) == [0, 1, 201, 202]
