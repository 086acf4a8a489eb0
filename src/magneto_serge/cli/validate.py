"""`magneto validate`: is everything in these cassettes as the format says?

Each cassette is read to its end: syntax, every field's name and type, the form of each body, the
content of side files against their digests, of what is marked as a template its syntax, and of a
binary one checksums and index. A reader stops at the first thing that it cannot use, so one problem
is reported for each cassette; the next cassette is checked all the same.
"""

from __future__ import annotations

import time
from collections import deque

import click

from magneto_serge.errors import CassetteError, CassetteNotFoundError, ConfigError
from magneto_serge.replay.matching import body_key, head_digest, head_key, key_digest
from magneto_serge.replay.secrets.neutral import neutral_of
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.faults import damaged
from magneto_serge.units import count

from .cassette_files import CassetteFiles
from .cassette_options import folder_option
from .progress import tracked

DAMAGED = 1  # the exit status
_REMEDY = "Write it anew: magneto convert."


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
    sound = [_is_sound(files, name) for name in chosen]
    if not chosen:
        click.echo(f"There are no cassettes in {files.folder}.", err=True)
    ctx.exit(0 if all(sound) else DAMAGED)


def _is_sound(files: CassetteFiles, name: str) -> bool:
    try:
        number = _check(files.read(name, verify=True), name)
    except CassetteNotFoundError:
        raise  # a mistake in the command, not in a cassette
    except CassetteError as error:
        click.echo(f"magneto: {error}", err=True)
        return False
    click.echo(f"{name}: {count(number, 'interaction')}, sound")
    return True


def _check(cassette: Cassette, name: str) -> int:
    """Return the number of interactions; raises CassetteError at the first that is damaged."""
    keys = []
    templates = 0
    for number, each in enumerate(tracked(cassette, f"Checking {name}", len(cassette))):
        if each.websocket is not None:
            deque(each.websocket.messages, maxlen=0)  # a long one is read as it is asked for
        templates += each.template
        if cassette.binary:
            request = neutral_of(each.request)
            head, body = head_key(request), body_key(request.headers, request.body)
            keys.append(head_digest(head) + key_digest(head, body) + number.to_bytes(4, "big"))
    container = cassette.container
    if container is not None and container.searchable:
        container.side_files()
        if list(container.entries()) != sorted(keys):
            raise damaged(cassette.path, "the index", "it does not find every interaction", _REMEDY)
    if templates:
        _check_templates(cassette, name)
    return len(cassette)


def _check_templates(cassette: Cassette, name: str) -> None:
    from magneto_serge.replay.templates import Templates

    try:
        templates = Templates(
            environ={}, allowed=(), seed=None, clock=time.time, timer=time.perf_counter
        )
    except ConfigError as error:  # Jinja is not installed, and need not be to record
        click.echo(f"{name}: its templates were not checked: {error}", err=True)
        return
    templates.check(cassette, str(cassette.path))
