"""How long a client's connection waits, and for what.

Timeouts cost nothing per request: the books sweep every connection about once a second, and a
connection counts the sweeps since it last saw a sign of life. Waiting for the clock, because a
recording or a fault says so, is no idleness, and waiting for the disk is nobody's fault.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from magneto_serge.proxy import refusals
from magneto_serge.proxy.answering import Answering
from magneto_serge.proxy.gate import Hold
from magneto_serge.proxy.tee import Spool
from magneto_serge.wire.http1 import RequestParser

if TYPE_CHECKING:
    from magneto_serge.replay.engine import InteractionSink

log = logging.getLogger("magneto_serge.proxy")


class Patient(Answering):
    """A `ClientConnection` as the books see it."""

    __slots__ = ("_ended", "_parser", "_spool")

    _ended: bool  # the client has closed its side
    _parser: RequestParser
    _spool: Spool | None  # a request's body that is read before anything is decided

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._exchange is not None or self._pump is not None or self._spool is not None

    @property
    def records_into(self) -> InteractionSink | None:
        """What the answer under way is recorded into, None where it is not."""
        return None if self._exchange is None else self._exchange.records_into

    def recording_ends(self) -> None:
        """Record the answer under way as far as it went, if it is a stream."""
        if self._exchange is not None:
            self._exchange.recording_ends()

    @property
    def hung_up(self) -> bool:
        """Whether the client has closed its side."""
        return self._ended

    def sweep(self, interval: float) -> None:
        """Close what has waited too long; called every ``interval`` seconds."""
        settings = self.server.settings
        self.ticks += 1
        exchange = self._exchange
        if exchange is not None:
            exchange.ticks += 1
            if self.gate.reasons & Hold.DISK:  # neither side's fault
                exchange.ticks = 0
            if exchange.ticks * interval <= settings.idle_timeout:
                return
            if self.writable and not self._client_is_due():
                exchange.timed_out(settings.idle_timeout)
            else:
                log.warning("A client took or sent nothing for %g s: closed", settings.idle_timeout)
                self.transport.abort()
        elif self.busy or self._discarding or not self.writable or self.transport.is_closing():
            if self._pump is not None and self._pump.waiting:
                self.ticks = 0
            elif self.ticks * interval > settings.idle_timeout:
                self.transport.abort()
        elif self._parser.mid_message:
            if self.ticks * interval > settings.header_timeout:
                self._refuse(refusals.TOO_SLOW)
        elif self.ticks * interval > settings.keepalive_timeout:
            self.transport.close()

    def _client_is_due(self) -> bool:
        """Whether the request in hand is incomplete, so that the wait is for the client."""
        exchange = self._exchange
        return (
            exchange is not None
            and not exchange.request_complete
            and not exchange.answered
            and not self.gate.reasons
        )

    def close_when_idle(self) -> None:
        """Close now, or after the answer under way; nobody is waited for who has most likely gone.

        A client that closed its side while an answer streams may be half-closed and reading, but
        nearly always it has left: what it saw is recorded, and stopping need not wait.
        """
        self._close_after = True
        if (self._ended and self._exchange is not None and self._exchange.answered) or (
            self._pump is not None and self._pump.endless
        ):
            self.transport.abort()
        elif not self.busy:
            self.transport.close()

    def _request_incomplete(self) -> bool:
        """Whether more of the request in hand is needed: its client cannot stop sending now."""
        exchange = self._exchange  # (RFC 9112 §8)
        return self._spool is not None or (exchange is not None and not exchange.request_complete)
