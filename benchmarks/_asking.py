"""Our own load: ``python -m benchmarks._asking``, for what wrk cannot do, or where it is absent.

wrk speaks no CONNECT, and not every machine has it. What this one measures is labelled so, and its
references get the same load, because it is Python and costs several times what wrk costs: a program
that is faster than it is held up by it, which the share of its core that it used tells.

One process, one thread. A connection is a generator that yields when it has to wait, which costs
0.1 µs; an event loop with TLS would cost more than the proxy that is measured. Like wrk it is a
closed loop: a connection asks again when it has its answer. Answers have a Content-Length, or are
chunked and end with a read, as those of everybody here do.
"""

from __future__ import annotations

import gc
import itertools
import selectors
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec

from benchmarks._programs import BenchmarkError, pinned

LABEL = "own generator (Python)"
_PATIENCE = 30.0  # seconds without an answer
_LARGEST = 262_144  # bytes that are read at once

Waiting = Generator[None, None, None]  # yields to wait until there is something to read


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask 127.0.0.1:``port`` for ``seconds``, on so many ``connections``.

    ``requests`` are sent in turn. Without them each request is new: its number, from ``first`` on,
    stands between ``before`` and ``after``. ``tunnel``: an authority to CONNECT to.
    """

    port: int
    seconds: float
    connections: int
    requests: list[bytes] = []  # msgspec copies it
    before: bytes = b""
    after: bytes = b""
    first: int = 0
    closing: bool = False
    tls: bool = False
    tunnel: str = ""


class Found(msgspec.Struct, kw_only=True):
    """What was seen, in the words of ``_load.Load``; times are in µs."""

    requests: int = 0
    bytes: int = 0
    duration: int = 0
    p50: int = 0
    p90: int = 0
    p99: int = 0
    p999: int = 0
    socket_errors: int = 0
    timeouts: int = 0
    status_errors: int = 0
    generator: str = LABEL


def run(plan: Plan) -> bytes:
    """Put the load on, from a new process; return a ``Found`` as JSON. Raises BenchmarkError."""
    done = subprocess.run(
        pinned([sys.executable, "-m", "benchmarks._asking"], load=True),
        input=msgspec.json.encode(plan),
        capture_output=True,
        check=False,
        cwd=Path(__file__).resolve().parent.parent,
        timeout=plan.seconds + 2 * _PATIENCE,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"the load failed: {done.stderr.decode().strip()[-500:]}")
    return done.stdout


class _Load:
    """All connections of one load, and what they have seen."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.found = Found()
        self.took: list[float] = []
        self._requests = self._forever()
        self._context = ssl._create_unverified_context() if plan.tls else None  # as wrk
        self._selector = selectors.DefaultSelector()
        self._end = time.perf_counter() + plan.seconds

    def _forever(self) -> Iterator[bytes]:
        plan = self.plan
        if plan.requests:
            return itertools.cycle(plan.requests)
        numbers = itertools.count(plan.first)
        return (b"%b%d%b" % (plan.before, number, plan.after) for number in numbers)

    def run(self) -> Found:
        """Ask until the time is over and every connection has its last answer."""
        began = time.perf_counter()
        self._end = began + self.plan.seconds
        for _ in range(self.plan.connections):
            _Connection(self).go_on()
        while self._selector.get_map():
            ready = self._selector.select(_PATIENCE)
            if not ready:
                self.found.timeouts += len(self._selector.get_map())
                break
            for key, _ in ready:
                key.data.go_on()
        spent = time.perf_counter() - began
        return self._summed_up(spent)

    def _summed_up(self, spent: float) -> Found:
        found = self.found
        found.requests, found.duration = len(self.took), round(spent * 1e6)
        if len(self.took) > 1:
            at = statistics.quantiles(self.took, n=1000, method="inclusive")
            named = (("p50", 499), ("p90", 899), ("p99", 989), ("p999", 998))
            for name, index in named:
                setattr(found, name, round(at[index] * 1e6))
        return found

    @property
    def is_over(self) -> bool:
        """Whether nothing more is asked."""
        return time.perf_counter() >= self._end

    def request(self) -> bytes:
        """Return the next request."""
        return next(self._requests)

    def watch(self, client: socket.socket, connection: _Connection) -> None:
        """Have ``connection`` go on whenever there is something to read."""
        self._selector.register(client, selectors.EVENT_READ, connection)

    def forget(self, client: socket.socket) -> None:
        """Watch it no longer."""
        self._selector.unregister(client)

    def secure(self) -> _Security | None:
        """Return the TLS of a new connection; None without."""
        return _Security(self._context) if self._context is not None else None


