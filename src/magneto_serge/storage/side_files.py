"""The bodies of one cassette that are too large for it, each in a file of its own.

They live beside the cassette in ``NAME.bodies/`` and are named by their SHA-256, so an older
cassette's file is never overwritten by different bytes, equal bodies are kept once, and a file
that is present has either the right content or a wrong digest. The order that keeps a crash
harmless: new files are linked in before the cassette that refers to them takes its name; files
that nothing refers to any more go afterwards. A reference is data from a file that somebody may
have sent us: it can name a digest in a ``*.bodies`` folder beside the cassette, and nothing else.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from magneto_serge.messages import FileBody

from .faults import FieldError

_REFERENCE = re.compile(r"[^/\\\x00]+\.bodies/([0-9a-f]{64})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MENTION = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PIECE = 1024 * 1024  # bytes


class SideFiles:
    """The side files of one cassette while its new version is built.

    ``folder`` is ``NAME.bodies``; ``workshop`` a folder of the recording, on the same file system,
    in which :meth:`spill` may write.
    """

    def __init__(self, folder: Path, workshop: Path) -> None:
        self.folder = folder
        self._workshop = workshop
        self._claimed: dict[str, Path] = {}
        self._mentioned: set[str] = set()

    def reference(self, body: FileBody) -> str:
        """Return how the cassette refers to ``body``, and remember to bring its file in."""
        self._claimed[body.sha256] = body.path
        self._mentioned.add(body.sha256)
        return f"{self.folder.name}/{body.sha256}"

    def spill(self, data: bytes) -> FileBody:
        """Write a body that was in memory to a file; raises OSError."""
        from hashlib import sha256

        digest = sha256(data).hexdigest()
        self._workshop.mkdir(exist_ok=True)
        path = self._workshop / digest
        path.write_bytes(data)
        return FileBody(path, len(data), digest)

    def note_mentions(self, text: bytes | memoryview) -> None:
        """Keep whatever file the text of an older interaction could refer to."""
        self._mentioned.update(found.group().decode() for found in _MENTION.finditer(text))

    def mention(self, digests: Iterable[str]) -> None:
        """Keep the files with these digests: older interactions refer to them."""
        self._mentioned.update(digests)

    def mentioned(self) -> list[str]:
        """Return the digests of all files that are referred to, sorted."""
        return sorted(self._mentioned)

    def adopt(self, *, durable: bool = True) -> None:
        """Bring every referenced file into ``folder``; raises OSError.

        ``durable``: it is on the disk's platter then. The recording keeps its own copy (a second
        link, where the file system has links) until the cassette is complete.
        """
        if self._claimed:
            self.folder.mkdir(exist_ok=True)
        for digest, source in self._claimed.items():
            place = self.folder / digest
            if source != place:
                _bring(source, place, ours=source.parent == self._workshop, durable=durable)

    def sweep(self) -> None:
        """Remove the files that the new cassette does not refer to; raises OSError."""
        if not self.folder.is_dir():
            return
        for file in self.folder.iterdir():
            if _DIGEST.fullmatch(file.name) and file.name not in self._mentioned:
                file.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _bring(source: Path, place: Path, *, ours: bool, durable: bool) -> None:
    temporary = place.with_name(f".{place.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        if not (ours and _link(source, temporary)):
            import shutil  # brings every kind of archive along, and few cassettes have side files

            shutil.copyfile(source, temporary)
        if durable:
            _flush(temporary)
        temporary.replace(place)
        temporary.unlink(missing_ok=True)  # rename(2) keeps it where both are one file already
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _link(source: Path, place: Path) -> bool:
    try:
        os.link(source, place)
    except OSError:
        return False  # a file system without links
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def resolve(reference: str, size: int, sha256: str, beside: Path, *, verify: bool) -> FileBody:
    """Return the body that a cassette in the folder ``beside`` refers to.

    Its size is always compared with the file's, its content only with ``verify`` (it is read
    whole). Raises FieldError where the file is missing, another one, or not ours to name.
    """
    found = _REFERENCE.fullmatch(reference)
    if not found or found[1] != sha256:
        raise FieldError("body.file", f"{reference!r} is not NAME.bodies/ and the body's sha256")
    path = beside / reference
    try:
        status = path.lstat()
    except OSError as error:
        raise FieldError("body.file", f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise FieldError("body.file", f"{path} is not a regular file")
    if status.st_size != size:
        reason = f"{path} has {status.st_size} bytes, {size} were recorded"
        raise FieldError("body.file", reason)
    if verify and digest_of(path) != sha256:
        raise FieldError("body.file", f"the content of {path} is not what was recorded (SHA-256)")
    return FileBody(path, size, sha256)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read piece by piece; raises OSError."""
    from hashlib import sha256

    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
