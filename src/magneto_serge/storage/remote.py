"""A cassette folder somewhere else, under an fsspec URL: the same store, on a copy of it.

Everything works on files of this disk, in a folder of the user's cache that :class:`Mirror` keeps.
Before a cassette is looked at it is brought there, if it is not there already; after it has been
changed it is sent back. So the formats, the journal, the lock and the commands are those of any
folder, and while requests are answered nothing is asked of the store.

``fsspec`` is imported here and only here, when a URL is really used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magneto_serge.config_values import RemoteFolder
from magneto_serge.errors import ConfigError

from .formats import split_suffix
from .mirror import Mirror
from .names import canonical_name
from .store import CassetteStore

if TYPE_CHECKING:
    from .recover import Recovery


class RemoteStore(CassetteStore):
    """The cassettes in ``remote``; the other arguments are those of :class:`CassetteStore`.

    ``folder`` is the copy in the user's cache, and so are the paths that its methods return. They
    raise CassetteError besides where the store cannot be used, and :meth:`changing` where a
    cassette could not be sent to it.
    """

    is_copy = True

    def __init__(self, remote: RemoteFolder, **rules: Any) -> None:
        self._mirror = Mirror(remote, *_connected(remote))
        super().__init__(self._mirror.folder, **rules)

    def names(self) -> list[str]:
        """Return the names of all cassettes there; of those here where it cannot be reached."""
        return self._mirror.names()

    def place(self, name: str) -> str:
        """Return where a cassette is, or would be, as a URL."""
        suffix = split_suffix(name)[1] or self._format
        return f"{self._mirror.remote}/{canonical_name(name)}{suffix.suffix}"

    @contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """Keep others from a cassette while its files here are changed, then send them."""
        with self._mirror.held(name):
            yield
            self._mirror.send(name)

    def recover(self, name: str) -> Recovery:
        """Make a cassette of what a crashed recording on this machine has left, and send it."""
        begin = f"{canonical_name(name)}-recovered"
        for each in self.names():
            if each.startswith(begin):
                self._fetch(each)  # its name is taken
        self._fetch(name)
        found = super().recover(name)
        with self.changing(found.path.relative_to(self.folder).as_posix()):
            return found

    def _fetch(self, name: str) -> None:
        self._mirror.fetch(name)

    def _recovered(self, name: str) -> Path | None:
        with self.changing(name):
            return super()._recovered(name)


def _connected(remote: RemoteFolder) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the folder in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ConfigError(
            f"cassette_dir {remote}: for a URL, fsspec is needed."
            " Install it: pip install magneto-serge[remote]"
        ) from error
    try:
        file_system, folder = url_to_fs(remote.url)
    except ImportError as error:
        raise ConfigError(
            f"cassette_dir {remote}: {error}. For s3:// that is: pip install magneto-serge[remote]"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"cassette_dir {remote} cannot be used: {error}. Expected the path of a folder, or a"
            " URL that fsspec knows, such as s3://BUCKET/FOLDER."
        ) from error
    return file_system, str(folder)
