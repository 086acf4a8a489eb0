"""The cassette folder: names to paths, listing, loading, and a recorder for new ones.

Knows where things are and which room does what; the formats and the recording are in other modules.
The folder is made when something is first recorded in it, never by looking.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magneto_serge.errors import CassetteBusyError, CassetteError, CassetteNotFoundError
from magneto_serge.messages import Interaction

from .body_rules import DEFAULT_RULES, BodyRules
from .cassette import Cassette
from .formats import FORMATS, JSON, split_suffix
from .names import canonical_name, list_names, nearest, paths_of

if TYPE_CHECKING:
    from magneto_serge.config import Settings

    from .assemble import Texts
    from .recorder import Recorder
    from .recover import Recovery
    from .redacted_body import BodyRedactor
    from .scribe import Glance, IsClean, Prepare, Redact


log = logging.getLogger("magneto_serge")


def store_of(settings: Settings) -> CassetteStore:
    """Return the store of ``settings.cassette_dir``, on this disk or somewhere else.

    Raises ConfigError where it is a URL, and what its protocol needs is not installed.
    """
    rules: dict[str, Any] = {
        "exact_bodies": settings.exact_bodies,
        "memory_limit": settings.memory_limit,
        "format": settings.format,
        "fsync": settings.fsync,
        "stable": settings.stable,
        "max_message_size": settings.max_message_size,
    }
    if isinstance(settings.cassette_dir, Path):
        return CassetteStore(settings.cassette_dir, **rules)
    from .remote import RemoteStore  # most folders are on this disk: nothing of it is loaded then

    return RemoteStore(settings.cassette_dir, **rules)


class CassetteStore:
    """The cassettes in ``folder``.

    ``exact_bodies`` keeps content-encoded bodies as they came instead of as readable text;
    ``memory_limit`` is in bytes: a larger body goes to a file of its own. ``format`` is one of the
    names in ``formats``, for what is written; what is read may be in any. ``fsync`` says when to
    wait until the disk's platter has what was recorded: ``always``, at the ``finish``, ``never``.
    ``stable`` leaves out of JSON what changes with every recording. ``max_message_size``: bytes of
    a WebSocket message, inflated.

    Every method that takes a name raises ConfigError where the name cannot be used. A name that
    ends in a format's suffix means that very file, and is written in that format.
    """

    is_copy = False  # of a folder that is somewhere else

    def __init__(
        self,
        folder: Path,
        *,
        exact_bodies: bool = DEFAULT_RULES.exact,
        memory_limit: int = DEFAULT_RULES.memory_limit,
        format: str = JSON.name,
        fsync: str = "finish",
        stable: bool = False,
        max_message_size: int = 2 * 1024**3,
    ) -> None:
        self._message_limit = max_message_size
        self.folder = folder.absolute()  # the program that is recorded may change directory
        self._rules = BodyRules(exact_bodies, memory_limit, stable)
        self._format = FORMATS[format]
        self._fsync = fsync

    def path(self, name: str) -> Path:
        """Return where the cassette ``name`` is, in whatever format, or would be.

        Raises CassetteError where it is there twice.
        """
        self._fetch(name)
        paths = paths_of(self.folder, name, self._format)
        if split_suffix(name)[1] is not None:
            return paths.cassette
        return paths.older() or paths.cassette

    def exists(self, name: str) -> bool:
        """Tell whether the cassette ``name`` is there."""
        return self.path(name).is_file()

    def names(self) -> list[str]:
        """Return the names of all cassettes, sorted; those in sub-folders as ``folder/name``."""
        return list_names(self.folder)

    def open(self, name: str, *, verify: bool = False, path: Path | None = None) -> Cassette:
        """Open a cassette; a binary one is not read before its interactions are asked for.

        ``path`` is what :meth:`path` has just said, where that was asked: it looks for each format.
        Where there is none but a crashed recording of it, that is made a cassette first, and a
        warning says so. Raises CassetteNotFoundError, which names the nearest cassette, and
        CassetteError, which names the place that is damaged.
        """
        path = path or self.path(name)
        try:
            return Cassette.open(path, verify=verify)
        except CassetteNotFoundError as error:
            recovered = self._recovered(name)
            if recovered is None:
                raise self._not_found(name) from error
        return Cassette.open(recovered, verify=verify)

    def load(self, name: str, *, verify: bool = False) -> list[Interaction]:
        """Return the interactions of a cassette in recorded order.

        Bodies in side files are checked for presence and size, with ``verify`` for content too.
        Raises as :meth:`open` does.
        """
        with self.open(name, verify=verify) as cassette:
            return cassette[:]

    def recorder(
        self,
        name: str,
        *,
        redact: Redact | None = None,
        prepare: Prepare | None = None,
        bodies: BodyRedactor | None = None,
        clean: IsClean | None = None,
        glance: Glance | None = None,
    ) -> Recorder:
        """Begin to record the cassette ``name``; nothing of an older one is touched yet.

        When it is finished an older one in another format goes. ``prepare`` (None: it is not to be
        recorded) and then ``redact`` are applied to each interaction before it reaches the disk, in
        another thread, and ``bodies`` to what goes to files of its own; what ``redact`` does to
        messages of WebSockets it does not do to those that are ``clean``; ``glance`` does the same
        as ``redact`` to several where it can. Raises CassetteBusyError
        where it is being recorded already, CassetteError where the folder cannot be written to, or
        the older cassette is there twice.
        """
        from .recorder import Recorder  # replaying need not wait for what recording imports

        self._fetch(name)
        paths = paths_of(self.folder, name, self._format)
        if split_suffix(name)[1] is None:
            paths.older()
        return Recorder(
            paths,
            canonical_name(name),
            self._rules,
            redact,
            prepare=prepare,
            bodies=bodies,
            clean=clean,
            glance=glance,
            fsync=self._fsync,
            message_limit=self._message_limit,
            changing=lambda: self.changing(name),
        )

    def save(
        self, name: str, interactions: Iterable[Interaction], *, texts: Texts | None = None
    ) -> Path:
        """Write the cassette ``name`` of ``interactions`` as they are, and return its path.

        It replaces an older one, in whatever format. They may come from that one, lazily. Where
        JSON is written and ``texts`` has the JSON that an interaction was read from, that is
        written. Raises CassetteBusyError where it is being recorded, CassetteError where it cannot
        be written; an older one is then as it was before.
        """
        import time

        from .assemble import save

        self._fetch(name)
        paths = paths_of(self.folder, name, self._format)
        try:
            with self.changing(name):
                save(
                    interactions,
                    paths,
                    name=canonical_name(name),
                    recorded_at=time.time(),
                    rules=self._rules,
                    durable=self._fsync != "never",
                    texts=texts,
                )
        except OSError as error:
            raise CassetteError(
                f"cannot write {paths.cassette}: {error.filename or 'the disk'}:"
                f" {error.strerror}. Nothing was changed; make room, or choose another place."
            ) from error
        return paths.cassette

    def recover(self, name: str) -> Recovery:
        """Make a cassette of what a crashed recording, or a cut binary file, has left.

        It is the cassette ``name`` where that does not exist, otherwise ``NAME-recovered``. What it
        was made of is removed if it is a journal. Raises CassetteNotFoundError where nothing is
        left, CassetteBusyError where it is being recorded, CassetteError where it cannot be read
        or written.
        """
        from .recover import recover_from

        found = recover_from(paths_of(self.folder, name, self._format), self._rules)
        if found is None:
            raise CassetteNotFoundError(
                f"there is nothing to recover of the cassette {canonical_name(name)!r} in"
                f" {self.folder}: no recording of it has crashed."
            )
        return found

    def place(self, name: str) -> str:
        """Return where a cassette is, for a person to read."""
        return str(self.path(name))

    def changing(self, name: str) -> AbstractContextManager[None]:
        """Return what to enter while the files of a cassette are changed.

        Where the folder is a copy of one somewhere else, it is brought up to date at the end.
        """
        return nullcontext()

    def _fetch(self, name: str) -> None:
        """Bring a cassette that lives somewhere else here; raises CassetteError."""

    def _recovered(self, name: str) -> Path | None:
        """Return a cassette made of a crashed recording, for one that does not exist."""
        paths = paths_of(self.folder, name, self._format)
        if not paths.journal.parent.is_dir():
            return None
        names = os.listdir(paths.journal.parent)
        if not any(each.startswith(paths.journal.name) for each in names):
            return None
        from .recover import recover_from

        try:
            found = recover_from(paths, self._rules)
        except CassetteBusyError:
            return None  # the first recording of it is going on: there is no cassette yet
        if found is None:
            return None
        log.warning(
            "The recording of %s had crashed. %d interactions are recovered, %d bytes were lost.",
            found.path,
            found.interactions,
            found.lost_bytes,
        )
        return found.path

    def _not_found(self, name: str) -> CassetteNotFoundError:
        bare = canonical_name(name)
        near = nearest(bare, self.names())
        hint = f" Did you mean {near!r}?" if near else ""
        return CassetteNotFoundError(
            f"there is no cassette {bare!r}: {self.place(name)} does not exist.{hint}"
            f" To record it: magneto record {bare} -- COMMAND"
        )
