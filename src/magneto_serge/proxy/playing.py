"""Writing a recorded response over time.

A playing is a pump (``pump.py``) with a clock: each piece goes out when it is due and the client
takes it. What is late goes out at once and nothing is put off because of it, so delays do not add
up. One timer at a time is set, for the next piece, and no task exists.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from magneto_serge.messages import Body, FailureKind, FileBody, Interaction, body_size
from magneto_serge.proxy.answers import Framed, framed
from magneto_serge.replay.pieces import Piece, unit_end, whole_units
from magneto_serge.replay.timing import Latency, Tempo
from magneto_serge.wire.serialize import chunk

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection

log = logging.getLogger("magneto_serge.proxy")

_READ = 262_144  # bytes read from a side file at a time
_JOINED = 65_536  # bytes from which what is due is not joined for one write


class Playing:
    """One recorded response on its way to one client.

    ``began`` is the time of the loop, in seconds, from which the moments of ``latency`` count.
    """

    endless = False

    def __init__(
        self,
        client: ClientConnection,
        interaction: Interaction,
        latency: Latency,
        began: float,
        version: str,
    ) -> None:
        self._client = client
        self._loop = client.server.loop
        self._began = began
        parts = framed(interaction, version=version, keep_alive=not client.closing)
        self.close_after: bool = parts.close
        self.cut: FailureKind | None = parts.cut
        self._steps = self._schedule(parts, interaction, latency.tempo())
        self._next: Piece | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._woken = 0.0

    @property
    def waiting(self) -> bool:
        """Whether it is the clock that is waited for, and not the client."""
        return self._timer is not None

    @property
    def held(self) -> bool:
        """Whether something else than the clock is waited for."""
        return False

    def go_on(self) -> bool:
        """Write what is due, until the client takes no more (False), or all is written (True)."""
        client = self._client
        try:
            while client.writable and self._timer is None:
                data = self._ready(max(self._loop.time(), self._woken))
                if not data:
                    return not (self.waiting or self.held)
                client.write(data)
        except OSError as error:
            log.error("A recorded body cannot be read, its answer is cut off: %s", error)
            client.transport.abort()
        return False

    def _ready(self, now: float) -> list[bytes]:
        """Return what is due by ``now``, as much as is written at once."""
        ready: list[bytes] = []
        size = 0
        while size < _JOINED and (data := self._due(now)) is not None:
            if data:
                ready.append(data)
                size += len(data)
        return ready

    def _due(self, now: float) -> bytes | None:
        """Return what goes out next; None where there is nothing more, or the timer is set."""
        if self._next is None:
            self._next = next(self._steps, None)
            if self._next is None:
                return None
        due, data = self._next
        if due > now:
            self._timer = self._loop.call_at(due, self._wake)
            return None
        self._next = None
        return data

    def _wake(self) -> None:
        self._timer = None
        if self._next is not None:
            self._woken = self._next[0]  # a loop's clock may round down what its timers round up
        self._client.play_on(self)

    def close(self) -> None:
        """Give up; a side file is closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._steps.close()

    def _schedule(
        self, parts: Framed, interaction: Interaction, tempo: Tempo
    ) -> Generator[Piece, None, None]:
        """Yield when (on the loop's clock, in seconds) which bytes go out."""
        began = self._began
        if parts.interim:  # sent early on purpose (RFC 8297 §2); their moments are not recorded
            yield began, parts.interim
        end = interaction.total_ms
        first = interaction.first_byte_ms
        head = end if interaction.response is None or first is None else first
        yield began + tempo.head(head) / 1000, parts.head
        if body_size(parts.body):
            for moment, data in self._pieces(parts.body, interaction):
                wire = chunk(data) if parts.chunked else data
                yield began + tempo.piece(moment) / 1000, wire
        if parts.tail or parts.close:
            yield began + tempo.end(end) / 1000, parts.tail

    def _pieces(self, body: Body, interaction: Interaction) -> Iterator[Piece]:
        """Return the pieces of a body with their recorded moments in ms, units whole."""
        pieces = recorded_pieces(body, interaction)
        end = None if interaction.response is None else unit_end(interaction.response)
        return pieces if end is None else whole_units(pieces, end)


def recorded_pieces(body: Body, interaction: Interaction, *, most: int = _READ) -> Iterator[Piece]:
    """Yield the pieces as they came; a body that is longer than they say ends with the last.

    Of a side file no more than ``most`` bytes are read at a time.
    """
    left = body_size(body)
    chunks = [*interaction.chunks] or [(left, interaction.total_ms)]
    if isinstance(body, FileBody):
        with body.path.open("rb") as file:
            for number, (size, moment) in enumerate(chunks, 1):
                wanted = left if number == len(chunks) else min(size, left)
                left -= wanted
                while wanted:
                    data = file.read(min(wanted, most))
                    if not data:  # its length has been promised to the client
                        raise OSError(f"{body.path} is shorter than when it was recorded")
                    wanted -= len(data)
                    yield moment, data
        return
    at = 0
    for number, (size, moment) in enumerate(chunks, 1):
        end = len(body) if number == len(chunks) else min(at + size, len(body))
        if end > at:
            yield moment, body[at:end]
        at = end
