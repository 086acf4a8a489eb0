"""Replace a file so that a crash, a full disk or a second writer never leaves half of it.

The new content goes to a hidden file in the same folder, is flushed to the disk, and takes the
name in one rename; the folder is flushed too, so that the rename itself survives a power cut. Until
then the older file is untouched, and on any failure the hidden file is removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_BUFFER = 256 * 1024  # bytes


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a file to write; when the block ends without an exception it is ``path``.

    Without ``durable`` nothing is flushed, which only a power cut can tell. The older file's
    permissions are kept. Raises OSError as the system does; then, and on any exception inside the
    block, ``path`` is as it was before.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make renames and links in ``folder`` durable, where the file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse fsync on a folder; the rename has still happened
    finally:
        os.close(descriptor)
