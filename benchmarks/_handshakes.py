"""TLS handshakes through CONNECT: with a host that the proxy has not met, and with one that it has.

A new host needs a certificate: what the first handshake takes longer than the second is what it
costs to make one. One client, one connection after the other, no session is resumed.
"""

from __future__ import annotations

import socket
import ssl
import time

from benchmarks._programs import BenchmarkError


def handshake(port: int, host: str) -> float:
    """Return the seconds of one TLS handshake with ``host`` through the proxy on ``port``."""
    context = ssl._create_unverified_context()  # what a verification costs is the client's
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        answer = plain.recv(65_536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise BenchmarkError(f"no tunnel: {answer[:200]!r}")
        began = time.perf_counter()
        with context.wrap_socket(plain, server_hostname=host):
            return time.perf_counter() - began


def new_and_known(port: int, hosts: int) -> tuple[list[float], list[float]]:
    """Return the ms of each host's first handshake, and of its second."""
    handshake(port, "warm.example.com")
    pairs = [
        (handshake(port, host), handshake(port, host))
        for host in (f"new-{number}.example.com" for number in range(hosts))
    ]
    return [first * 1000 for first, _ in pairs], [second * 1000 for _, second in pairs]
