"""The suite: ``python -m benchmarks``, with commands to run it, compare runs and show them.

Results are documents in ``benchmarks/results``, which no commit has: ``latest.json`` of the last
run, and baselines by their names. Every command ends with status 0, with 1 where something got
worse (``compare``), and with 2 where nothing could be done.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from benchmarks import _build, _compare, _report, _result
from benchmarks._programs import BenchmarkError
from benchmarks._result import Row
from benchmarks._scale import FULL, QUICK, SMOKE, Scale
from benchmarks._suites import PARTS, SUITES, Suite
from benchmarks._watch import Patience

_NAMES = click.Choice(list(SUITES))
_SMOKE = click.option(
    "--smoke", is_flag=True, help="Everything once and hardly at all: shows that it runs."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure what the proxy costs, and say whether that has changed.

    What the figures mean, and do not: docs/benchmarks.md
    """


@main.command("list")
def list_() -> None:
    """List the suites and their groups."""
    for suite in SUITES.values():
        click.echo(f"{suite.name}: {suite.about}")
        click.echo(f"    {', '.join(suite.groups)}")


@main.command()
@click.argument("suites", nargs=-1, type=_NAMES, metavar="[SUITE]...")
@click.option("--quick", is_flag=True, help="Fewer rounds and sizes: minutes instead of many.")
@_SMOKE
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    metavar="NAME",
    help=f"Of e2e, only this part; may be repeated: {', '.join(PARTS)}.",
)
@click.option(
    "--soak",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="How long e2e keeps up its load for the slope of memory [15; quick: 4].",
)
@click.option(
    "--exchanges",
    type=click.IntRange(min=100),
    metavar="COUNT",
    help="How many e2e records, for memory and what each costs [200000; quick: 5000].",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    metavar="COUNT",
    help="How often each rate is measured, for the median [2; quick: 1].",
)
@click.option(
    "--compiled",
    is_flag=True,
    help="Build the package with compiled modules first, and measure that; the checkout stays.",
)
@click.option("--patience", default=0.0, metavar="SECONDS", help="Wait for quiet moments so long.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_result.LATEST,
    metavar="FILE",
    help="Where the results go [benchmarks/results/latest.json].",
)
def run(
    suites: tuple[str, ...],
    quick: bool,
    smoke: bool,
    parts: tuple[str, ...],
    soak: float | None,
    exchanges: int | None,
    rounds: int | None,
    compiled: bool,
    patience: float,
    output: Path,
) -> None:
    """Run suites, all of them unless some are named, and write the results.

    Takes two minutes with --quick, else about ten; how far it is, is said on standard error.
    """
    if compiled and _build.kind() != _build.COMPILED:
        sys.exit(_build.again_compiled(sys.argv[1:]))
    scale = SMOKE if smoke else QUICK if quick else FULL
    scale = replace(
        scale,
        soak=soak or scale.soak,
        exchanges=exchanges or scale.exchanges,
        rounds=rounds or scale.rounds,
        parts=parts,
    )
    chosen = [SUITES[name] for name in dict.fromkeys(suites or SUITES)]
    began = time.monotonic()
    rows: list[Row] = []
    for number, suite in enumerate(chosen):
        _tell(number, chosen, scale, time.monotonic() - began)
        for each in suite.rows(scale, Patience(patience)):
            rows.append(each)
            click.echo(line(each))
    seconds = time.monotonic() - began
    found = _result.document(rows, quick=scale.quick, machine=_report.machine(), seconds=seconds)
    _result.write(output, found)
    click.echo(f"{len(rows)} rows in {seconds:.0f} s: {output}")


def _tell(number: int, suites: Sequence[Suite], scale: Scale, spent: float) -> None:
    """Say which suite begins, and how long all may still take: longer where others work too."""
    done, left = (
        sum(each.expected(scale) for each in part) for part in (suites[:number], suites[number:])
    )
    slowness = max(1.0, spent / done) if done else 1.0
    _report.say(
        f"== {suites[number].name}, suite {number + 1} of {len(suites)}, "
        f"about {_report.duration(left * slowness)} left in all"
    )


