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
from time import sleep

from msgspec.structs import replace

from magneto_serge.messages import FileBody, Interaction

from .body_writer import Step
from .journal import Journal

log = logging.getLogger("magneto_serge")

SLICE = 256 * 1024  # bytes encoded before a write
SLICE_ITEMS = 64  # and interactions: about 0.3 ms of the interpreter lock

Redact = Callable[[Interaction], Interaction]
Prepare = Callable[[Interaction], Interaction | None]
IsClean = Callable[[bytes], bool]
"""Tells of texts, a line feed between them, that redaction leaves them as they are."""


class Scribe:
    """Writes to ``journal``; ``prepare`` and then ``redact`` are applied to each interaction first.

    ``error`` is what went wrong, ``lost`` the number of interactions that are not in the journal
    because of it; ``left_out`` the number of those for which ``prepare`` has returned None.
    """

    def __init__(
        self, journal: Journal, redact: Redact | None, prepare: Prepare | None = None
    ) -> None:
        self.error: Exception | None = None
        self.lost = 0
        self.left_out = 0
        self.prepare = prepare
        self._journal = journal
        self.redact = redact
        self._frames = journal.frames
        self._frames.drain = self._drain
        self._encoded = 0  # interactions in the buffer
        self._refused = False  # by the disk

    def write(self, batch: list[Interaction | Step]) -> None:
        """Write a batch in its order; when this returns it is with the system."""
        for start in range(0, len(batch), SLICE_ITEMS):
            for item in batch[start : start + SLICE_ITEMS]:
                if self._refused:
                    self.lost += isinstance(item, Interaction)
                    continue
                try:
                    if isinstance(item, Interaction):
                        self._encode(item)
                    else:
                        item[0](item[1])
                except Exception as error:  # noqa: BLE001 - raised at the end of the recording
                    self.lost += isinstance(item, Interaction)
                    self._keep(error)
            self._flush()

    def _encode(self, interaction: Interaction) -> None:
        prepare = self.prepare
        if prepare is not None:
            prepared = prepare(interaction)
            if prepared is None:
                self.left_out += 1
                return
            interaction = prepared
        redact = self.redact
        if redact is not None:
            interaction = redact(interaction)
        self._add(interaction)

    def conclude(self, interaction: Interaction) -> None:
        """Encode a conversation that is over; raises what that raises.

        It is redacted, as long as nobody has changed it since: its messages may be many.
        """
        if self.prepare is not None:
            prepared = self.prepare(interaction)
            if prepared is None:
                self.left_out += 1
                return
            if prepared is not interaction and self.redact is not None:
                said = prepared.websocket
                same = said is interaction.websocket
                prepared = self.redact(replace(prepared, websocket=None) if same else prepared)
                interaction = replace(prepared, websocket=said) if same else prepared
        self._add(interaction)

    def _add(self, interaction: Interaction) -> None:
        response = interaction.response
        if type(interaction.request.body) is FileBody:
            _check(interaction.request.body)
        if response is not None and type(response.body) is FileBody:
            _check(response.body)
        frames = self._frames
        frames.add(interaction)
        self._encoded += 1
        if len(frames.data) > SLICE:
            self._flush()

    def perform(self, work: Callable[[], None]) -> None:
        """Do what is no part of a batch, and write what it has added; raises nothing."""
        if self._refused:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised at the end of the recording
            self._keep(error)
        self._flush()

    def _drain(self) -> None:
        """Write a part of an interaction; raises OSError."""
        self._journal.write(self._frames.data)
        del self._frames.data[:]

    def _flush(self) -> None:
        data = self._frames.data
        if not data:
            sleep(0)  # gives the interpreter lock back, as a write does
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
        self._refused = isinstance(error, OSError)
        log.error("recording to %s fails: %s", self._journal.path, error)
        # Without its traceback, whose frames hold on to what was being written.
        self.error = error.with_traceback(None)


def _check(body: FileBody) -> None:
    if not body.sha256:
        raise ValueError(f"the body in {body.path} has not been closed")
