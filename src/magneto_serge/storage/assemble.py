"""Make a cassette of a journal: interaction by interaction, and all of it or nothing.

The order keeps every crash harmless: the new file is written beside the older one; the side files
that it refers to are linked in; it takes the name in one rename; what nothing refers to any more
goes. The journal is the caller's to remove, afterwards.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import msgspec

from magneto_serge.errors import CassetteError

from .atomic import replacing
from .frames import FrameReader
from .json_format import JsonWriter, leaves_out, older_texts, read
from .json_write import BodyRules
from .names import CassettePaths
from .side_files import SideFiles

log = logging.getLogger("magneto_serge")


def assemble(
    journal: Path,
    target: CassettePaths,
    *,
    name: str,
    rules: BodyRules,
    keep_older: bool,
    expected: int | None = None,
) -> int:
    """Write the cassette ``target`` from ``journal`` and return how many interactions came from it.

    With ``keep_older`` the interactions of an existing cassette come first, unchanged. ``expected``
    is how many the journal must hold; without it a torn end is left out. Raises OSError, and
    CassetteError where the journal or the older cassette cannot be read; ``target`` is then as it
    was before.
    """
    with journal.open("rb") as source:
        reader = FrameReader(source, journal)
        if reader.head is None:
            raise CassetteError(
                f"{journal} is not a journal of this program, or is cut at its head."
            )
        files = SideFiles(target.bodies, reader.home)
        with replacing(target.cassette) as out:
            writer = JsonWriter(
                out, name=name, recorded_at=reader.head.recorded_at, rules=rules, files=files
            )
            if keep_older and target.cassette.exists():
                _copy_older(target.cassette, writer)
            found = _copy_journal(reader, writer, journal)
            writer.close()
            if expected is not None and found != expected:
                raise CassetteError(
                    f"{journal}: byte {reader.whole}: damaged after {found} of {expected}"
                    " interactions."
                )
            out.flush()  # a full disk shows before side files are moved
            files.adopt()
    _sweep(files, target)
    return found


def _copy_older(cassette: Path, writer: JsonWriter) -> None:
    data = cassette.read_bytes()
    texts = older_texts(cassette, data)
    if texts is None:
        _keep_what_is_left_out(cassette, data)
        for interaction in read(cassette, data):
            writer.add(interaction)
        return
    for text in texts:
        writer.add_text(text)


def _keep_what_is_left_out(cassette: Path, data: bytes) -> None:
    if leaves_out(cassette, data):
        kept = cassette.with_name(cassette.name + ".1.0")
        shutil.copy2(cassette, kept)
        log.warning("The version 1.0 cassette with its WebSocket interactions is kept as %s", kept)


def _copy_journal(reader: FrameReader, writer: JsonWriter, journal: Path) -> int:
    found = 0
    try:
        for interaction in reader.interactions():
            writer.add(interaction)
            found += 1
    except msgspec.DecodeError as error:
        raise CassetteError(
            f"{journal}: interaction {found + 1}: not one of this version ({error})."
        ) from error
    return found


def _sweep(files: SideFiles, target: CassettePaths) -> None:
    try:
        files.sweep()
    except OSError as error:
        log.warning("Unused files are left in %s: %s", target.bodies, error.strerror)
