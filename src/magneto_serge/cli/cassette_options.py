"""What the commands that look at and change cassettes have in common on the command line.

The same option has the same spelling and means the same in each of them. Anything that writes a
cassette names it with ``-o`` and leaves an existing one alone without ``--force``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click
import msgspec

from magneto_serge.errors import ConfigError
from magneto_serge.units import count

folder_option = click.option(
    "-d",
    "--cassette-dir",
    metavar="FOLDER",
    help="Folder of the cassettes [cassettes].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
reveal_option = click.option("--reveal", is_flag=True, help="Do not mask secrets.")
output_option = click.option(
    "-o", "--output", metavar="OUT", required=True, help="The cassette to write."
)
force_option = click.option(
    "-f", "--force", is_flag=True, help="Replace what is to be written if it exists."
)


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def shown_path(path: Path) -> Path:
    """Return a path as short as it can be from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def say_written(path: Path, interactions: int) -> None:
    """Say on stderr what was written."""
    click.echo(f"magneto: wrote {shown_path(path)}: {count(interactions, 'interaction')}", err=True)


def out_of_range(name: str, number: int, last: int) -> NoReturn:
    """Raise ConfigError: there is no interaction of that number."""
    have = "is empty" if last == 0 else f"has interactions 1 to {last}" if last > 1 else "has one"
    raise ConfigError(f"cassette {name!r} {have}: there is no number {number}")
