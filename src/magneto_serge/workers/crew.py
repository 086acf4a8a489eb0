"""The worker processes as their parent sees them: begun, asked, watched, ended.

The parent forks, so that what it has read and imported is there once, and talks with each worker
over two pairs of sockets:

* **orders** go down, and each is answered with a :class:`Report`: what the worker has counted, and
  the requests that it has refused since its last one. A worker answers between two turns of its
  event loop.
* **messages** come up: log records, which are the parent's to print, and what clients ask of the
  proxy itself, which is answered for all workers together, in a thread of its own.

A thread watches the messages. Where they end, the worker has: if nobody has told it to, that is the
end of the others too, because what it had counted is lost, and nobody serves its share of the
connections. And where a worker's orders end, its parent has, and the worker ends at once, as the
one process would have. So nothing is left behind, however somebody is killed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NamedTuple

import msgspec

from magneto_serge.errors import MagnetoError, ProxyError
from magneto_serge.messages import Request
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.misses import Miss

log = logging.getLogger("magneto_serge.workers")

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BEGINNING = 60.0  # seconds from the fork to the first report
PATIENCE = 5.0  # seconds for an answer; a worker whose hooks take longer is heard the next time


class Order(NamedTuple):
    """What a worker is told: ``report``, ``mode`` (with the mode) or ``stop``; numbered."""

    number: int
    what: str
    mode: str = ""


class Report(msgspec.Struct):
    """The answer to the order ``number``; the first comes unasked, when connections are accepted.

    ``stats`` are a worker's counts since its start, ``misses`` those since its last report;
    ``trouble`` is why an order could not be carried out.
    """

    number: int
    stats: Stats
    misses: list[Miss]
    trouble: MagnetoError | None = None


class Ends(NamedTuple):
    """A worker's ends of its pairs of sockets."""

    orders: Connection[Any, Any]
    messages: Connection[Any, Any]


Work = Callable[[int, Ends], None]


class Worker:
    """One worker: its process, and what it has reported."""

    def __init__(self, number: int, process: int, orders: Any, messages: Any) -> None:
        self.number = number
        self.process = process
        self.messages = messages
        self.stats = Stats()
        self.ended = False
        self._orders = orders
        self._lock = threading.Lock()
        self._given = 0

    def begin(self, until: float) -> tuple[list[Miss], Report | None]:
        """Wait for its first report, which comes unasked."""
        with self._lock:
            return self._receive(0, until)

    def _receive(self, number: int, until: float) -> tuple[list[Miss], Report | None]:
        """Wait for the report ``number``; return what was refused, and the report if it came."""
        misses: list[Miss] = []
        try:
            while self._orders.poll(max(0.0, until - time.monotonic())):
                report: Report = self._orders.recv()
                self.stats = report.stats
                misses += report.misses
                if report.number == number:
                    return misses, report
        except (EOFError, OSError):
            pass  # it has ended: whoever watches the messages knows
        return misses, None

    def order(self, what: str, mode: str, until: float) -> tuple[list[Miss], Report | None]:
        """Give an order, and wait for its report."""
        with self._lock:
            self._given += 1
            try:
                self._orders.send(Order(self._given, what, mode))
            except OSError:
                pass  # it has ended, perhaps not without having reported
            return self._receive(self._given, until)

    def forget_orders(self) -> None:
        """Close our end, in another worker's process: only the parent's counts."""
        self._orders.close()


