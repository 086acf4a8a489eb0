"""The entries of a container's index in their order, without much memory beside them.

A million entries as Python's own objects would take four times what they take as bytes, at the end
of a recording whose memory was bounded until then. So they are dealt into heaps by one byte after
the other, and only small heaps are sorted.
"""

from __future__ import annotations

from collections.abc import Iterator

from .container import DIGEST_BYTES, ENTRY

SMALL = 16_384  # entries that are sorted at once: a megabyte of objects


def in_order(heap: bytearray, depth: int = 0) -> Iterator[bytes]:
    """Yield the entries of ``heap`` in order, a part at a time; it is empty afterwards.

    They were added in the order of their numbers, and are equal in their first ``depth`` bytes.
    """
    size = ENTRY.size
    while depth < DIGEST_BYTES and len(set(heap[depth::size])) == 1:
        depth += 1
    if len(heap) <= SMALL * size or depth == DIGEST_BYTES:  # then the numbers are the order
        entries = bytes(heap)
        heap.clear()
        if depth == DIGEST_BYTES:
            yield entries
        else:
            yield b"".join(sorted(entries[at : at + size] for at in range(0, len(entries), size)))
        return
    parts: dict[int, bytearray] = {}
    for at in range(0, len(heap), size):
        parts.setdefault(heap[at + depth], bytearray()).extend(heap[at : at + size])
    heap.clear()
    for _, part in sorted(parts.items()):
        yield from in_order(part, depth + 1)
