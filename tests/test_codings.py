"""Content codings: strict and bounded decoding, exact parameters, deterministic encoding."""

from __future__ import annotations

import gzip
import io
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge import codings
from magneto_serge.codings import Coding, CodingName, coding_of, decode, encode, find
from magneto_serge.messages import Headers

TEXT = b"".join(b"line %d of a text that repeats itself\n" % n for n in range(400))
LIMIT = 1024 * 1024
NAMES: list[CodingName] = ["gzip", "deflate", "br", "zstd"]


def raw_deflate(content: bytes, level: int = 6) -> bytes:
    """Compress without the zlib wrapper."""
    encoder = zlib.compressobj(level, wbits=-15)
    return encoder.compress(content) + encoder.flush()


def streamed_gzip(content: bytes) -> bytes:
    """Compress as hardly a server does: flushing so that each piece can be read alone."""
    encoder = zlib.compressobj(6, wbits=31)
    flushed = encoder.compress(content[:100]) + encoder.flush(zlib.Z_FULL_FLUSH)
    return flushed + encoder.compress(content[100:]) + encoder.flush()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (["gzip"], "gzip"),
        (["X-GZIP"], "gzip"),
        ([" br "], "br"),
        (["zstd"], "zstd"),
        (["deflate"], "deflate"),
        (["identity"], None),
        (["gzip, br"], None),
        (["gzip", "br"], None),
        ([""], None),
        ([], None),
    ],
)
def test_one_known_coding(values: list[str], name: str | None) -> None:
    """Exactly one coding that we know is one; names compare without case (RFC 9110 §8.4.1)."""
    assert coding_of(Headers.of(*(("Content-Encoding", value) for value in values))) == name


@pytest.mark.parametrize("name", NAMES)
@given(content=st.binary(max_size=200))
def test_decodes_what_it_encodes(name: CodingName, content: bytes) -> None:
    """Encoding and decoding again gives the content; encoding twice gives the same bytes."""
    data = encode(content, Coding(name))
    assert decode(name, data, LIMIT) == content
    assert encode(content, Coding(name)) == data


@pytest.mark.parametrize(
    ("name", "data", "content"),
    [
        ("gzip", gzip.compress(TEXT), TEXT),
        ("gzip", gzip.compress(TEXT, 1, mtime=0), TEXT),
        ("gzip", gzip.compress(TEXT, 6, mtime=12345), TEXT),
        ("deflate", zlib.compress(TEXT), TEXT),
        ("deflate", zlib.compress(TEXT, 9), TEXT),
        ("deflate", raw_deflate(TEXT, 1), TEXT),
        ("br", brotli.compress(TEXT, quality=5), TEXT),
        ("br", brotli.compress(TEXT[:1000]), TEXT[:1000]),
        ("zstd", zstandard.compress(TEXT), TEXT),
    ],
)
def test_finds_the_exact_parameters(name: CodingName, data: bytes, content: bytes) -> None:
    """What common encoders write is reproduced byte for byte from a few parameters."""
    coding = find(name, data, content)
    assert coding is not None
    assert encode(content, coding) == data


def test_large_content_is_compared_in_steps() -> None:
    """Exact parameters are found for content of several steps, and given up at the first."""
    content = bytes(range(256)) * 1024 + TEXT * 20
    assert find("gzip", gzip.compress(content, 9), content) is not None
    assert find("gzip", streamed_gzip(content), content) is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("gzip", streamed_gzip(TEXT)),
        ("br", brotli.compress(TEXT, quality=2)),
        ("zstd", zstandard.ZstdCompressor(level=19, write_checksum=True).compress(TEXT)),
    ],
)
def test_unusual_parameters_are_not_found(name: CodingName, data: bytes) -> None:
    """What no candidate reproduces has no parameters, rather than wrong ones."""
    assert find(name, data, TEXT) is None


def test_gzip_with_a_file_name_is_not_searched() -> None:
    """A gzip header with more than the fixed fields is not reproduced (RFC 1952 §2.3)."""
    out = io.BytesIO()
    with gzip.GzipFile("notes.txt", "wb", fileobj=out) as file:
        file.write(TEXT)
    assert find("gzip", out.getvalue(), TEXT) is None


def test_large_bodies_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit no time is spent on finding parameters."""
    monkeypatch.setattr(codings, "SEARCHABLE", 10)
    assert find("gzip", gzip.compress(TEXT), TEXT) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data + data,
        lambda data: b"",
        lambda data: b"plain text that only claims to be encoded",
    ],
    ids=["cut", "trailing byte", "two members", "empty", "plain"],
)
def test_only_one_whole_stream_decodes(name: CodingName, damage: object) -> None:
    """A stream that is cut, followed by anything, or no stream at all is not decoded."""
    assert callable(damage)
    assert decode(name, damage(encode(TEXT, Coding(name))), LIMIT) is None


@pytest.mark.parametrize("name", NAMES)
def test_bombs_are_not_decoded(name: CodingName) -> None:
    """Decoding stops at the limit, however much more there is."""
    bomb = encode(bytes(64 * LIMIT), Coding(name))
    assert decode(name, bomb, LIMIT) is None
    assert decode(name, encode(bytes(LIMIT), Coding(name)), LIMIT) == bytes(LIMIT)


def test_zstd_window_is_bounded() -> None:
    """A frame that asks for more than 8 MiB of window is not decoded (RFC 9659 §3)."""
    parameters = zstandard.ZstdCompressionParameters(window_log=25)
    encoder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert decode("zstd", encoder.compress(TEXT) + encoder.flush(), LIMIT) is None


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=100))
def test_any_bytes_decode_or_do_not(name: CodingName, data: bytes) -> None:
    """No input makes a decoder raise."""
    decode(name, data, LIMIT)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_impossible_parameters(name: CodingName) -> None:
    """Parameters that the library refuses are a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        encode(TEXT, Coding(name, level=22))


def events(count: int) -> list[bytes]:
    """Return events as LLM APIs send them."""
    return [b'data: {"choices":[{"delta":{"content":"word %d"}}]}\n\n' % n for n in range(count)]


@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("wbits", [31, 15, -15])
def test_flushed_stream_is_reproduced(level: int, wbits: int) -> None:
    """What a server compressed and flushed event by event comes back byte for byte."""
    encoder = zlib.compressobj(level, wbits=wbits)
    pieces = [encoder.compress(each) + encoder.flush(zlib.Z_SYNC_FLUSH) for each in events(50)]
    data = b"".join(pieces) + encoder.flush()
    content = b"".join(events(50))
    name: CodingName = "gzip" if wbits == 31 else "deflate"
    assert decode(name, data, LIMIT) == content
    coding = find(name, data, content)
    assert coding is not None
    assert len(coding.flushed) == 50
    assert encode(content, coding) == data


@given(st.lists(st.integers(0, 300), max_size=10), st.binary(max_size=200))
def test_places_to_flush_lose_nothing(places: list[int], content: bytes) -> None:
    """Whatever a cassette says of flushing, the content is all there, once."""
    data = encode(content, Coding("gzip", 6, flushed=tuple(places)))
    assert decode("gzip", data, LIMIT) == content


def test_marks_by_chance_are_no_flushes() -> None:
    """Bytes that look like a flush, and are none, give no parameters: the body is kept as it is."""
    content = bytes(range(256)) * 3 + b"\x00\x00\xff\xff" * 10
    encoder = zlib.compressobj(0, wbits=31)  # stored: the content stands there as it is
    data = encoder.compress(content) + encoder.flush()
    assert find("gzip", data, content) is None
    assert decode("gzip", data, LIMIT) == content
