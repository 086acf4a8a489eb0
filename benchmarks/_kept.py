"""A kept connection that asks for the small answer, again and again, and waits for each.

A blocking socket and nothing around it: what it adds to a latency is the same with and without a
proxy, and less than any event loop adds.
"""

from __future__ import annotations

import socket
import time
from typing import Self

from benchmarks._programs import BenchmarkError
from benchmarks._traffic import BODY


class Kept:
    """A connection to a loopback ``port``; leaving the ``with`` closes it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> None:
        """Send a request and read its answer; raises BenchmarkError for any other than ours."""
        self._socket.sendall(request)
        received = self._socket.recv(65_536)
        while not received.endswith(BODY):
            piece = self._socket.recv(65_536)
            if not piece:
                raise BenchmarkError(f"not our answer: {received[:300]!r}")
            received += piece


def request(authority: str, *, absolute: bool = False) -> bytes:
    """Return a request for the small answer of ``authority``."""
    target = f"http://{authority}/item/1" if absolute else "/item/1"
    return f"GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


def latencies(port: int, asked: bytes, count: int) -> list[float]:
    """Return how long each of ``count`` answers took, in µs; a few come before and do not count."""
    with Kept(port) as client:
        for _ in range(min(count, 200)):
            client.ask(asked)
        took = []
        for _ in range(count):
            began = time.perf_counter_ns()
            client.ask(asked)
            took.append((time.perf_counter_ns() - began) / 1000)
    return took
