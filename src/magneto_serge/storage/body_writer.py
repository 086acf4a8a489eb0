"""A body too large for memory, on its way to a side file while it streams through the proxy.

Two halves. :class:`BodyWriter` is what the proxy holds: its methods only enqueue. :class:`BodySink`
is what the recorder's writer thread runs: it writes, hashes, and fills in the digest when the body
has ended. The queue keeps their order, so the digest is there before the interaction that refers to
the body is encoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from magneto_serge.messages import FileBody

Step = tuple[Callable[[Any], None], Any]
"""What the writer thread is to do: a method, and what to give it."""

Enqueue = Callable[[Step, int], None]
"""Takes a step for the writer thread, and the bytes that wait with it."""


class BodySink:
    """The writer thread's half: one file, made when its first bytes come. All raise OSError.

    ``unfinished`` holds the sinks whose files are open.
    """

    def __init__(self, body: FileBody, unfinished: set[BodySink]) -> None:
        self.body = body
        self._unfinished = unfinished
        from hashlib import sha256  # most recordings have no body as large as this

        self._digest = sha256()
        self._descriptor = -1

    def append(self, data: bytes) -> None:
        """Write the next bytes."""
        if self._descriptor < 0:
            self.body.path.parent.mkdir(exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._descriptor = os.open(self.body.path, flags, 0o666)
            self._unfinished.add(self)
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self, data: bytes) -> None:
        """Write the last bytes and fill in the digest."""
        self.append(data)
        self.close()
        self.body.sha256 = self._digest.hexdigest()

    def discard(self, _: bytes) -> None:
        """Remove the file."""
        self.close()
        self.body.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; the recorder does so with bodies that never ended."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._unfinished.discard(self)


class BodyWriter:
    """The proxy's half; from ``Recorder.open_body``. End it with one of close and discard."""

    __slots__ = ("_enqueue", "_sink")

    def __init__(self, sink: BodySink, enqueue: Enqueue) -> None:
        self._sink = sink
        self._enqueue = enqueue

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body; never blocks, never raises for disk trouble."""
        self._sink.body.size += len(data)
        self._enqueue((self._sink.append, data), len(data))

    def close(self) -> FileBody:
        """End the body; its path and size are known now, ``sha256`` is once it is on the disk."""
        self._enqueue((self._sink.finish, b""), 0)
        return self._sink.body

    def discard(self) -> None:
        """Forget the body."""
        self._enqueue((self._sink.discard, b""), 0)
