"""What recording keeps of a body while it streams past: in memory up to a limit, then on disk.

The relay never waits for the tee; where the disk is behind, the recorder says so (`congested`)
and the exchange holds its gates.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from magneto_serge.messages import Body, FieldLine, FileBody
from magneto_serge.replay.engine import BodySink, InteractionSink


class Tee:
    """Collects a body for the recorder; ``limit`` is in bytes, ``fields`` stand above it."""

    __slots__ = ("_body", "_fields", "_limit", "_pieces", "_sink", "size")

    def __init__(
        self, sink: InteractionSink, limit: int, fields: tuple[FieldLine, ...] = ()
    ) -> None:
        self._sink = sink
        self._fields = fields
        self._limit = limit
        self._pieces: list[bytes] = []
        self._body: BodySink | None = None
        self.size = 0

    def add(self, data: bytes) -> None:
        """Keep a piece."""
        self.size += len(data)
        if self._body is not None:
            self._body.write(data)
        else:
            self._pieces.append(data)
            if self.size > self._limit:
                self._body = self._sink.open_body(self._fields)
                for piece in self._pieces:
                    self._body.write(piece)
                self._pieces = []

    def close(self) -> Body:
        """Return the body; the tee is done."""
        if self._body is not None:
            body, self._body = self._body, None
            return body.close()
        return b"".join(self._pieces)

    def discard(self) -> None:
        """Forget the body."""
        self._pieces = []
        if self._body is not None:
            self._body.discard()
            self._body = None


class Spool:
    """A request body read in full before deciding: in memory up to a limit, then a file.

    The file is unnamed to everyone else and gone with :meth:`discard`. Used where matching needs
    the body; its digest is what a recorded side file is matched by.
    """

    __slots__ = ("_digest", "_file", "_limit", "_path", "_pieces", "early", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self.early: list[bytes] | None = None  # bodies for which not all of it is waited for
        self.size = 0

    def add(self, data: bytes) -> None:
        """Keep a piece; raises OSError where the disk does not take it."""
        self.size += len(data)
        if self._file is None:
            self._pieces.append(data)
            if self.size <= self._limit:
                return
            # Both cost start-up, 9 ms together, for what few proxies ever need.
            import hashlib
            import tempfile

            descriptor, path = tempfile.mkstemp(prefix="magneto-body-")
            self._digest = hashlib.sha256()
            self._path = Path(path)
            self._file = os.fdopen(descriptor, "wb")
            data = b"".join(self._pieces)
            self._pieces = []
        self._digest.update(data)
        self._file.write(data)
        self._file.flush()  # so that a full disk is noticed here, and not by `close`

    @property
    def so_far(self) -> bytes:
        """What is there of a body that is in memory."""
        return b"".join(self._pieces)

    def beginning_of(self) -> bytes | None:
        """Return the one of the bodies in ``early`` that begins so; None: none, or several."""
        if self._file is not None or not self.early:
            return None
        so_far = self.so_far
        self.early = [body for body in self.early if body.startswith(so_far)]
        return self.early[0] if len(self.early) == 1 else None

    def close(self) -> Body:
        """Return the whole body; a FileBody stays readable until :meth:`discard`."""
        if self._file is None or self._path is None:
            return b"".join(self._pieces)
        self._file.close()
        return FileBody(self._path, self.size, self._digest.hexdigest())

    def discard(self) -> None:
        """Forget the body and remove its file."""
        self._pieces = []
        if self._file is not None and self._path is not None:
            try:
                self._file.close()
            except OSError:  # what could not be written is not missed
                pass
            self._path.unlink(missing_ok=True)
            self._file = None


class Spooled:
    """A body sink of a file that nobody keeps: the body is compared and forgotten.

    ``trouble`` is why the file could not be written; the body then has no digest, and is equal to
    no other.
    """

    __slots__ = ("_spool", "trouble")

    def __init__(self) -> None:
        self._spool = Spool(0)
        self.trouble: OSError | None = None

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body; never raises."""
        if self.trouble is None:
            try:
                self._spool.add(data)
            except OSError as error:
                self.trouble = error
                self._spool.discard()

    def close(self) -> FileBody:
        """Return the body; its file is gone when it is forgotten with :func:`forget`."""
        body = b"" if self.trouble is not None else self._spool.close()
        return body if isinstance(body, FileBody) else FileBody(Path(os.devnull), len(body), "")

    def discard(self) -> None:
        """Forget the body."""
        self._spool.discard()


def forget(body: Body) -> None:
    """Remove the file of a body that was spooled."""
    if isinstance(body, FileBody) and body.sha256:
        body.path.unlink(missing_ok=True)
