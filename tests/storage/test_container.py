"""The container's layout: what is whole opens, and what is not says where and why."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge import __version__
from magneto_serge.errors import CassetteError
from magneto_serge.replay.matching import KEY_SCHEME, head_digest, head_key
from magneto_serge.storage.container import FOOTER, FRAME, MAGIC, Footer, frame, runs

from .containers import contained, everything, opened, some
from .interactions import exchange

codings = pytest.mark.parametrize("coding", ["", "gz", "zst"])


def read(data: bytes) -> tuple[list[object], list[int]]:
    """Return everything that a container says: its interactions, and what its index finds."""
    container = opened(data)
    digest = head_digest(head_key(exchange("/0").request))
    container.side_files()
    return [*everything(container)], list(container.find(digest))


@codings
def test_every_truncation_is_an_error(coding: str) -> None:
    """A container that was cut at any byte says that it is truncated, where, and what to do."""
    whole = contained(*some(), coding=coding)
    for cut in range(len(MAGIC), len(whole)):
        with pytest.raises(CassetteError) as error:
            opened(whole[:cut])
        assert f"byte {cut}" in str(error.value)
        assert "truncated" in str(error.value)
        assert "magneto recover" in str(error.value)


@codings
def test_every_flipped_bit_is_an_error(coding: str) -> None:
    """No bit can change without its being noticed where it matters: everything has a checksum."""
    whole = contained(*some(), coding=coding)
    assert read(whole) == (some(), [0, 1])
    for place in range(len(whole)):
        flipped = whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        with pytest.raises(CassetteError, match=r"tape\.msgpack: .*\. \w+.*\."):
            read(flipped)


def test_bytes_after_the_end() -> None:
    """A container with something after it, or twice the same, is not taken for whole."""
    whole = contained(*some())
    for data in (whole + b"\n", whole + whole):
        with pytest.raises(CassetteError, match=r"truncated|the footer is of a file with"):
            opened(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "does not start as one"),
        (b"magneto", "does not start as one"),
        (b"MAGNETO\x03" * 9, "does not start as one"),
        (b"magneto\x02" * 9, r"the journal of a recording.*magneto recover"),
        (b"magneto\x04" * 9, r"version 4 .*\(it reads 3\).*upgrade"),
        (b"magneto\xff" * 9, r"version 255 .*upgrade"),
    ],
)
def test_what_is_no_container(data: bytes, reason: str) -> None:
    """Another magic, a journal and a newer version are told apart, and each has its remedy."""
    with pytest.raises(CassetteError, match=reason):
        opened(data)


@given(st.binary(max_size=300))
def test_noise_is_an_error(noise: bytes) -> None:
    """Whatever follows the magic, reading it raises CassetteError and nothing else."""
    with pytest.raises(CassetteError):
        read(MAGIC + noise)


def with_footer(frames: bytes, **changed: int) -> bytes:
    """Return frames with an index of nothing, and a footer that is changed and has its checksum."""
    footer = Footer(len(MAGIC) + len(frames), 0, 0, 0, 0, KEY_SCHEME)._replace(**changed)
    return MAGIC + frames + footer.pack()


def frames_of(*payloads: tuple[int, int, bytes]) -> bytes:
    """Return frames of kind, coding and payload."""
    return b"".join(frame(kind, coding, payload) + payload for kind, coding, payload in payloads)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (with_footer(b"", interactions=2**32 - 1), "the footer is of a file with"),
        (with_footer(b"", files=2**32 - 1), "the footer is of a file with"),
        (with_footer(b"", start=2**64 - 1), "the footer is of a file with"),
        (with_footer(b""), "there is no frame"),
        (with_footer(FRAME.pack(2**32 - 1, 0, 1, 0)), "frame of 4294967295 bytes does not fit"),
        (with_footer(frames_of((2, 0, b""))), "there is no head"),
        (with_footer(frames_of((1, 0, b""))), "the head cannot be read"),
        (with_footer(frames_of((1, 0, b"\x91" * 5000))), "the head cannot be read"),
        (with_footer(frames_of((1, 0, b"\xdf\xff\xff\xff\xff"))), "the head cannot be read"),
        (with_footer(frames_of((1, 2, b"x"))), "the head cannot be read"),
    ],
)
def test_declared_lies(data: bytes, reason: str) -> None:
    """Lengths, counts and offsets beyond the file, and heads that are none, are refused."""
    with pytest.raises(CassetteError, match=reason):
        opened(data)


def bad_interactions() -> Iterator[bytes]:
    """Yield payloads that are whole frames and no interactions."""
    yield b""
    yield b"\x91" * 100_000  # arrays in arrays
    yield b"\x81\xa7request" * 50_000  # maps in maps, where a request should be
    yield b"\x81\xa7request\xc6\xff\xff\xff\xff"  # 4 GB declared
    yield b"\x81\xa7request\xdd\xff\xff\xff\xff"
    yield b"\x81\xa4peer\xa2\xff\xfe"  # not UTF-8
    yield b"\x80"


@pytest.mark.parametrize("payload", list(bad_interactions()))
def test_a_whole_frame_that_is_no_interaction(payload: bytes) -> None:
    """Checksums cannot tell who wrote a frame: what is inside is checked too."""
    good = contained(*some(1))
    container = opened(good)
    place = container.place(0)
    bad = frame(2, 0, payload) + payload
    head = good[len(MAGIC) : place]
    index = b"".join(_index_of(len(MAGIC) + len(head), len(bad)))
    footer = Footer(len(MAGIC) + len(head) + len(bad), 0, 1, 0, 0, KEY_SCHEME)
    with pytest.raises(CassetteError, match=rf"byte {place}: not an interaction"):
        everything(opened(MAGIC + head + bad + index + footer.pack()))


def _index_of(offset: int, length: int) -> Iterator[bytes]:
    from magneto_serge.storage.container_write import Index

    index = Index()
    index.add(bytes(16), offset, length)
    return index.tables()


def test_numbers() -> None:
    """Runs are counted upwards; a footer is as long as the document says."""
    assert [runs(count) for count in (0, 1, 128, 129)] == [0, 1, 1, 2]
    assert FOOTER.size == 44
    assert len(with_footer(b"")) == 8 + 44
    assert zlib.crc32(with_footer(b"")[8:40]).to_bytes(4, "big") == with_footer(b"")[40:44]


def test_a_newer_version_says_which_release_reads_it() -> None:
    """Where its first frame is, and what it says of its program, holds for every version."""
    newer = b"magneto\x04" + contained(*some(), coding="").removeprefix(MAGIC)
    with pytest.raises(CassetteError, match=rf"version 4 .*Magnéto-Serge {__version__} wrote it"):
        opened(newer)
    for cut in range(8, 80):
        with pytest.raises(CassetteError, match=r"version 4 .*upgrade"):
            opened(newer[:cut])
