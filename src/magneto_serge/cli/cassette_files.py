"""The cassettes that a command reads and writes, by name or by path: the one door to the disk.

The commands know sequences of interactions; which file holds them, and in which format, is known
here alone. Rules:

* An argument that begins with ``.`` or ``/`` is the path of a file (no cassette name begins so).
  Anything else is a name in the cassette folder; only where there is no such cassette, and a file
  of that path, is the file read: what a shell completes works too.
* What is written has the format that its name says, else that of the file it replaces, else that
  of the settings. What was read from JSON and goes to JSON keeps its text: not one byte of an
  interaction changes that nobody changed, however its bodies were stored; but with the settings
  ``stable`` and ``exact_bodies``, which ask for another one.
* A cassette is written whole or not at all, under the lock that recordings take. An existing one
  is replaced only when the caller says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from magneto_serge.config import load_settings
from magneto_serge.errors import CassetteBusyError, CassetteError, ConfigError
from magneto_serge.messages import FileBody, Interaction
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.formats import FORMATS, split_suffix
from magneto_serge.storage.json_format import older_texts
from magneto_serge.storage.names import CassettePaths, canonical_name, paths_of
from magneto_serge.storage.store import CassetteStore, store_of

if TYPE_CHECKING:
    from magneto_serge.storage.recover import Recovery

_PATH_BEGINS = (".", "/")


class CassetteFiles:
    """The cassettes as one command sees them.

    ``folder`` and ``settings`` are what stood on the command line; None stands for nothing.
    """

    def __init__(self, folder: str | None = None, **settings: object) -> None:
        given = {"cassette_dir": folder, **settings}
        self.settings = load_settings({k: v for k, v in given.items() if v is not None})
        self._home = store_of(self.settings)
        self.folder = self._home.folder
        # By identity. The interaction is kept beside its text so that its id stays its own.
        self._texts: dict[int, tuple[Interaction, msgspec.Raw]] = {}

    # --- reading ----------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        return self._store(self.folder).names()

    def path(self, name: str) -> Path:
        """Return where a cassette is, or where a new one of this name would be read from.

        Raises ConfigError for a name that cannot be used, CassetteError where it is there twice.
        """
        folder, bare = self._existing(name)
        return self._store(folder).path(bare)

    def read(self, name: str, *, verify: bool = False) -> Cassette:
        """Open a cassette to look at; ``verify`` reads side files too.

        Raises ConfigError, CassetteNotFoundError and CassetteError as the store does.
        """
        folder, bare = self._existing(name)
        return self._store(folder).open(bare, verify=verify)

    def take(self, name: str) -> Cassette:
        """Open a cassette whose interactions are to be written again; raises as :meth:`read`."""
        cassette = self.read(name)
        if not (cassette.binary or self.settings.stable or self.settings.exact_bodies):
            self._keep_texts(cassette)
        return cassette

    def size(self, name: str) -> int:
        """Return the bytes that a cassette and its side files take on the disk."""
        path = self.path(name)
        bodies = self._bodies(path)
        beside = bodies.iterdir() if bodies.is_dir() else ()
        return sum(file.stat().st_size for file in (path, *beside))

    # --- writing ----------------------------------------------------------------------------

    def target(self, name: str) -> CassettePaths:
        """Return the files of a cassette that is to be written; raises ConfigError, and
        CassetteError where it is there twice."""
        folder, bare = self._place(name)
        paths = paths_of(folder, bare, FORMATS[self.settings.format])
        older = paths.older()
        if older is None or split_suffix(bare)[1] is not None:
            return paths
        return paths_of(folder, older.relative_to(folder).as_posix())

    def must_be_free(self, name: str, *, replace: bool) -> None:
        """Raise ConfigError if ``name`` exists, in whatever format, and must not be replaced."""
        folder, bare = self._place(name)
        self._store(folder).path(bare)  # where the folder is a copy, it is brought up to date
        older = self.target(name).older()
        if older is None:
            return
        if not replace:
            raise ConfigError(f"{older} exists already. Choose another name, or say --force.")

    def write(
        self, name: str, interactions: Iterable[Interaction], *, replace: bool = False
    ) -> Path:
        """Write a cassette, all of it or nothing, and return its path.

        Raises ConfigError where it exists and ``replace`` is false, CassetteBusyError where it is
        being recorded, CassetteError where it cannot be written.
        """
        self.must_be_free(name, replace=replace)
        folder, _ = self._place(name)
        cassette = self.target(name).cassette
        return self._store(folder).save(
            cassette.relative_to(folder).as_posix(), interactions, texts=self._text_of
        )

    def part(self, name: str, label: str) -> str:
        """Return what to call a part of the cassette ``name``: a path beside it."""
        folder, bare = self._existing(name)
        return str(folder / f"{canonical_name(bare)}-{label}")

    def remove(self, name: str) -> None:
        """Remove a cassette and its side files; raises CassetteBusyError and CassetteError."""
        from magneto_serge.storage.journal import is_being_written

        folder, bare = self._existing(name)
        store = self._store(folder)
        path = store.path(bare)
        journal = paths_of(path.parent, path.name).journal
        if journal.exists() and is_being_written(journal):
            raise CassetteBusyError(f"cassette {name!r} is being recorded. Wait until that ends.")
        try:
            with store.changing(bare):
                path.unlink()
                if self._bodies(path).is_dir():
                    shutil.rmtree(self._bodies(path))
        except OSError as error:
            raise CassetteError(
                f"cannot remove {error.filename or path}: {error.strerror}."
            ) from error

    def recover(self, name: str) -> Recovery:
        """Make a cassette of what a crash left of ``name``; raises as the store does."""
        folder, bare = self._place(name)
        return self._store(folder).recover(bare)

    # --- inside -----------------------------------------------------------------------------

    def _store(self, folder: Path) -> CassetteStore:
        if folder == self.folder:
            return self._home
        return store_of(msgspec.structs.replace(self.settings, cassette_dir=folder))

    def _place(self, name: str) -> tuple[Path, str]:
        if name.startswith(_PATH_BEGINS):
            path = Path(name).absolute()
            if self._home.is_copy and path.is_relative_to(self.folder):
                return self.folder, path.relative_to(self.folder).as_posix()
            return path.parent, path.name
        return self.folder, name

    def _existing(self, name: str) -> tuple[Path, str]:
        folder, bare = self._place(name)
        if self._store(folder).exists(bare):
            return folder, bare
        path = Path(name).absolute()
        return (path.parent, path.name) if path.is_file() else (folder, bare)

    def _bodies(self, path: Path) -> Path:
        return paths_of(path.parent, path.name).bodies

    def _keep_texts(self, cassette: Cassette) -> None:
        from magneto_serge.storage.packing import unpacked

        data = unpacked(cassette.path, cassette.path.read_bytes())
        texts = older_texts(cassette.path, data)
        if texts is None or len(texts) != len(cassette):
            return
        for interaction, text in zip(cassette, texts, strict=True):
            # A reference to a side file holds the name of this cassette: not fit for another one.
            if not _refers(interaction):
                self._texts[id(interaction)] = interaction, text

    def _text_of(self, interaction: Interaction) -> msgspec.Raw | None:
        kept = self._texts.get(id(interaction))
        return kept[1] if kept is not None and kept[0] is interaction else None


def _refers(interaction: Interaction) -> bool:
    messages = (interaction.request, interaction.response, *interaction.informational)
    if any(each is not None and isinstance(each.body, FileBody) for each in messages):
        return True
    said = () if interaction.websocket is None else interaction.websocket.messages
    return any(isinstance(each.data, FileBody) for each in said)
