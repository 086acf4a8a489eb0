"""What a run of the suite leaves behind: rows, and what they depend on, as one JSON document.

A row is one figure with all its values, in the order of the rounds; median and spread are made of
them and stand in the file for other programs. The spread is the interquartile range: one disturbed
round does not move it. ``better`` says which direction is good, so that a comparison needs to know
no row by name. A row without values is a measurement that could not be made, and its ``note`` says
why. Figures of one ``group`` with the same name and different parameters make a curve.
"""

from __future__ import annotations

import datetime
import os
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks._programs import BenchmarkError

RESULTS = Path(__file__).parent / "results"
LATEST = RESULTS / "latest.json"

Better = Literal["less", "more"]


class Row(msgspec.Struct, kw_only=True, frozen=True):
    """One figure; ``reference`` names what ``ratio`` is taken to, ``target`` bounds it.

    ``target`` is the least ratio (or value, without a ratio) where more is better, else the most;
    ``holds`` is None without one, and where other work disturbed the measurement.
    """

    suite: str
    group: str
    name: str
    unit: str
    values: tuple[float, ...] = ()
    parameter: str = ""
    better: Better = "less"
    median: float | None = None
    spread: float | None = None
    reference: str | None = None
    ratio: float | None = None
    target: float | None = None
    holds: bool | None = None
    note: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the row in every run."""
        return (self.suite, self.group, self.name, self.parameter)


class Document(msgspec.Struct, kw_only=True, frozen=True):
    """One run: when, of which commit, where, and what was found; ``quick`` or full."""

    when: str
    commit: str
    quick: bool
    machine: dict[str, str]
    rows: list[Row]
    seconds: float = 0.0


def row(
    suite: str,
    group: str,
    name: str,
    unit: str,
    values: Sequence[float],
    *,
    parameter: str | int = "",
    better: Better = "less",
    reference: str | None = None,
    ratio: float | None = None,
    target: float | None = None,
    judged: bool = True,
    note: str = "",
) -> Row:
    """Return a row with its median, its spread and its verdict; ``judged`` False gives none."""
    median = statistics.median(values) if values else None
    weighed = median if ratio is None else ratio
    holds = None
    if target is not None and weighed is not None and judged:
        holds = weighed >= target if better == "more" else weighed <= target
    return Row(
        suite=suite,
        group=group,
        name=name,
        unit=unit,
        values=tuple(values),
        parameter=str(parameter),
        better=better,
        median=median,
        spread=spread(values),
        reference=reference,
        ratio=ratio,
        target=target,
        holds=holds,
        note=note,
    )


def missing(suite: str, group: str, name: str, why: object) -> Row:
    """Return the row of something that could not be measured."""
    return row(suite, group, name, "", (), note=str(why).splitlines()[0])


def spread(values: Sequence[float]) -> float | None:
    """Return the interquartile range; None of fewer than two values."""
    if len(values) < 2:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low


def document(rows: list[Row], *, quick: bool, machine: dict[str, str], seconds: float) -> Document:
    """Return the rows with what they depend on."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Document(
        when=now, commit=commit(), quick=quick, machine=machine, rows=rows, seconds=seconds
    )


def commit() -> str:
    """Return the commit of this checkout, with ``+`` where files have changed; empty outside."""
    said = []
    for command in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "-uno"]):
        done = subprocess.run(
            ["git", *command], capture_output=True, text=True, check=False, cwd=RESULTS.parent
        )
        said.append(done.stdout.strip())
    return said[0] + ("+" if said[0] and said[1] else "")


def write(path: Path, results: Document) -> None:
    """Write a document whole or not at all; raises BenchmarkError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
        beside.replace(path)
    except OSError as error:
        raise BenchmarkError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> Document:
    """Return the document in a file; raises BenchmarkError where there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Document)
    except OSError as error:
        raise BenchmarkError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise BenchmarkError(f"{path} holds no results of the suite: {error}") from error


def named(name: str) -> Path:
    """Return where a baseline is; a path to a file that is there means that file."""
    given = Path(name)
    return given if given.is_file() else RESULTS / "baselines" / f"{given.name}.json"
