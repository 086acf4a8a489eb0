"""A whole file compressed with gzip or zstd, and back, within bounds.

Compressing the same content gives the same bytes: no time and no name is in the header. Reading
stops at a limit, because a few kilobytes can claim to be terabytes; writing stops at the same
limit, so that nothing is written that could not be read again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from magneto_serge.errors import CassetteError

from .faults import damaged

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LIMIT = 256 * 1024 * 1024  # bytes of content; more than a JSON cassette should ever have
_PIECE = 1024  # bytes of input at a time; zstd expands them to 32 MiB at most, gzip to 1
_GZIP = 31  # zlib's wbits for the gzip format; it writes the header with mtime 0
_WINDOW = 128 * 1024 * 1024  # bytes; a zstd frame that wants more memory is refused


def unpacked(path: Path, data: bytes) -> bytes:
    """Return the content of a file that may be compressed; its first bytes tell.

    Raises CassetteError where it is damaged, truncated, or expands to more than ``LIMIT``.
    """
    if data.startswith(GZIP_MAGIC):
        return b"".join(_inflated(path, data, "gzip", lambda: zlib.decompressobj(wbits=_GZIP)))
    if data.startswith(ZSTD_MAGIC):
        return b"".join(_inflated(path, data, "zstd", _unzstd))
    return data


def _unzstd() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()


def _inflated(path: Path, data: bytes, name: str, start: Callable[[], Any]) -> Iterator[bytes]:
    """Yield the content piece by piece; a file may be several streams, one after the other."""
    size = position = 0
    inflate = None
    while position < len(data):
        piece = data[position : position + _PIECE]
        inflate = inflate or start()
        try:
            content = inflate.decompress(piece)
        except Exception as error:  # each library has its own
            reason = f"the {name} data is damaged ({error})"
            raise damaged(path, f"near byte {position}", reason) from error
        size += len(content)
        if size > LIMIT:
            raise damaged(
                path,
                f"near byte {position}",
                f"it expands to more than {LIMIT} bytes",
                "A cassette of that size has to be in one of the msgpack formats.",
            )
        position += len(piece)
        if inflate.eof:
            position -= len(inflate.unused_data)
            inflate = None
        yield content
    if inflate is not None:
        raise damaged(path, f"byte {len(data)}", f"the file is truncated inside its {name} data")


@contextmanager
def packing(path: Path, out: BinaryIO, coding: str) -> Iterator[BinaryIO]:
    """Yield a file whose content goes to ``out`` compressed: ``gz``, ``zst``, or as it is.

    ``path`` is for the error: CassetteError where the content is too large to be read again.
    """
    if not coding:
        yield out
        return
    writer = _Packer(path, out, coding)
    yield cast(BinaryIO, writer)
    writer.end()


class _Packer:
    """A file to write to, as much of one as a writer of cassettes needs."""

    def __init__(self, path: Path, out: BinaryIO, coding: str) -> None:
        self._path = path
        self._out = out
        self._size = 0
        if coding == "gz":
            self._pack: Any = zlib.compressobj(6, wbits=_GZIP)
        else:
            import zstandard

            self._pack = zstandard.ZstdCompressor(level=6, write_checksum=True).compressobj()

    def write(self, data: Any) -> int:
        self._size += len(data)
        if self._size > LIMIT:
            raise CassetteError(
                f"{self._path}: more than {LIMIT} bytes of JSON, compressed, could not be loaded"
                " again. Choose one of the msgpack formats."
            )
        self._out.write(self._pack.compress(data))
        return len(data)

    def end(self) -> None:
        """Write what the compressor still holds."""
        self._out.write(self._pack.flush())
