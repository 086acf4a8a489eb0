"""Load at a constant rate, whether or not the answers come: ``python -m benchmarks._paced ...``.

wrk sends its next request when it has the last answer, so that a proxy that stops for a while is
asked less while it stops, and looks better than it is (coordinated omission). Here every request
has a moment at which it is due, and its latency runs from that moment, even if all connections were
busy then. Without a rate it is a closed loop, and says what can be had at most. One process without
an event loop, on the load's core; what it costs is in the figure of the program without a proxy.
"""

from __future__ import annotations

import select
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import msgspec

from benchmarks._kept import request
from benchmarks._programs import BenchmarkError, pinned
from benchmarks._traffic import BODY

CONNECTIONS = 32


class Latencies(msgspec.Struct, frozen=True):
    """What one run saw: answers per second, and percentiles of latency in µs."""

    rate: float
    p50: float
    p90: float
    p99: float
    p999: float


def run(port: int, authority: str, rate: float, seconds: float) -> Latencies:
    """Ask 127.0.0.1:``port`` so often a second (0: as often as it answers), from a new process."""
    command = [sys.executable, "-m", "benchmarks._paced"]
    done = subprocess.run(
        pinned([*command, str(port), authority, str(rate), str(seconds)], load=True),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parent.parent,
        timeout=seconds + 60,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"the load failed: {done.stderr.strip()[-500:]}")
    return msgspec.json.decode(done.stdout, type=Latencies)


def ask(port: int, asked: bytes, rate: float, seconds: float) -> list[float]:
    """Return the latencies of all requests that were due, in seconds; each is waited for."""
    poll = select.epoll()
    clients = {}
    for _ in range(CONNECTIONS):
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)
    free = deque(clients)
    sent: dict[int, float] = {}  # when what waits on a connection was due
    latencies = []
    begin = time.perf_counter()
    end = begin + seconds
    number = 0
    while True:
        now = time.perf_counter()
        while free:
            due = begin + number / rate if rate else now
            if due > now or due >= end:
                break
            number += 1
            descriptor = free.popleft()
            sent[descriptor] = due
            clients[descriptor].sendall(asked)
        else:
            due = end  # all are busy: only an answer can change that
        if due >= end and now >= end and not sent:
            break
        # epoll_wait(2) counts in ms and comes late; on a core of its own it can be asked again.
        for descriptor, _ in poll.poll(0):
            if not clients[descriptor].recv(65_536).endswith(BODY):
                raise BenchmarkError("an answer was not ours, or came in pieces")
            latencies.append(time.perf_counter() - sent.pop(descriptor))
            free.append(descriptor)
        if now > end + 30:
            raise BenchmarkError("answers did not come")
    for client in clients.values():
        client.close()
    return latencies


def main(arguments: list[str]) -> None:
    """Ask, and print what was seen as JSON."""
    port, authority, rate, seconds = arguments
    began = time.perf_counter()
    took = ask(int(port), request(authority), float(rate), float(seconds))
    spent = time.perf_counter() - began
    at = statistics.quantiles((value * 1e6 for value in took), n=1000, method="inclusive")
    seen = Latencies(len(took) / spent, at[499], at[899], at[989], at[998])
    print(msgspec.json.encode(seen).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
