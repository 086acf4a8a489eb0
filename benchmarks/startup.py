"""How long the command and the library take to be ready.

The command: from process start to the first accepted connection, and to the first answer, beside an
interpreter that starts and does nothing, and one that only imports what any server in Python has
to. The two are not the same: the command takes its port before it imports what answers, so that a
client which comes early waits instead of being refused. The library: starting and stopping a proxy
inside a process that has done so before. Medians; files are in the page cache, as they are for
whoever runs a test suite twice.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks import _programs, _report
from benchmarks._programs import BenchmarkError
from benchmarks._traffic import RECORDINGS, ask, record_answers
from benchmarks._watch import Patience
from magneto_serge import MagnetoProxy, Mode

ACCEPTING_WITHIN = 100.0  # ms
IN_PROCESS_WITHIN = 3.0  # ms


@dataclass(frozen=True)
class Figure:
    """Times in ms, and the most that their median may be."""

    name: str
    times: tuple[float, ...]
    target: float | None = None

    @property
    def ms(self) -> float:
        """The median."""
        return statistics.median(self.times)

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.target is None else self.ms <= self.target


def times_ms(measure: Callable[[], float], repeats: int, patience: Patience) -> tuple[float, ...]:
    """Return what ``measure()`` (s) gave, in ms; the first call fills caches and is dropped."""
    measure()
    times = []
    for _ in range(repeats):
        patience.wait_for_quiet()
        times.append(measure())
    return tuple(seconds * 1000 for seconds in times)


def interpreter(statement: str) -> float:
    """Return the seconds that Python takes to start, execute ``statement`` and end."""
    began = time.perf_counter()
    subprocess.run(_programs.pinned([sys.executable, "-c", statement], load=False), check=True)
    return time.perf_counter() - began


def replay_accepting(folder: Path, cassette: str, *, answering: bool = False) -> float:
    """Return the seconds from starting ``magneto replay`` to its first accepted connection.

    ``answering``: until a request that was sent as soon as a connection was accepted has its answer
    from the cassette.
    """
    port = _programs.free_port()
    began = time.perf_counter()
    program = _programs.magneto("replay", ["replay", cassette], folder, port=port)
    try:
        program.wait(program.accepts, interval=0.002)
        if answering:
            authority = (folder / cassette).read_text(encoding="ascii")
            ask(program.port, f"http://{authority}/item/1", authority)
        return time.perf_counter() - began
    finally:
        program.stop()


def started_and_stopped(folder: Path) -> tuple[float, float]:
    """Return the seconds that a proxy inside this process takes to start, and to stop."""
    proxy = MagnetoProxy(folder, port=0, mode=Mode.PASSTHROUGH, data_dir=folder / "data")
    began = time.perf_counter()
    proxy.start()
    started = time.perf_counter()
    proxy.stop()
    return started - began, time.perf_counter() - started


def run(repeats: int, patience: Patience) -> list[Figure]:
    """Make all measurements."""
    figures = [
        Figure(f"python -c '{floor}'", times_ms(partial(interpreter, floor), repeats, patience))
        for floor in ("pass", "import asyncio, ssl")
    ]
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        for cassette, count in (("one", 1), ("many", RECORDINGS)):
            _record(folder, cassette, count)
            for answering in (False, True):
                measure = partial(replay_accepting, folder, cassette, answering=answering)
                what = "first answer" if answering else "first accepted connection"
                title = f"magneto replay, {count:,} recording{'s' * (count > 1)}: {what}"
                target = None if answering else ACCEPTING_WITHIN
                figures.append(Figure(title, times_ms(measure, repeats, patience), target))
        start = times_ms(lambda: started_and_stopped(folder)[0], repeats, patience)
        stop = times_ms(lambda: started_and_stopped(folder)[1], repeats, patience)
    figures.append(Figure("MagnetoProxy.start(), in process", start, IN_PROCESS_WITHIN))
    figures.append(Figure("MagnetoProxy.stop(), in process", stop, IN_PROCESS_WITHIN))
    return figures


def _record(folder: Path, cassette: str, count: int) -> None:
    """Make a cassette, and beside it a file with the authority of the origin that it was."""
    with _programs.origin(folder) as origin:
        authority = f"127.0.0.1:{origin.port}"
        record_answers(folder, authority, cassette, count)
        (folder / cassette).write_text(authority, encoding="ascii")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if something failed (or a target was missed: --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=20, help="of each, for the median (20)")
    _report.add_patience(parser)
    options = parser.parse_args(argv)
    try:
        figures = run(options.repeats, Patience(options.patience))
    except BenchmarkError as error:
        return _report.finish([], options, [str(error)])
    floor = figures[0].ms
    rows = [
        [
            each.name,
            f"{each.ms:.1f}",
            f"{each.ms / floor:.1f}",
            "" if each.target is None else f"<= {each.target:.0f}",
            _report.verdict(each.holds),
        ]
        for each in figures
    ]
    _report.show_machine()
    print(_report.table(["start-up", "ms", "of pass", "target", "holds"], rows))
    return _report.finish(
        [{**asdict(f), "ms": f.ms, "holds": f.holds} for f in figures], options, []
    )


if __name__ == "__main__":
    sys.exit(main())
