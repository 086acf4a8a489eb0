"""The side of a client's connection that writes: answers of every kind, and their ends.

What is written counts as a sign of life, and nothing is written to a connection that is closing.
Breaking off is never a mere close where the client could take it for the end of a body.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from magneto_serge.messages import FailureKind
from magneto_serge.proxy import answers
from magneto_serge.proxy.distortion import DistortedTransport
from magneto_serge.proxy.exchange import JOIN_BELOW, Exchange
from magneto_serge.proxy.faulty import Pause
from magneto_serge.proxy.gate import Gate
from magneto_serge.proxy.playing import Playing
from magneto_serge.proxy.pump import Pump
from magneto_serge.proxy.refusals import Refusal
from magneto_serge.proxy.reset import reset as send_reset
from magneto_serge.proxy.shaped import Asking
from magneto_serge.replay.faults import Fault
from magneto_serge.replay.misses import Miss
from magneto_serge.wire.events import RequestReceived

if TYPE_CHECKING:
    from magneto_serge.proxy.server import ProxyServer


class Answering(asyncio.Protocol):
    """What a `ClientConnection` writes with; it reads, and sets everything here."""

    __slots__ = (
        "_close_after",
        "_cutting",
        "_discarding",
        "_exchange",
        "_head",
        "_pump",
        "gate",
        "server",
        "ticks",
        "transport",
        "writable",
    )

    _close_after: bool  # the connection ends with the answer under way
    _cutting: bool  # a reset waits until what was written has gone out
    _discarding: bool  # the request in hand has been answered: the rest of it is dropped
    _exchange: Exchange | None
    _head: RequestReceived | None  # of the request in hand
    _pump: Pump | Playing | Pause | Asking | None
    gate: Gate
    server: ProxyServer
    ticks: int
    transport: asyncio.Transport
    writable: bool

    @property
    def closing(self) -> bool:
        """Whether the connection ends with the answer under way."""
        return self._close_after

    def write(self, pieces: list[bytes] | list[memoryview]) -> None:
        """Write to the client what there is; a recorded body may be a view of a mapped cassette."""
        if not pieces:
            return
        self.ticks = 0
        if len(pieces) > 1:
            size = sum(map(len, pieces))
            if size >= JOIN_BELOW:
                self.server.stats.bytes_out += size
                if not self.transport.is_closing():
                    self.transport.writelines(pieces)
                return
            data: bytes | memoryview = b"".join(pieces)
        else:
            data = pieces[0]
        self.server.stats.bytes_out += len(data)
        if not self.transport.is_closing():
            self.transport.write(data)

    def connection_field(self, head: RequestReceived) -> bytes:
        """Return the value of our Connection field in the answer under way."""
        if self._close_after:
            return b"close"
        return b"" if head.version == "HTTP/1.1" else b"keep-alive"

    def close_after_this(self) -> None:
        """End the connection after the answer under way: its end is the body's."""
        self._close_after = True

    def _refuse(self, refusal: Refusal, head: RequestReceived | None = None) -> None:
        """Answer with an error, and close: who is refused may not know where its request ends."""
        head_only = head is not None and head.method == "HEAD"
        self._write(refusal.answer(head_only=head_only), close=True)

    def _write(self, answer: bytes, *, close: bool) -> None:
        self.server.stats.bytes_out += len(answer)
        if not self.transport.is_closing():
            self.transport.write(answer)
            if close:
                self.transport.close()

    def reply(self, data: bytes, *, close: bool) -> None:
        """Answer with ready bytes of ours."""
        self._write(data, close=close)

    def answer(self, data: bytes, head: RequestReceived, *, close: bool = False) -> None:
        """Write a whole answer of ours before the request has been looked at."""
        self._discarding = not head.ended
        self._write(data, close=close)

    def refuse_miss(self, miss: Miss) -> None:
        """Refuse what no recording matches, and say so."""
        self.server.missed(miss)
        if type(self.transport) is DistortedTransport:  # what explains itself comes out right
            self.transport = self.transport.inner
        head = self._head
        if head is None:
            return
        close = self._close_after or head.expect_continue
        self._write(
            answers.miss_answer(miss, close=close, head_only=head.method == "HEAD"), close=close
        )

    def distort(self, fault: Fault) -> None:
        """Let what is written from here on come out wrong; the connection ends with it."""
        self._close_after = True
        self.transport = DistortedTransport(self, self.transport, fault)

    # --- recordings --------------------------------------------------------------------------

    def wait_for(self, pump: Pump | Playing | Pause | Asking) -> None:
        """Let ``pump`` write, or wait, before anything else is answered."""
        self._pump = pump
        self._go_on(pump)

    def _go_on(self, pump: Pump | Playing | Pause | Asking) -> bool:
        """Write what the client takes of a recording; True where that was the rest of it."""
        if not pump.go_on():
            return False
        self._pump = None
        if pump.cut is not None:
            self.cut(pump.cut)
        elif pump.close_after or self._close_after:
            self.transport.close()
        return True

    # --- ends --------------------------------------------------------------------------------

    def cut(self, kind: FailureKind) -> None:
        """Break off as the origin did: with a reset, or by closing too early."""
        self._exchange = None
        self._break(reset=kind is FailureKind.RESET)

    def _break(self, *, reset: bool) -> None:
        transport = self.transport
        if type(transport) is DistortedTransport:
            transport = transport.inner
        if not reset:
            transport.close()
            return
        # What was written goes out first: with no room in the buffer, `resume_writing` tells.
        self._cutting = True
        transport.set_write_buffer_limits(high=0)
        if transport.get_write_buffer_size() == 0:
            send_reset(transport)

    def break_off(self, *, reset: bool) -> None:
        """End the connection in the middle of an answer; what the origin says is recorded still."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None
        exchange = self._exchange
        if exchange is not None and not exchange.over and not exchange.completes_recording:
            self._exchange = None
            exchange.forget()
        self._break(reset=reset)

    def alive(self) -> None:
        """Take note that something goes on, slowly."""
        self.ticks = 0
        if self._exchange is not None:
            self._exchange.ticks = 0
