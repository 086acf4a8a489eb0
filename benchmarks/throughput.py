"""Requests per second and latency of every mode, beside HAProxy and nginx under the same load.

Forwarding and recording are compared with HAProxy forwarding to the same origin (a second nginx
doing the same is shown as well), replaying with nginx answering from its configuration. Rounds
are interleaved: each measures every row once, a ratio is taken within its round, and the median
over the rounds is reported, so that a machine that slows down halfway slows down all alike. A
program is started afresh for each measurement and warmed up. Before each, one answer is compared
to the byte; after a recording, the cassette must hold every exchange that wrk counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import _load, _programs, _report
from benchmarks._load import Load
from benchmarks._origin import blocks
from benchmarks._programs import BenchmarkError
from benchmarks._rows import Row, Stage, chosen
from benchmarks._traffic import BODY, NGINX_ANSWER, Shape, ask, record_answers, recorded
from benchmarks._watch import TOLERATED, Patience, Watch


@dataclass
class Measurement:
    """One row under one shape of traffic: a value from each round."""

    row: Row
    shape: Shape
    loads: list[Load] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # cores that the program used
    foreign: list[float] = field(default_factory=list)  # cores that other work took
    faults: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What is measured, for the report."""
        return f"{self.row.name}, {self.shape.name}"


def measure(measurement: Measurement, stage: Stage, seconds: float) -> None:
    """Add one round's value to ``measurement``, or the reason why there is none."""
    row, shape = measurement.row, measurement.shape
    name = stage.fresh(row.name.replace(" ", "-"))
    authority = stage.authority_for(shape)
    target = shape.target(authority)
    expected = BODY if shape.size is None else b"".join(blocks(shape.size))

    def load(lasting: float, first: int) -> Load:
        return _load.run(program.port, shape, authority, stage.folder, lasting, first=first)

    try:
        with row.start(stage, name) as program:
            ask(
                program.port,
                target,
                authority,
                expected=expected,
                tls=shape.tls,
                tunnel=shape.tunnel,
            )
            warm_up = load(min(row.warm_up, seconds), first=0)
            with Watch(program, stage.origin) as watch:
                result = load(seconds, first=100_000_000)
        for fault in (warm_up.fault, result.fault):
            # Who is slow to begin may need more than the warm-up for its first answer.
            if fault and (fault != _load.NOTHING or fault == result.fault):
                raise BenchmarkError(fault)
        if row.records:
            _check_recording(stage, name, warm_up.requests + result.requests)
    except (BenchmarkError, OSError, subprocess.SubprocessError) as error:
        measurement.faults.append(str(error) or repr(error))
        return
    measurement.loads.append(result)
    measurement.cpu.append(watch.used)
    measurement.foreign.append(watch.foreign)


def measure_undisturbed(
    measurement: Measurement, stage: Stage, seconds: float, patience: Patience
) -> None:
    """Measure, and measure again as long as other work disturbs it and ``patience`` lasts."""
    while True:
        patience.wait_for_quiet()
        faults = len(measurement.faults)
        measure(measurement, stage, seconds)
        if len(measurement.faults) > faults or measurement.foreign[-1] <= TOLERATED:
            return
        if patience.is_over():
            return
        for values in (measurement.loads, measurement.cpu, measurement.foreign):
            values.pop()


def _check_recording(stage: Stage, name: str, requests: int) -> None:
    files = (stage.folder / "cassettes").glob(f"{name}.*")
    found = [path for path in files if path.suffix != ".bodies"]  # those lie beside it
    if not found:
        raise BenchmarkError("no cassette was written")
    kept = recorded(found[0])
    found[0].unlink()
    if kept < requests:
        raise BenchmarkError(f"{requests} exchanges, but {kept} in the cassette")


def run(
    rows: Sequence[Row], *, seconds: float, rounds: int, patience: Patience
) -> list[Measurement]:
    """Measure ``rows`` in interleaved rounds, with all requests equal and with all different."""
    measurements = [
        Measurement(row, Shape(different=different, absolute=row.absolute, cycle=row.cycle))
        for row in rows
        for different in (False, True)
    ]
    measure_all(measurements, seconds=seconds, rounds=rounds, patience=patience)
    return measurements


def measure_all(
    measurements: Sequence[Measurement], *, seconds: float, rounds: int, patience: Patience
) -> None:
    """Make measurements in interleaved rounds, in a place that has all that they need."""
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        (folder / "bytes").mkdir()
        for size in {each.shape.size for each in measurements} - {None}:
            assert size is not None
            (folder / "bytes" / str(size)).write_bytes(b"".join(blocks(size)))
        files = f" location /bytes/ {{ root {folder}; sendfile on; }}"
        with ExitStack() as stack:
            origin = _programs.nginx("origin", NGINX_ANSWER + files, folder, load=True)
            stage = Stage(folder, stack.enter_context(origin))
            if any(each.row.cycle for each in measurements):
                record_answers(folder, stage.authority, "answers")
            if any(each.shape.tunnel for each in measurements):
                _add_secure_origin(stage, stack)
            progress = _report.Progress(rounds * len(measurements))
            for _ in range(rounds):
                for measurement in measurements:
                    progress.step(measurement.name)
                    measure_undisturbed(measurement, stage, seconds, patience)


