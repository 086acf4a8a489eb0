"""Resident memory of the command: after many exchanges, and while very large bodies go through.

Read from /proc/PID/status, so Linux only. Growth is the peak during the traffic (VmHWM, reset
before it) over what was resident before (VmRSS); a few hundred exchanges come first, so that what
is imported and kept on first use does not count. Every byte that comes back is counted and
checked, and every exchange must be in the cassette: memory that is saved by losing something is
no result. The client speaks over plain sockets and needs no other program.
"""

from __future__ import annotations

import http.client
import socket
import statistics
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks import _programs, _report
from benchmarks._origin import blocks, checksum
from benchmarks._programs import BenchmarkError, Program
from benchmarks._traffic import BODY, RECORDINGS, ask_for_all, recorded

MIB = 1024 * 1024
PATIENCE = 120.0  # seconds without a byte, after which the proxy hangs
RESIDENT = 50 * MIB  # after many exchanges
FLAT = 1.25  # the last recorded exchanges beside the first: what is left for the noise
CONNECTIONS, DEPTH = 16, 8  # how many requests wait for their answer: 16 times 8


@dataclass(frozen=True)
class Figure:
    """One measured size in bytes, and the most that it may be."""

    name: str
    size: int
    target: int | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.target is None else self.size < self.target


def exchange(port: int, authority: str, count: int, *, cycle: int = 0, first: int = 0) -> None:
    """Make ``count`` exchanges: different ones from ``first`` on, or as many as ``cycle`` in turn.

    Pipelined (RFC 9112 §9.3.2) on each of several connections, which a client in Python needs in
    order to come near what the proxy can do.
    """
    numbers = iter(range(first, first + count))
    with ExitStack() as stack:
        connections = [stack.enter_context(_connect(port)) for _ in range(CONNECTIONS)]
        while batches := _deal(numbers, len(connections)):
            for connection, batch in zip(connections, batches, strict=False):
                items = [(number % cycle if cycle else number) + 1 for number in batch]
                connection.sendall(b"".join(_request(item, authority) for item in items))
            for connection, batch in zip(connections, batches, strict=False):
                _read_answers(connection, len(batch))


def _deal(numbers: Iterator[int], hands: int) -> list[list[int]]:
    batches = [list(islice(numbers, DEPTH)) for _ in range(hands)]
    return [batch for batch in batches if batch]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def _request(item: int, authority: str) -> bytes:
    return f"GET /item/{item} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


def _read_answers(connection: socket.socket, count: int) -> None:
    received = b""
    while received.count(BODY) < count:
        piece = connection.recv(65_536)
        if not piece:
            raise BenchmarkError(f"the connection was closed after {received[-300:]!r}")
        received += piece


def download(port: int, authority: str, size: int) -> None:
    """Fetch ``size`` bytes and check them."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", f"/bulk/{size}", headers={"Host": authority})
        response = _ok(connection)
        received = crc = 0
        while piece := response.read(262_144):
            received += len(piece)
            crc = zlib.crc32(piece, crc)
    if (received, crc) != (size, checksum(size)):
        raise BenchmarkError(f"downloaded {received:,} bytes that are not what the origin sent")


def upload(port: int, authority: str, size: int) -> None:
    """Send ``size`` bytes and check what the origin says that it received."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        headers = {"Host": authority, "Content-Length": str(size)}
        connection.request("POST", "/bulk", body=blocks(size), headers=headers)
        answer = _ok(connection).read()
    if answer != f"{size} {checksum(size)}".encode():
        raise BenchmarkError(f"the origin received something else: {answer[:300]!r}")


