"""A worker between its parent and its server: orders, reports, log records."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from typing import Any, cast

import pytest

from magneto_serge.errors import ProxyError
from magneto_serge.messages import Request
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.workers.crew import Ends, Order, Report
from magneto_serge.workers.worker import Parent, Upwards, WorkerProcess, work

ASKED = Request("GET", "http", "127.0.0.1", 80, "/__magneto/")


class Left(Exception):
    """How a test leaves `os._exit`: instead of the end of the process."""


class PretendedServer:
    """A server that only counts; ``fail`` is raised when it starts."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.stats = Stats(requests=3)
        self.fail: Exception | None = None

    async def start(self) -> None:
        """Pretend to accept."""
        self.calls.append("start")
        if self.fail is not None:
            raise self.fail

    async def stop(self) -> None:
        """Pretend to finish what is under way."""
        self.calls.append("stop")
        self.stats.requests += 1


class Pair:
    """A worker in this process, and what its parent holds."""

    def __init__(self) -> None:
        self.parent: Connection[Any, Any]
        self.parent, self.orders = Pipe()
        self.heard: Connection[Any, Any]
        self.heard, self.messages = Pipe()
        self.server = PretendedServer()
        self.session = Session(None, Mode.REPLAY)
        self.untold = [Miss("GET", "http://a/", "Nothing matches.", "Record it.")]

    def refused(self) -> list[Miss]:
        """Hand over the misses."""
        told, self.untold = self.untold, []
        return told

    def run(self) -> int:
        """Run the worker to its end; return the status that it ends with."""
        worker = WorkerProcess(cast(Any, self.server), self.session, self.orders, self.refused)
        with pytest.raises(Left) as ended:
            worker.run()
        return int(ended.value.args[0])

    def reports(self) -> list[Report]:
        """Return what was reported."""
        found = []
        while self.parent.poll():
            found.append(self.parent.recv())
        return found

    def close(self) -> None:
        """Close what is open."""
        for each in (self.parent, self.orders, self.heard, self.messages):
            each.close()


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A worker whose end is an exception."""

    def leave(status: int) -> None:
        raise Left(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr("gc.freeze", lambda: None)
    pair = Pair()
    yield pair
    pair.close()


def test_the_life_of_a_worker(pair: Pair) -> None:
    """It says that it accepts, answers each order, and reports once more when it has stopped."""
    for order in (Order(1, "report"), Order(2, "mode", "strict"), Order(3, "stop")):
        pair.parent.send(order)
    assert pair.run() == 0
    reports = pair.reports()
    assert [report.number for report in reports] == [0, 1, 2, 3]
    assert [len(report.misses) for report in reports] == [1, 0, 0, 0]
    assert reports[-1].stats.requests == 4
    assert pair.server.calls == ["start", "stop"]
    assert pair.session.mode is Mode.STRICT


def test_told_to_stop_twice(pair: Pair) -> None:
    """By whoever watches, and by the command: the last report answers the last order."""
    pair.parent.send(Order(1, "stop"))
    pair.parent.send(Order(2, "stop"))
    assert pair.run() == 0
    assert pair.reports()[-1].number in (1, 2)


def test_a_port_that_cannot_be_had(pair: Pair) -> None:
    """The first report says so, and there is no other."""
    pair.server.fail = ProxyError("in use")
    assert pair.run() == 0
    (report,) = pair.reports()
    assert str(report.trouble) == "in use"


def test_a_fault_of_ours_is_logged(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that goes wrong in a worker is lost with it."""
    pair.server.fail = ZeroDivisionError("oh")
    assert pair.run() == 1
    assert "please report it" in caplog.text


def test_without_a_parent_it_ends(pair: Pair) -> None:
    """Where orders end, the parent has ended; so has whoever cannot report any more."""
    worker = WorkerProcess(cast(Any, pair.server), pair.session, pair.orders, pair.refused)
    pair.parent.close()
    with pytest.raises(Left):
        worker._obey()
    with pytest.raises(Left):
        worker._report(1)


def test_what_is_logged_goes_up(pair: Pair) -> None:
    """The parent's handlers are the parent's; a worker has one, which sends."""
    logger = logging.getLogger("magneto_serge")
    before = logger.handlers[:]
    pair.parent.send(Order(1, "stop"))
    parent = Parent(pair.messages)
    try:
        with pytest.raises(Left):
            work(
                cast(Any, pair.server),
                pair.session,
                Ends(pair.orders, pair.messages),
                parent,
                pair.refused,
            )
        assert [type(each) for each in logger.handlers] == [Upwards]
        try:
            raise ValueError("bad")
        except ValueError:
            logger.exception("%s happened", "this")
    finally:
        logger.handlers[:] = before
    record = pair.heard.recv()
    assert "this happened" in record.getMessage()
    assert "ValueError: bad" in record.getMessage()


def test_asking_the_parent(pair: Pair) -> None:
    """A question is answered; what needs no answer is lost where nobody is left to hear it."""
    pair.heard.send("answer")
    parent = Parent(pair.messages)
    assert parent.ask(ASKED) == "answer"
    assert pair.heard.recv() == ASKED
    pair.heard.close()
    parent.send("nobody hears this")
