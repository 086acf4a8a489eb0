"""`magneto convert` and `recover`: the same interactions in another file.

``convert`` changes the format and nothing else; the older file goes when the new one is complete.
``recover`` makes a cassette of a journal that a crash left, or of a binary cassette that was cut:
every whole interaction, and it says what was lost. It never replaces a cassette.
"""

from __future__ import annotations

import click

from magneto_serge.errors import ConfigError
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.formats import FORMATS, split_suffix
from magneto_serge.storage.json_format import older_texts
from magneto_serge.storage.packing import unpacked
from magneto_serge.units import count, size

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, force_option, say_written, shown_path
from .progress import tracked


@click.command(
    epilog="""\b
Examples:
  magneto convert github --to msgpack.zst           instead of github.json
  magneto convert github --to json -o to-read       beside it
  magneto convert github --to json --stable         without times and the like""",
)
@click.argument("name")
@click.option(
    "--to",
    "format",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="The format to write.",
)
@click.option("-o", "--output", metavar="OUT", help="Write another cassette, leave NAME as it is.")
@click.option(
    "--exact-bodies",
    is_flag=True,
    default=None,
    help="Store bodies as the bytes received, compressed ones too.",
)
@click.option(
    "--stable",
    is_flag=True,
    default=None,
    help="Leave out of JSON what changes with every recording.",
)
@force_option
@folder_option
def convert(
    name: str,
    format: str,
    output: str | None,
    exact_bodies: bool | None,
    stable: bool | None,
    force: bool,
    cassette_dir: str | None,
) -> None:
    """Write a cassette in another format.

    The older file goes when the new one is complete.
    """
    files = CassetteFiles(cassette_dir, exact_bodies=exact_bodies, stable=stable)
    cassette = files.take(name)
    if not (output or exact_bodies or stable) and _is_already(cassette, format):
        click.echo(f"magneto: {shown_path(cassette.path)} is that already", err=True)
        return
    before = files.size(name)
    target = _target(str(cassette.path) if output is None else output, format, output)
    following = tracked(cassette, "Writing", len(cassette))
    path = files.write(target, following, replace=force or output is None)
    say_written(path, len(cassette))
    click.echo(f"magneto: {size(files.size(str(path)))}, from {size(before)}", err=True)


def _target(name: str, format: str, output: str | None) -> str:
    """Return the name with the suffix of the format; raises ConfigError where it has another."""
    bare, suffix = split_suffix(name)
    if output is not None and suffix is not None and suffix.name != format:
        raise ConfigError(f"-o {output} says {suffix.name}, --to says {format}: leave one out.")
    return bare + FORMATS[format].suffix


def _is_already(cassette: Cassette, format: str) -> bool:
    """Tell whether name and content are of the format, and of the version that we write."""
    named = split_suffix(cassette.path.name)[1]
    if named != FORMATS[format] or cassette.binary != named.binary:
        return False
    if cassette.binary:
        return True
    data = unpacked(cassette.path, cassette.path.read_bytes())
    return older_texts(cassette.path, data) is not None


@click.command(
    epilog="""\b
Examples:
  magneto recover github""",
)
@click.argument("name")
@folder_option
def recover(name: str, cassette_dir: str | None) -> None:
    """Make a cassette of what a crash has left.

    It is called NAME where there is no such cassette, otherwise NAME-recovered.
    """
    found = CassetteFiles(cassette_dir).recover(name)
    say_written(found.path, found.interactions)
    lost = f"{count(found.lost_bytes, 'byte')} at its end" if found.lost_bytes else "nothing"
    click.echo(f"magneto: lost: {lost}", err=True)
