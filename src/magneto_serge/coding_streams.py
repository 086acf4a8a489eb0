"""Content codings piece by piece, for bodies that are too large for memory.

What :mod:`~magneto_serge.codings` does for a whole body, in the same codings and with the same
limits: a decoder gives some ``PIECE`` bytes at once, however much a bomb holds, and raises
ValueError at the first byte that cannot be decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from magneto_serge.codings import CodingName

PIECE = 256 * 1024  # bytes
_SMALL_STEP = 1024  # bytes given to decoders that cannot bound their output themselves
_ZSTD_WINDOW = 8 * 1024 * 1024  # RFC 9659 §3


class Decoder:
    """Undoes one content coding."""

    def __init__(self, name: CodingName) -> None:
        self._decode = _DECODERS[name]()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes add; raises ValueError where they cannot be decoded."""
        return self._decode(data)


class Encoder:
    """Applies one content coding, at the level that servers use."""

    def __init__(self, name: CodingName) -> None:
        self.feed, self.finish = _ENCODERS[name]()


def _inflating(wbits: int | None) -> Callable[[bytes], Iterator[bytes]]:
    decoder: Any = None if wbits is None else zlib.decompressobj(wbits)

    def feed(data: bytes) -> Iterator[bytes]:
        nonlocal decoder
        if decoder is None and data:
            # RFC 1950 §2.2; RFC 9110 §8.4.1.2 notes that some send deflate without its wrapper.
            raw = data[0] & 0x0F != 8
            decoder = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
        try:
            while data and not decoder.eof:
                yield decoder.decompress(data, PIECE)
                data = decoder.unconsumed_tail
        except zlib.error as error:
            raise ValueError(str(error)) from None

    return feed


def _unbrotli() -> Callable[[bytes], Iterator[bytes]]:
    import brotli

    decoder = brotli.Decompressor()

    def feed(data: bytes) -> Iterator[bytes]:
        try:
            while content := decoder.process(data, output_buffer_limit=PIECE):
                yield content
                data = b""
        except brotli.error as error:
            raise ValueError(str(error)) from None

    return feed


def _unzstd() -> Callable[[bytes], Iterator[bytes]]:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    def feed(data: bytes) -> Iterator[bytes]:
        try:
            for start in range(0, len(data), _SMALL_STEP):
                if decoder.eof:
                    return
                yield decoder.decompress(data[start : start + _SMALL_STEP])
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None

    return feed


_Encoding = tuple[Callable[[bytes], bytes], Callable[[], bytes]]


def _deflating(wbits: int) -> _Encoding:
    encoder = zlib.compressobj(6, zlib.DEFLATED, wbits)
    return encoder.compress, encoder.flush


def _brotli() -> _Encoding:
    import brotli

    encoder = brotli.Compressor(quality=5)
    return encoder.process, encoder.finish


def _zstd() -> _Encoding:
    import zstandard

    encoder = zstandard.ZstdCompressor(level=3).compressobj()
    return encoder.compress, encoder.flush


_DECODERS: dict[CodingName, Callable[[], Callable[[bytes], Iterator[bytes]]]] = {
    "gzip": lambda: _inflating(16 + zlib.MAX_WBITS),
    "deflate": lambda: _inflating(None),
    "br": _unbrotli,
    "zstd": _unzstd,
}
_ENCODERS: dict[CodingName, Callable[[], _Encoding]] = {
    "gzip": lambda: _deflating(16 + zlib.MAX_WBITS),
    "deflate": lambda: _deflating(zlib.MAX_WBITS),
    "br": _brotli,
    "zstd": _zstd,
}
