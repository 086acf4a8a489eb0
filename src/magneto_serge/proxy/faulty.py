"""Requests that go wrong because a fault says so, in whatever mode: nothing is looked up for them.

What is answered instead is written here; answers that come out wrong are `distortion`'s. A delay
comes first: the request waits, unlooked at, with what of its body has come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from magneto_serge.messages import FailureKind, Request
from magneto_serge.proxy.answers import problem
from magneto_serge.proxy.gate import Gate, Hold
from magneto_serge.replay.faults import Fault, Instead
from magneto_serge.wire.events import DataReceived, RequestReceived, StreamEnded

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection

log = logging.getLogger("magneto_serge.proxy")

_KEPT = 65_536  # bytes of a body kept during a pause
_MALFORMED = b"HTTP/1.1 2OO Magneto\r\nthis is no field line\r\n\r\n"


class Pause:
    """A wait before a request is looked at; ``then`` is called after it, None: it has no end.

    Among pumps (``pump.py``) it is the one that writes nothing: while it is there, the connection
    is busy. ``events`` are what has come of the request's body.
    """

    cut: FailureKind | None = None
    close_after = False
    waiting = True

    def __init__(
        self, client: ClientConnection, seconds: float, then: Callable[[], None] | None
    ) -> None:
        self.endless = then is None
        self.events: list[DataReceived | StreamEnded] = []
        self.then: Callable[[], None] = then or (lambda: None)
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        if then is not None:
            loop = client.server.loop
            self._timer = loop.call_at(loop.time() + seconds, client.pause_over, self)

    def keep(self, event: DataReceived | StreamEnded, gate: Gate) -> None:
        """Keep an event of the request's body for afterwards; in a wait without end, drop it."""
        if self.endless:
            return
        self.events.append(event)
        if type(event) is DataReceived:
            self._size += len(event.data)
            if self._size > _KEPT:
                gate.hold(Hold.BACKLOG)  # released when the client goes on to what has come

    def go_on(self) -> bool:
        """Write nothing, whatever the client takes."""
        return False

    def close(self) -> None:
        """Give up."""
        if self._timer is not None:
            self._timer.cancel()


def suffer(client: ClientConnection, fault: Fault, request: Request, head: RequestReceived) -> None:
    """Let a request go wrong as was asked for."""
    client.server.stats.faults += 1
    log.info("%s %s: fault injected, %s", request.method, request.url, fault.rule)
    then = partial(_go_wrong, client, fault, request, head)
    if fault.delay_ms:
        client.wait_for(Pause(client, fault.delay_ms / 1000, then))
    else:
        then()


def _go_wrong(
    client: ClientConnection, fault: Fault, request: Request, head: RequestReceived
) -> None:
    if fault.instead is None:
        if fault.distorts and not head.upgrade:  # after an upgrade it is no answer any more
            client.distort(fault)
        client.decide(request, head)
    elif fault.instead is Instead.TIMEOUT:
        client.wait_for(Pause(client, 0, None))
    elif fault.instead is Instead.RESET:
        client.cut(FailureKind.RESET)
    elif fault.instead is Instead.MALFORMED:
        client.answer(_MALFORMED, head, close=True)
    else:
        close = client.closing or head.expect_continue
        client.answer(_status_answer(fault, head, close=close), head, close=close)


def _status_answer(fault: Fault, head: RequestReceived, *, close: bool) -> bytes:
    return problem(
        fault.status,
        "injected-fault",
        "A fault was injected here",
        f"The rule {fault.rule!r} asks for it",
        close=close,
        head_only=head.method == "HEAD",
    )
