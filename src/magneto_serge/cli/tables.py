"""Tables on stdout: drawn with rich on a terminal, plain aligned columns where they are piped.

What is piped is whole: no colour, no cut-off, no wrapping, one line for each row.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from .screen import has_colour


class Column(NamedTuple):
    """A heading; numbers go to the ``right``; only ``wraps`` columns may take several lines."""

    title: str
    right: bool = False
    wraps: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headings, in the way that suits stdout."""
    if sys.stdout.isatty():
        _draw(columns, rows)
    else:
        click.echo("\n".join(aligned(columns, rows)))


def aligned(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one line for the headings and one for each row, two spaces between columns."""
    lines = [[column.title for column in columns], *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    ]


def _draw(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(no_color=not has_colour(sys.stdout), highlight=False).print(table)
