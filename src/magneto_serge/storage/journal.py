"""The journal of one recording: a locked file of frames beside the cassette, until it is finished.

Whoever holds the lock (``flock``: it goes when the process goes, however that happens) is the one
recording of this cassette. A journal that is there without its lock is what a crash, a full disk or
a kill left behind: if it holds anything it is kept under another name and a warning says how to
make a cassette of it. A kill loses nothing that was written; a power cut the last seconds,
unless every write is flushed (``fsync = "always"``).

What the frames look like is for the format of the cassette to say: the journal of a binary cassette
becomes the cassette, by growing an index and changing its name.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from magneto_serge.errors import CassetteBusyError, CassetteError
from magneto_serge.messages import Interaction

from .conversation_log import LOG
from .frames import PROGRAM, FrameBuffer, Head, Opening, own_folder, read_opening

log = logging.getLogger("magneto_serge")


class Frames(Protocol):
    """Encodes for a journal: ``data`` is what waits to be written.

    ``drain`` is called where one interaction is so large that some of it should be written now.
    """

    data: bytearray
    drain: Callable[[], None]

    def begin(self, head: Head) -> None:
        """Append what a journal begins with."""

    def add(self, interaction: Interaction) -> None:
        """Append an interaction."""


class Journal:
    """An open journal, ours alone. Make one with :meth:`open`."""

    def __init__(
        self, path: Path, descriptor: int, head: Head, made: list[Path], flushed: bool
    ) -> None:
        self.path = path
        self.head = head
        self.bodies = path.with_name(head.bodies)
        self._descriptor = descriptor
        self._made = made
        self._flushed = flushed
        self._renamed = False
        self.make_room: Callable[[], bool] = lambda: False  # frees disk, if it can; then tells so

    @classmethod
    def open(
        cls,
        path: Path,
        name: str,
        frames_for: Callable[[Path], Frames] = FrameBuffer,
        *,
        flushed: bool = False,
    ) -> Journal:
        """Begin the journal ``path`` of the cassette ``name``; folders are made as needed.

        ``frames_for`` makes the encoder from the folder of the recording's side files.
        ``flushed``: every write is on the disk's platter when it returns.

        Raises CassetteBusyError where another recording holds it, CassetteError where the folder
        cannot be written to.
        """
        try:
            made = _make_folders(path.parent)
            descriptor = _lock(path, name)
            bodies = f"{path.name}-{os.urandom(4).hex()}.bodies"
            head = Head(name, os.getpid(), time.time(), bodies, PROGRAM)
            journal = cls(path, descriptor, head, made, flushed)
            journal._begin(frames_for)
        except OSError as error:
            raise CassetteError(
                f"cannot record {name!r}: {error.filename or path}: {error.strerror}."
                f" Choose another cassette folder, or make {path.parent} writable."
            ) from error
        return journal

    def _begin(self, frames_for: Callable[[Path], Frames]) -> None:
        self.frames = frames_for(self.bodies)
        self.frames.begin(self.head)
        try:
            self.write(self.frames.data)
        except OSError:
            self.close(remove=True)
            raise
        del self.frames.data[:]

    def write(self, data: bytes | bytearray) -> None:
        """Append ``data``, whole frames; raises OSError."""
        with memoryview(data) as view:
            written = 0
            while written < len(view):
                try:
                    written += os.write(self._descriptor, view[written:])
                except OSError as error:
                    if error.errno != errno.ENOSPC or not self.make_room():
                        raise
        if self._flushed:
            self.flush()

    def flush(self) -> None:
        """Wait until the disk has everything; raises OSError."""
        os.fsync(self._descriptor)

    def become(self, cassette: Path) -> None:
        """Take the name ``cassette``, and the permissions of what had it; raises OSError."""
        if cassette.exists():
            shutil.copymode(cassette, self.path)
        self.path.rename(cassette)
        self._renamed = True

    def close(self, *, remove: bool) -> None:
        """Let go of the lock; with ``remove`` the journal and its bodies go first.

        Folders that were made for the journal and hold nothing now go too.
        """
        if remove:
            if not self._renamed:  # otherwise the path may be another recording's by now
                self.path.unlink(missing_ok=True)
            shutil.rmtree(self.bodies, ignore_errors=True)
            _remove_empty(self._made)
        os.close(self._descriptor)


def is_being_written(path: Path) -> bool:
    """Tell whether a live recording holds the journal ``path``; raises OSError."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _make_folders(folder: Path) -> list[Path]:
    """Make ``folder`` and what is missing above it; return those made, innermost first."""
    if folder.is_dir():  # as it is but for the first cassette
        return []
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # something is in it


def _lock(path: Path, name: str) -> int:
    """Return a descriptor of a new, empty, locked journal."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one who held the lock may have removed or renamed the file since we opened it.
            if _is_still(path, descriptor) and _clear(path, descriptor):
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise _busy(path, name) from error
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _clear(path: Path, descriptor: int) -> bool:
    """Make a journal left behind empty; one that holds anything is renamed, and False returned."""
    size = os.fstat(descriptor).st_size
    if not size:
        return True
    with open(descriptor, "rb", closefd=False) as file:
        opening = read_opening(file)
    if holds_anything(path, opening, size):
        _keep(path, opening.head)
        return False
    if opening.head:
        shutil.rmtree(own_folder(path, opening.head), ignore_errors=True)
    os.ftruncate(descriptor, 0)
    return True


def holds_anything(path: Path, opening: Opening, size: int) -> bool:
    """Tell whether the journal ``path`` of ``size`` bytes has more than its opening, or a
    conversation was under way, or it is none of ours."""
    if opening.head and (own_folder(path, opening.head) / LOG).exists():
        return True
    cut_in_head = opening.head is None and opening.whole
    return size > opening.whole and not cut_in_head


def _keep(path: Path, head: Head | None) -> None:
    number = 1
    while (kept := path.with_name(f"{path.name}.crashed-{number}")).exists():
        number += 1
    path.rename(kept)
    who = f" by process {head.pid}" if head else ""
    log.warning("An earlier recording%s did not end well. %s", who, advice(kept))


def advice(journal: Path) -> str:
    """Return what a person can do with a journal that was left behind."""
    stem = journal.name.removeprefix(".").partition(".journal")[0]
    command = shlex.join(["magneto", "recover", "-d", str(journal.parent), stem])
    return f"What it recorded is kept in {journal}. To make a cassette of it: {command}"


def _busy(path: Path, name: str) -> CassetteBusyError:
    head = None
    try:
        with path.open("rb") as file:
            head = read_opening(file).head
    except OSError:
        pass  # it has just ended; that it was busy is still true
    who = f"process {head.pid}" if head else "another process"
    return CassetteBusyError(
        f"cassette {name!r} is being recorded by {who} (its journal is {path})."
        " Wait until that ends, or record under another name."
    )
