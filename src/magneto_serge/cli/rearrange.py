"""`magneto merge`, `split` and `filter`: other cassettes from the interactions of some.

Interactions are moved, never changed, and keep their order: it is the order in which equal
requests are replayed. The cassettes that are read stay as they are, unless one of them is to be
replaced by the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

import click

from magneto_serge.errors import ConfigError, MagnetoError
from magneto_serge.messages import Interaction

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, force_option, output_option, say_written
from .choosing import Choice, Outcomes
from .progress import tracked

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def _write(
    files: CassetteFiles, name: str, interactions: Iterable[Interaction], total: int, *, force: bool
) -> None:
    following = tracked(interactions, f"Writing {name}", total)
    say_written(files.write(name, following, replace=force), total)


# --- merge --------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  magneto merge users orders -o shop
  magneto merge github github-new -o github --force""",
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@output_option
@force_option
@folder_option
def merge(names: tuple[str, ...], output: str, force: bool, cassette_dir: str | None) -> None:
    """Put the interactions of several cassettes into one.

    First those of the first, then those of the second, and so on. Equal requests that are in more
    than one are all kept, and replayed in this order.
    """
    files = CassetteFiles(cassette_dir)
    files.must_be_free(output, replace=force)
    cassettes = [files.take(name) for name in names]
    _write(files, output, chain.from_iterable(cassettes), sum(map(len, cassettes)), force=force)


# --- split --------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  magneto split shop --by host            shop-api.example.com, shop-cdn.example.com, ...
  magneto split shop --size 500 -o part   part-1, part-2, ...""",
)
@click.argument("name")
@click.option("--by", type=click.Choice(["host"]), help="One cassette for each host.")
@click.option("--size", type=click.IntRange(min=1), metavar="N", help="N interactions in each.")
@click.option("-o", "--output", metavar="PREFIX", help="How the names of the parts begin [NAME].")
@force_option
@folder_option
@click.pass_context
def split(
    ctx: click.Context,
    /,
    name: str,
    by: str | None,
    size: int | None,
    output: str | None,
    force: bool,
    cassette_dir: str | None,
) -> None:
    """Make several cassettes of one, by host or by size.

    The parts stand beside NAME, which stays as it is.
    """
    if (by is None) == (size is None):
        ctx.fail("Say how to split: --by host, or --size N.")
    files = CassetteFiles(cassette_dir)
    cassette = files.take(name)
    parts = _by_host(cassette) if size is None else _by_size(len(cassette), size)
    names = {files.part(output or name, label): part for label, part in parts.items()}
    for part in names:
        files.must_be_free(part, replace=force)
    for part, numbers in names.items():
        _write(files, part, map(cassette.__getitem__, numbers), len(numbers), force=force)


def _by_host(interactions: Sequence[Interaction]) -> dict[str, Sequence[int]]:
    """Return the positions of each host's under a label that can stand in a file's name."""
    hosts: dict[str, list[int]] = {}
    for position, each in enumerate(tracked(interactions, "Reading", len(interactions))):
        hosts.setdefault(each.request.authority, []).append(position)
    labelled: dict[str, Sequence[int]] = {}
    for host, theirs in hosts.items():
        label = plain = _NOT_IN_A_NAME.sub("-", host).strip("-.") or "host"
        number = 1
        while label in labelled:  # two hosts that differ only in what a name cannot hold
            number += 1
            label = f"{plain}-{number}"
        labelled[label] = theirs
    return labelled


def _by_size(length: int, size: int) -> dict[str, Sequence[int]]:
    """Return ranges of positions under numbers that sort as they count."""
    starts = range(0, length, size)
    digits = len(str(len(starts)))
    return {
        f"{number:0{digits}}": range(start, min(start + size, length))
        for number, start in enumerate(starts, 1)
    }


# --- filter -------------------------------------------------------------------------------------


@click.command(
    "filter",
    epilog="""\b
Examples:
  magneto filter shop --host api.example.com -o api
  magneto filter shop --status 5xx --status failed -o trouble
  magneto filter shop --host '*.tracker.example' --invert -o shop --force""",
)
@click.argument("name")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="This host; * is a wildcard.")
@click.option("--path", "paths", multiple=True, metavar="PATH", help="This path; * is a wildcard.")
@click.option("--method", "methods", multiple=True, metavar="METHOD", help="This method.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    help="This status: 404, 4xx, 400-499, or failed.",
)
@click.option("-v", "--invert", is_flag=True, help="Keep the others.")
@output_option
@force_option
@folder_option
def filter_cassette(
    name: str,
    hosts: tuple[str, ...],
    paths: tuple[str, ...],
    methods: tuple[str, ...],
    statuses: tuple[str, ...],
    invert: bool,
    output: str,
    force: bool,
    cassette_dir: str | None,
) -> None:
    """Keep some interactions of a cassette.

    Each option may be repeated: values of one option are alternatives, different options must all
    hold. Where nothing is left, nothing is written, and the exit status is 1.
    """
    choice = Choice(hosts, paths, methods, Outcomes.of(statuses))
    if choice == Choice():
        raise ConfigError("say what to keep: --host, --path, --method or --status.")
    files = CassetteFiles(cassette_dir)
    files.must_be_free(output, replace=force)
    cassette = files.take(name)
    following = enumerate(tracked(cassette, "Reading", len(cassette)))
    kept = [position for position, each in following if choice.fits(each) != invert]
    if not kept:
        raise MagnetoError(f"no interaction of {name!r} is left: nothing was written.")
    _write(files, output, map(cassette.__getitem__, kept), len(kept), force=force)