class _Security:
    """TLS in memory: a socket of the ssl module asks the kernel twice for every record."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.layer = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")


class _Connection:
    """One client: asks, reads, asks again, on one connection or on a new one each time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._client: socket.socket | None = None
        self._security: _Security | None = None
        self._steps = self._life()

    def go_on(self) -> None:
        """Run until there is something to wait for."""
        try:
            next(self._steps)
        except StopIteration:
            return
        except OSError:
            self._load.found.socket_errors += 1
            self._leave()

    def _life(self) -> Waiting:
        load = self._load
        closing = load.plan.closing
        while True:
            yield from self._open()
            while True:
                began = time.perf_counter()
                lasts = yield from self._ask(load.request())
                load.took.append(time.perf_counter() - began)
                if load.is_over:
                    self._leave()
                    return
                if closing or not lasts:
                    break
            self._leave()

    def _open(self) -> Waiting:
        plan = self._load.plan
        self._client = client = socket.create_connection(("127.0.0.1", plan.port), _PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        self._load.watch(client, self)
        if plan.tunnel:
            client.send(f"CONNECT {plan.tunnel} HTTP/1.1\r\nHost: {plan.tunnel}\r\n\r\n".encode())
            yield
            if not client.recv(_LARGEST).startswith(b"HTTP/1.1 200"):
                raise ConnectionError("no tunnel")
        self._security = security = self._load.secure()
        while security is not None:
            try:
                security.layer.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(client, security)
                yield
                security.incoming.write(self._received(client))
            else:
                self._flush(client, security)
                return

    def _flush(self, client: socket.socket, security: _Security) -> None:
        if security.outgoing.pending:
            client.send(security.outgoing.read())

    def _received(self, client: socket.socket) -> bytes:
        data = client.recv(_LARGEST)
        if not data:
            raise ConnectionError("broken off")
        return data

    def _ask(self, request: bytes) -> Generator[None, None, bool]:
        """Send a request and read its answer; return whether the connection stays."""
        client, found, security = self._client, self._load.found, self._security
        assert client is not None
        if security is not None:
            security.layer.write(request)
            request = security.outgoing.read()
        client.send(request)  # a few hundred bytes: an empty buffer takes them
        yield
        head, due = b"", -1  # bytes still to come; -1: not known
        data = self._received(client)
        while True:
            if security is not None:
                security.incoming.write(data)
                data = _decrypted(security)
            found.bytes += len(data)
            if due > 0:
                due -= len(data)
            else:
                head += data
                due = _left(head)
            if not due:
                break
            yield
            data = self._received(client)
        if not head.startswith(b"HTTP/1.1 200"):
            found.status_errors += 1
        return b"onnection: close\r\n" not in head

    def _leave(self) -> None:
        if self._client is not None:
            self._load.forget(self._client)
            self._client.close()
            self._client = None


def _decrypted(security: _Security) -> bytes:
    """Return what can be read by now."""
    read, pieces = security.layer.read, []
    try:
        while True:
            piece = read(_LARGEST)
            if not piece:
                break
            pieces.append(piece)
            if not security.incoming.pending:
                break
    except ssl.SSLWantReadError:
        pass
    return b"".join(pieces)


def _left(data: bytes) -> int:
    """Return how many bytes of an answer are still to come; -1 where that is not known yet."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return -1
    at = data.find(b"ontent-", 0, end)
    while at >= 0:
        if data[at : at + 15].lower() == b"ontent-length: ":
            return int(data[at + 15 : data.index(b"\r", at)]) + end + 4 - len(data)
        at = data.find(b"ontent-", at + 1, end)
    return 0 if data.endswith(b"0\r\n\r\n") else -1


def main() -> None:
    """Do what the plan on standard input says, and print what was found."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    gc.disable()  # there are no cycles, and its pauses would be ours
    print(msgspec.json.encode(_Load(plan).run()).decode())


if __name__ == "__main__":
    main()