@main.command()
@click.argument("base")
@click.argument("new", default="")
def compare(base: str, new: str) -> None:
    """Compare two runs (files, or names of baselines); NEW is the last run unless given.

    Ends with status 1 if something got worse by more than the noise.
    """
    older = _result.read(_result.named(base))
    newer = _result.read(_result.named(new) if new else _result.LATEST)
    if older.quick != newer.quick:
        click.echo("one of them is a quick run, the other is not: curves have other parameters")
    if older.machine.get("processor") != newer.machine.get("processor"):
        click.echo("not the same processor: only ratios say something")
    changes = _compare.compare(older, newer)
    told = [
        (
            " ".join(filter(None, each.row.key)),
            f"{each.before:,.3g}",
            f"{each.after:,.3g}",
            f"{each.change:+.0%}",
            f"{each.noise:.0%}",
            each.verdict,
        )
        for each in changes
        if each.verdict
    ]
    if told:
        click.echo(_report.table(("row", "before", "after", "change", "noise", ""), told))
    for gone in _compare.vanished(older, newer):
        click.echo(f"not measured any more: {' '.join(filter(None, gone.key))}")
    worse = sum(each.verdict == "worse" for each in changes)
    click.echo(f"{len(changes)} rows compared, {worse} got worse")
    if worse:
        raise SystemExit(1)


@main.group()
def baseline() -> None:
    """Keep a run under a name, to compare later ones with it."""


@baseline.command()
@click.argument("name")
def save(name: str) -> None:
    """Keep the last run as the baseline NAME; an older one of that name is replaced."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise click.UsageError(f"{name!r} cannot be the name of a baseline: it is a file's name")
    found = _result.read(_result.LATEST)
    path = _result.RESULTS / "baselines" / f"{name}.json"
    _result.write(path, found)
    click.echo(f"{len(found.rows)} rows: {path}")


@main.command()
@click.argument("results", default="")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_result.RESULTS / "report.html",
    metavar="FILE",
    help="Where the page goes [benchmarks/results/report.html].",
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_result.RESULTS / "BENCHMARKS.md",
    metavar="FILE",
    help="Where the text goes [benchmarks/results/BENCHMARKS.md].",
)
def report(results: str, opens: bool, html: Path, markdown: Path) -> None:
    """Make a page and a text of RESULTS (a file or a baseline's name), or of the last run."""
    from benchmarks import _page

    found = _result.read(_result.named(results) if results else _result.LATEST)
    for path, text in ((html, _page.html(found)), (markdown, _page.markdown(found))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(path)
    if opens:
        click.launch(str(html))


@main.command()
@click.argument("suite", type=_NAMES, metavar="SUITE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the graph goes [benchmarks/results/SUITE.svg].",
)
@_SMOKE
def profile(suite: str, output: Path | None, smoke: bool) -> None:
    """Draw where the time of a quick run goes, ours and its children's, as a flame graph."""
    sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
        "py-spy"
    )
    if sampler is None:
        raise BenchmarkError("py-spy not found: pip install py-spy")
    output = (output or _result.RESULTS / f"{suite}.svg").absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [sampler, "record", "--subprocesses", "--rate", "100", "--output", str(output)]
    command += ["--", sys.executable, "-m", "benchmarks", "run", suite]
    command += ["--smoke" if smoke else "--quick"]
    command += ["-o", str(output.with_suffix(".json"))]
    done = subprocess.run(command, check=False, cwd=Path(__file__).resolve().parent.parent)
    if not output.is_file():
        raise BenchmarkError(f"py-spy drew nothing; it ended with status {done.returncode}")
    click.echo(output)


def line(each: Row) -> str:
    """Return a row as one line for who waits."""
    what = " ".join(filter(None, each.key))
    if each.median is None:
        return f"{what}: {each.note}"
    ratio = "" if each.ratio is None else f", {each.ratio:.2f} of {each.reference}"
    target = (
        "" if each.holds is None else f", target {each.target:g}: {_report.verdict(each.holds)}"
    )
    return f"{what}: {_report.number(each.median)} {each.unit}{ratio}{target}"


def command(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what cannot be done is said in a line, with status 2."""
    try:
        main(arguments, prog_name="python -m benchmarks")
    except BenchmarkError as error:
        _report.say(str(error))
        raise SystemExit(2) from error


if __name__ == "__main__":
    command()
