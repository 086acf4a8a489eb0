"""`magneto export`: a cassette for another tool, and what that tool cannot hold.

To stdout, or whole or not at all to a file. What was masked in the cassette is masked in what is
written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from magneto_serge.errors import ConfigError
from magneto_serge.interop.remarks import Remarks
from magneto_serge.interop.targets import TARGETS, Target
from magneto_serge.messages import Interaction
from magneto_serge.units import count

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, force_option, shown_path

_SHOWN = 100  # characters of a detail


@click.command(
    epilog="""\b
Examples:
  magneto export github --to har -o github.har
  magneto export github --to vcrpy -o tests/cassettes/github.yaml
  magneto export github --to curl | sh""",
)
@click.argument("name")
@click.option(
    "--to", "target", type=click.Choice(list(TARGETS)), required=True, help="The tool to write for."
)
@click.option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout.")
@force_option
@folder_option
def export(
    name: str, target: str, output: str | None, force: bool, cassette_dir: str | None
) -> None:
    """Write a cassette for another tool.

    What that tool cannot hold is said on stderr.
    """
    cassette = CassetteFiles(cassette_dir).read(name)
    remarks = Remarks()
    chosen = TARGETS[target]
    if output is None:
        chosen.write(cassette, sys.stdout.buffer, remarks)
        sys.stdout.buffer.flush()
    else:
        path = Path(output)
        if path.exists() and not force:
            raise ConfigError(f"{path} exists already. Choose another name, or say --force.")
        _save(chosen, cassette, path, remarks)
        said = f"wrote {shown_path(path.absolute())}: {count(len(cassette), 'interaction')}"
        click.echo(f"magneto: {said}", err=True)
    _warn(remarks, target)


def _save(target: Target, cassette: Sequence[Interaction], path: Path, remarks: Remarks) -> None:
    from magneto_serge.storage.atomic import replacing

    try:
        with replacing(path) as out:
            target.write(cassette, out, remarks)
        if target.script:
            path.chmod(path.stat().st_mode | 0o100)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}.") from error


def _warn(remarks: Remarks, target: str) -> None:
    for kind, times in remarks.counts.most_common():
        first = remarks.first[kind][:_SHOWN]
        said = f"in {target}, {kind.value} ({count(times, 'time')}; first: {first})"
        click.echo(f"magneto: {said}", err=True)
