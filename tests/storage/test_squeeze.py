"""Single frames compressed: exact, alone or with a shared dictionary, and bounded."""

from __future__ import annotations

import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.storage.container import FRAME_LIMIT, PLAIN, SHARED, ZLIB, ZSTD
from magneto_serge.storage.squeeze import Squeezer, Unsqueezer

codings = pytest.mark.parametrize("coding", [ZLIB, ZSTD])
TEXT = b'{"name": "value", "other": [1, 2, 3]}' * 8


@given(st.binary(max_size=400), st.binary(max_size=400), st.sampled_from([PLAIN, ZLIB, ZSTD]))
def test_round_trip(content: bytes, dictionary: bytes, coding: int) -> None:
    """What was squeezed comes back, with a dictionary and without."""
    squeezer, unsqueezer = Squeezer(coding), Unsqueezer()
    assert unsqueezer.content(*_viewed(squeezer.squeeze(content))) == content
    if coding and len(dictionary) >= 8:
        squeezer.share(dictionary)
        unsqueezer.dictionary = dictionary
        assert unsqueezer.content(*_viewed(squeezer.squeeze(content))) == content


def _viewed(squeezed: tuple[int, bytes | bytearray]) -> tuple[int, memoryview]:
    return squeezed[0], memoryview(squeezed[1])


@codings
def test_a_dictionary_pays(coding: int) -> None:
    """What resembles the dictionary takes a fraction with it."""
    squeezer = Squeezer(coding)
    _, alone = squeezer.squeeze(TEXT[:80])
    squeezer.share(TEXT)
    used, shared = squeezer.squeeze(TEXT[:80])
    assert used == coding | SHARED
    assert len(shared) < len(alone) / 2
    assert squeezer.squeeze(TEXT, shared=False)[0] == coding


@codings
def test_what_gains_nothing_stays_plain(coding: int) -> None:
    """Content that compression would not make smaller is kept as it is."""
    assert Squeezer(coding).squeeze(bytes(range(256))) == (PLAIN, bytes(range(256)))


def test_plain_content_is_not_copied() -> None:
    """What is not compressed is the very memory that it lies in."""
    view = memoryview(b"content")
    assert Unsqueezer().content(PLAIN, view) is view


@pytest.mark.parametrize(
    ("coding", "payload"),
    [
        (3, b"x"),
        (ZLIB, b"damaged"),
        (ZLIB, zlib.compress(TEXT)[:-1]),
        (ZLIB, zlib.compress(TEXT) + b"more"),
        (ZLIB | SHARED, zlib.compress(TEXT)),
        (ZSTD, b"damaged"),
        (ZSTD, zstandard.compress(TEXT)[:-1]),
        (ZSTD, zstandard.compress(TEXT) + b"more"),
        (ZSTD, zstandard.ZstdCompressor(write_content_size=False).compress(TEXT)),
        (ZSTD, b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00"),
        (ZSTD | SHARED, zstandard.compress(TEXT)),
    ],
    ids=range(11),
)
def test_damage_is_a_value_error(coding: int, payload: bytes) -> None:
    """Whatever is wrong with a frame is one kind of error, and no memory is taken for a claim."""
    with pytest.raises(ValueError, match=r"\w"):
        Unsqueezer().content(coding, memoryview(payload))


@codings
def test_bombs_are_bounded(coding: int) -> None:
    """A frame that expands to more than any frame that we write is refused."""
    large = bytes(FRAME_LIMIT + 1)
    bomb = zlib.compress(large, 1) if coding == ZLIB else zstandard.compress(large)
    with pytest.raises(ValueError, match=str(FRAME_LIMIT)[:-1]):
        Unsqueezer().content(coding, memoryview(bomb))
