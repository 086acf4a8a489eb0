"""Content codings (RFC 9110 §8.4.1): decode for people, encode again for the wire.

A cassette shows ``gzip`` text as text. What makes that safe:

* :func:`decode` is strict and bounded: a lie, a torn stream, bytes after the end or a bomb give
  None, and the body is then stored as it came.
* :func:`find` looks for the encoder's parameters which reproduce the exact bytes, among those
  that servers commonly use; the zlib candidates are given up at the first differing byte.
* :func:`encode` is deterministic: the same content and parameters give the same bytes on the same
  compression library. Without parameters it uses the fastest level, because a cassette's bodies
  are encoded each time that it is loaded.

``brotli`` and ``zstandard`` are imported when the first body needs them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from magneto_serge.messages import Headers

CodingName = Literal["gzip", "deflate", "br", "zstd"]
_NAMES: dict[str, CodingName] = {
    "gzip": "gzip",
    "x-gzip": "gzip",  # RFC 9110 §8.4.1.3: equivalent
    "deflate": "deflate",
    "br": "br",
    "zstd": "zstd",
}

SEARCHABLE = 1024 * 1024  # bytes of encoded body; finding parameters for more is not worth its time
_GZIP_HEAD = struct.Struct("<3sBIBB")  # magic and method, flags, mtime, xfl, os (RFC 1952 §2.3)
_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_TAIL = struct.Struct("<II")  # CRC-32, size modulo 2^32
_FLUSHED = b"\x00\x00\xff\xff"  # the length of an empty stored block, and its complement
_FLUSHES = 65_536  # looked for; an event stream has one for each event
_STEP = 64 * 1024  # bytes compressed before comparing
_SMALL_STEP = 1024  # bytes given to decoders that cannot bound their output themselves
_ZSTD_WINDOW = 8 * 1024 * 1024  # RFC 9659 §3: the most that a "zstd" content coding may ask for
_TRIED_WHOLE = 256 * 1024  # bytes of content; more is not encoded just to see whether it fits
_BROTLI_BEST_LIMIT = 4096  # bytes; quality 11 takes about 1 ms for each 600


class Coding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A content coding and the parameters to encode with.

    ``level`` is the library's own scale (None: ours, the bytes need not be the recorded ones);
    ``memory`` zlib's memLevel; ``raw`` a ``deflate`` without its zlib wrapper (RFC 9110 §8.4.1.2
    notes that some senders do so); ``mtime``, ``xfl`` and ``os`` are fields of the gzip header.
    ``flushed`` are the places in the content at which a gzip or deflate stream was flushed, so that
    its reader had everything up to there: that is how event streams are compressed.
    """

    name: CodingName
    level: Annotated[int, Meta(ge=0, le=22)] | None = None
    memory: Annotated[int, Meta(ge=1, le=9)] = 8
    raw: bool = False
    mtime: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)] = 0
    xfl: Annotated[int, Meta(ge=0, le=255)] = 0
    os: Annotated[int, Meta(ge=0, le=255)] = 255
    flushed: tuple[Annotated[int, Meta(ge=0)], ...] = ()


def coding_of(headers: Headers) -> CodingName | None:
    """Return the content coding that a message declares; None unless it is exactly one we know."""
    values = headers.get_all("content-encoding")
    return _NAMES.get(values[0].strip().lower()) if len(values) == 1 else None


def decode(name: CodingName, data: bytes, limit: int) -> bytes | None:
    """Return the decoded content; None if ``data`` is not exactly one whole stream of ``name``,
    or if it holds more than ``limit`` bytes."""
    try:
        return _DECODERS[name](data, limit)
    except _decoding_errors(name):
        return None


def find(name: CodingName, data: bytes, content: bytes) -> Coding | None:
    """Return the parameters with which :func:`encode` turns ``content`` into exactly ``data``.

    None if there are none among the usual ones, or if ``data`` is larger than ``SEARCHABLE``.
    """
    if len(data) > SEARCHABLE:
        return None
    return next((c for c in _FINDERS[name](data, content) if encode(content, c) == data), None)


