"""The writer thread's work: redact, encode and write what the traffic has handed over.

Batches are written in slices: each write gives the interpreter lock back, so that the traffic never
waits long for it. Nothing raises. The first error is logged at once and kept as ``error`` for the
end of the recording. One interaction that cannot be redacted or encoded is left out and the rest
goes on; once the disk has refused anything nothing more is written, because a journal is read only
up to its first torn frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from magneto_serge.messages import Body, FileBody, Interaction

from .body_writer import Step
from .journal import Journal

log = logging.getLogger("magneto_serge")

SLICE = 256 * 1024  # bytes encoded before a write
SLICE_ITEMS = 64  # and interactions: about 0.3 ms of the interpreter lock

Redact = Callable[[Interaction], Interaction]


class Scribe:
    """Writes to ``journal``; ``redact`` is applied to each interaction first.

    ``error`` is what went wrong, ``lost`` the number of interactions that are not in the journal
    because of it.
    """

    def __init__(self, journal: Journal, redact: Redact | None) -> None:
        self.error: Exception | None = None
        self.lost = 0
        self._journal = journal
        self._redact = redact
        self._frames = journal.frames
        self._encoded = 0  # interactions in the buffer

    def write(self, batch: list[Interaction | Step]) -> None:
        """Write a batch in its order; when this returns it is with the system."""
        for start in range(0, len(batch), SLICE_ITEMS):
            for item in batch[start : start + SLICE_ITEMS]:
                self._perform(item)
            self._flush()

    def _perform(self, item: Interaction | Step) -> None:
        if self.error is not None and isinstance(self.error, OSError):
            self.lost += isinstance(item, Interaction)
            return
        try:
            if isinstance(item, Interaction):
                self._encode(item)
            else:
                item[0](item[1])
        except Exception as error:  # noqa: BLE001 - kept, and raised at the end of the recording
            self.lost += isinstance(item, Interaction)
            self._keep(error)

    def _encode(self, interaction: Interaction) -> None:
        if self._redact is not None:
            interaction = self._redact(interaction)
        _check(interaction.request.body)
        if interaction.response is not None:
            _check(interaction.response.body)
        self._frames.add(interaction)
        self._encoded += 1
        if len(self._frames.data) > SLICE:
            self._flush()

    def _flush(self) -> None:
        data = self._frames.data
        if not data:
            return
        try:
            self._journal.write(data)
        except OSError as error:
            self.lost += self._encoded
            self._keep(error)
        self._encoded = 0
        del data[:]

    def _keep(self, error: Exception) -> None:
        if self.error is not None and not isinstance(error, OSError):
            return
        log.error("recording to %s fails: %s", self._journal.path, error)
        # Without its traceback, whose frames hold on to what was being written.
        self.error = error.with_traceback(None)


def _check(body: Body) -> None:
    if isinstance(body, FileBody) and not body.sha256:
        raise ValueError(f"the body in {body.path} has not been closed")
