"""A recorder for tests: keeps what it is given, and is congested when it is told to be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from magneto_serge.messages import FieldLine, FileBody, Interaction
from magneto_serge.proxy.overheard import Limits, Overheard


class FakeBody:
    """A body that was too large for memory, in memory."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False
        self.discarded = False

    def write(self, data: bytes) -> None:
        """Keep a piece."""
        assert not self.closed
        assert not self.discarded
        self.data += data

    def close(self) -> FileBody:
        """Return a reference to a file that does not exist."""
        self.closed = True
        digest = hashlib.sha256(self.data).hexdigest()
        return FileBody(Path("/nowhere") / digest, len(self.data), digest)

    def discard(self) -> None:
        """Forget."""
        self.discarded = True


class FakeSink:
    """Where interactions go; ``on_record`` is called with each as it comes."""

    def __init__(self) -> None:
        self.interactions: list[Interaction] = []
        self.bodies: list[FakeBody] = []
        self.congested = False
        self.on_record: Callable[[Interaction], object] = lambda _: None
        self.waiting: list[Callable[[], None]] = []

    def record(self, interaction: Interaction) -> None:
        """Keep an interaction."""
        self.interactions.append(interaction)
        self.on_record(interaction)

    def open_body(self, fields: tuple[FieldLine, ...] = ()) -> FakeBody:
        """Begin a large body."""
        self.bodies.append(FakeBody())
        return self.bodies[-1]

    def open_conversation(self, interaction: Interaction) -> Overheard:
        """Begin a conversation, which is kept when it is over."""
        return Overheard(interaction, lambda said, _: self.record(said), Limits(2**20, 2**30))

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Remember to call back."""
        self.waiting.append(callback)

    def drained(self) -> None:
        """Be done with the congestion."""
        self.congested = False
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()