class Crew:
    """All workers; ``answer`` is asked what clients ask of the proxy itself.

    :attr:`trouble` is the error that has ended them, None while all is well.
    """

    def __init__(
        self, answer: Callable[[Request], Any], refused: Callable[[list[Miss]], None]
    ) -> None:
        self.trouble: ProxyError | None = None
        self._answer = answer
        self._refused = refused
        self._workers: list[Worker] = []
        self._begun = False
        self._stopping = False
        self._watch = threading.Thread(target=self._listen, name="magneto-crew", daemon=True)

    def start(self, count: int, work: Work) -> None:
        """Fork so many workers; returns when all accept connections.

        ``work(number, ends)`` is what one does, counted from 0; it ends with its process. No thread
        of ours may run. Raises what kept a worker from starting, as a MagnetoError.
        """
        for number in range(count):
            self._fork(number, work)
        self._watch.start()
        try:
            for worker in self._workers:
                misses, report = worker.begin(time.monotonic() + BEGINNING)
                self._refused(misses)
                if report is None:
                    raise self.trouble or ProxyError(f"Worker {worker.number} has not started")
                if report.trouble is not None:
                    raise report.trouble
            self._begun = True
            if self.trouble is not None:
                raise self.trouble
        except MagnetoError:
            self.stop(0)
            raise

    def _fork(self, number: int, work: Work) -> None:
        ours, orders = Pipe()
        heard, messages = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal that comes in between would be heard twice, by handlers that are the parent's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        process = os.fork()
        if process == 0:
            try:
                ours.close()
                heard.close()
                for older in self._workers:
                    older.forget_orders()
                    older.messages.close()
                _obey_the_parent_alone()
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                work(number, Ends(orders, messages))
            finally:
                os._exit(1)  # `work` does not return
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        orders.close()
        messages.close()
        self._workers.append(Worker(number + 1, process, ours, heard))

    # --- asking --------------------------------------------------------------------------------

    def tell(self, what: str, mode: str = "", patience: float = PATIENCE) -> None:
        """Give every worker an order, and take in what they report.

        Raises what one could not do, or ProxyError where one has not answered in time.
        """
        until = time.monotonic() + patience
        reports = [self._ask(worker, what, mode, until) for worker in self._workers]
        for report in reports:
            if report is not None and report.trouble is not None:
                raise report.trouble
        if None in reports and what == "mode":
            raise self.trouble or ProxyError("A worker did not answer: its mode is not known")

    def _ask(self, worker: Worker, what: str, mode: str, until: float) -> Report | None:
        misses, report = worker.order(what, mode, until)
        self._refused(misses)
        return report

    @property
    def stats(self) -> Stats:
        """What all workers have reported, added up."""
        return total(worker.stats for worker in self._workers)

    # --- watching ------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Take in what the workers say, until none is left."""
        speaking = {worker.messages: worker for worker in self._workers}
        while speaking:
            for heard in wait(list(speaking)):
                worker = speaking[heard]
                try:
                    said = worker.messages.recv()
                except (EOFError, OSError):
                    del speaking[worker.messages]
                    self._ended(worker)
                    continue
                if isinstance(said, logging.LogRecord):
                    logging.getLogger(said.name).handle(said)
                else:  # not here: the answer needs every worker, and they may have to log
                    threading.Thread(target=self._reply, args=(worker, said), daemon=True).start()

    def _reply(self, worker: Worker, request: Request) -> None:
        try:
            worker.messages.send(self._answer(request))
        except OSError:
            pass  # it has ended meanwhile

    def _ended(self, worker: Worker) -> None:
        status = os.waitstatus_to_exitcode(os.waitpid(worker.process, 0)[1])
        worker.ended = True
        if self._stopping:
            return
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else "ended by itself"
        self.trouble = ProxyError(
            f"Worker {worker.number} (process {worker.process}) {how}. What it had counted is "
            "lost, and the others were stopped. Start anew; with one worker if that goes better"
        )
        if not self._begun:
            return  # it is heard of where its first report is waited for
        self._stopping = True
        log.error("Worker %d (process %d) %s; stopping", worker.number, worker.process, how)
        for other in self._workers:
            if other is not worker:
                threading.Thread(
                    target=self._ask, args=(other, "stop", "", time.monotonic()), daemon=True
                ).start()

    # --- the end -------------------------------------------------------------------------------

    def stop(self, timeout: float) -> None:
        """Let the workers finish what is under way, ``timeout`` seconds at most, and end them."""
        self._stopping = True
        until = time.monotonic() + timeout + PATIENCE
        stopping = [
            threading.Thread(target=self._ask, args=(worker, "stop", "", until), daemon=True)
            for worker in self._workers
        ]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        for worker in self._workers:
            worker.forget_orders()  # and so it ends, where it has not
        self._watch.join(PATIENCE)
        for worker in self._workers:
            if not worker.ended:  # it is stuck in a hook of the user's, which has no end
                os.kill(worker.process, signal.SIGKILL)
        self._watch.join(PATIENCE)


def _obey_the_parent_alone() -> None:
    """Leave signals to the parent: terminals and service managers send them to all processes."""
    signal.set_wakeup_fd(-1)
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def total(parts: Any) -> Stats:
    """Add counts up."""
    found = Stats()
    for part in parts:
        for name in Stats.__struct_fields__:
            setattr(found, name, getattr(found, name) + getattr(part, name))
    return found
