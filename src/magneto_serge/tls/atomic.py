"""Put files in place whole: a reader sees all of one version or all of another, never a part.

Both ways write a temporary file beside the target, created with O_EXCL and mode 0600, so that a
key is at no moment readable by others, and a crash leaves at most that file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def publish(path: Path, content: bytes, mode: int) -> None:
    """Make ``content`` the file ``path``, whatever was there. Raises OSError."""
    with _staged(path, content, mode) as staged:
        os.replace(staged, path)


def claim(path: Path, content: bytes, mode: int) -> bool:
    """Make ``content`` the file ``path`` unless there is one; tell whether it is ours now.

    Of several processes at once exactly one wins. Raises OSError for disk trouble.
    """
    with _staged(path, content, mode) as staged:
        try:
            os.link(staged, path)
        except FileExistsError:
            return False
        except OSError:
            # No hard links here (exFAT, some bind mounts): look, then rename. Two processes in
            # the same few microseconds could both win; both files are whole all the same.
            if path.exists():
                return False
            os.replace(staged, path)
    return True


@contextmanager
def _staged(path: Path, content: bytes, mode: int) -> Iterator[str]:
    import tempfile

    fd, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
        os.chmod(staged, mode)
        yield staged
    finally:
        Path(staged).unlink(missing_ok=True)
