"""The formats of a cassette: what each is called, and how a file says which it is.

A format is JSON or MessagePack, plain or compressed, and its name is the file's suffix without the
dot. Which one is *written* is said by the file's name, else by the ``format`` setting. Which one is
*read* is said by the content: a file that was renamed still loads. The name is only used to find
the file.

A compressed JSON cassette is the whole file compressed, so that ``zcat`` shows it. A MessagePack
cassette is a container (``container.py``) whose frames are compressed one by one, so that one can
be read without the others.
"""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """``binary``: a container instead of JSON; ``coding``: empty, ``gz`` or ``zst``."""

    name: str
    binary: bool
    coding: str

    @property
    def suffix(self) -> str:
        """The end of the names of files in this format."""
        return f".{self.name}"


FORMATS = {
    each.name: each
    for each in (
        Format("json", False, ""),
        Format("msgpack", True, ""),
        Format("json.gz", False, "gz"),
        Format("json.zst", False, "zst"),
        Format("msgpack.gz", True, "gz"),
        Format("msgpack.zst", True, "zst"),
    )
}
JSON = FORMATS["json"]
_SUFFIXES = tuple(each.suffix for each in FORMATS.values())


def split_suffix(name: str) -> tuple[str, Format | None]:
    """Return a file's or cassette's name without the suffix of a format, and that format."""
    if not name.endswith(_SUFFIXES):  # most are names without
        return name, None
    for each in FORMATS.values():
        if name.endswith(each.suffix):
            return name.removesuffix(each.suffix), each
    return name, None
