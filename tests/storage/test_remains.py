"""What is left of a container that was cut: every whole interaction, and how much was lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.storage.container import MAGIC
from magneto_serge.storage.remains import Remains

from .containers import contained, opened, some
from .interactions import exchange


@pytest.mark.parametrize("coding", ["", "gz", "zst"])
def test_every_cut_gives_what_was_whole(coding: str, tmp_path: Path) -> None:
    """Cut at any byte, the interactions whose frames are whole are there, and no other."""
    said = [*some(60), exchange("/large", bytes(range(256)) * 300)]
    whole = contained(*said, coding=coding)
    container = opened(whole)
    ends = [offset + length for offset, length in container.places()]
    cuts = {*range(len(MAGIC), ends[1]), *ends, *(end - 1 for end in ends), len(whole)}
    for cut in sorted(cuts):
        remains = Remains(tmp_path / "tape.msgpack", memoryview(whole[:cut]))
        found = list(remains.interactions())
        assert found == said[: sum(end <= cut for end in ends)], cut
        assert remains.whole + remains.torn == cut


def test_noise_instead_of_frames(tmp_path: Path) -> None:
    """A damaged frame ends what can be read: nothing after it is guessed at."""
    data = bytearray(contained(*some(6)))
    place = opened(bytes(data)).place(3)
    data[place + 15] ^= 4
    remains = Remains(tmp_path / "tape.msgpack", memoryview(bytes(data)))
    assert list(remains.interactions()) == some(3)
    assert remains.whole == place


def test_a_head_that_was_cut(tmp_path: Path) -> None:
    """Without a whole head there is no recording to speak of."""
    remains = Remains(tmp_path / "tape.msgpack", memoryview(MAGIC + b"\x00"))
    assert remains.head is None
    assert list(remains.interactions()) == []
