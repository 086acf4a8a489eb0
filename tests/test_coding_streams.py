"""Content codings piece by piece: the same as whole, whatever the pieces."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.coding_streams import PIECE, Decoder, Encoder
from magneto_serge.codings import Coding, CodingName, decode, encode

NAMES: tuple[CodingName, ...] = ("gzip", "deflate", "br", "zstd")
CONTENT = b"abc" * 1000 + bytes(range(256))


def undone(name: CodingName, data: bytes, step: int) -> bytes:
    """Decode in pieces of ``step`` bytes."""
    decoder = Decoder(name)
    pieces = (data[start : start + step] for start in range(0, len(data), step))
    return b"".join(each for piece in pieces for each in decoder.feed(piece))


@settings(max_examples=30)
@given(name=st.sampled_from(NAMES), content=st.binary(max_size=3000), step=st.integers(1, 500))
def test_pieces_decode_to_the_content(name: CodingName, content: bytes, step: int) -> None:
    """At every split, in every coding."""
    assert undone(name, encode(content, Coding(name)), step) == content


@pytest.mark.parametrize("name", NAMES)
def test_what_is_encoded_in_pieces_is_one_whole_stream(name: CodingName) -> None:
    """The strict decoder takes it."""
    encoder = Encoder(name)
    data = b"".join(encoder.feed(CONTENT[at : at + 100]) for at in range(0, len(CONTENT), 100))
    assert decode(name, data + encoder.finish(), 10_000) == CONTENT


def test_deflate_without_its_wrapper_is_understood() -> None:
    """RFC 9110 §8.4.1.2: some send it so."""
    encoder = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    assert undone("deflate", encoder.compress(CONTENT) + encoder.flush(), 7) == CONTENT


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_decoded_says_so(name: CodingName) -> None:
    """A body that is not what its fields say."""
    with pytest.raises(ValueError, match=r"\w"):
        undone(name, b"x" * 2000, 100)


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_comes_in_pieces(name: CodingName) -> None:
    """However much it holds, no piece is large."""
    bomb = encode(b"\0" * (4 * PIECE), Coding(name))
    sizes = [len(each) for each in Decoder(name).feed(bomb)]
    assert sum(sizes) == 4 * PIECE
    assert max(sizes) <= 4 * PIECE if name == "zstd" else max(sizes) <= 2 * PIECE


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_what_follows_the_end_is_no_content(name: CodingName) -> None:
    """Bytes after the stream are not decoded."""
    data = encode(CONTENT, Coding(name))
    assert undone(name, data + b"junk" * 1000, 1024) == CONTENT