def encode(content: bytes, coding: Coding) -> bytes:
    """Encode ``content``; raises ValueError where the parameters are not possible ones."""
    return _ENCODERS[coding.name](content, coding)


def _level(coding: Coding) -> int:
    return 1 if coding.level is None else coding.level


# --- gzip and deflate -------------------------------------------------------------------------


def _inflate(data: bytes, limit: int, wbits: int) -> bytes | None:
    decoder = zlib.decompressobj(wbits)
    content = decoder.decompress(data, limit + 1)
    whole = decoder.eof and not decoder.unused_data
    return content if whole and len(content) <= limit else None


def _decode_gzip(data: bytes, limit: int) -> bytes | None:
    return _inflate(data, limit, 16 + zlib.MAX_WBITS)


def _decode_deflate(data: bytes, limit: int) -> bytes | None:
    try:
        return _inflate(data, limit, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(data, limit, -zlib.MAX_WBITS)


def _find_gzip(data: bytes, content: bytes) -> Iterator[Coding]:
    _, flags, mtime, xfl, os = _GZIP_HEAD.unpack_from(data)
    if flags:
        return  # a file name, a comment or extra fields: not what a server sends
    flushed = _flushed(data, 16 + zlib.MAX_WBITS)
    for level, memory in _zlib_candidates(best=xfl == 2, fast=xfl == 4):
        coding = Coding("gzip", level, memory, mtime=mtime, xfl=xfl, os=os, flushed=flushed)
        if _starts_alike(data, _GZIP_HEAD.size, content, coding, -zlib.MAX_WBITS):
            yield coding


def _find_deflate(data: bytes, content: bytes) -> Iterator[Coding]:
    raw = _is_raw(data)
    wbits = -zlib.MAX_WBITS if raw else zlib.MAX_WBITS
    flushed = _flushed(data, wbits)
    for level, memory in _zlib_candidates():
        coding = Coding("deflate", level, memory, raw, flushed=flushed)
        if _starts_alike(data, 0, content, coding, wbits):
            yield coding


def _flushed(data: bytes, wbits: int) -> tuple[int, ...]:
    """Return the places in the content at which the encoder seems to have been flushed.

    Z_SYNC_FLUSH leaves an empty stored block (RFC 1951 §3.2.4). The same bytes may stand there by
    chance; then nothing is reproduced, and that is noticed.
    """
    places: list[int] = []
    decoder, at, size = zlib.decompressobj(wbits), 0, 0
    while (mark := data.find(_FLUSHED, at)) >= 0 and len(places) < _FLUSHES:
        end = mark + len(_FLUSHED)
        size += len(decoder.decompress(data[at:end]))
        places.append(size)
        at = end
    return tuple(places)


def _is_raw(data: bytes) -> bool:
    # RFC 1950 §2.2: CMF and FLG, read as a number, are a multiple of 31; method 8.
    return not (data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0)


def _zlib_candidates(*, best: bool = False, fast: bool = False) -> list[tuple[int, int]]:
    """Return (level, memLevel) pairs: zlib's default, its extremes, and Apache's memLevel 9."""
    candidates = [(6, 8), (9, 8), (1, 8), (6, 9)]
    if best:
        return sorted(candidates, key=lambda c: -c[0])
    return sorted(candidates) if fast else candidates


def _starts_alike(data: bytes, start: int, content: bytes, coding: Coding, wbits: int) -> bool:
    """Tell whether compressing gives ``data`` from ``start`` on, stopping at the first mismatch."""
    for piece in _deflated(content, coding, wbits):
        if not data.startswith(piece, start):
            return False
        start += len(piece)
    return True


def _deflate(content: bytes, coding: Coding, wbits: int) -> bytes:
    return b"".join(_deflated(content, coding, wbits))


def _deflated(content: bytes, coding: Coding, wbits: int) -> Iterator[bytes]:
    """Yield the compressed content; a place to flush beyond it, or out of order, is passed over."""
    encoder = zlib.compressobj(_level(coding), zlib.DEFLATED, wbits, coding.memory)
    at = 0
    for place in coding.flushed:
        end = max(at, min(place, len(content)))
        yield from _compressed(encoder, content, at, end)
        yield encoder.flush(zlib.Z_SYNC_FLUSH)
        at = end
    yield from _compressed(encoder, content, at, len(content))
    yield encoder.flush()


def _compressed(encoder: zlib._Compress, content: bytes, start: int, end: int) -> Iterator[bytes]:
    for offset in range(start, end, _STEP):
        yield encoder.compress(content[offset : min(offset + _STEP, end)])


def _encode_gzip(content: bytes, coding: Coding) -> bytes:
    head = _GZIP_HEAD.pack(_GZIP_MAGIC, 0, coding.mtime, coding.xfl, coding.os)
    tail = _GZIP_TAIL.pack(zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return head + _deflate(content, coding, -zlib.MAX_WBITS) + tail


def _encode_deflate(content: bytes, coding: Coding) -> bytes:
    return _deflate(content, coding, -zlib.MAX_WBITS if coding.raw else zlib.MAX_WBITS)


# --- br ---------------------------------------------------------------------------------------


def _decode_br(data: bytes, limit: int) -> bytes | None:
    import brotli

    decoder = brotli.Decompressor()
    content: bytes = decoder.process(data, output_buffer_limit=limit + 1)
    # A decoder with room left in its buffer has nothing more to give; bytes after the end of the
    # stream are an error of its own.
    return content if decoder.is_finished() and len(content) <= limit else None


def _find_br(data: bytes, content: bytes) -> Iterator[Coding]:
    yield from (Coding("br", quality) for quality in (5, 4) if len(content) <= _TRIED_WHOLE)
    if len(content) <= _BROTLI_BEST_LIMIT:
        yield Coding("br", 11)


def _encode_br(content: bytes, coding: Coding) -> bytes:
    import brotli

    try:
        encoded: bytes = brotli.compress(content, quality=_level(coding))
    except brotli.error as error:
        raise ValueError(f"level: {error}") from error
    return encoded


# --- zstd -------------------------------------------------------------------------------------


def _decode_zstd(data: bytes, limit: int) -> bytes | None:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    content = bytearray()
    for offset in range(0, len(data), _SMALL_STEP):
        if decoder.eof:
            return None
        content += decoder.decompress(data[offset : offset + _SMALL_STEP])
        if len(content) > limit:
            return None
    return bytes(content) if decoder.eof and not decoder.unused_data else None


def _find_zstd(data: bytes, content: bytes) -> Iterator[Coding]:
    yield from (Coding("zstd", level) for level in (3, 1) if len(content) <= _TRIED_WHOLE)


def _encode_zstd(content: bytes, coding: Coding) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=_level(coding)).compress(content)


def _decoding_errors(name: CodingName) -> tuple[type[Exception], ...]:
    """Return what the library of ``name`` raises on bytes that it cannot decode."""
    if name == "br":
        import brotli

        return (brotli.error,)
    if name == "zstd":
        import zstandard

        return (zstandard.ZstdError,)
    return (zlib.error,)


_DECODERS: dict[CodingName, Callable[[bytes, int], bytes | None]] = {
    "gzip": _decode_gzip,
    "deflate": _decode_deflate,
    "br": _decode_br,
    "zstd": _decode_zstd,
}
_FINDERS: dict[CodingName, Callable[[bytes, bytes], Iterator[Coding]]] = {
    "gzip": _find_gzip,
    "deflate": _find_deflate,
    "br": _find_br,
    "zstd": _find_zstd,
}
_ENCODERS: dict[CodingName, Callable[[bytes, Coding], bytes]] = {
    "gzip": _encode_gzip,
    "deflate": _encode_deflate,
    "br": _encode_br,
    "zstd": _encode_zstd,
}
