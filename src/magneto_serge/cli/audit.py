"""`magneto audit`: is there a secret in these cassettes?

For pre-commit and CI: the exit status is 1 if there is anything that looks like one. What is found
is named so that it can be looked at, and shown so that nobody learns it from the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from magneto_serge.replay.masking import mask
from magneto_serge.replay.secrets.report import Finding, findings
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.units import count

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, json_option, print_json, shown_path
from .progress import tracked
from .tables import Column, print_table

FOUND = 1  # the exit status


class _Place(NamedTuple):
    path: Path
    interaction: int
    finding: Finding


@click.command(
    epilog="""\b
Examples:
  magneto audit                           every cassette of the folder
  magneto audit github
  magneto audit tests/cassettes/*.json --json""",
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every cassette of the folder, as without NAME.")
@json_option
@folder_option
@click.pass_context
def audit(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    every: bool,
    as_json: bool,
    cassette_dir: str | None,
) -> None:
    """Find what looks like a secret in cassettes.

    File, interaction, place and kind are named; the exit status is 1 if there is anything. The
    settings of redaction count here too: names and patterns of your own, and what you allow.
    """
    if names and every:
        ctx.fail("Name the cassettes to look at, or say --all.")
    files = CassetteFiles(cassette_dir)
    rules = SecretRules.of(files.settings)
    chosen = list(names) or files.names()
    found = [place for name in chosen for place in _audited(files, rules, name)]
    if as_json:
        print_json([_plain(each) for each in found])
    elif found:
        _print(found)
    cassettes = count(len(chosen), "cassette")
    said = f"{count(len(found), 'secret')} in {cassettes}" if found else f"no secret in {cassettes}"
    remedy = ". Remove them with: magneto redact" if found else ""
    click.echo(f"magneto: {said}{remedy}", err=True)
    ctx.exit(FOUND if found else 0)


def _audited(files: CassetteFiles, rules: SecretRules, name: str) -> Iterator[_Place]:
    cassette = files.read(name)
    following = enumerate(tracked(cassette, f"Reading {name}", len(cassette)), 1)
    for number, interaction in following:
        for finding in findings(rules.finder, interaction):
            yield _Place(cassette.path, number, finding)


def _shown(value: bytes) -> str:
    """Return the first characters of a secret; of a short one none."""
    return "".join(c if c.isprintable() else "." for c in mask(value.decode("latin-1"))[:24])


def _plain(place: _Place) -> dict[str, object]:
    return {
        "file": str(shown_path(place.path)),
        "interaction": place.interaction,
        "place": place.finding.place,
        "kind": place.finding.kind,
        "name": place.finding.name,
        "excerpt": _shown(place.finding.value),
    }


def _print(found: list[_Place]) -> None:
    columns = (
        Column("cassette"),
        Column("#", right=True),
        Column("place", wraps=True),
        Column("kind"),
        Column("excerpt"),
    )
    print_table(
        columns,
        [
            (
                str(shown_path(each.path)),
                str(each.interaction),
                _placed(each.finding),
                each.finding.kind,
                _shown(each.finding.value),
            )
            for each in found
        ],
    )


def _placed(finding: Finding) -> str:
    name = finding.name.removeprefix("cookie ")
    named = name and not finding.place.lower().endswith(name.lower())
    return f"{finding.place}, {name}" if named else finding.place
