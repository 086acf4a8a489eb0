"""`magneto prune`: remove the cassettes that were recorded too long ago.

A cassette is as old as its newest interaction, whatever the dates of its files: a checkout makes
those anew. One that does not say when it was recorded has no age and stays; so does one that cannot
be read. Without ``--yes`` nothing is removed, only shown.
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import click

from magneto_serge.errors import CassetteError
from magneto_serge.storage.age import newest

from .cassette_files import CassetteFiles
from .cassette_options import folder_option
from .progress import tracked
from .tables import Column, print_table
from .units import count, moment, size

_AGE = re.compile(r"(\d{1,6})\s*([hdwy])", re.IGNORECASE)
_SECONDS = {"h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0, "y": 365 * 86_400.0}


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str) -> float:
    """Read ``90d``: hours, days, weeks or years of 365 days (a click callback)."""
    found = _AGE.fullmatch(value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is no age: write 12h, 90d, 6w or 1y.", ctx, parameter)
    return int(found[1]) * _SECONDS[found[2].lower()]


class _Old(NamedTuple):
    """A cassette to remove: recorded in seconds since the epoch, size in bytes."""

    name: str
    recorded: float
    size: int


@click.command(
    epilog="""\b
Examples:
  magneto prune --older-than 90d         show what would be removed
  magneto prune --older-than 90d --yes   remove it""",
)
@click.option(
    "--older-than",
    "age",
    callback=_seconds,
    required=True,
    metavar="AGE",
    help="Recorded before: 12h, 90d, 6w or 1y ago.",
)
@click.option("-y", "--yes", is_flag=True, help="Remove them; otherwise they are only shown.")
@folder_option
@click.pass_context
def prune(ctx: click.Context, /, age: float, yes: bool, cassette_dir: str | None) -> None:
    """Remove the cassettes that were recorded long ago.

    A cassette is as old as its newest interaction. Without --yes nothing is removed.
    """
    files = CassetteFiles(cassette_dir)
    old, unreadable = _older_than(files, time.time() - age)
    if old:
        columns = (Column("NAME"), Column("RECORDED"), Column("SIZE", right=True))
        print_table(columns, [(name, moment(at), size(space)) for name, at, space in old])
    _conclude(files, old, yes=yes)
    ctx.exit(CassetteError.exit_code if unreadable else 0)


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


def _conclude(files: CassetteFiles, old: list[_Old], *, yes: bool) -> None:
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
