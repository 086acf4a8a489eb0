"""Replaying an exchange in which both sides talked at once: an answer before its request's end.

Such a client may wait for the answer's next piece before it sends its own, so nobody can wait for
the whole request. Its beginning is compared with the recorded requests that were answered early;
the one that begins so is taken for it, and from there on each piece of the answer goes out when as
much of the request has come as had gone before it. A request that goes on otherwise is refused in
the only way that is left: the connection ends.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from magneto_serge.messages import Body, Interaction, Request
from magneto_serge.proxy.playing import Playing, recorded_pieces
from magneto_serge.replay.pieces import Piece
from magneto_serge.replay.timing import Latency, Scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.tee import Spool
    from magneto_serge.replay.decisions import Decision
    from magneto_serge.replay.engine import Session

AT_ONCE = Scaled(0.0)


class Duplex(Playing):
    """A recording that is played while its request comes; ``body`` is the recorded request's."""

    def __init__(
        self,
        client: ClientConnection,
        interaction: Interaction,
        latency: Latency | None,
        began: float,
        version: str,
    ) -> None:
        super().__init__(client, interaction, latency or AT_ONCE, began, version)
        body = interaction.request.body
        self._expected = body if isinstance(body, bytes) else b""
        # What had gone before the head, before each piece, and before the end.
        uploaded = interaction.uploaded
        self._needs = (uploaded[0],) * len(interaction.informational[:1]) + uploaded
        self._complete = len(uploaded) > len(interaction.chunks) + 1
        self._heard = 0
        self._step = 0

    @property
    def heard(self) -> bytes:
        """What has come of the request's body."""
        return self._expected[: self._heard]

    @property
    def held(self) -> bool:
        """Whether more of the request must come first."""
        return self._heard < self._needs[min(self._step, len(self._needs) - 1)]

    def hear(self, data: bytes) -> bool:
        """Take a piece of the request's body; False where it is not the recorded one."""
        end = self._heard + len(data)
        if end > len(self._expected) and not self._complete:
            data = data[: max(0, len(self._expected) - self._heard)]  # nobody knows how it went on
        if self._expected[self._heard : self._heard + len(data)] != data:
            return False
        self._heard = end
        return True

    def _due(self, now: float) -> bytes | None:
        if self.held:
            return None
        data = super()._due(now)
        if data is not None:
            self._step += 1
        return data

    def _pieces(self, body: Body, interaction: Interaction) -> Iterator[Piece]:
        # As they came, and none in parts: each waits for its own.
        return recorded_pieces(body, interaction, most=sys.maxsize)


def decide_early(session: Session, request: Request, spool: Spool) -> Decision | None:
    """Decide for a request of which ``spool`` has the beginning; None: more of it must come.

    It is taken for the one recorded request that begins so, body and all.
    """
    if spool.early is None:
        spool.early = session.answered_early(request)
    body = spool.beginning_of() if spool.early else None
    if body is None:
        return None
    request.body = body
    return session.decide(request)
