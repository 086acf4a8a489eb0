"""`magneto validate`: is everything in these cassettes as the format says?

Each cassette is read to its end: syntax, every field's name and type, the form of each body, and
the content of side files against their digests. A reader stops at the first thing that it cannot
use, so one problem is reported for each cassette; the next cassette is checked all the same.
"""

from __future__ import annotations

import click

from magneto_serge.errors import CassetteError, CassetteNotFoundError

from .cassette_files import CassetteFiles
from .cassette_options import folder_option
from .progress import tracked
from .units import count

DAMAGED = 1  # the exit status


@click.command(
    epilog="""\b
Examples:
  magneto validate github
  magneto validate --all -d tests/cassettes""",
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Check every cassette of the folder.")
@folder_option
@click.pass_context
def validate(
    ctx: click.Context, /, names: tuple[str, ...], every: bool, cassette_dir: str | None
) -> None:
    """Check cassettes: every field and every body.

    The exit status is 1 if anything is wrong; file, interaction and field are named.
    """
    if bool(names) == every:
        ctx.fail("Name the cassettes to check, or say --all.")
    files = CassetteFiles(cassette_dir)
    chosen = files.names() if every else list(names)
    sound = [_is_sound(files, name) for name in tracked(chosen, "Checking", len(chosen))]
    if not chosen:
        click.echo(f"There are no cassettes in {files.folder}.", err=True)
    ctx.exit(0 if all(sound) else DAMAGED)


def _is_sound(files: CassetteFiles, name: str) -> bool:
    try:
        interactions = files.read(name, verify=True)
    except CassetteNotFoundError:
        raise  # a mistake in the command, not in a cassette
    except CassetteError as error:
        click.echo(f"magneto: {error}", err=True)
        return False
    click.echo(f"{name}: {count(len(interactions), 'interaction')}, sound")
    return True
