"""The load of the WebSocket benchmark: a process of its own, which says what it found as JSON.

``python -m benchmarks._websocket_load PLAN``, the plan as JSON. It sends slices of a stream of
frames and compares what comes back, to the byte, with the stream that must come
(``_websocket_traffic``): it is never the bottleneck, and nothing is counted that was not right.
Linux only (epoll).
"""

from __future__ import annotations

import json
import select
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._programs import BenchmarkError, Program, pinned
from benchmarks._websocket_traffic import CHUNK, CLOSE, MASKED_CLOSE, Stream, connect

_PATIENCE = 30.0  # seconds without an answer
_WARM = 1.0  # seconds before anything is measured: what is loaded once is not what a message costs
_LEAST = 4  # flights, however long they take


@dataclass(frozen=True)
class Plan:
    """``connections`` that each have ``flight`` messages of ``size`` bytes under way.

    ``batch``: the next are sent when all have come back, instead of each when one has. With
    ``count``, one connection is told so many messages, as fast as it reads.
    """

    size: int = 256
    connections: int = 10
    flight: int = 1
    batch: bool = False
    count: int = 0


@dataclass(frozen=True)
class Found:
    """Messages a second there and back (or there, with ``count``); µs that a batch or a single
    message in flight takes, else 0; all messages that were sent, the warm-up's among them."""

    rate: float
    p50: float
    p99: float
    messages: int
    cpu: float  # µs of processor time for each, of the program, without its warm-up


def run(program: Program, plan: Plan, seconds: float, folder: Path) -> Found:
    """Put a load on ``program``, which runs. Raises BenchmarkError."""
    command = [sys.executable, "-m", "benchmarks._websocket_load"]
    root = Path(__file__).resolve().parent.parent
    order = json.dumps(
        {"port": program.port, "pid": program.pid, "plan": asdict(plan), "seconds": seconds}
    )
    with (folder / "load.log").open("w+") as log:
        done = subprocess.run(
            pinned([*command, order], load=True),
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=root,
            check=False,
        )
        log.seek(0)
        if done.returncode:
            raise BenchmarkError(log.read().strip().rpartition("\n")[2])
    return Found(**json.loads(done.stdout))


class _Connection:
    """One WebSocket: what it has to send, and what is on its way."""

    def __init__(self, port: int, plan: Plan, sent: Stream, answered: Stream) -> None:
        self.client, _ = connect(port, f"/echo/{plan.size}")
        self.client.setblocking(False)
        self._sent, self._answered = sent, answered
        self._at = self._next = self._part = 0
        self._needed = plan.flight if plan.batch else 1
        self._flight = plan.flight
        self._back = 0
        self.due = self.away = 0
        self.began = 0.0

    def send(self, messages: int) -> None:
        """Send the next messages."""
        self.began = time.perf_counter()
        self.away += messages
        self.due += messages * self._sent.frame
        self.write()

    def write(self) -> None:
        """Write as much as is taken."""
        while self.due:
            start = self._next
            try:
                count = self.client.send(self._sent.view[start : start + min(self.due, CHUNK)])
            except BlockingIOError:
                return
            self.due -= count
            self._next = (start + count) % self._sent.round

    def read(self) -> int:
        """Return how many messages have come back whole. Raises ConnectionError."""
        data = self.client.recv(CHUNK)
        at, answered = self._at, self._answered
        if not data or data != answered.data[at : at + len(data)]:
            raise ConnectionError("What came back is not what was sent" if data else "It broke off")
        self._at = (at + len(data)) % answered.round
        messages, self._part = divmod(self._part + len(data), answered.frame)
        self.away -= messages
        return messages

    def follow(self, messages: int) -> int:
        """Return how many messages to send, now that so many more have come back."""
        self._back += messages
        if self._back < self._needed:
            return 0
        messages, self._back = self._back, 0
        return messages

    def close(self) -> None:
        """Close as RFC 6455 §7.1 has it. Raises ConnectionError."""
        self.client.settimeout(_PATIENCE)
        self.client.sendall(MASKED_CLOSE)
        if self.client.recv(CHUNK) != CLOSE:
            raise ConnectionError("The Close frame was not answered with one")
        self.client.close()


