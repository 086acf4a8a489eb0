"""Differences as ``diff`` prints them: lines marked ``-`` for what was, ``+`` for what is.

A screen is not a file: long values are cut, control characters shown and not obeyed, colour only
on a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click
from msgspec import Raw

from magneto_serge.replay.json_comparison import Difference

from .screen import has_colour
from .transcript import escape_controls

_LONGEST = 500  # characters of one value that are printed; --json has all
_COLOURS = {"-": "red", "+": "green", "!": "yellow"}

Marked = tuple[str, str]
"""A mark, ``-``, ``+``, ``!`` or a space, and the line after it."""


def difference_lines(differences: Iterable[Difference]) -> Iterator[Marked]:
    """Yield each field, then what it was, then what it is."""
    for field, recorded, live in differences:
        yield " ", f"    {escape_controls(field)}"
        yield from (("-", f"    {line}") for line in _value_lines(recorded))
        yield from (("+", f"    {line}") for line in _value_lines(live))


def _value_lines(value: str | Raw | None) -> list[str]:
    if value is None:
        return []
    text = bytes(value).decode() if isinstance(value, Raw) else value
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… and {len(text) - _LONGEST:,} more characters"
    return escape_controls(text).split("\n")


def print_marked(lines: Iterable[Marked]) -> None:
    """Print the lines on stdout."""
    colour = has_colour(sys.stdout)
    for mark, text in lines:
        line = f"{mark} {text}".rstrip()
        if colour and mark in _COLOURS:
            line = click.style(line, fg=_COLOURS[mark])
        click.echo(line, color=colour)