def _add_secure_origin(stage: Stage, stack: ExitStack) -> None:
    """Start an origin with TLS, and record what is replayed in tunnels to it."""
    program = _programs.nginx("secure-origin", NGINX_ANSWER, stage.folder, load=True, tls=True)
    stage.secure = stack.enter_context(program)
    authority = f"127.0.0.1:{program.port}"
    record_answers(stage.folder, authority, "secure-answers", tls=True)


def reference(measurement: Measurement, measurements: Sequence[Measurement]) -> Measurement | None:
    """Return what ``measurement`` is compared with: its reference under the same load.

    None without one, and where a round of either failed: there are no pairs then.
    """
    for other in measurements:
        same_load = other.shape.load == measurement.shape.load
        if other.row.name == measurement.row.beside and same_load:
            return None if measurement.faults or other.faults else other
    return None


def figure(measurement: Measurement, measurements: Sequence[Measurement]) -> dict[str, object]:
    """Return the medians of one measurement, as they go into the JSON."""
    loads, row = measurement.loads, measurement.row
    beside = reference(measurement, measurements)
    pairs = zip(loads, beside.loads, strict=True) if beside else ()
    ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
    ratio = statistics.median(ratios) if ratios else None
    quiet = beside is not None and not disturbed(measurement) and not disturbed(beside)
    return {
        "program": row.name,
        "requests": measurement.shape.name,
        "per_second": statistics.median(load.rate for load in loads),
        "p50_ms": statistics.median(load.p50 for load in loads) / 1000,
        "p99_ms": statistics.median(load.p99 for load in loads) / 1000,
        "cpu": statistics.median(measurement.cpu),
        "foreign": statistics.median(measurement.foreign),
        "rounds": [load.rate for load in loads],
        "beside": row.beside or None,
        "ratio": ratio,
        "ratios": ratios,
        "target": row.target,
        "holds": ratio >= row.target if quiet and ratio and row.target else None,
    }


def disturbed(measurement: Measurement) -> bool:
    """Say whether other work on this machine took enough of the cores to make it worthless."""
    return bool(measurement.foreign) and statistics.median(measurement.foreign) > TOLERATED


HEADS = ("program", "requests", "requests/s", "p50 ms", "p99 ms", "CPU", "ratio", "target", "holds")


def cells(values: dict[str, object]) -> list[str]:
    """Return a figure as the cells of its table row."""
    ratio, target, holds = values["ratio"], values["target"], values["holds"]
    assert holds is None or isinstance(holds, bool)
    return [
        str(values["program"]),
        str(values["requests"]),
        f"{values['per_second']:,.0f}",
        f"{values['p50_ms']:.2f}",
        f"{values['p99_ms']:.2f}",
        f"{values['cpu']:.0%}",
        "" if ratio is None else f"{ratio:.2f} of {values['beside']}",
        "" if target is None else f"{target:.2f}",
        _report.verdict(holds),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; return 0, or 1 if a row is not valid (or a target missed: --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for each measurement (5)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken (3)")
    parser.add_argument("--quick", action="store_true", help="2 seconds, 1 round")
    parser.add_argument("--only", action="append", default=[], help="rows whose name contains this")
    _report.add_patience(parser)
    options = parser.parse_args(argv)
    if options.quick:
        options.seconds, options.rounds = 2, 1
    try:
        _programs.require("nginx")
    except BenchmarkError as error:
        return _report.skipped(error)
    measurements = run(
        chosen(options.only),
        seconds=options.seconds,
        rounds=options.rounds,
        patience=Patience(options.patience),
    )
    return _report_on(measurements, options)


def _report_on(measurements: Sequence[Measurement], options: argparse.Namespace) -> int:
    figures = [figure(each, measurements) for each in measurements if each.loads]
    _report.show_machine()
    if figures:
        print(_report.table(HEADS, [cells(values) for values in figures]), flush=True)
    for each in filter(disturbed, measurements):
        _report.say(
            f"{each.name}: other work took {statistics.median(each.foreign):.0%} of a core; "
            "no target is judged by it"
        )
    faults = [f"{each.name}: {fault}" for each in measurements for fault in each.faults]
    return _report.finish(figures, options, faults)


if __name__ == "__main__":
    sys.exit(main())
