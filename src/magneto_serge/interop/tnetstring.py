"""Tagged netstrings, the notation of mitmproxy's flow files: ``LENGTH:DATA TAG`` without the blank.

Tags: ``,`` bytes, ``;`` UTF-8 text, ``#`` integer, ``^`` float, ``!`` boolean, ``~`` null, ``]``
list, ``}`` mapping. Reading is bounded: by the length of what there is, and in depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

LARGEST = 512 * 1024 * 1024  # bytes of one value
_DEEPEST = 32
_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,11}):")


class TornError(ValueError):
    """What was read is no tagged netstring, or not all of one."""


def load_all(file: BinaryIO) -> Iterator[Any]:
    """Yield the values in ``file``, one by one; raises TornError at the first that is not whole."""
    while True:
        head = file.read(13)
        if not head.strip():
            return
        length = _LENGTH.match(head)
        if length is None:
            raise TornError(f"there is no length where {head[:13]!r} is")
        size = int(length[1])
        if size > LARGEST:
            raise TornError(f"a value of {size} bytes is larger than {LARGEST >> 20} MiB")
        rest = head[length.end() :]
        data = rest + file.read(size + 1 - len(rest)) if len(rest) <= size + 1 else rest
        if len(data) < size + 1:
            raise TornError("the file ends in the middle of a value")
        if len(data) > size + 1:
            file.seek(size + 1 - len(data), 1)
        yield _value(memoryview(data)[:size], data[size : size + 1], 0)


def _parse(data: memoryview, depth: int) -> tuple[Any, memoryview]:
    length = _LENGTH.match(data[:13])
    if length is None:
        raise TornError("a length is missing")
    start = length.end()
    end = start + int(length[1])
    if end >= len(data):
        raise TornError("a value goes beyond what holds it")
    return _value(data[start:end], bytes(data[end : end + 1]), depth), data[end + 1 :]


def _value(data: memoryview, tag: bytes, depth: int) -> Any:
    if depth > _DEEPEST:
        raise TornError("values are nested too deeply")
    try:
        if tag == b",":
            return bytes(data)
        if tag == b";":
            return str(data, "utf-8", "surrogateescape")
        if tag == b"#":
            return int(bytes(data))
        if tag == b"^":
            return float(bytes(data))
    except ValueError as error:
        raise TornError(f"{bytes(data[:20])!r} is no number") from error
    if tag == b"!":
        return bytes(data) == b"true"
    if tag == b"~":
        return None
    if tag not in (b"]", b"}"):
        raise TornError(f"{tag!r} is no tag")
    items = []
    while data:
        item, data = _parse(data, depth + 1)
        items.append(item)
    return items if tag == b"]" else _mapping(items)


def _mapping(items: list[Any]) -> dict[str, Any]:
    """Return a mapping; the keys of files by Python 2 are bytes."""
    if len(items) % 2:
        raise TornError("a mapping has a key without a value")
    names = [key.decode() if isinstance(key, bytes) else str(key) for key in items[::2]]
    return dict(zip(names, items[1::2], strict=True))


def dump(value: Any) -> bytes:
    """Return a value as a tagged netstring; raises TypeError for what it cannot hold."""
    if value is None:
        return b"0:~"
    if isinstance(value, bool):
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, dict):
        return _tagged(b"".join(dump(k) + dump(v) for k, v in value.items()), b"}")
    if isinstance(value, list | tuple):
        return _tagged(b"".join(map(dump, value)), b"]")
    for kind, tag in ((bytes, b","), (str, b";"), (int, b"#"), (float, b"^")):
        if isinstance(value, kind):
            data = value if isinstance(value, bytes) else str(value).encode()
            return _tagged(data, tag)
    raise TypeError(f"no tagged netstring holds {type(value).__name__}")


def _tagged(data: bytes, tag: bytes) -> bytes:
    return b"%d:%b%b" % (len(data), data, tag)
