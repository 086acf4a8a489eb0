"""The cassette folder: names to paths, listing, loading, and a recorder for new ones.

Knows where things are and which room does what; the formats and the recording are in other modules.
The folder is made when something is first recorded in it, never by looking.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from magneto_serge.errors import CassetteError, CassetteNotFoundError
from magneto_serge.messages import Interaction

from .json_format import read
from .json_write import DEFAULT_RULES, BodyRules
from .names import canonical_name, list_names, nearest, paths_of

if TYPE_CHECKING:
    from .recorder import Recorder
    from .scribe import Redact


class CassetteStore:
    """The cassettes in ``folder``.

    ``exact_bodies`` keeps content-encoded bodies as they came instead of as readable text;
    ``memory_limit`` is in bytes: a larger body goes to a file of its own. Every method that takes a
    name raises ConfigError where the name cannot be used; a trailing ``.json`` is dropped.
    """

    def __init__(
        self,
        folder: Path,
        *,
        exact_bodies: bool = DEFAULT_RULES.exact,
        memory_limit: int = DEFAULT_RULES.memory_limit,
    ) -> None:
        self.folder = folder.absolute()  # the program that is recorded may change directory
        self._rules = BodyRules(exact_bodies, memory_limit)

    def path(self, name: str) -> Path:
        """Return where the cassette ``name`` is or would be."""
        return paths_of(self.folder, name).cassette

    def exists(self, name: str) -> bool:
        """Tell whether the cassette ``name`` is there."""
        return self.path(name).is_file()

    def names(self) -> list[str]:
        """Return the names of all cassettes, sorted; those in sub-folders as ``folder/name``."""
        return list_names(self.folder)

    def load(self, name: str, *, verify: bool = False) -> list[Interaction]:
        """Return the interactions of a cassette in recorded order.

        Bodies in side files are checked for presence and size, with ``verify`` for content too.
        Raises CassetteNotFoundError, which names the nearest cassette, and CassetteError, which
        names the place that is damaged.
        """
        path = self.path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise self._not_found(name) from error
        except OSError as error:
            raise CassetteError(f"cannot read {path}: {error.strerror}.") from error
        return read(path, data, verify=verify)

    def recorder(self, name: str, *, redact: Redact | None = None) -> Recorder:
        """Begin to record the cassette ``name``; nothing of an older one is touched yet.

        ``redact`` is applied to each interaction before it reaches the disk, in another thread.
        Raises CassetteBusyError where it is being recorded already, CassetteError where the folder
        cannot be written to.
        """
        from .recorder import Recorder  # replaying need not wait for what recording imports

        return Recorder(paths_of(self.folder, name), canonical_name(name), self._rules, redact)

    def _not_found(self, name: str) -> CassetteNotFoundError:
        bare = canonical_name(name)
        near = nearest(bare, self.names())
        hint = f" Did you mean {near!r}?" if near else ""
        return CassetteNotFoundError(
            f"there is no cassette {bare!r}: {self.path(bare)} does not exist.{hint}"
            f" To record it: magneto record {bare} -- COMMAND"
        )
