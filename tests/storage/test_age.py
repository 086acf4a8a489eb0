"""A cassette is as old as its newest interaction, in whatever format it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from magneto_serge.errors import CassetteError, CassetteNotFoundError
from magneto_serge.messages import Interaction
from magneto_serge.storage import container_read
from magneto_serge.storage.age import newest
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange, record


def at(started: float) -> Interaction:
    """Return an interaction of this time."""
    interaction = exchange()
    interaction.started = started
    return interaction


@pytest.mark.parametrize("format", FORMATS)
def test_the_newest_interaction_counts(format: str, tmp_path: Path) -> None:
    """Wherever it stands; compressed or not."""
    path = record(CassetteStore(tmp_path, format=format), "x", at(1e9), at(1.5e9), at(1.2e9))
    assert newest(path) == 1.5e9


@pytest.mark.parametrize("format", ["json", "msgpack"])
def test_what_does_not_say_when_it_was_recorded_has_no_age(format: str, tmp_path: Path) -> None:
    """No date is better than a wrong one."""
    assert newest(record(CassetteStore(tmp_path, format=format), "x", at(0.0))) is None


def test_a_file_of_version_1_says_it_too(tmp_path: Path) -> None:
    """In its own words."""
    path = tmp_path / "old.json"
    path.write_text(
        '{"version": "1.0", "name": "old", "recorded_at": "2020-01-01T00:00:00Z",'
        ' "interactions": [{"type": "Http", "recorded_at": "2001-09-09T01:46:40Z",'
        ' "request": {"method": "GET", "url": "http://a/"}, "response": {"status": 200}}]}'
    )
    assert newest(path) == 1e9


@pytest.mark.parametrize("format", ["msgpack", "msgpack.zst"])
def test_of_a_large_container_both_ends_are_looked_at(
    format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are between them; unless all are asked for."""
    times = [5.0, *[float(n) for n in range(1, 30)], 2.0]
    path = record(CassetteStore(tmp_path, format=format), "x", *map(at, times))
    looked: list[int] = []
    place = container_read.Container.place
    monkeypatch.setattr(
        container_read.Container, "place", lambda self, n: (looked.append(n), place(self, n))[1]
    )
    assert newest(path, looked_at=4) == 29.0
    assert looked == [0, 1, 29, 30]
    assert newest(path, looked_at=None) == 29.0


def test_what_is_no_cassette_says_so(tmp_path: Path) -> None:
    """With its place."""
    with pytest.raises(CassetteNotFoundError):
        newest(tmp_path / "none.json")
    with pytest.raises(CassetteError, match="cannot read"):
        newest(tmp_path)
    broken = tmp_path / "broken.json"
    broken.write_text('{"interactions": [')
    with pytest.raises(CassetteError, match="truncated"):
        newest(broken)


def test_a_damaged_container_says_so(tmp_path: Path) -> None:
    """A time that cannot be read is no time."""
    path = record(CassetteStore(tmp_path, format="msgpack"), "x", at(1e9))
    data = bytearray(path.read_bytes())
    where = data.index(b"started")
    data[where] ^= 1
    path.write_bytes(data)
    with pytest.raises(CassetteError, match="byte"):
        newest(path)


def test_a_long_conversation_began_with_its_handshake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frame has that, and where the messages are."""
    path = record(CassetteStore(tmp_path, format="msgpack"), "x", at(1e9))
    content = container_read.Container.content

    def talk(container: container_read.Container, offset: int, kind: int) -> bytes:
        handshake = msgspec.msgpack.decode(content(container, offset, kind))
        return msgspec.msgpack.encode((handshake, 3, [8, 16]))

    monkeypatch.setattr(container_read.Container, "content", talk)
    assert newest(path) == 1e9
