"""What a proxy adds to a stream: to its first byte, and to each piece; and how punctual replay is.

An origin sends events a few ms apart, each with the moment at which it was sent; the client notes
when it has each. Both are threads of this process, so there is one clock. Beside each other: no
proxy, nginx (with buffering off), and ours, passing on and recording. Then the recording is
replayed in recorded time: how far from its moment each piece comes.
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import _programs, _report
from benchmarks._programs import BenchmarkError, find
from benchmarks._watch import Patience
from magneto_serge import Cassette

GAP = 0.004  # seconds between two events
ADDED = 1.0  # ms that we may add to the first byte
OFF = 2.0  # ms by which a replayed piece may miss its moment

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENT = 28  # bytes
_END = b"\r\n0\r\n\r\n"
_ASK = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Origin:
    """Streams ``events`` events to whoever asks; leaving the ``with`` ends it."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Origin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while client.recv(65_536):
                    self._stream(client)
            except OSError:  # its other end has been stopped
                return

    def _stream(self, client: socket.socket) -> None:
        for number in range(self._events):
            time.sleep(GAP)
            event = b"data: %020d\n\n" % time.perf_counter_ns()  # _EVENT bytes
            head = b"" if number else _HEAD
            client.sendall(head + b"%x\r\n%b\r\n" % (len(event), event))
        client.sendall(b"0\r\n\r\n")


def delays(port: int, events: int) -> list[float]:
    """Return how long each event of one stream was on its way, in ms."""
    found: list[float] = []
    for data, now in pieces(port):
        sent = [int(line[6:26]) for line in data.split(b"\n") if line[:6] == b"data: "]
        found += [(now - moment) / 1e6 for moment in sent]
    if len(found) != events:
        raise BenchmarkError(f"{len(found)} of {events} events arrived")
    return found


def pieces(port: int) -> list[tuple[bytes, int]]:
    """Return what arrives of one stream, and when, in ns."""
    found: list[tuple[bytes, int]] = []
    tail = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(_ASK)
        while tail != _END:
            data = client.recv(65_536)
            if not data:
                raise BenchmarkError("a stream broke off")
            found.append((data, time.perf_counter_ns()))
            tail = (tail + data)[-len(_END) :]
    return found


@dataclass(frozen=True)
class Figure:
    """Delays in ms: the first byte's, and those of all pieces; medians and the 99th percentile."""

    name: str
    first: float
    piece: float
    late: float
    limit: float | None = None  # of what is added to the first byte, or of a replayed piece
    added: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the limit is kept; None where there is none."""
        return None if self.limit is None or self.added is None else self.added <= self.limit


def measure(name: str, port: int, events: int, streams: int, patience: Patience) -> Figure:
    """Return the delays of some streams through ``port``; the first one is dropped."""
    delays(port, events)
    patience.wait_for_quiet()
    runs = [delays(port, events) for _ in range(streams)]
    every = [delay for run in runs for delay in run]
    first = statistics.median(run[0] for run in runs)
    return Figure(name, first, statistics.median(every), _high(every))


def _high(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def punctuality(folder: Path, patience: Patience) -> Figure:
    """Return by how much the pieces of a replay miss their moments."""
    recordings = list(Cassette.open(folder / "cassettes" / "stream.json"))
    off: list[float] = []
    origin = f"http://127.0.0.1:{recordings[0].request.port}"
    command = ["replay", "stream", "--reverse", origin, "--latency", "recorded"]
    with _programs.magneto("replay", command, folder) as program:
        patience.wait_for_quiet()
        for recording in recordings:  # equal requests replay in recorded order
            due = [ms for size, ms in recording.chunks for _ in range(size // _EVENT)]
            came = [now for data, now in pieces(program.port) for _ in range(data.count(b"data:"))]
            pairs = list(zip(came, due, strict=True))
            start = statistics.median(now - moment * 1e6 for now, moment in pairs)
            off += [abs(now - start - moment * 1e6) / 1e6 for now, moment in pairs]
    middle = statistics.median(off)
    return Figure("magneto replay --latency recorded: off", 0.0, middle, _high(off), OFF, middle)


def run(events: int, streams: int, patience: Patience) -> list[Figure]:
    """Make all measurements."""
    with (
        tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name,
        Origin(events) as origin,
    ):
        folder = Path(name)
        direct = measure("no proxy", origin.port, events, streams, patience)
        figures = [direct]
        if find("nginx"):
            server = "location / { proxy_pass http://origin; proxy_buffering off; "
            server += 'proxy_http_version 1.1; proxy_set_header Connection ""; }'
            with _programs.nginx("nginx", server, folder, upstream=origin.port) as program:
                figures.append(measure("nginx", program.port, events, streams, patience))
        reverse = ["--reverse", f"http://127.0.0.1:{origin.port}"]
        for mode in (["passthrough"], ["record", "stream"]):
            title = f"magneto {mode[0]}"
            with _programs.magneto(mode[0], [*mode, *reverse], folder) as program:
                figure = measure(title, program.port, events, streams, patience)
            added = figure.first - direct.first
            members = {**asdict(figure), "limit": ADDED, "added": added}
            figures.append(Figure(**members))
        figures.append(punctuality(folder, patience))
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if something failed (or a limit was missed: --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--events", type=int, default=100, help="of each stream (100)")
    parser.add_argument("--streams", type=int, default=20, help="of each kind (20)")
    _report.add_patience(parser)
    options = parser.parse_args(argv)
    try:
        figures = run(options.events, options.streams, Patience(options.patience))
    except BenchmarkError as error:
        return _report.finish([], options, [str(error)])
    rows = [
        [
            each.name,
            f"{each.first:.3f}",
            f"{each.piece:.3f}",
            f"{each.late:.3f}",
            "" if each.added is None else f"{each.added:.3f}",
            "" if each.limit is None else f"<= {each.limit:g}",
            _report.verdict(each.holds),
        ]
        for each in figures
    ]
    _report.show_machine()
    heads = [
        "stream",
        "first byte, ms",
        "piece p50",
        "piece p99",
        "added, or off",
        "limit",
        "holds",
    ]
    print(_report.table(heads, rows))
    return _report.finish([{**asdict(f), "holds": f.holds} for f in figures], options, [])


if __name__ == "__main__":
    sys.exit(main())
