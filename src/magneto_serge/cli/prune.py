"""`magneto prune`: remove what is too old, or what nothing has played.

By age whole cassettes go. A cassette is as old as its newest interaction, whatever the dates of its
files: a checkout makes those anew. One that does not say when it was recorded has no age and stays;
so does one that cannot be read.

By use interactions go, and cassettes of which nothing is left. An interaction is unused only where
no report has it played; a cassette that has been recorded since its report was written stays as it
is, because the report speaks of others. Without ``--yes`` nothing is removed, only shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from magneto_serge.config_values import parse_age
from magneto_serge.errors import CassetteError
from magneto_serge.storage.age import newest
from magneto_serge.units import count, moment, size

from .cassette_files import CassetteFiles
from .cassette_options import folder_option
from .progress import tracked
from .tables import Column, print_table


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Read ``90d``: hours, days, weeks or years of 365 days (a click callback)."""
    if value is None:
        return None
    try:
        return parse_age(value)
    except ValueError:
        hint = f"{value!r} is no age: write 12h, 90d, 6w or 1y."
        raise click.BadParameter(hint, ctx, parameter) from None


class _Old(NamedTuple):
    """A cassette to remove: recorded in seconds since the epoch, size in bytes."""

    name: str
    recorded: float
    size: int


class _Unused(NamedTuple):
    """A cassette with interactions to remove; ``kept`` are the positions, from 0, that stay."""

    name: str
    length: int
    kept: list[int]


@click.command(
    epilog="""\b
Examples:
  magneto prune --older-than 90d         show what would be removed
  magneto prune --older-than 90d --yes   remove it
  magneto replay github --play-report plays.json -- pytest
  magneto prune --unused plays.json      show what the tests did not ask for""",
)
@click.option(
    "--older-than",
    "age",
    callback=_seconds,
    metavar="AGE",
    help="Recorded before: 12h, 90d, 6w or 1y ago.",
)
@click.option(
    "--unused",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="Not played by any run that wrote to this report; may be repeated.",
)
@click.option("-y", "--yes", is_flag=True, help="Remove them; otherwise they are only shown.")
@folder_option
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    age: float | None,
    reports: tuple[Path, ...],
    yes: bool,
    cassette_dir: str | None,
) -> None:
    """Remove what was recorded long ago, or what nothing plays.

    A cassette is as old as its newest interaction. What was played is in reports that runs write
    (--play-report) and the pytest plugin does; a cassette that no report names is unused as a
    whole, so let the reports be of complete runs. Without --yes nothing is removed.
    """
    if (age is None) == (not reports):
        ctx.fail("Say what to remove: --older-than AGE, or --unused REPORT.")
    files = CassetteFiles(cassette_dir)
    if age is not None:
        unreadable = _by_age(files, time.time() - age, yes=yes)
    else:
        unreadable = _by_use(files, reports, yes=yes)
    ctx.exit(CassetteError.exit_code if unreadable else 0)


# --- by age ---------------------------------------------------------------------------------------


def _by_age(files: CassetteFiles, limit: float, *, yes: bool) -> bool:
    old, unreadable = _older_than(files, limit)
    if old:
        columns = (Column("NAME"), Column("RECORDED"), Column("SIZE", right=True))
        print_table(columns, [(name, moment(at), size(space)) for name, at, space in old])
    many = count(len(old), "cassette")
    space = size(sum(each.size for each in old))
    if not old:
        click.echo("magneto: no cassette is as old as that", err=True)
    elif not yes:
        click.echo(f"magneto: nothing was removed; --yes removes {many}, {space}", err=True)
    else:
        for each in old:
            files.remove(each.name)
        click.echo(f"magneto: removed {many}, {space}", err=True)
    return unreadable


def _older_than(files: CassetteFiles, limit: float) -> tuple[list[_Old], bool]:
    """Return the cassettes recorded before ``limit``, and whether any could not be read."""
    names = files.names()
    old: list[_Old] = []
    unreadable = False
    for name in tracked(names, "Reading", len(names)):
        try:
            recorded = newest(files.path(name), looked_at=None) or 0.0
        except CassetteError as error:
            unreadable = True
            click.echo(f"magneto: {error}", err=True)
            continue
        if recorded and recorded < limit:
            old.append(_Old(name, recorded, files.size(name)))
    return old, unreadable


# --- by use ---------------------------------------------------------------------------------------


def _by_use(files: CassetteFiles, reports: tuple[Path, ...], *, yes: bool) -> bool:
    from magneto_serge.storage.play_report import read

    plays = read(reports)
    unused: list[_Unused] = []
    unreadable = False
    names = files.names()
    for name in tracked(names, "Reading", len(names)):
        try:
            unused += _unplayed(files, name, plays)
        except CassetteError as error:
            unreadable = True
            click.echo(f"magneto: {error}", err=True)
    if unused:
        columns = (Column("NAME"), Column("UNUSED", right=True), Column("OF", right=True))
        rows = [(name, f"{length - len(kept):,}", f"{length:,}") for name, length, kept in unused]
        print_table(columns, rows)
    _conclude(files, unused, yes=yes)
    return unreadable


def _unplayed(files: CassetteFiles, name: str, plays: dict[Path, list[int]]) -> Iterator[_Unused]:
    """Yield what is to be removed of a cassette, if there is anything."""
    path = files.path(name).absolute()
    with files.read(name) as cassette:
        length = len(cassette)
    counts = plays.get(path)
    if counts is None:
        yield _Unused(name, length, [])
    elif counts and len(counts) != length:
        click.echo(
            f"magneto: {name} stays as it is: it has {length} interactions, and {len(counts)} when"
            " the report was written",
            err=True,
        )
    elif not all(counts):
        yield _Unused(name, length, [at for at, played in enumerate(counts) if played])


def _conclude(files: CassetteFiles, unused: list[_Unused], *, yes: bool) -> None:
    many = count(sum(each.length - len(each.kept) for each in unused), "interaction")
    whole = sum(not each.kept for each in unused)
    what = f"{many}, and {count(whole, 'cassette')} with them" if whole else many
    if not unused:
        click.echo("magneto: everything was played", err=True)
    elif not yes:
        click.echo(f"magneto: nothing was removed; --yes removes {what}", err=True)
    else:
        for name, _, kept in unused:
            if kept:
                cassette = files.take(name)
                files.write(str(cassette.path), map(cassette.__getitem__, kept), replace=True)
            else:
                files.remove(name)
        click.echo(f"magneto: removed {what}", err=True)
