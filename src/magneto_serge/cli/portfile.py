"""The port file: how a script learns that the proxy is ready, and on which port.

It holds the port number and a newline, appears in one piece when connections are accepted, and is
gone when they no longer are. A file left over from a crash is removed first: waiting for the file
to exist is all that a script has to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magneto_serge.errors import ConfigError


def remove(file: Path | None) -> None:
    """Remove the port file if there is one. Raises ConfigError where that cannot be done."""
    if file is not None:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"port file {file}: {error.strerror}") from error


@contextmanager
def announcing(file: Path | None, port: int) -> Iterator[None]:
    """Have ``port`` in ``file`` for the time of the context; None: do nothing.

    Raises ConfigError where it cannot be written, naming the file and the reason.
    """
    if file is None:
        yield
        return
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_text(f"{port}\n", encoding="ascii")
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigError(f"port file {file}: {error.strerror}") from error
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
