"""WebSockets through the proxy, beside nginx tunnelling the same: echoes, bursts, replay, memory.

A client sends messages that an origin sends back: without a proxy, through nginx, and through ours,
passing on and recording. Every byte that comes back is compared, and a recording must hold every
message that was sent and every one that came back. Rounds are interleaved and each program is
started afresh for each measurement, as in ``throughput``. Then a recorded talk of the origin is
replayed as fast as the client reads, and 2,000 WebSockets are held open.
"""

from __future__ import annotations

import os
import select
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import _plots, _programs, _report, _websocket_load
from benchmarks._programs import BenchmarkError, Program
from benchmarks._watch import TOLERATED, Patience, Watch
from benchmarks._websocket_idle import idle
from benchmarks._websocket_load import Found, Plan
from magneto_serge import Cassette

DIRECT, NGINX, PASSTHROUGH, RECORD = "direct", "nginx", "magneto passthrough", "magneto record"
REPLAY = "magneto replay"
PROGRAMS = (DIRECT, NGINX, PASSTHROUGH, RECORD)
SIZES = (64, 256, 1_024, 4_096, 16_384)  # bytes
BATCHES = (10, 100, 1_000, 10_000)

SIZED, BATCHED, CROWDED = "messages of {:,} B", "batches of {:,}", "{:,} connections"
ONE, MANY, ALONE, TALK = "1 in flight", "16 in flight", "one connection", "talk of the origin"
OF_NGINX = {ONE: 0.5, MANY: 0.35}  # recording, at least
A_SECOND = 10_000  # round trips, recording, one in flight
KEPT = 0.6  # of passthrough that recording leaves: it costs 40 % at most
REPLAYED = 100_000  # messages a second
ADDED = 100.0  # µs that a round trip may take longer
IDLE = 20.0  # KB of an open WebSocket

_TUNNEL = (
    "location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_read_timeout 1h; "
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }'
)


@dataclass
class Row:
    """One work of one program: a value from each round, or what went wrong."""

    work: str
    plan: Plan
    program: str
    found: list[Found] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # cores that the program used
    foreign: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def disturbed(self) -> bool:
        """Whether other work took enough of the cores to make it worthless."""
        return bool(self.foreign) and statistics.median(self.foreign) > TOLERATED


def works(
    sizes: Sequence[int] = SIZES, batches: Sequence[int] = BATCHES, crowds: Sequence[int] = ()
) -> dict[str, Plan]:
    """Return what is said, by name: echoes of all kinds, but for the talk."""
    return {
        ONE: Plan(),
        MANY: Plan(flight=16),
        ALONE: Plan(connections=1),
        **{SIZED.format(size): Plan(size=size, flight=16) for size in sizes},
        **{BATCHED.format(n): Plan(connections=1, flight=n, batch=True) for n in batches},
        **{CROWDED.format(n): Plan(connections=n) for n in crowds},
    }


def rows(
    programs: Sequence[str] = PROGRAMS,
    talk: int = 200_000,
    plans: Mapping[str, Plan] | None = None,
) -> list[Row]:
    """Return all rows, those that are compared with each other side by side."""
    said = [*programs, REPLAY]
    plans = works() if plans is None else plans
    return [
        *(Row(work, plan, program) for work, plan in plans.items() for program in programs),
        *(Row(TALK, Plan(count=talk, connections=1), program) for program in said),
    ]


class Stage:
    """The folder of a run, its origin, and names for programs that no other has."""

    def __init__(self, folder: Path, origin: Program) -> None:
        self.folder, self.origin = folder, origin
        self._number = 0

    def start(self, program: str) -> tuple[Program, str]:
        """Return the program, to be entered, and the name of its cassette."""
        self._number += 1
        name = f"{program.replace(' ', '-')}-{self._number}"
        if program == NGINX:
            return _programs.nginx(name, _TUNNEL, self.folder, upstream=self.origin.port), name
        mode = program.split()[1]
        cassette = {PASSTHROUGH: [], RECORD: [name], REPLAY: ["talk"]}[program]
        reverse = ["--reverse", f"http://127.0.0.1:{self.origin.port}"]
        return _programs.magneto(name, [mode, *cassette, *reverse], self.folder), name


def measure(row: Row, stage: Stage, seconds: float) -> None:
    """Add one round's value to ``row``, or the reason why there is none."""
    try:
        if row.program == DIRECT:
            with Watch(stage.origin) as watch:
                found = _websocket_load.run(stage.origin, row.plan, seconds, stage.folder)
        else:
            program, name = stage.start(row.program)
            with program, Watch(program, stage.origin) as watch:
                found = _websocket_load.run(program, row.plan, seconds, stage.folder)
            if row.program == RECORD:
                _check_recording(stage.folder, name, found, row.plan)
    except (BenchmarkError, OSError) as error:
        row.faults.append(str(error) or repr(error))
        return
    row.found.append(found)
    row.cpu.append(watch.used)
    row.foreign.append(watch.foreign)


