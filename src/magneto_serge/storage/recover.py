"""Make a cassette of what a crash left behind: of a journal, or of a binary cassette that was cut.

``CassetteStore.recover(name)`` does it by name, and opening a cassette that does not exist does it
by itself where a crashed recording of it is all there is; ``magneto recover NAME`` is for people.
The cassette that is made is always a new one: whether it replaces an older one is for the person
who looks at it to say.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from magneto_serge.errors import CassetteBusyError, CassetteError, ConfigError

from .assemble import assemble
from .body_rules import DEFAULT_RULES, BodyRules
from .container import MAGIC
from .formats import FORMATS, JSON, split_suffix
from .frames import own_folder, read_opening
from .journal import holds_anything, is_being_written
from .names import CassettePaths, paths_of


class Recovery(NamedTuple):
    """The cassette that was made: its ``path``, and how many ``interactions`` it has.

    ``lost_bytes`` were after the last whole one, and are not in it.
    """

    path: Path
    interactions: int
    lost_bytes: int


def recover(journal: Path, cassette: Path, rules: BodyRules = DEFAULT_RULES) -> Recovery:
    """Write ``cassette`` from ``journal`` and remove the journal.

    What was being written when the crash came is left out. Raises CassetteError (and keeps the
    journal) where it is still being recorded, cannot be read, or ``cassette`` exists.
    """
    if cassette.exists():
        raise CassetteError(f"{cassette} exists already. Name a cassette that does not exist.")
    name, format = split_suffix(cassette.name)
    if format is None:
        suffixes = ", ".join(each.suffix for each in FORMATS.values())
        raise ConfigError(f"{cassette} cannot be loaded by name: it must end in one of {suffixes}.")
    return _recover(journal, paths_of(cassette.parent, cassette.name), name, rules)


def recover_from(paths: CassettePaths, rules: BodyRules) -> Recovery | None:
    """Recover what is left of the cassette ``paths``; None where there is nothing.

    It takes the cassette's own name where that is free, otherwise NAME-recovered. Raises as
    :func:`recover` does.
    """
    left = remains_of(paths)
    if left is None:
        return None
    stem = split_suffix(paths.cassette.name)[0]
    free, number = paths, 1
    while free.existing():
        name = f"{stem}-recovered" if number == 1 else f"{stem}-recovered-{number}"
        free = paths_of(paths.cassette.parent, name, paths.format)
        number += 1
    return _recover(left, free, split_suffix(free.cassette.name)[0], rules)


def remains_of(paths: CassettePaths) -> Path | None:
    """Return what there is to recover of a cassette, the newest first; None if there is nothing.

    Raises CassetteBusyError where that is being recorded.
    """
    for journal in (paths.journal, *_crashed(paths.journal)):
        if _holds_anything(journal):
            return journal
    for cassette in paths.existing():
        if split_suffix(cassette.name)[1] != JSON and _is_cut(cassette):
            return cassette
    return None


def _crashed(journal: Path) -> list[Path]:
    numbered = re.compile(re.escape(journal.name) + r"\.crashed-(\d+)")
    if not journal.parent.is_dir():
        return []
    found = [
        (int(match[1]), path)
        for path in journal.parent.iterdir()
        if (match := numbered.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found, reverse=True)]


def _holds_anything(journal: Path) -> bool:
    try:
        with journal.open("rb") as file:
            opening = read_opening(file)
            size = file.seek(0, 2)
    except OSError:
        return False
    if opening.head is None or not holds_anything(journal, opening, size):
        return False
    if is_being_written(journal):
        raise CassetteBusyError(
            f"{journal} is still being recorded, by process {opening.head.pid}."
            " Wait until that ends."
        )
    return True


def _is_cut(cassette: Path) -> bool:
    """Tell whether a binary cassette has its beginning, but not its end."""
    from .cassette import Cassette

    try:
        with cassette.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return False
        Cassette.open(cassette).close()
    except CassetteError:
        return True
    except OSError:
        return False
    return False


def _recover(journal: Path, target: CassettePaths, name: str, rules: BodyRules) -> Recovery:
    try:
        with _held(journal):
            found = assemble(journal, target, name=name, rules=rules, keep_older=False)
            if split_suffix(journal.name)[1] is None:
                _remove(journal)
    except OSError as error:
        raise CassetteError(
            f"cannot recover {journal}: {error.filename or target.cassette}: {error.strerror}."
        ) from error
    return Recovery(target.cassette, found.interactions, found.torn)


@contextmanager
def _held(journal: Path) -> Iterator[None]:
    """Keep others from recovering or recording the same meanwhile."""
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CassetteBusyError(
                f"{journal} is still being recorded. Wait until that ends."
            ) from error
        yield


def _remove(journal: Path) -> None:
    with journal.open("rb") as file:
        head = read_opening(file).head
    if head is not None:
        shutil.rmtree(own_folder(journal, head), ignore_errors=True)
    journal.unlink()
