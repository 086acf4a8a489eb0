"""Read what a recording left in its journal, whichever kind of journal it is.

A reader has ``head`` (None where the file is no journal, or was cut before its head was whole),
``home`` (the folder of the recording's own side files), ``interactions()``, and then ``whole`` and
``torn``: how many bytes were read, and how many a crash has left unreadable after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from magneto_serge.messages import Interaction

from . import container
from .frames import FrameReader, Head


class JournalReader(Protocol):
    """What both kinds of journal offer."""

    home: Path
    whole: int

    @property
    def head(self) -> Head | None:
        """Who recorded what."""

    @property
    def torn(self) -> int:
        """Bytes after the last whole frame read so far."""

    def interactions(self) -> Iterator[Interaction]:
        """Yield the interactions of whole frames in order."""

    def unfinished(self, seen: Set[float]) -> Iterator[Interaction]:
        """Yield the conversations under way that did not begin at one of the times ``seen``."""


@contextmanager
def reading(journal: Path) -> Iterator[JournalReader]:
    """Open a journal, or what is left of a binary cassette; raises OSError."""
    with journal.open("rb") as file:
        if file.read(len(container.MAGIC)) != container.MAGIC:
            file.seek(0)
            yield FrameReader(file, journal)
            return
    from .container_read import mapped
    from .remains import Remains

    yield Remains(journal, mapped(journal))
