"""The writer thread's work: redact, encode and write what the traffic has handed over.

Batches are written in slices: each write gives the interpreter lock back, so that the traffic never
waits long for it. Nothing raises. The first error is logged at once and kept as ``error`` for the
end of the recording. One interaction that cannot be redacted or encoded is left out and the rest
goes on; once the disk has refused anything nothing more is written, because a journal is read only
up to its first torn frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import sleep
from typing import cast

from msgspec.structs import replace

from magneto_serge.messages import FileBody, Interaction

from .body_writer import Step
from .journal import Journal

log = logging.getLogger("magneto_serge")

SLICE = 256 * 1024  # bytes encoded before a write
SLICE_ITEMS = 64  # and interactions: about 0.3 ms of the interpreter lock
GROUP = 16  # that are redacted with one look, where that is enough
FEW = 4  # with the next, and one by one where that is not either

_INTERACTIONS = {Interaction}

Redact = Callable[[Interaction], Interaction]
Prepare = Callable[[Interaction], Interaction | None]
Glance = Callable[[Sequence[Interaction]], Sequence[Interaction] | None]
"""Redacts a group at once; None where they have to be redacted one after the other."""
IsClean = Callable[[bytes], bool]
"""Tells of texts, a line feed between them, that redaction leaves them as they are."""


class Scribe:
    """Writes to ``journal``; ``prepare`` and then ``redact`` are applied to each interaction first.

    ``error`` is what went wrong, ``lost`` the number of interactions that are not in the journal
    because of it; ``left_out`` the number of those for which ``prepare`` has returned None.
    """

    def __init__(
        self,
        journal: Journal,
        redact: Redact | None,
        prepare: Prepare | None = None,
        glance: Glance | None = None,
    ) -> None:
        self.error: Exception | None = None
        self.lost = 0
        self.left_out = 0
        self.prepare = prepare
        self._journal = journal
        self.redact = redact
        self._glance = glance
        self._frames = journal.frames
        self._frames.drain = self._drain
        self._encoded = 0  # interactions in the buffer
        self._refused = False  # by the disk

    def write(self, batch: list[Interaction | Step]) -> None:
        """Write a batch in its order; when this returns it is with the system."""
        for start in range(0, len(batch), SLICE_ITEMS):
            part = batch[start : start + SLICE_ITEMS]
            if self._glance is None or self.prepare is not None:
                self._each(part)
            else:
                for group in range(0, len(part), GROUP):
                    self._together(part[group : group + GROUP], self._glance)
            self._flush()

    def _each(self, items: list[Interaction | Step]) -> None:
        """Do one after the other."""
        for item in items:
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

    def _together(self, items: list[Interaction | Step], glance: Glance) -> None:
        """Redact with one look at all of them; where that is not enough, at fewer at a time."""
        unread = self._unread(items, glance)
        if unread is not None:
            self._add_all(unread)
        elif len(items) <= FEW:
            self._each(items)
        else:
            for start in range(0, len(items), FEW):
                self._together(items[start : start + FEW], glance)

    def _unread(
        self, items: list[Interaction | Step], glance: Glance
    ) -> Sequence[Interaction] | None:
        if self._refused or set(map(type, items)) != _INTERACTIONS:
            return None
        try:
            return glance(cast("list[Interaction]", items))
        except Exception:  # noqa: BLE001 - which of them it is about is found out one by one
            return None

    def _add_all(self, redacted: Sequence[Interaction]) -> None:
        """Encode interactions with bodies in memory."""
        add = self._frames.add
        for at, interaction in enumerate(redacted):
            try:
                add(interaction)
                self._encoded += 1
            except Exception as error:  # noqa: BLE001 - raised at the end of the recording
                self._keep(error)
                self.lost += len(redacted) - at if self._refused else 1
                if self._refused:
                    return
        if len(self._frames.data) > SLICE:
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
