"""The origin of the memory benchmark: ``python -m benchmarks._origin PORT``, a process of its own.

It streams and consumes bodies of any size without keeping them, so that what grows is the proxy
alone: ``GET /bulk/N`` answers with N bytes, any POST is read to its end and answered with how much
arrived and its CRC-32, and every other request gets the small answer. It believes its client,
which is ours, and is no HTTP server for anything else.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import zlib
from collections.abc import Iterator

from benchmarks._traffic import BODY

# Bytes that no compression shortens and no alignment hides: each place in it looks different.
BLOCK = b"".join(zlib.crc32(number.to_bytes(4)).to_bytes(4) for number in range(16_384))


def blocks(size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes in pieces of at most 64 KiB."""
    yield from itertools.repeat(BLOCK, size // len(BLOCK))
    if size % len(BLOCK):
        yield BLOCK[: size % len(BLOCK)]


def checksum(size: int) -> int:
    """Return the CRC-32 of what ``blocks(size)`` yields."""
    crc = 0
    for block in blocks(size):
        crc = zlib.crc32(block, crc)
    return crc


def _head(length: int, kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()


SMALL = _head(len(BODY), "application/json") + BODY


async def _send_bulk(writer: asyncio.StreamWriter, size: int) -> None:
    writer.write(_head(size, "application/octet-stream"))
    for block in blocks(size):
        writer.write(block)
        await writer.drain()


async def _receive(reader: asyncio.StreamReader, length: int) -> bytes:
    crc, left = 0, length
    while left:
        piece = await reader.read(min(left, 65_536))
        if not piece:
            break
        crc = zlib.crc32(piece, crc)
        left -= len(piece)
    answer = f"{length - left} {crc}".encode()
    return _head(len(answer), "text/plain") + answer


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b" ", 2)
            if method == b"POST":
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                writer.write(await _receive(reader, int(fields[b"content-length"])))
            elif target.startswith(b"/bulk/"):
                await _send_bulk(writer, int(target.removeprefix(b"/bulk/")))
            else:
                writer.write(SMALL)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
