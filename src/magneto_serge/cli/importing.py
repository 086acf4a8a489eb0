"""`magneto import`: recordings of other tools become cassettes.

One cassette for each file, written whole or not at all, one file after the other: what cannot be
read is said at the end and keeps nothing else from being imported. What could not be carried over
as it was is counted by kind. Secrets are masked as in a recording of our own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import click

from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.interop.kinds import KINDS, UnknownKindError, detect
from magneto_serge.interop.naming import SUFFIXES, Names, suffix_of
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.source import Source
from magneto_serge.messages import Interaction
from magneto_serge.storage.formats import FORMATS
from magneto_serge.units import count

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, force_option, shown_path
from .progress import tracked
from .tables import Column, print_table

INCOMPLETE = 1  # the exit status
_DETAIL = 100  # characters of what a table shows of a place


class Found(NamedTuple):
    """A file to import, the name for its cassette, and whether it was named itself."""

    path: Path
    name: str
    named: bool


@click.command(
    "import",
    epilog="""\b
Examples:
  magneto import tests/cassettes -d tests/magneto     a folder, with its sub-folders
  magneto import session.har flows.mitm               some files
  magneto import capture.txt --from mitmproxy         whatever it looks like""",
)
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True)
@click.option(
    "--from",
    "kind",
    type=click.Choice(list(KINDS)),
    help="The tool that wrote the files [told by their content].",
)
@click.option("--format", type=click.Choice(list(FORMATS)), help="The format to write [json].")
@force_option
@folder_option
@click.pass_context
def import_recordings(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    kind: str | None,
    format: str | None,
    force: bool,
    cassette_dir: str | None,
) -> None:
    """Make cassettes of other tools' recordings.

    A folder keeps its names and sub-folders. The exit status is 1 if a file could not be imported;
    the others are.
    """
    found, others = _found(paths, kind)
    files = CassetteFiles(cassette_dir, format=format)
    run = _Run(files, kind, replace=force, redact=_redaction(files))
    for each in tracked(found, "Importing", len(found)):
        run.take(each)
    run.report(others)
    ctx.exit(INCOMPLETE if run.failures else 0)


# --- which files --------------------------------------------------------------------------------


def _found(paths: Iterable[str], kind: str | None) -> tuple[list[Found], int]:
    """Return the files to import, and how many in folders are none; raises ConfigError."""
    names, found, others = Names(), [], 0
    for given in paths:
        path = Path(given)
        if path.is_dir():
            for inside in _files_in(path):
                if kind is None and suffix_of(inside.name) not in SUFFIXES | {"", ".js"}:
                    others += 1
                    continue
                name = names.name_for(inside.relative_to(path).as_posix())
                found.append(Found(inside, name, named=False))
        elif path.is_file():
            found.append(Found(path, names.name_for(path.name), named=True))
        else:
            raise ConfigError(f"there is no file or folder {given}.")
    return found, others


def _files_in(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for file in sorted(files):
            if not file.startswith("."):
                yield Path(parent, file)


# --- one after the other ------------------------------------------------------------------------


Redact = Callable[[Interaction], Interaction]


def _redaction(files: CassetteFiles) -> Callable[[str], Redact]:
    """Return what gives, for the cassette of a name, what redacts it as the settings say."""
    from magneto_serge.redacting import redaction_for
    from magneto_serge.replay.secrets.rules import SecretRules

    rules = SecretRules.of(files.settings)
    if not files.settings.redact:  # one warning is enough for a folder
        unchanged = redaction_for(files.settings, rules, "all that is imported").redact
        return lambda name: unchanged
    return lambda name: redaction_for(files.settings, rules, name).redact


class _Run:
    """One call of the command: what was imported, what was not, and what there is to remark."""

    def __init__(
        self,
        files: CassetteFiles,
        kind: str | None,
        *,
        replace: bool,
        redact: Callable[[str], Redact],
    ) -> None:
        self.failures: list[tuple[Path, str]] = []
        self._files = files
        self._kind = kind
        self._replace = replace
        self._redact = redact
        self._remarks = Remarks()
        self._imported: Counter[str] = Counter()
        self._interactions: Counter[str] = Counter()
        self._ignored = 0

    def take(self, found: Found) -> None:
        """Import one file; what hinders that is kept for the report."""
        try:
            self._import(found)
        except UnknownKindError as error:
            if suffix_of(found.path.name) == ".js" and not found.named:
                self._ignored += 1
            else:
                self.failures.append((found.path, str(error)))
        except (CassetteError, ConfigError) as error:
            self.failures.append((found.path, str(error)))
        except (OSError, MemoryError) as error:
            self.failures.append((found.path, f"it cannot be read: {error}"))

    def _import(self, found: Found) -> None:
        noted = Remarks()
        noted.place = str(shown_path(found.path.absolute()))
        source = Source(found.path, noted)
        kind = detect(source) if self._kind is None else KINDS[self._kind]
        redact = self._redact(found.name)
        number = 0

        def redacted() -> Iterator[Interaction]:
            nonlocal number
            for interaction in kind.importer.interactions(source):
                number += 1
                yield redact(interaction)

        self._files.must_be_free(found.name, replace=self._replace)
        self._files.write(found.name, redacted(), replace=self._replace)
        if number == 0:
            noted.add(Remark.EMPTY)
        self._remarks.merge(noted)
        self._imported[kind.name] += 1
        self._interactions[kind.name] += number

    # --- the report ---------------------------------------------------------------------------

    def report(self, others: int) -> None:
        """Print the tables, and say in a line on stderr what was done."""
        if self._imported:
            self._print_kinds()
        if self._remarks:
            click.echo()
            self._print_remarks()
        if self.failures:
            click.echo()
            columns = (Column("not imported"), Column("why", wraps=True))
            shown = [(str(shown_path(path.absolute())), why) for path, why in self.failures]
            print_table(columns, [(path, why.replace("\n", " ")) for path, why in shown])
        self._summarise(others + self._ignored)

    def _print_kinds(self) -> None:
        columns = (
            Column("kind"),
            Column("files", right=True),
            Column("interactions", right=True),
            Column("what it does not hold", wraps=True),
        )
        rows = [
            (kind.title, f"{self._imported[name]:,}", f"{self._interactions[name]:,}", kind.cannot)
            for name, kind in KINDS.items()
            if self._imported[name]
        ]
        print_table(columns, rows)

    def _print_remarks(self) -> None:
        columns = (Column("warning"), Column("times", right=True), Column("first", wraps=True))
        rows = [
            (kind.value, f"{times:,}", self._remarks.first[kind][:_DETAIL])
            for kind, times in self._remarks.counts.most_common()
        ]
        print_table(columns, rows)

    def _summarise(self, others: int) -> None:
        files, interactions = self._imported.total(), self._interactions.total()
        parts = [
            f"imported {count(files, 'file')} with {count(interactions, 'interaction')}"
            f" to {shown_path(self._files.folder)}"
        ]
        if self.failures:
            parts.append(f"{count(len(self.failures), 'file')} could not be imported")
        if others:
            parts.append(f"{count(others, 'file')} of other kinds ignored")
        click.echo(f"magneto: {'; '.join(parts)}", err=True)