def _used(pid: int) -> float:
    """Return the processor time of a process in µs: its clock is what clock_getcpuclockid(3)
    returns, and exact where /proc counts in steps of 10 ms."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1000


def _echo(port: int, pid: int, plan: Plan, seconds: float) -> Found:
    sent, answered = Stream(plan.size, masked=True), Stream(plan.size, masked=False)
    connections = [_Connection(port, plan, sent, answered) for _ in range(plan.connections)]
    events = select.epoll()
    found = {each.client.fileno(): each for each in connections}
    for descriptor in found:
        events.register(descriptor, select.EPOLLIN)
    blocked: set[int] = set()
    begin = time.perf_counter() + min(2 * seconds, _WARM)
    end = begin + seconds
    total = before = 0
    took: list[float] = []
    last, began, counted, used = end, begin, 0, 0.0
    for each in connections:
        each.send(plan.flight)
    now, measuring = time.perf_counter(), False
    while any(each.away for each in connections) if now >= end and len(took) >= _LEAST else True:
        happened = events.poll(_PATIENCE)
        if not happened:
            raise ConnectionError(f"Nothing came for {_PATIENCE:g} s")
        for descriptor, what in happened:
            connection = found[descriptor]
            if what & ~select.EPOLLOUT:
                came = connection.read()
                total += came
                again = connection.follow(came)
                if again:
                    now = time.perf_counter()
                    if not measuring and now >= begin:
                        measuring, before, began, used = True, total, now, _used(pid)
                    if now < end or len(took) < _LEAST:
                        if measuring:
                            took.append(now - connection.began)
                        connection.send(again)
                        last, counted = now, total
            elif connection.due:
                connection.write()
            if bool(connection.due) != (descriptor in blocked):
                blocked ^= {descriptor}
                out = select.EPOLLOUT if connection.due else 0
                events.modify(descriptor, select.EPOLLIN | out)
        now = time.perf_counter()
    used = (_used(pid) - used) / (total - before)
    for each in connections:
        each.close()
    clear = plan.batch or plan.flight == 1  # otherwise nobody knows when a message was sent
    percentiles = _percentiles(took) if clear else (0.0, 0.0)
    return Found((counted - before) / (last - began), *percentiles, total, used)


def _percentiles(took: list[float]) -> tuple[float, float]:
    return statistics.median(took) * 1e6, statistics.quantiles(took, n=100)[98] * 1e6


def _talk(port: int, pid: int, plan: Plan) -> Found:
    stream = Stream(plan.size, masked=False)
    first = plan.count // 100 + 1
    listen(port, plan.size, first)  # from here on the program is warm, its cassette read
    before = _used(pid)
    took = listen(port, plan.size, plan.count, stream)
    used = (_used(pid) - before) / plan.count
    return Found(plan.count / took, 0.0, 0.0, first + plan.count, used)


def listen(port: int, size: int, count: int, stream: Stream | None = None) -> float:
    """Return how long the origin takes to say ``count`` messages, in seconds.

    Raises ConnectionError where they are not what they have to be.
    """
    stream = stream or Stream(size, masked=False)
    client, data = connect(port, f"/talk/{size}/{count}")
    began = time.perf_counter()
    at, left = 0, count * stream.frame
    with client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        while True:
            part = data[:left]
            if part != stream.data[at : at + len(part)]:
                raise ConnectionError("What came is not what was to be said")
            at = (at + len(part)) % stream.round
            left -= len(part)
            if not left:
                break
            data = client.recv(CHUNK)
            if not data:
                raise ConnectionError(f"It broke off, {left} bytes too early")
        took = time.perf_counter() - began
        rest = data[len(part) :]
        while len(rest) < len(CLOSE) and (data := client.recv(CHUNK)):
            rest += data
        if rest != CLOSE:
            raise ConnectionError("The origin did not close")
        client.sendall(MASKED_CLOSE)
    return took


def main(order: str) -> None:
    """Do what the ``order`` says, and print what was found."""
    told = json.loads(order)
    plan = Plan(**told["plan"])
    try:
        if plan.count:
            found = _talk(told["port"], told["pid"], plan)
        else:
            found = _echo(told["port"], told["pid"], plan, told["seconds"])
    except OSError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1])
