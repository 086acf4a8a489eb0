"""Whole files compressed, and back: exact, bounded, and damage is named."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import CassetteError
from magneto_serge.storage import packing as module
from magneto_serge.storage.packing import packing, unpacked

PLACE = Path("tape.json.gz")
codings = pytest.mark.parametrize("coding", ["gz", "zst"])


def packed(content: bytes, coding: str) -> bytes:
    """Return ``content`` compressed as a cassette is."""
    out = io.BytesIO()
    with packing(PLACE, out, coding) as text:
        text.write(content)
    return out.getvalue()


@given(st.binary(max_size=5000), st.sampled_from(["gz", "zst"]))
def test_round_trip(content: bytes, coding: str) -> None:
    """What was packed comes back, whatever it was."""
    assert unpacked(PLACE, packed(content, coding)) == content


def test_what_is_not_compressed_stays_as_it_is() -> None:
    """Anything that starts like neither format is not touched."""
    assert unpacked(PLACE, b'{"version"') == b'{"version"'
    assert packed(b"{}", "") == b"{}"
    assert unpacked(PLACE, b"") == b""


@codings
def test_every_truncation_is_an_error(coding: str) -> None:
    """A file that was cut anywhere is named with the place; nothing is made up."""
    whole = packed(b"a" * 50 + bytes(range(200)), coding)
    for cut in range(4, len(whole)):
        with pytest.raises(CassetteError, match=rf"tape\.json\.gz: .*byte \d+: .*{coding[0]}"):
            unpacked(PLACE, whole[:cut])


@codings
def test_every_flipped_bit_is_an_error_or_harmless(coding: str) -> None:
    """Damage never changes the content: the checksums of both formats see to that."""
    content = b"content" * 20
    whole = packed(content, coding)
    for place in range(4, len(whole)):
        for bit in (1, 128):
            damaged = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
            try:
                assert unpacked(PLACE, damaged) == content  # gzip's header has bits for nothing
            except CassetteError:
                pass


def test_several_streams() -> None:
    """Compressed files may be concatenated, as their tools allow."""
    assert unpacked(PLACE, gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert unpacked(PLACE, zstandard.compress(b"a") * 2) == b"aa"


@codings
def test_bombs_are_bounded(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What expands beyond the limit is refused, and takes no more memory than the limit."""
    monkeypatch.setattr(module, "LIMIT", 2 * 1024 * 1024)
    out = io.BytesIO()
    pack = gzip.GzipFile(fileobj=out, mode="wb") if coding == "gz" else None
    stream = pack or zstandard.ZstdCompressor().stream_writer(out, closefd=False)
    for _ in range(64):
        stream.write(bytes(1024 * 1024))
    stream.close()
    bomb = out.getvalue()
    tracemalloc.start()
    with pytest.raises(CassetteError, match=r"expands to more than .*msgpack"):
        unpacked(PLACE, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 1024 * 1024


@codings
def test_nothing_is_written_that_could_not_be_read(
    coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing stops at the limit that reading has, and says which format has none."""
    monkeypatch.setattr(module, "LIMIT", 100)
    with pytest.raises(CassetteError, match="msgpack"):
        packed(bytes(101), coding)


def test_a_zstd_frame_that_wants_too_much_memory() -> None:
    """A frame whose header asks for a window of gigabytes is refused."""
    header = b"\x28\xb5\x2f\xfd\x00\xf8" + b"\x01\x00\x00"
    with pytest.raises(CassetteError, match="zstd data is damaged"):
        unpacked(PLACE, header)
