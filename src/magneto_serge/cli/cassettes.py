"""`magneto list` and `magneto show`: what is in the cassettes, without changing anything.

On a terminal the output is drawn; piped, it is plain and whole. ``--json`` is for programs. One
cassette that cannot be read does not hide the others; it is named, and the exit status tells.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import click
import msgspec

from magneto_serge.config import load_settings
from magneto_serge.errors import CassetteError
from magneto_serge.messages import FileBody, Interaction, body_size
from magneto_serge.storage.store import CassetteStore, store_of
from magneto_serge.units import milliseconds, moment, size

from .cassette_options import (
    folder_option,
    json_option,
    out_of_range,
    print_json,
    reveal_option,
)
from .screen import has_colour
from .tables import Column, print_table
from .timeline import WIDTH
from .transcript import Line, as_value, escape_controls, iso_time, lines, shown_url


def _store(folder: str | None) -> CassetteStore:
    given = {} if folder is None else {"cassette_dir": folder}
    return store_of(load_settings(given))


# --- list ---------------------------------------------------------------------------------------


@click.command(
    "list",
    epilog="""\b
Examples:
  magneto list
  magneto list -d tests/cassettes --json""",
)
@folder_option
@json_option
@click.pass_context
def list_cassettes(ctx: click.Context, /, cassette_dir: str | None, as_json: bool) -> None:
    """List the cassettes."""
    store = _store(cassette_dir)
    found: list[_Listed] = []
    unreadable = 0
    for name in store.names():
        try:
            found.append(_described(name, store.path(name), store.load(name)))
        except CassetteError as error:
            unreadable += 1
            click.echo(f"magneto: {error}", err=True)
    if as_json:
        print_json([each.as_value() for each in found])
    elif found:
        print_table(_LIST_COLUMNS, [each.as_row() for each in found])
    elif not unreadable:
        click.echo("No cassettes here. Record one: magneto record NAME -- COMMAND", err=True)
    ctx.exit(CassetteError.exit_code if unreadable else 0)


class _Listed(msgspec.Struct, frozen=True):
    """One cassette: size in bytes, side files included; recorded in seconds since the epoch."""

    name: str
    path: str
    interactions: int
    hosts: list[str]
    size: int
    recorded: float

    def as_value(self) -> dict[str, Any]:
        """Return the cassette as ``--json`` has it."""
        return msgspec.structs.asdict(self) | {"recorded": iso_time(self.recorded)}

    def as_row(self) -> tuple[str, ...]:
        """Return the cassette as the table has it."""
        hosts = escape_controls(", ".join(self.hosts))
        count = f"{self.interactions:,}"
        return self.name, count, size(self.size), moment(self.recorded), hosts


def _described(name: str, path: Path, interactions: list[Interaction]) -> _Listed:
    return _Listed(
        name,
        str(path),
        len(interactions),
        sorted({each.request.authority for each in interactions}),
        path.stat().st_size + _beside(interactions),
        max((each.started for each in interactions), default=0.0),
    )


def _beside(interactions: Iterable[Interaction]) -> int:
    bodies = [
        message.body
        for each in interactions
        for message in (each.request, each.response)
        if message is not None
    ]
    return sum(body.size for body in bodies if isinstance(body, FileBody))


_LIST_COLUMNS = (
    Column("NAME"),
    Column("INTERACTIONS", right=True),
    Column("SIZE", right=True),
    Column("RECORDED"),
    Column("HOSTS", wraps=True),
)


# --- show ---------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  magneto show github                  a table of all interactions
  magneto show github 1                the first one in full, secrets masked
  magneto show github 1 --json | jq .response.body.json""",
)
@click.argument("name")
@click.argument("number", metavar="[N]", type=int, required=False)
@folder_option
@json_option
@reveal_option
def show(
    name: str, number: int | None, cassette_dir: str | None, as_json: bool, reveal: bool
) -> None:
    """Show what is in a cassette, or one interaction in full."""
    interactions = _store(cassette_dir).load(name)
    if number is None:
        _show_all(interactions, as_json=as_json, reveal=reveal)
    elif 1 <= number <= len(interactions):
        _show_one(number, interactions[number - 1], as_json=as_json, reveal=reveal)
    else:
        out_of_range(name, number, len(interactions))


_SHOW_COLUMNS = (
    Column("N", right=True),
    Column("METHOD"),
    Column("URL", wraps=True),
    Column("STATUS"),
    Column("TYPE"),
    Column("SIZE", right=True),
    Column("MS", right=True),
)


def _show_all(interactions: list[Interaction], *, as_json: bool, reveal: bool) -> None:
    rows = [_row(number, each, reveal=reveal) for number, each in enumerate(interactions, 1)]
    if as_json:
        print_json(rows)
        return
    print_table(
        _SHOW_COLUMNS,
        [
            (
                str(row["number"]),
                escape_controls(row["method"]),
                escape_controls(row["url"]),
                str(row["failure"] or row["status"]),
                escape_controls(row["type"] or "-"),
                size(row["size"]),
                milliseconds(row["total_ms"]),
            )
            for row in rows
        ],
    )


def _row(number: int, interaction: Interaction, *, reveal: bool) -> dict[str, Any]:
    """Return one line of the table as ``--json`` has it."""
    response, failure = interaction.response, interaction.failure
    kind = response.headers.get("content-type", "") if response is not None else ""
    return {
        "number": number,
        "method": interaction.request.method,
        "url": shown_url(interaction.request, reveal=reveal),
        "status": None if response is None else response.status,
        "failure": None if failure is None else failure.kind,
        "type": (kind or "").partition(";")[0].strip() or None,
        "size": 0 if response is None else body_size(response.body),
        "total_ms": interaction.total_ms,
    }


def _show_one(number: int, interaction: Interaction, *, as_json: bool, reveal: bool) -> None:
    if as_json:
        print_json(as_value(number, interaction, reveal=reveal))
        return
    width = get_terminal_size((WIDTH, 24)).columns
    transcript = lines(number, interaction, reveal=reveal, width=width)
    if has_colour(sys.stdout):
        _draw(transcript)
    else:
        for line in transcript:
            click.echo(line.text)


_STYLES = {
    "start": "bold",
    "field": "cyan",
    "note": "dim",
    "failure": "bold red",
    "body": "",
    "client": "green",
    "server": "blue",
}


def _draw(transcript: Iterable[Line]) -> None:
    from rich.console import Console
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in transcript:
        if line.role == "json":
            console.print(JSONHighlighter()(line.text))
        else:
            console.print(Text(line.text, _STYLES[line.role]))
