"""How old a cassette is: the time of its newest interaction, found without reading the others.

The dates of the file say nothing: a checkout makes them anew. Of JSON only the times are decoded,
whatever the bodies weigh. Of a container a look at one interaction costs as much whatever its size,
so of a large one the first and the last interactions are looked at: they are in the order in which
they were recorded, or, where cassettes were merged, in a few such orders.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from magneto_serge.errors import CassetteError, CassetteNotFoundError

from .container import FRAME, MAGIC, REMEDY
from .faults import damaged, decode_json
from .json_read import seconds
from .json_shapes import EPOCH

if TYPE_CHECKING:
    from .container_read import Container

LOOKED_AT = 1000  # interactions of a container


class _Timed(msgspec.Struct):
    started: datetime = EPOCH
    recorded_at: datetime = EPOCH  # version 1.0


class _Times(msgspec.Struct):
    interactions: list[_Timed]


class _Started(msgspec.Struct):
    started: float = 0.0


_json = msgspec.json.Decoder(_Times)
# A frame has an interaction, or that of a long conversation and where its messages are.
_binary = msgspec.msgpack.Decoder(_Started | tuple[_Started, int, list[int]])


def newest(path: Path, looked_at: int | None = LOOKED_AT) -> float | None:
    """Return when the newest interaction of a cassette began, in seconds since the epoch.

    None where the cassette does not say (it is empty, or was recorded with ``stable``).
    ``looked_at`` is how many interactions of a container are looked at, None all. Raises
    CassetteNotFoundError, and CassetteError where the file cannot be read or is no cassette.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        latest = _of_container(path, looked_at) if start == MAGIC else _of_file(path, looked_at)
    except FileNotFoundError as error:
        raise CassetteNotFoundError(f"there is no cassette {path}.") from error
    except OSError as error:
        raise CassetteError(f"cannot read {path}: {error.strerror}.") from error
    return latest or None


def _of_file(path: Path, looked_at: int | None) -> float:
    from .packing import unpacked

    data = unpacked(path, path.read_bytes())
    if data.startswith(MAGIC):
        return _of_container(path, looked_at, memoryview(data))
    times = decode_json(path, data.removeprefix(b"\xef\xbb\xbf"), _json).interactions
    return max((seconds(max(each.started, each.recorded_at)) for each in times), default=0.0)


def _of_container(path: Path, looked_at: int | None, data: memoryview | None = None) -> float:
    from .container_read import Container, mapped

    container = Container(path, mapped(path) if data is None else data)
    numbers = _some(len(container), looked_at)
    return max((_started(container, number) for number in numbers), default=0.0)


def _started(container: Container, number: int) -> float:
    offset = container.place(number)
    kind = FRAME.unpack_from(container.buffer, offset)[2]
    try:
        found = _binary.decode(container.content(offset, kind))
        return found.started if isinstance(found, _Started) else found[0].started
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        reason = f"not an interaction of this version ({error})"
        raise damaged(container.path, f"byte {offset}", reason, REMEDY) from error


def _some(count: int, looked_at: int | None) -> list[int]:
    if looked_at is None or count <= looked_at:
        return list(range(count))
    half = looked_at // 2
    return [*range(half), *range(count - half, count)]
