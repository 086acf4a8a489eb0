"""The cassettes that a command reads and writes, by name or by path: the one door to the disk.

The commands know sequences of interactions; which file holds them, and in which form, is known
here alone. Rules:

* An argument that begins with ``.`` or ``/`` is the path of a file (no cassette name begins so).
  Anything else is a name in the cassette folder; only where there is no such cassette, and a file
  of that path, is the file read: what a shell completes works too.
* What was read and is written again unchanged keeps its stored text: a command that drops or moves
  interactions changes not one byte of the others, however their bodies were stored.
* A file is written whole or not at all, under the lock that recordings take. An existing one is
  replaced only when the caller says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from magneto_serge.config import load_settings
from magneto_serge.errors import CassetteBusyError, CassetteError, ConfigError
from magneto_serge.messages import FileBody, Interaction
from magneto_serge.storage.json_write import BodyRules
from magneto_serge.storage.names import CassettePaths, canonical_name, paths_of
from magneto_serge.storage.store import CassetteStore

_PATH_BEGINS = (".", "/")


class CassetteFiles:
    """The cassettes as one command sees them; ``folder`` is what ``-d`` said, if anything."""

    def __init__(self, folder: str | None = None) -> None:
        given = {} if folder is None else {"cassette_dir": folder}
        settings = load_settings(given)
        self.folder = settings.cassette_dir.absolute()
        self._rules = BodyRules(settings.exact_bodies, settings.memory_limit)
        # By identity. The interaction is kept beside its text so that its id stays its own.
        self._texts: dict[int, tuple[Interaction, msgspec.Raw]] = {}

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        return CassetteStore(self.folder).names()

    def paths(self, name: str) -> CassettePaths:
        """Return the files of a cassette that is to be written; raises ConfigError."""
        folder, bare = self._place(name)
        return paths_of(folder, bare)

    def found(self, name: str) -> CassettePaths:
        """Return the files of a cassette that is to be read; it need not exist."""
        folder, bare = self._existing(name)
        return paths_of(folder, bare)

    def read(self, name: str, *, verify: bool = False) -> list[Interaction]:
        """Return the interactions of a cassette to look at; ``verify`` reads side files too.

        Raises ConfigError, CassetteNotFoundError and CassetteError as the store does.
        """
        folder, bare = self._existing(name)
        return CassetteStore(folder).load(bare, verify=verify)

    def take(self, name: str) -> list[Interaction]:
        """Return the interactions of a cassette to be written again; raises as :meth:`read`."""
        interactions = self.read(name)
        self._keep_texts(self.found(name).cassette, interactions)
        return interactions

    def write(
        self, name: str, interactions: Iterable[Interaction], *, replace: bool = False
    ) -> Path:
        """Write a cassette, all of it or nothing, and return its path.

        Raises ConfigError where it exists and ``replace`` is false, CassetteBusyError where it is
        being recorded, CassetteError where it cannot be written.
        """
        from magneto_serge.storage.journal import Journal

        target = self.paths(name)
        self.must_be_free(name, replace=replace)
        bare = canonical_name(self._place(name)[1])
        journal = Journal.open(target.journal, bare)  # the lock; its folder is our workshop
        try:
            self._write(target, bare, interactions, journal.bodies)
        except OSError as error:
            raise _unwritable(target.cassette, error) from error
        finally:
            journal.close(remove=True)
        return target.cassette

    def part(self, name: str, label: str) -> str:
        """Return what to call a part of the cassette ``name``: a path beside it."""
        folder, bare = self._existing(name)
        return str(folder / f"{canonical_name(bare)}-{label}")

    def must_be_free(self, name: str, *, replace: bool) -> None:
        """Raise ConfigError if ``name`` exists and must not be replaced."""
        path = self.paths(name).cassette
        if path.exists() and not replace:
            raise ConfigError(f"{path} exists already. Choose another name, or say --force.")

    def remove(self, name: str) -> None:
        """Remove a cassette and its side files; raises CassetteBusyError and CassetteError."""
        import shutil

        paths = self.found(name)
        self._must_not_be_recorded(name, paths)
        try:
            paths.cassette.unlink()
            if paths.bodies.is_dir():
                shutil.rmtree(paths.bodies)
        except OSError as error:
            raise CassetteError(
                f"cannot remove {error.filename or paths.cassette}: {error.strerror}."
            ) from error

    def size(self, name: str) -> int:
        """Return the bytes that a cassette and its side files take on the disk."""
        paths = self.found(name)
        beside = paths.bodies.iterdir() if paths.bodies.is_dir() else ()
        return sum(file.stat().st_size for file in (paths.cassette, *beside))

    def _place(self, name: str) -> tuple[Path, str]:
        if name.startswith(_PATH_BEGINS):
            path = Path(name).absolute()
            return path.parent, path.name
        return self.folder, name

    def _existing(self, name: str) -> tuple[Path, str]:
        folder, bare = self._place(name)
        if CassetteStore(folder).exists(bare):
            return folder, bare
        path = Path(name).absolute()
        return (path.parent, path.name) if path.is_file() else (folder, bare)

    def _keep_texts(self, path: Path, interactions: list[Interaction]) -> None:
        from magneto_serge.storage.json_format import older_texts

        texts = older_texts(path, path.read_bytes())
        if texts is None or len(texts) != len(interactions):
            return
        for interaction, text in zip(interactions, texts, strict=True):
            # A reference to a side file holds the name of this cassette: not fit for another one.
            if not _refers(interaction):
                self._texts[id(interaction)] = interaction, text

    def _write(
        self, target: CassettePaths, name: str, interactions: Iterable[Interaction], workshop: Path
    ) -> None:
        import time

        from magneto_serge.storage.atomic import replacing
        from magneto_serge.storage.json_write import JsonWriter
        from magneto_serge.storage.side_files import SideFiles

        files = SideFiles(target.bodies, workshop)
        with replacing(target.cassette) as out:
            writer = JsonWriter(
                out, name=name, recorded_at=time.time(), rules=self._rules, files=files
            )
            for interaction in interactions:
                kept = self._texts.get(id(interaction))
                if kept is None:
                    writer.add(interaction)
                else:
                    writer.add_text(kept[1])
            writer.close()
            out.flush()  # a full disk shows before side files are moved
            files.adopt()
        files.sweep()

    def _must_not_be_recorded(self, name: str, paths: CassettePaths) -> None:
        from magneto_serge.storage.journal import is_being_written

        if paths.journal.exists() and is_being_written(paths.journal):
            raise CassetteBusyError(f"cassette {name!r} is being recorded. Wait until that ends.")


def _refers(interaction: Interaction) -> bool:
    messages = (interaction.request, interaction.response, *interaction.informational)
    return any(each is not None and isinstance(each.body, FileBody) for each in messages)


def _unwritable(path: Path, error: OSError) -> CassetteError:
    return CassetteError(
        f"cannot write {path}: {error.filename or path}: {error.strerror}. Nothing was changed;"
        " make room, or choose another place."
    )
