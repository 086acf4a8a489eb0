"""What our own load generator asks for, and when it has an answer: nothing is sent here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import _asking, _e2e_http, _load, _rows
from benchmarks._programs import BenchmarkError
from benchmarks._traffic import OWN, WRK, Shape
from benchmarks.throughput import Measurement

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello"


@pytest.mark.parametrize("split", range(len(ANSWER) + 1))
def test_an_answer_is_complete_when_it_is(split: int) -> None:
    """Nothing is left of all of it; of a part it is known how much, once the head is there."""
    left = _asking._left(ANSWER[:split])
    assert left == (len(ANSWER) - split if split >= len(ANSWER) - 5 else -1)


def test_a_chunked_answer_ends_with_its_last_chunk() -> None:
    """Until then it is not known how much is still to come."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    assert _asking._left(head) == -1
    assert _asking._left(head + b"0\r\n\r\n") == 0


def requests(shape: Shape, count: int) -> list[bytes]:
    """Return the first requests of a shape, numbered from 7 on."""
    load = _asking._Load(shape.plan(1, "127.0.0.1:81", 1, first=7))
    return [load.request() for _ in range(count)]


def test_equal_requests_are_equal() -> None:
    """In origin-form, with the origin as Host."""
    assert set(requests(Shape(), 3)) == {b"GET /item/1 HTTP/1.1\r\nHost: 127.0.0.1:81\r\n\r\n"}


def test_different_requests_never_repeat_or_start_again() -> None:
    """As those that wrk sends for the same shape."""
    paths = [each.split()[1] for each in requests(Shape(different=True, absolute=True), 3)]
    assert paths == [b"http://127.0.0.1:81/item/%d" % number for number in (7, 8, 9)]
    paths = [each.split()[1] for each in requests(Shape(different=True, cycle=2), 3)]
    assert paths == [b"/item/1", b"/item/2", b"/item/1"]


def test_a_connection_of_its_own_is_asked_for() -> None:
    """And the size of the answer is in the path."""
    (asked,) = requests(Shape(closing=True, size=10), 1)
    assert asked.startswith(b"GET /bytes/10 HTTP/1.1\r\n")
    assert b"\r\nConnection: close\r\n" in asked


def test_only_tunnels_have_an_authority_to_connect_to() -> None:
    """The proxy is asked for a tunnel to the origin that the requests name."""
    assert Shape().plan(1, "127.0.0.1:81", 1).tunnel == ""
    assert Shape(tunnel=True).plan(1, "127.0.0.1:81", 1).tunnel == "127.0.0.1:81"


def measured(rate: int, cores: float, generator: str) -> Measurement:
    """Return a round of one second."""
    load = _load.Load(
        requests=rate, bytes=1, duration=1_000_000, p50=1, p99=1,
        socket_errors=0, timeouts=0, status_errors=0, generator=generator,
    )  # fmt: skip
    return Measurement(_rows.ROWS[0], Shape(), [load], cpu=[cores], foreign=[0.0])


def test_who_was_held_up_by_our_generator_is_compared_by_processor_time() -> None:
    """Half a core for 100 requests is as much as a whole one for 200; wrk holds nobody up."""
    ours, theirs = measured(100, 1.0, OWN), measured(100, 0.5, OWN)
    assert not _e2e_http._is_held_up(ours)
    assert _e2e_http._is_held_up(theirs)
    assert not _e2e_http._is_held_up(measured(100, 0.5, WRK))
    assert _e2e_http._ratio(ours, theirs, by_processor_time=False) == 1
    assert _e2e_http._ratio(ours, theirs, by_processor_time=True) == 0.5
    note = _e2e_http._note(theirs, True, False)
    assert note.startswith("own generator (Python); 50% of a core used; ratio of rates for a whole")


SAID = """
finished in 2.01s, 500.00 req/s, 1.35MB/s
requests: 1000 total, 1000 started, 1000 done, 998 succeeded, 2 failed, 1 errored, 0 timeout
status codes: 998 2xx, 0 3xx, 0 4xx, 2 5xx
traffic: 1.35MB (1415029) total, 964.22KB (987360) headers (space savings 0.00%), 1.20MB data
"""


def test_the_figures_of_h2load_are_read() -> None:
    """The rate is its own, and what failed makes the run invalid."""
    run = _load.parse_h2load(SAID)
    assert run.rate == 500
    assert run.bytes == 1_415_029
    assert run.fault == "1 socket errors, 2 answers with an error status"


def test_h2load_without_figures_is_no_measurement() -> None:
    """What it printed is shown."""
    with pytest.raises(BenchmarkError, match="could not resolve"):
        _load.parse_h2load("could not resolve host")
