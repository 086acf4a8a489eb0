"""Make a cassette of a journal that a crash left behind.

``python -m magneto_serge.storage.recover JOURNAL CASSETTE`` is what the warning about such a
journal says; :func:`recover` does it. The cassette must be a new one: whether it replaces an older
cassette is for the person who looks at it to say.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from magneto_serge.errors import CassetteBusyError, CassetteError, ConfigError, MagnetoError

from .assemble import assemble
from .frames import FrameReader
from .journal import is_being_written
from .json_write import DEFAULT_RULES, BodyRules
from .names import SUFFIX, paths_of


def recover(journal: Path, cassette: Path, rules: BodyRules = DEFAULT_RULES) -> int:
    """Write ``cassette`` from ``journal``, remove the journal, return the number of interactions.

    What was being written when the crash came is left out. Raises CassetteError (and keeps the
    journal) where it is still being recorded, cannot be read, or ``cassette`` exists.
    """
    if cassette.exists():
        raise CassetteError(f"{cassette} exists already. Name a cassette that does not exist.")
    if not cassette.name.endswith(SUFFIX):
        raise ConfigError(f"{cassette} cannot be loaded by name: it must end in {SUFFIX}.")
    try:
        if is_being_written(journal):
            raise CassetteBusyError(f"{journal} is still being recorded. Wait until that ends.")
        target = paths_of(cassette.parent, cassette.name)
        name = cassette.name.removesuffix(SUFFIX)
        found = assemble(journal, target, name=name, rules=rules, keep_older=False)
        with journal.open("rb") as file:
            bodies = FrameReader(file, journal).home
        shutil.rmtree(bodies, ignore_errors=True)
        journal.unlink()
    except OSError as error:
        raise CassetteError(
            f"cannot recover {journal}: {error.filename or cassette}: {error.strerror}."
        ) from error
    return found


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m magneto_serge.storage.recover JOURNAL CASSETTE.json\n")
        return ConfigError.exit_code
    journal, cassette = map(Path, arguments)
    try:
        found = recover(journal, cassette)
    except MagnetoError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{found} interactions recovered to {cassette}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
