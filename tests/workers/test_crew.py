"""Workers as their parent sees them: asked, watched, ended; real processes, without a proxy."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest

from magneto_serge.errors import ConfigError, OneProcessError, ProxyError
from magneto_serge.messages import Headers, Request
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.misses import Miss
from magneto_serge.workers.crew import Crew, Ends, Order, Report, total

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

ASKED = Request("GET", "http", "127.0.0.1", 80, "/__magneto/", Headers.of(("Host", "a")), b"{}")


def missed(url: str) -> Miss:
    """Return a refusal."""
    return Miss("GET", url, "Nothing matches.", "Record it.")


class Books:
    """What a parent is told."""

    def __init__(self) -> None:
        self.misses: list[str] = []

    def answer(self, request: Request) -> str:
        """Answer what is asked of the proxy itself."""
        return f"{request.target} of all"

    def refused(self, misses: list[Miss]) -> None:
        """Note what was refused."""
        self.misses += [miss.url for miss in misses]


@pytest.fixture
def books() -> Books:
    """Empty books."""
    return Books()


@pytest.fixture
def crew(books: Books) -> Iterator[Crew]:
    """A crew that is ended after the test."""
    crew = Crew(books.answer, books.refused)
    yield crew
    crew.stop(0)


def obedient(number: int, ends: Ends) -> NoReturn:
    """Answer each order with a count of the orders heard, until told to stop."""
    heard = 0
    ends.orders.send(Report(0, Stats(), []))
    while True:
        try:
            order: Order = ends.orders.recv()
        except EOFError:
            os._exit(1)
        heard += 1
        trouble = None
        if order.what == "mode" and order.mode == f"not {number}":
            trouble = OneProcessError(f"worker {number} cannot")
        misses = [missed(f"http://{number}/{heard}")]
        ends.orders.send(Report(order.number, Stats(requests=heard), misses, trouble))
        if order.what == "stop":
            os._exit(0)


def test_reports_are_added_up(crew: Crew, books: Books) -> None:
    """Counts are those of the last reports, and each refusal is told once."""
    crew.start(2, obedient)
    assert crew.stats == Stats()
    crew.tell("report")
    crew.tell("report")
    assert crew.stats.requests == 4
    assert sorted(books.misses) == ["http://0/1", "http://0/2", "http://1/1", "http://1/2"]
    crew.stop(0)
    assert crew.stats.requests == 6
    assert len(books.misses) == 6
    assert crew.trouble is None


def test_what_one_cannot_do_is_raised(crew: Crew) -> None:
    """An order that one worker cannot carry out is an error of the whole."""
    crew.start(2, obedient)
    crew.tell("mode", "replay")
    with pytest.raises(OneProcessError, match="worker 1 cannot"):
        crew.tell("mode", "not 1")


def test_what_keeps_a_worker_from_starting_is_raised(crew: Crew) -> None:
    """As it was in the worker; the others are ended."""

    def work(number: int, ends: Ends) -> NoReturn:
        if number == 1:
            ends.orders.send(Report(0, Stats(), [], ConfigError("no")))
            os._exit(0)
        obedient(number, ends)

    with pytest.raises(ConfigError, match="no"):
        crew.start(3, work)


def test_a_worker_that_ends_before_it_has_started(
    crew: Crew, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told that it has not, and nobody waits for it."""

    def work(number: int, ends: Ends) -> NoReturn:
        os._exit(7)

    with pytest.raises(ProxyError, match=r"Worker [12]"):
        crew.start(2, work)
    assert not caplog.records  # whoever started them says so


def test_a_worker_that_dies_is_the_end_of_all(
    crew: Crew, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told to stop, what they had counted is kept, and it is said who died."""

    def work(number: int, ends: Ends) -> NoReturn:
        if number == 0:
            ends.orders.send(Report(0, Stats(), []))
            ends.orders.recv()
            os.kill(os.getpid(), signal.SIGKILL)
        obedient(number, ends)

    crew.start(2, work)
    crew.tell("report")
    crew._watch.join(10)
    assert "Worker 1 (process" in str(crew.trouble)
    assert "was killed by SIGKILL" in caplog.text
    crew.tell("report", patience=0)
    with pytest.raises(ProxyError, match="SIGKILL"):
        crew.tell("mode", "replay", patience=0)


def test_signals_do_not_end_a_worker(crew: Crew) -> None:
    """They are the parent's: terminals and service managers send them to everybody."""
    crew.start(2, obedient)
    for worker in crew._workers:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(worker.process, number)
    crew.tell("report")
    assert crew.stats.requests == 2


def test_a_worker_that_hangs_is_killed(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is stuck in a hook, and hears nothing, does not keep the others or us."""
    monkeypatch.setattr("magneto_serge.workers.crew.PATIENCE", 0.1)

    def work(number: int, ends: Ends) -> NoReturn:
        ends.orders.send(Report(0, Stats(), []))
        while True:
            signal.pause()

    crew.start(2, work)
    crew.tell("report", patience=0)
    crew.stop(0)
    assert not crew._watch.is_alive()
    assert crew.trouble is None


def test_messages_come_up(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    """Log records are handled by the parent."""

    def work(number: int, ends: Ends) -> NoReturn:
        said = {"name": "magneto_serge.x", "levelno": logging.WARNING, "msg": "from below"}
        ends.messages.send(logging.makeLogRecord(said))
        obedient(number, ends)

    crew.start(1, work)
    until = time.monotonic() + 10
    while "from below" not in caplog.text:
        assert time.monotonic() < until
        os.sched_yield()


def test_an_answer_is_of_the_whole(crew: Crew, books: Books) -> None:
    """A worker that asks gets what the parent says, while it goes on hearing orders."""

    def work(number: int, ends: Ends) -> NoReturn:
        ends.messages.send(ASKED)
        answered = ends.messages.recv()
        ends.orders.send(Report(0, Stats(), [missed(answered)]))
        obedient(number, ends)

    crew.start(1, work)
    assert books.misses == ["/__magneto/ of all"]


def test_counts_are_added_field_by_field() -> None:
    """Every count is one that can be added."""
    assert total([]) == Stats()
    assert total([Stats(requests=1, faults=2), Stats(requests=3, bytes_out=4)]) == Stats(
        requests=4, faults=2, bytes_out=4
    )
