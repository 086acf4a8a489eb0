"""Entries come in the order of their bytes, however they are spread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.storage import entry_order
from magneto_serge.storage.container import ENTRY
from magneto_serge.storage.entry_order import in_order


def heap_of(digests: list[tuple[bytes, bytes]]) -> bytearray:
    """Return entries with these digests, numbered as they come."""
    return bytearray(b"".join(ENTRY.pack(*pair, at) for at, pair in enumerate(digests)))


few = st.sampled_from([b"\0" * 8, b"\0" * 7 + b"\1", b"\xff" * 8, b"\0\0abcdef"])
pairs = st.lists(st.tuples(few | st.binary(min_size=8, max_size=8), few), max_size=60)


@given(pairs)
def test_the_order_is_that_of_the_bytes(digests: list[tuple[bytes, bytes]]) -> None:
    """Digests first, and then the number, which counts as they were recorded."""
    heap = heap_of(digests)
    whole = bytes(heap)
    wanted = sorted(whole[at : at + ENTRY.size] for at in range(0, len(whole), ENTRY.size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry_order, "SMALL", 3)
        assert b"".join(in_order(heap)) == b"".join(wanted)
    assert not heap


def test_many_of_the_same() -> None:
    """One request that was recorded again and again is in order as it is."""
    heap = heap_of([(b"12345678", b"12345678")] * (entry_order.SMALL + 1))
    whole = bytes(heap)
    assert list(in_order(heap)) == [whole]
