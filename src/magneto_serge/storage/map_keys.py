"""Keys that stand twice in a map of a binary cassette: MessagePack allows them, cassettes do not.

Decoders take one of the two and say nothing, so what one program shows may not be what another
replays. What our writer has written is told at once: encoded again, it is the same bytes. Only what
another program has written is gone through map by map. Who calls has decoded the content before, so
it is MessagePack, and no deeper than decoders take it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import msgspec

_WIDTHS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}
_MAP, _LIST, _BYTES = range(3)

# What begins with a length (MessagePack's specification, "Formats"): what it is the length of, how
# many bytes the length takes, and how many more stand before what it counts.
_SIZED = {
    0xC4: (_BYTES, 1, 0),
    0xC5: (_BYTES, 2, 0),
    0xC6: (_BYTES, 4, 0),
    0xC7: (_BYTES, 1, 1),
    0xC8: (_BYTES, 2, 1),
    0xC9: (_BYTES, 4, 1),
    0xD9: (_BYTES, 1, 0),
    0xDA: (_BYTES, 2, 0),
    0xDB: (_BYTES, 4, 0),
    0xDC: (_LIST, 2, 0),
    0xDD: (_LIST, 4, 0),
    0xDE: (_MAP, 2, 0),
    0xDF: (_MAP, 4, 0),
}
# And the bytes that follow what has a length of its own: nil, booleans, numbers, fixext.
_FIXED = dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3), 0)
_FIXED |= {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}


def doubled(
    content: bytes | memoryview, value: object, encode: Callable[[object], bytes]
) -> str | None:
    """Return a key that stands twice in one map of ``content``; None where there is none.

    ``value`` is what was decoded from it, ``encode`` our writer's encoder.
    """
    return None if encode(value) == content else first_doubled(bytes(content))


def first_doubled(content: bytes) -> str | None:
    """Return the first key that stands twice in one map of whole, valid MessagePack."""
    at = 0
    # For each map or list around what comes next: how many values are to come (of a map: keys and
    # values), and the keys seen, None for a list.
    around: list[tuple[int, set[bytes] | None]] = [(1, None)]
    while around:
        left, keys = around.pop()
        if not left:
            continue
        around.append((left - 1, keys))
        kind, count, after = _next(content, at)
        if keys is not None and not left % 2 and kind == _BYTES:  # a key
            key = content[at : after + count]
            if key in keys:
                return str(msgspec.msgpack.decode(key))
            keys.add(key)
        at = after + count if kind == _BYTES else after
        if kind == _MAP:
            around.append((2 * count, set()))
        elif kind == _LIST:
            around.append((count, None))
    return None


def _next(content: bytes, at: int) -> tuple[int, int, int]:
    """Return of the value at ``at`` what it counts, how many, and where they begin."""
    first = content[at]
    if first < 0x80 or first >= 0xE0:
        return _BYTES, 0, at + 1
    if first < 0x90:
        return _MAP, first & 0x0F, at + 1
    if first < 0xA0:
        return _LIST, first & 0x0F, at + 1
    if first < 0xC0:
        return _BYTES, first & 0x1F, at + 1
    if first in _FIXED:
        return _BYTES, _FIXED[first], at + 1
    kind, width, more = _SIZED[first]
    (count,) = _WIDTHS[width].unpack_from(content, at + 1)
    return kind, count, at + 1 + width + more