def _ok(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    response = connection.getresponse()
    if response.status != 200:
        raise BenchmarkError(f"{response.status} {response.reason}: {response.read()[:500]!r}")
    return response


def grown(program: Program, traffic: Callable[[], None]) -> int:
    """Return by how many bytes ``traffic`` made the program's memory grow at its peak."""
    program.reset_peak()
    before = program.memory("VmRSS")
    traffic()
    return program.memory("VmHWM") - before


@dataclass(frozen=True)
class Stage:
    """Where the measurements take place, and how much of everything there is.

    ``costs``: by how many exchanges were recorded before, the µs of processor time of one.
    """

    folder: Path
    origin: int
    exchanges: int
    size: int  # bytes of a large body
    replays: int
    costs: list[tuple[int, float]] = field(default_factory=list)

    @property
    def authority(self) -> str:
        """The origin's authority, which every request names."""
        return f"127.0.0.1:{self.origin}"

    @contextmanager
    def magneto(self, mode: str, cassette: str) -> Iterator[Program]:
        """Run our command on ``cassette``, warmed up with as many exchanges as a replay has."""
        arguments = [mode, cassette, "--reverse", f"http://{self.authority}"]
        with _programs.magneto(f"{mode}-{cassette}", arguments, self.folder) as program:
            ask_for_all(program.port, self.authority)
            yield program

    def cassette(self, name: str) -> Path:
        """Return where the command keeps the cassette ``name``."""
        return self.folder / "cassettes" / f"{name}.json"


def replaying(stage: Stage) -> list[Figure]:
    """Measure what is resident after many replays."""
    with stage.magneto("record", "answers"):
        pass
    with stage.magneto("replay", "answers") as program:
        exchange(program.port, stage.authority, stage.replays, cycle=RECORDINGS)
        resident = program.memory("VmRSS")
    return [Figure(f"replay: resident after {stage.replays:,} replays", resident, RESIDENT)]


def recording_many(stage: Stage) -> list[Figure]:
    """Measure the growth over many recorded exchanges, and the peak when the cassette is made."""
    with stage.magneto("record", "many") as program:
        growth = grown(program, partial(_in_tenths, program, stage))
        resident = program.memory("VmRSS")
    kept = recorded(stage.cassette("many"))
    if kept != stage.exchanges + RECORDINGS:
        raise BenchmarkError(f"{kept:,} of {stage.exchanges + RECORDINGS:,} are in the cassette")
    what = f"record: {stage.exchanges:,} exchanges"
    return [
        Figure(f"{what}, growth", growth, 20 * 10**6),
        Figure(f"{what}, resident afterwards", resident, RESIDENT),
        Figure(f"{what}, peak until the cassette is saved", program.peak_rss),
    ]


def _in_tenths(program: Program, stage: Stage) -> None:
    """Make all exchanges, and note what those of each tenth of them cost."""
    tenth = max(1, stage.exchanges // 10)
    for first in range(0, stage.exchanges, tenth):
        count = min(tenth, stage.exchanges - first)
        before = program.cpu_seconds()
        exchange(program.port, stage.authority, count, first=first)
        stage.costs.append((first, (program.cpu_seconds() - before) / count * 1e6))


def flatness(costs: Sequence[tuple[int, float]]) -> float:
    """Return what the last exchanges cost beside the first: the last fifth by the first one."""
    fifth = max(1, len(costs) // 5)
    first, last = (
        statistics.mean(cost for _, cost in part) for part in (costs[:fifth], costs[-fifth:])
    )
    return last / first


def recording_large(stage: Stage) -> list[Figure]:
    """Measure the growth during one very large download and one very large upload."""
    figures = []
    for name, traffic in (("download", download), ("upload", upload)):
        with stage.magneto("record", name) as program:
            growth = grown(program, partial(traffic, program.port, stage.authority, stage.size))
        if recorded(stage.cassette(name)) != RECORDINGS + 1:
            raise BenchmarkError(f"the {name} is not in its cassette")
        what = f"record: {name} of {stage.size // MIB:,} MiB"
        figures.append(Figure(f"{what}, growth", growth, 64 * MIB))
        figures.append(Figure(f"{what}, peak until the cassette is saved", program.peak_rss))
    return figures


@dataclass(frozen=True)
class Found:
    """All figures, what recording costs as it goes on (see ``Stage``), and what failed."""

    figures: list[Figure] = field(default_factory=list)
    costs: list[tuple[int, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run(exchanges: int, size: int, replays: int) -> Found:
    """Make all measurements."""
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        with _programs.origin(folder) as origin:
            stage = Stage(folder, origin.port, exchanges, size, replays)
            found = Found(costs=stage.costs)
            for measurement in (replaying, recording_many, recording_large):
                _report.say((measurement.__doc__ or "").partition("\n")[0])
                try:
                    found.figures.extend(measurement(stage))
                except (BenchmarkError, OSError, http.client.HTTPException) as error:
                    found.faults.append(f"{measurement.__name__}: {error!r}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if something failed (or a target was missed: --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--exchanges", type=int, default=200_000, help="small ones (200,000)")
    parser.add_argument("--replays", type=int, default=1_000_000, help="(1,000,000)")
    parser.add_argument("--size", type=int, default=1024, help="of a large body, in MiB (1,024)")
    options = parser.parse_args(argv)
    if not Path("/proc/self/clear_refs").exists():
        return _report.skipped(BenchmarkError("skipped: memory is read from Linux's /proc"))
    found = run(options.exchanges, options.size * MIB, options.replays)
    figures, faults = found.figures, found.faults
    _report.show_machine()
    rows = [
        [
            each.name,
            f"{each.size / MIB:.1f}",
            "" if each.target is None else f"< {each.target / MIB:.0f}",
            _report.verdict(each.holds),
        ]
        for each in figures
    ]
    print(_report.table(["memory", "MiB", "target", "holds"], rows))
    if found.costs:
        print(f"\nrecording, last exchanges beside the first: {flatness(found.costs):.2f}")
    return _report.finish([{**asdict(f), "holds": f.holds} for f in figures], options, faults)


if __name__ == "__main__":
    sys.exit(main())
