"""A worker: the server of a proxy in a process of its own, told by its parent what to do.

Everything it does was read, checked and opened by the parent before they parted. It has one thread,
whose loop serves clients and hears orders; it says nothing on the screen, saves nothing, and ends
with ``os._exit``, because what is registered for the end of the process is the parent's.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import logging.handlers
import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from magneto_serge.errors import MagnetoError
from magneto_serge.messages import Request
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.runner import new_event_loop

from .crew import Ends, Order, Report

_LOGGER = "magneto_serge"


class Upwards(logging.handlers.QueueHandler):
    """Sends log records to the parent, which owns the screen."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        logging.Handler.__init__(self)
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send one; where the parent is gone, nobody is left to read it."""
        self._send(record)


class Parent:
    """The parent, as a worker asks it; from any thread."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages
        self._sending = threading.Lock()
        self._asking = threading.Lock()

    def send(self, message: object) -> None:
        """Send something that needs no answer."""
        try:
            with self._sending:
                self._messages.send(message)
        except OSError:
            pass  # it is gone, and our orders say so too

    def ask(self, request: Request) -> Any:
        """Have a request to the proxy itself answered for all workers."""
        with self._asking:
            self.send(request)
            return self._messages.recv()


class WorkerProcess:
    """What runs in a worker; ``refused()`` hands over the misses since it was last called."""

    def __init__(
        self,
        server: ProxyServer,
        session: Session,
        orders: Any,
        refused: Callable[[], list[Miss]],
    ) -> None:
        self._server = server
        self._session = session
        self._orders = orders
        self._refused = refused
        self._last = 0  # the number of the order to stop

    def run(self) -> NoReturn:
        """Serve until told to stop, or until there is no parent; ends the process."""
        gc.freeze()
        gc.enable()
        status = 1
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._serve())
            status = 0
        except Exception:
            logging.getLogger(_LOGGER).exception("A fault of ours, please report it")
        finally:
            os._exit(status)

    async def _serve(self) -> None:
        try:
            await self._server.start()
        except MagnetoError as error:
            self._report(0, error)
            return
        loop = asyncio.get_running_loop()
        self._stopping = loop.create_future()
        loop.add_reader(self._orders.fileno(), self._obey)
        self._report(0)
        await self._stopping
        await self._server.stop()
        self._report(self._last)

    def _obey(self) -> None:
        try:
            order: Order = self._orders.recv()
        except (EOFError, OSError):
            os._exit(1)  # the parent has ended without a word, and so do we
        if order.what == "stop":
            if not self._last:
                self._stopping.set_result(None)
            self._last = order.number
            return
        if order.what == "mode":  # all that it needs was opened, and checked, by the parent
            self._session.mode = Mode(order.mode)
        self._report(order.number)

    def _report(self, number: int, trouble: MagnetoError | None = None) -> None:
        try:
            self._orders.send(Report(number, self._server.stats, self._refused(), trouble))
        except OSError:
            os._exit(1)


def work(
    server: ProxyServer,
    session: Session,
    ends: Ends,
    parent: Parent,
    refused: Callable[[], list[Miss]],
) -> NoReturn:
    """Be a worker, and serve ``session``; what is logged is the parent's to print."""
    logging.getLogger(_LOGGER).handlers[:] = [Upwards(parent.send)]
    WorkerProcess(server, session, ends.orders, refused).run()
