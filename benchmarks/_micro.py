"""Micro-benchmarks, timed by pyperf: ``python -m benchmarks._micro FOLDER SUITE [pyperf options]``.

pyperf starts processes of its own from this module, one worker after the other, and calibrates,
warms up and repeats; what is here makes what is to be timed, and only the part that counts is
between the two readings of the clock. Preparing is lazy, because every worker passes every name.
``run`` is for the suite: it starts all that and returns rows. FOLDER is where cassettes are made,
by the first who needs them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyperf

from benchmarks import _programs, _result
from benchmarks._programs import BenchmarkError
from benchmarks._scale import Scale

if TYPE_CHECKING:
    from magneto_serge import Interaction

_SLOWLY = ("--processes", "1", "--loops", "1", "--values", "3", "--warmups", "0")
Timed = Callable[[int], float]  # from how many times to the seconds that those took


class Bench:
    """One thing to time. ``prepare`` is called with the folder, in the process that times it.

    What it returns is called with a number of repetitions, and returns seconds. ``inner`` is how
    many operations each repetition has, where more than one. What is ``slow`` takes long enough to
    be timed by a few single repetitions.
    """

    def __init__(
        self,
        group: str,
        name: str,
        prepare: Callable[[Path], Timed],
        *,
        parameter: int | str = "",
        inner: int = 1,
        slow: bool = False,
    ) -> None:
        self.group = group
        self.name = name
        self.parameter = str(parameter)
        self.inner = inner
        self.slow = slow
        self._prepare = prepare
        self._timed: Timed | None = None

    @property
    def title(self) -> str:
        """How pyperf calls it; no two have the same."""
        return "/".join((self.group, self.name, self.parameter))

    def __call__(self, loops: int, folder: Path) -> float:
        """Prepare at the first call, then time."""
        if self._timed is None:
            self._timed = self._prepare(folder)
        return self._timed(loops)


def benches(suite: str, *, quick: bool) -> list[Bench]:
    """Return what a suite times."""
    if suite == "http_proxy":
        from benchmarks import _micro_proxy

        return _micro_proxy.benches(quick=quick)
    from benchmarks import _micro_storage

    return _micro_storage.benches(quick=quick)


def repeated(operation: Callable[[], object]) -> Timed:
    """Return a timing of the whole ``operation``."""

    def timed(loops: int) -> float:
        began = pyperf.perf_counter()
        for _ in range(loops):
            operation()
        return float(pyperf.perf_counter() - began)

    return timed


def between(before: Callable[[], Any], operation: Callable[[Any], object]) -> Timed:
    """Return a timing of ``operation`` alone, on what ``before`` makes afresh each time."""

    def timed(loops: int) -> float:
        spent = 0.0
        for _ in range(loops):
            made = before()
            began = pyperf.perf_counter()
            operation(made)
            spent += pyperf.perf_counter() - began
        return spent

    return timed


def said(count: int) -> list[Interaction]:
    """Return interactions of a JSON API, as ``benchmarks.cassettes`` has them."""
    from benchmarks.cassettes import api

    return list(api(count, things=3))


def cassette(folder: Path, format: str, count: int) -> Path:
    """Return a cassette of ``count`` interactions; it is made once."""
    from magneto_serge.storage.store import CassetteStore

    store = CassetteStore(folder, format=format, fsync="never")
    name = f"{format.replace('.', '-')}-{count}"
    return store.path(name) if store.exists(name) else store.save(name, said(count))


# --- pyperf ------------------------------------------------------------------------------


def run(suite: str, scale: Scale, *, only: str = "") -> Iterator[_result.Row]:
    """Yield a row for everything that ``suite`` times (whose title contains ``only``).

    Raises BenchmarkError where a worker fails.
    """
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        environ = _programs.magneto_environment(folder)
        environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
        measured: dict[str, Any] = {}
        with _programs.origin(folder) as origin:
            (folder / "origin").write_text(str(origin.port), encoding="ascii")
            for which in ("fast", "slow"):
                pace = "quick" if scale.quick else "full"
                if not _chosen(suite, only, pace, which):
                    continue
                output = folder / f"{which}.json"
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks._micro",
                    name,
                    suite,
                    only,
                    pace,
                    which,
                ]
                command += ["--quiet", "--output", str(output)]
                command += ["--inherit-environ", ",".join(environ)]
                command += scale.pace if which == "fast" else _SLOWLY
                done = subprocess.run(
                    command, env=environ, capture_output=True, text=True, check=False, cwd=name
                )
                if done.returncode != 0:
                    said = done.stderr.strip()
                    last = said.rpartition("\n")[2]
                    raise BenchmarkError(f"pyperf: {last}\n{said[-2000:]}")
                suite_of = pyperf.BenchmarkSuite.load(str(output))
                measured |= {each.get_name(): each for each in suite_of}
    for bench in benches(suite, quick=scale.quick):
        if bench.title in measured:
            values = [value * 1e6 for value in measured[bench.title].get_values()]
            yield _result.row(
                suite, bench.group, bench.name, "µs", values, parameter=bench.parameter
            )


def main(arguments: list[str]) -> None:
    """Time everything: called by ``run``, and by pyperf in each of its workers."""
    folder, suite, only, pace, which, *options = arguments
    again = ("-m", "benchmarks._micro", folder, suite, only, pace, which)
    sys.argv[1:] = options
    runner = pyperf.Runner(program_args=again)
    runner.parse_args()
    for bench in _chosen(suite, only, pace, which):
        runner.bench_time_func(
            bench.title, partial(bench, folder=Path(folder)), inner_loops=bench.inner
        )


def _chosen(suite: str, only: str, pace: str, which: str) -> list[Bench]:
    return [
        bench
        for bench in benches(suite, quick=pace == "quick")
        if only in bench.title and bench.slow == (which == "slow")
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
