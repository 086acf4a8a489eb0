"""What a second worker adds (``--workers 2``), in processor time instead of answers per second.

Where two workers and their load share two cores, the load is starved, and requests per second say
how the scheduler divided them. So nothing is timed here. **Capacity** is what the workers would
answer if each had a core to itself: requests answered, by the processor time of the worker that
used most of it, which is the one that would be at its end first. In that are the price of sharing
(locks, counters, memory that two processors write to) and how unevenly the kernel spreads
connections; what is not is a machine with fewer cores than workers, or a load on few connections.

The load takes turns with the proxy: it sends one request on each of 256 connections and then takes
the answers, so workers run at the same time, each on a core of its own as long as the load waits.
What one worker costs is measured with two proxies of one worker, each with half of the connections:
so both have the same company on their cores, and the same number of requests at a time. Both ways
are loaded in turn, for a quarter of a second each, and a ratio is taken of two neighbours.

Three kinds of work: replaying what was recorded once, which takes no lock; replaying sequences of
four equal requests in turn, where every answer takes one, the worst case, shown without a target;
and forwarding.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _programs, _report
from benchmarks._programs import BenchmarkError, Program
from benchmarks._report import Figure
from benchmarks._traffic import BODY, NGINX_ANSWER
from magneto_serge import Headers, Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore

CONNECTIONS = 256
DIFFERENT = 200  # requests that are asked for in turn
EQUAL = 4  # recordings of each in a sequence
TARGET = 1.7
PARTS = 5  # of a round, over which the machine is likely to stay the same
_LONGEST = 65_536


@dataclass(frozen=True)
class Spent:
    """What one run cost: processor seconds of each process for so many requests."""

    seconds: tuple[float, ...]
    requests: int

    @property
    def alone(self) -> float:
        """Requests per second of one process that has a core to itself."""
        return self.requests / sum(self.seconds)

    @property
    def capacity(self) -> float:
        """Requests per second of all together, if each had a core to itself."""
        return self.requests / max(self.seconds)

    @property
    def each(self) -> float:
        """Processor time of a request in µs, whoever answered it."""
        return sum(self.seconds) / self.requests * 1e6

    @property
    def busier(self) -> float:
        """The part of the busier worker, in percent."""
        return max(self.seconds) / sum(self.seconds) * 100


def save(folder: Path, name: str, equal: int) -> None:
    """Save a cassette in which each request has so many answers."""
    fields = Headers.of(("Content-Type", "application/json"), ("Content-Length", str(len(BODY))))
    answer = Response(200, "OK", fields, BODY)
    asked = [
        Request("GET", "http", "api.example.com", 80, f"/item/{number}")
        for number in range(DIFFERENT)
    ]
    said = [Interaction(request, answer) for _ in range(equal) for request in asked]
    CassetteStore(folder / "cassettes", fsync="never").save(name, said)


def workers_of(program: Program) -> list[int]:
    """Return the processes that answer: the program's children, or itself where it has none."""
    file = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    try:
        return [int(each) for each in file.read_text(encoding="ascii").split()] or [program.pid]
    except OSError:
        raise BenchmarkError("skipped: needs Linux, which tells a process's children") from None


