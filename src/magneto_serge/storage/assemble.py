"""Make a cassette of a journal: interaction by interaction, and all of it or nothing.

The order keeps every crash harmless: the new file is written beside the older one; the side files
that it refers to are linked in; it takes the name in one rename; what nothing refers to any more
goes, an older file in another format too. The journal is the caller's to remove, afterwards.

Where a binary cassette is replaced there is nothing to make: its journal has all its frames, gets
an index (:func:`seal`), and takes the name itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Interaction

from .ahead import Ahead
from .atomic import flush_folder, replacing
from .body_rules import BodyRules
from .cassette import Cassette
from .container_write import ContainerFrames, ContainerWriter
from .formats import split_suffix
from .frames import FrameReader
from .journal import Journal
from .journal_read import JournalReader, reading
from .json_write import JsonWriter
from .names import CassettePaths
from .packing import packing, unpacked
from .side_files import SideFiles

log = logging.getLogger("magneto_serge")


class Assembled(NamedTuple):
    """How many ``interactions`` came from a journal, and the bytes that were ``torn`` off it."""

    interactions: int
    torn: int


Texts = Callable[[Interaction], msgspec.Raw | None]
"""Gives the JSON that an interaction was read from, None where it is to be written anew."""


class Writer(Protocol):
    """A cassette being written."""

    def add(self, interaction: Interaction) -> None:
        """Write one interaction."""


def assemble(
    journal: Path,
    target: CassettePaths,
    *,
    name: str,
    rules: BodyRules,
    keep_older: bool,
    expected: int | None = None,
    durable: bool = True,
    ahead: Ahead | None = None,
) -> Assembled:
    """Write the cassette ``target`` from ``journal`` and return what came from it.

    With ``keep_older`` the interactions of an existing cassette come first, unchanged. ``expected``
    is how many the journal must hold; without it a torn end is left out. ``ahead`` has rendered the
    first of them by the same rules, with side files for ``target``. Raises OSError, and
    CassetteError where the journal or the older cassette cannot be read; ``target`` is then as it
    was before.
    """
    with reading(journal) as reader:
        if reader.head is None:
            raise CassetteError(
                f"{journal} is not a journal of this program, or is cut at its head."
            )
        older = target.older() if keep_older else None
        files = SideFiles(target.bodies, reader.home) if ahead is None else ahead.files
        moment = reader.head.recorded_at
        with _replacing(target, files, name, moment, rules, durable=durable) as writer:
            if older is not None:
                _copy_older(older, target, writer, files)
            found = 0
            if ahead and isinstance(reader, FrameReader) and isinstance(writer, JsonWriter):
                found = ahead.move(reader, writer)
            seen: set[float] = set()
            found = _copy_journal(reader, writer, journal, found, seen)
            if expected is None:
                for interaction in reader.unfinished(seen):
                    writer.add(interaction)
                    found += 1
            elif found != expected:
                raise CassetteError(
                    f"{journal}: byte {reader.whole}: damaged after {found} of {expected}"
                    " interactions."
                )
        return Assembled(found, reader.torn)


def save(
    interactions: Iterable[Interaction],
    target: CassettePaths,
    *,
    name: str,
    recorded_at: float,
    rules: BodyRules,
    durable: bool = True,
    texts: Texts | None = None,
) -> None:
    """Write the cassette ``target``, whatever was there, under the lock that recordings take.

    What ``texts`` has of an interaction is written as it is, where that is JSON. Raises as
    :func:`assemble` does, and CassetteBusyError.
    """
    lock = Journal.open(target.journal, name)
    files = SideFiles(target.bodies, lock.bodies)
    try:
        with _replacing(target, files, name, recorded_at, rules, durable=durable) as writer:
            for interaction in interactions:
                text = texts(interaction) if texts else None
                if text is not None and isinstance(writer, JsonWriter):
                    writer.add_text(text)
                else:
                    writer.add(interaction)
    finally:
        lock.close(remove=True)


def seal(journal: Journal, target: CassettePaths, files: SideFiles, *, durable: bool) -> None:
    """Make the journal of a binary cassette that cassette; raises OSError.

    ``target`` is as it was before until the last step.
    """
    frames = journal.frames
    assert isinstance(frames, ContainerFrames)  # noqa: S101 - what such a journal is made with
    for piece in frames.ending():
        journal.write(piece)
    files.adopt(durable=durable)
    if durable:
        journal.flush()
    others = target.existing()
    journal.become(target.cassette)
    if durable:
        flush_folder(target.cassette.parent)
    _leave_one(others, files, target)


@contextmanager
def _replacing(
    target: CassettePaths,
    files: SideFiles,
    name: str,
    recorded_at: float,
    rules: BodyRules,
    *,
    durable: bool,
) -> Iterator[JsonWriter | ContainerWriter]:
    """Yield a writer of what is ``target``, with its side files, when the block ends."""
    others = target.existing()
    coding = target.format.coding
    writer: JsonWriter | ContainerWriter
    with replacing(target.cassette, durable=durable) as out:
        if target.format.binary:
            writer = ContainerWriter(
                out, coding=coding, name=name, recorded_at=recorded_at, files=files
            )
            yield writer
            writer.close()
        else:
            with packing(target.cassette, out, coding) as text:
                writer = JsonWriter(
                    text, name=name, recorded_at=recorded_at, rules=rules, files=files
                )
                yield writer
                writer.close()
        out.flush()  # a full disk shows before side files are moved
        files.adopt(durable=durable)
    _leave_one(others, files, target)


def _copy_older(
    cassette: Path, target: CassettePaths, writer: JsonWriter | ContainerWriter, files: SideFiles
) -> None:
    with Cassette.open(cassette) as older:
        container = older.container
        if container is None and isinstance(writer, JsonWriter):
            return _copy_json(cassette, older, writer)
        same = split_suffix(cassette.name)[1] == target.format
        if isinstance(writer, ContainerWriter) and same and container and container.searchable:
            return writer.copy(container)
        for interaction in older:
            writer.add(interaction)
    return None


def _copy_json(cassette: Path, older: Cassette, writer: JsonWriter) -> None:
    from .json_format import older_texts  # all that reads JSON; most recordings replace

    data = unpacked(cassette, cassette.read_bytes())
    texts = older_texts(cassette, data)
    if texts is None:
        for interaction in older:
            writer.add(interaction)
        return
    for text in texts:
        writer.add_text(text)


def _copy_journal(
    reader: JournalReader, writer: Writer, journal: Path, found: int, seen: set[float]
) -> int:
    """Write what is left in a journal after ``found`` interactions; return how many there are.

    ``seen`` gets the times at which conversations began.
    """
    try:
        for interaction in reader.interactions():
            writer.add(interaction)
            found += 1
            if interaction.websocket is not None:
                seen.add(interaction.started)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CassetteError(
            f"{journal}: interaction {found + 1}: not one of this version ({error})."
        ) from error
    return found


def _leave_one(others: list[Path], files: SideFiles, target: CassettePaths) -> None:
    """Remove what the new cassette has made useless: side files, files in other formats."""
    try:
        files.sweep()
        for path in others:
            if path != target.cassette:
                path.unlink()
    except OSError as error:
        log.warning("An unused file is left: %s: %s", error.filename, error.strerror)