def _check_recording(folder: Path, name: str, found: Found, plan: Plan) -> None:
    path = next((folder / "cassettes").glob(f"{name}.*"), None)
    if path is None:
        raise BenchmarkError("no cassette was written")
    kept = [each.websocket for each in Cassette.open(path)]
    messages = sum(len(each.messages) for each in kept if each is not None)
    path.unlink()
    said = found.messages if plan.count else 2 * found.messages
    if messages != said:
        raise BenchmarkError(f"{said:,} messages, but {messages:,} in the cassette")


@contextmanager
def stage() -> Iterator[Stage]:
    """Provide a place with a running origin; raises BenchmarkError where there can be none."""
    if not hasattr(select, "epoll"):
        raise BenchmarkError("skipped: the load needs Linux (epoll)")
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        with _origin(folder) as origin:
            yield Stage(folder, origin)


def run(rows: Sequence[Row], on: Stage, *, seconds: float, rounds: int, patience: Patience) -> None:
    """Measure ``rows`` in interleaved rounds."""
    for row in rows:
        if row.program == REPLAY:
            _record_talk(on, row.plan)
    progress = _report.Progress(rounds * len(rows))
    for _ in range(rounds):
        for row in rows:
            progress.step(f"{row.work}, {row.program}")
            patience.wait_for_quiet()
            measure(row, on, seconds)


def held_open(rows: Sequence[Row], on: Stage, count: int) -> dict[str, float]:
    """Return the KB of an idle WebSocket, by program."""
    programs = dict.fromkeys(row.program for row in rows if row.program not in (DIRECT, REPLAY))
    return {program: idle(on.start(program)[0], count) for program in programs}