def spread(processes: Sequence[int]) -> None:
    """Put each process on a core of its own, as far as there are any."""
    pair = _programs.cores()
    if pair is not None:
        for number, process in enumerate(processes):
            for thread in Path(f"/proc/{process}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {pair[number % 2]})


def spent(process: int) -> float:
    """Return the processor seconds of a process so far, by its own clock."""
    return time.clock_gettime_ns((~process << 3) | 2) / 1e9


def load(connections: Sequence[socket.socket], requests: Sequence[bytes], turns: int) -> int:
    """Send one request on each connection and take the answers, so many times; count them."""
    answered = 0
    for _ in range(turns):
        for number, connection in enumerate(connections, answered):
            connection.sendall(requests[number % len(requests)])
        for connection in connections:
            answer = connection.recv(_LONGEST)
            while not answer.endswith(BODY):
                more = connection.recv(_LONGEST)
                if not more:
                    raise BenchmarkError(f"an answer was cut off: {answer[:200]!r}")
                answer += more
        answered += len(connections)
    return answered


def measure(
    programs: Sequence[Program], authority: str, turns: int, *, warm_up: bool = True
) -> Spent:
    """Return what ``turns`` of the load cost the processes of ``programs``, which have started."""
    requests = [
        f"GET http://{authority}/item/{number} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        for number in range(DIFFERENT)
    ]
    workers = [each for program in programs for each in workers_of(program)]
    spread(workers)
    with ExitStack() as stack:
        connections = [
            stack.enter_context(
                socket.create_connection(
                    ("127.0.0.1", programs[number % len(programs)].port), timeout=30
                )
            )
            for number in range(CONNECTIONS)
        ]
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if warm_up:  # each worker renders each recording once, and copies what it touches first
            load(connections, requests, DIFFERENT * EQUAL * 8 // CONNECTIONS)
        before = [spent(each) for each in workers]
        answered = load(connections, requests, turns)
        after = [spent(each) for each in workers]
    return Spent(tuple(b - a for a, b in zip(before, after, strict=True)), answered)


def compare(
    name: str,
    command: Sequence[str],
    authority: str,
    folder: Path,
    rounds: int,
    turns: int,
    target: float | None = TARGET,
) -> Iterator[Figure]:
    """Measure two proxies of one worker, and one of two: started together, loaded in turn."""
    found: dict[int, list[Spent]] = {1: [], 2: []}
    for at in range(rounds):
        with ExitStack() as stack:
            programs = {
                count: [
                    stack.enter_context(
                        _programs.magneto(
                            f"{name.replace(' ', '-')}-{count}-{at}-{which}",
                            [*command, "--workers", str(count)],
                            folder,
                        )
                    )
                    for which in range(2 // count)
                ]
                for count in found
            }
            for part in range(PARTS):
                for count, those in programs.items():
                    share = max(turns // PARTS, 1)
                    found[count].append(measure(those, authority, share, warm_up=not part))
    for count, runs in found.items():
        workers = f"{count} worker{'s' if count > 1 else ''}"
        each = statistics.median(run.each for run in runs)
        yield Figure(f"{name}, {workers}: processor time of a request", each, "µs")
    busier = statistics.median(run.busier for run in found[2])
    yield Figure(f"{name}, 2 workers: part of the busier one", busier, "%")
    ratio = statistics.median(
        two.capacity / one.alone for one, two in zip(found[1], found[2], strict=True)
    )
    yield Figure(f"{name}: capacity of 2 workers beside 1", ratio, "x", target, least=True)


def run(rounds: int, turns: int) -> Iterator[Figure]:
    """Make all measurements: each kind of work so many ``rounds`` of ``turns``, of 256 requests."""
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        save(folder, "once", 1)
        save(folder, "sequences", EQUAL)
        for title, command, target in (
            ("replay", ["replay", "once"], TARGET),
            ("replay of sequences", ["replay", "sequences", "--repeats", "cycle"], None),
        ):
            yield from compare(title, command, "api.example.com", folder, rounds, turns, target)
        if _programs.find("nginx") is not None:
            with _programs.nginx("origin", NGINX_ANSWER, folder, load=True) as origin:
                authority = f"127.0.0.1:{origin.port}"
                yield from compare("passthrough", ["passthrough"], authority, folder, rounds, turns)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if a target was missed (with --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each, for the median (5)")
    parser.add_argument("--turns", type=int, default=100, help="of 256 requests each (100)")
    options = parser.parse_args(argv)
    figures = list(run(options.rounds, options.turns))
    return _report.conclude("workers", figures, options)


if __name__ == "__main__":
    sys.exit(main())
