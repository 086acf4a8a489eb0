"""Results as a Markdown table for people and as JSON for machines, from the same values."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import _build
from benchmarks._programs import BenchmarkError, cores, find

_VERSION_FLAGS = {"nginx": "-v", "haproxy": "-v", "wrk": "-v", "h2load": "--version"}


def machine() -> dict[str, str]:
    """Return what the figures depend on: processor, system, our build, versions of the programs."""
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "package": _build.kind(),
    }
    for program, flag in _VERSION_FLAGS.items():
        path = find(program)
        if path is not None:
            done = subprocess.run(
                [path, flag], capture_output=True, text=True, check=False, timeout=10
            )
            facts[program] = (done.stdout + done.stderr).splitlines()[0].strip()
    pair = cores()
    facts["pinning"] = (
        f"program under test on core {pair[0]}; wrk and origin on core {pair[1]}"
        if pair
        else "none (needs two cores and taskset): the program under test shares with its load"
    )
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are aligned to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - 1) + ":" if index else "-" * width for index, width in enumerate(widths)]
    return "\n".join([line(heads), line(rule), *map(line, rows)])


def number(value: float) -> str:
    """Return a figure with as many digits as it is worth reading."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def verdict(holds: bool | None) -> str:
    """Return the word for a target that holds, is missed, or does not exist."""
    return {True: "yes", False: "NO", None: ""}[holds]


def parser(module_doc: str | None) -> argparse.ArgumentParser:
    """Return an argument parser with what all benchmarks share."""
    arguments = argparse.ArgumentParser(
        description=(module_doc or "").partition("\n")[0],
        epilog="What the figures mean, and do not: docs/benchmarks.md",
    )
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments.add_argument(
        "--enforce", action="store_true", help="end with status 1 if a target is missed"
    )
    return arguments


def add_patience(arguments: argparse.ArgumentParser) -> None:
    """Add ``--patience``, for measurements of time on a machine with other work."""
    arguments.add_argument(
        "--patience",
        type=float,
        default=0,
        metavar="SECONDS",
        help="wait so long in all for other work to end (0)",
    )


def say(message: str) -> None:
    """Tell the person who waits, apart from the results."""
    print(message, file=sys.stderr, flush=True)


class Progress:
    """How much of ``total`` steps is done, for who waits; ``ahead`` are seconds expected for all.

    What is left is estimated from what the steps took so far, and before the first one is done
    from what was expected.
    """

    def __init__(self, total: int, ahead: float = 0.0) -> None:
        self._total = total
        self._ahead = ahead
        self._done = 0
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        """Say what begins now."""
        say(f"[{self._done + 1} of {self._total}{self._left()}] {what}")
        self._done += 1

    def _left(self) -> str:
        spent = time.monotonic() - self._began
        left = self._ahead if not self._done else spent / self._done * (self._total - self._done)
        return f", about {duration(left)} left" if left else ""


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{math.ceil(seconds)} s"


def show_machine() -> None:
    """Print what the figures depend on."""
    for what, fact in machine().items():
        print(f"{what}: {fact}")
    print()


def finish(
    figures: Sequence[Mapping[str, object]], options: argparse.Namespace, faults: Sequence[str]
) -> int:
    """Write the JSON asked for, name the faults and return the exit status.

    A figure is a mapping with at least ``holds``: whether its target was met, None without one.
    """
    if options.json is not None:
        document = {"machine": machine(), "figures": list(figures), "faults": list(faults)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for fault in faults:
        say(f"not valid: {fault}")
    missed = any(figure["holds"] is False for figure in figures)
    return 1 if faults or (options.enforce and missed) else 0


@dataclass(frozen=True)
class Figure:
    """One measurement, and the most (or the ``least``) that it may be."""

    name: str
    value: float
    unit: str
    target: float | None = None
    least: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target

    @property
    def limit(self) -> str:
        """The target, for the report."""
        if self.target is None:
            return ""
        return f"{'>=' if self.least else '<='} {self.target:g}"


def conclude(what: str, figures: Sequence[Figure], options: argparse.Namespace) -> int:
    """Print the machine and a table of ``figures``, then :func:`finish`."""
    rows = [
        [each.name, f"{each.value:.2f} {each.unit}".rstrip(), each.limit, verdict(each.holds)]
        for each in figures
    ]
    show_machine()
    print(table([what, "median", "target", "holds"], rows))
    return finish([{**asdict(each), "holds": each.holds} for each in figures], options, [])


def skipped(error: BenchmarkError) -> int:
    """Say why nothing was measured; that is no failure."""
    say(str(error))
    return 0