def _origin(folder: Path) -> Program:
    port = _programs.free_port()
    command = [sys.executable, "-m", "benchmarks._websocket_origin", str(port)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    return Program("origin", command, port, folder, load=True, environ=environ)


def _record_talk(stage: Stage, plan: Plan) -> None:
    reverse = ["--reverse", f"http://127.0.0.1:{stage.origin.port}"]
    with _programs.magneto("talk", ["record", "talk", *reverse], stage.folder) as program:
        _websocket_load.run(program, plan, 0, stage.folder)


def ratio(row: Row, rows: Sequence[Row], beside: str) -> float | None:
    """Return the median, over the rounds, of a row's rate by that of ``beside``; None without."""
    other = find(rows, row.work, beside)
    if other is None or row.faults or other.faults or row.program == beside:
        return None
    pairs = zip(row.found, other.found, strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def find(rows: Sequence[Row], work: str, program: str) -> Row | None:
    """Return the row of ``work`` and ``program``, if there is one with figures."""
    return next((r for r in rows if (r.work, r.program) == (work, program) and r.found), None)


def rate(row: Row) -> float:
    """Return the median of its messages a second."""
    return statistics.median(found.rate for found in row.found)


@dataclass(frozen=True)
class Claim:
    """A figure that has to be at least ``limit``, or with ``below`` less than that.

    ``holds`` is None where other work disturbed it.
    """

    what: str
    value: float
    limit: float
    below: bool = False
    judged: bool = True

    @property
    def holds(self) -> bool | None:
        """Whether it is so."""
        if not self.judged:
            return None
        return self.value < self.limit if self.below else self.value >= self.limit


def claims(rows: Sequence[Row], idle: dict[str, float]) -> list[Claim]:
    """Return what has to hold, as far as it was measured."""
    found: list[Claim] = []
    for row in rows:
        others = (NGINX, PASSTHROUGH, DIRECT)
        quiet = not any(
            each.disturbed
            for each in (row, *(find(rows, row.work, other) for other in others))
            if each is not None
        )
        for beside, limit in ((NGINX, OF_NGINX.get(row.work)), (PASSTHROUGH, KEPT)):
            value = ratio(row, rows, beside) if row.program == RECORD else None
            if limit is not None and value is not None:
                title = f"{row.work}: record, of {beside.split()[-1]}"
                found.append(Claim(title, value, limit, judged=quiet))
        least = {(ONE, RECORD): A_SECOND, (TALK, REPLAY): REPLAYED}.get((row.work, row.program))
        if least is not None and row.found:
            found.append(
                Claim(f"{row.work}: {row.program}, a second", rate(row), least, judged=quiet)
            )
        direct = find(rows, row.work, DIRECT)
        if row.work == ALONE and row.program in (PASSTHROUGH, RECORD) and row.found and direct:
            added = statistics.median(
                ours.p50 - theirs.p50 for ours, theirs in zip(row.found, direct.found, strict=False)
            )
            title = f"p50 added by {row.program}, µs"
            found.append(Claim(title, added, ADDED, below=True, judged=quiet))
    found += [
        Claim(f"idle: {program}, KB each", idle[program], IDLE, below=True)
        for program in (PASSTHROUGH, RECORD)
        if program in idle
    ]
    return found


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Draw messages a second by their size, and by how many are sent at once."""

    def lines(works: dict[int, str]) -> list[_plots.Line]:
        return [
            _plots.Line(program, points)
            for program in PROGRAMS
            if (
                points := [
                    (at, rate(row) / 1000)
                    for at, work in works.items()
                    if (row := find(rows, work, program))
                ]
            )
        ]

    panels = [
        ("16 in flight, 10 connections", "bytes of a message", SIZED, SIZES),
        ("256 bytes, one connection", "messages of a batch", BATCHED, BATCHES),
    ]
    _plots.draw(
        path,
        "WebSocket messages there and back, thousands a second",
        [
            _plots.Panel(
                *(title, x, "thousands a second"),
                lines({at: work.format(at) for at in ticks}),
                log_x=True,
                log_y=True,
            )
            for title, x, work, ticks in panels
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if a row is not valid (or a target missed: --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each measurement (0.5)")
    parser.add_argument("--rounds", type=int, default=1, help="of which the median is taken (1)")
    parser.add_argument("--only", action="append", default=[], help="works whose name has this")
    parser.add_argument("--talk", type=int, default=200_000, help="messages to replay (200,000)")
    parser.add_argument("--idle", type=int, default=2_000, help="open WebSockets (2,000)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw sizes and batches there")
    _report.add_patience(parser)
    options = parser.parse_args(argv)
    present = [each for each in PROGRAMS if each != NGINX or _programs.find("nginx")]
    every = rows(present, options.talk)
    if options.only:
        every = [row for row in every if any(part in row.work for part in options.only)]
    try:
        with stage() as on:
            patience = Patience(options.patience)
            run(every, on, seconds=options.seconds, rounds=options.rounds, patience=patience)
            memory = held_open(every, on, options.idle)
    except BenchmarkError as error:
        return _report.finish([], options, [str(error)])
    _show(every, memory)
    held = claims(every, memory)
    figures = [{**_figure(row, every), "holds": None} for row in every if row.found]
    figures += [{**asdict(claim), "holds": claim.holds} for claim in held]
    if options.svg is not None:
        draw(options.svg, every)
    faults = [f"{row.work}, {row.program}: {fault}" for row in every for fault in row.faults]
    return _report.finish(figures, options, faults)


def _figure(row: Row, rows: Sequence[Row]) -> dict[str, object]:
    return {
        "work": row.work,
        "program": row.program,
        "per_second": rate(row),
        "p50_us": statistics.median(found.p50 for found in row.found),
        "p99_us": statistics.median(found.p99 for found in row.found),
        "cpu": statistics.median(row.cpu),
        "cpu_us_each": statistics.median(found.cpu for found in row.found),
        "foreign": statistics.median(row.foreign),
        "rounds": [found.rate for found in row.found],
        "of_nginx": ratio(row, rows, NGINX),
        "of_passthrough": ratio(row, rows, PASSTHROUGH),
    }


def _show(rows: Sequence[Row], memory: dict[str, float]) -> None:
    _report.show_machine()
    cells = [_cells(_figure(row, rows)) for row in rows if row.found]
    heads = [
        *("work", "program", "messages/s", "p50 µs", "p99 µs"),
        *("CPU", "CPU µs each", "of nginx", "of passthrough"),
    ]
    print(_report.table(heads, cells), end="\n\n")
    for program, each in sorted(memory.items()):
        print(f"an idle WebSocket in {program}: {each:.1f} KB")
    targets = [
        [
            claim.what,
            f"{claim.value:,.2f}",
            f"{'<' if claim.below else '>='} {claim.limit:,g}",
            _report.verdict(claim.holds),
        ]
        for claim in claims(rows, memory)
    ]
    print()
    print(_report.table(["target", "found", "limit", "holds"], targets), flush=True)
    for row in rows:
        if row.disturbed:
            took = statistics.median(row.foreign)
            _report.say(f"{row.work}, {row.program}: other work took {took:.0%} of a core")


def _cells(figure: dict[str, object]) -> list[str]:
    ratios = [figure["of_nginx"], figure["of_passthrough"]]
    return [
        f"{figure['work']}",
        f"{figure['program']}",
        f"{figure['per_second']:,.0f}",
        *(f"{figure[name]:,.0f}" if figure[name] else "" for name in ("p50_us", "p99_us")),
        f"{figure['cpu']:.0%}",
        f"{figure['cpu_us_each']:.1f}",
        *("" if each is None else f"{each:.2f}" for each in ratios),
    ]


if __name__ == "__main__":
    sys.exit(main())
