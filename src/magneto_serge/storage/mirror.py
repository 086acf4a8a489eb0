"""The copy of a remote cassette folder in the user's cache: what is brought, what is sent.

A cassette is one file and the side files of its large bodies. Rules:

* A file is brought when the store has another version of it than the one that ``copies`` remembers.
* A copy that is not as remembered was changed here and never arrived there: it is set aside, never
  overwritten, and the message says where it is and how to send it.
* A reader never finds half a cassette: side files go before the file that refers to them, and that
  takes its name in one step, here by a rename, there by whatever the store has.
* Side files are removed there only if they belonged to the version that this machine replaced.
* One lock for each cassette, on this machine. Between machines the last writer wins.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from magneto_serge.config_values import RemoteFolder
from magneto_serge.errors import CassetteError, ConfigError

from .copies import Memory, beside, changed_here, copied, is_known, memory_of, remember
from .formats import FORMATS, split_suffix
from .names import BODIES_SUFFIX, CassettePaths, canonical_name, list_names, paths_of

log = logging.getLogger("magneto_serge")

# They have no folders that would have to be made, and an object is replaced in one step.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"})
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Mirror:
    """The copy of ``remote``, which is the folder ``root`` of an fsspec file system."""

    def __init__(self, remote: RemoteFolder, file_system: Any, root: str) -> None:
        self.remote = remote
        self._there = file_system
        self._root = root.rstrip("/")
        protocol = file_system.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._is_object_store = bool(protocols & _OBJECT_STORES)
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", str(remote)).strip("-")[:80]
        digest = hashlib.sha256(remote.url.encode()).hexdigest()[:12]
        self.folder = _cache() / "remote" / f"{readable}-{digest}"
        self._warned: set[str] = set()
        self._unsent = _cache() / "unsent" / self.folder.name

    # --- looking ----------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of the cassettes there, sorted; raises CassetteError.

        Where the store cannot be reached, the names of those here, with a warning.
        """
        try:
            self._there.invalidate_cache()
            found = self._there.find(self._root)
        except FileNotFoundError:
            return []
        except Exception as error:  # each store's library has errors of its own
            if names := list_names(self.folder):
                self._warn_of(error, "the cassettes")
                return names
            raise self._unreachable(error) from error
        relative = (path.removeprefix(self._root).lstrip("/") for path in found)
        return sorted(set(filter(None, map(_name_of, relative))))

    def _listed(self, paths: CassettePaths) -> dict[str, Mapping[str, Any]]:
        """Return what the store says of the files of a cassette, by file name."""
        stem = paths.bodies.name.removesuffix(BODIES_SUFFIX)
        possible = {stem + each.suffix for each in FORMATS.values()}
        entries = self._entries(posixpath.dirname(self._key(paths.bodies)))
        return {name: entry for name, entry in entries.items() if name in possible}

    def _bodies(self, paths: CassettePaths) -> dict[str, Mapping[str, Any]]:
        entries = self._entries(self._key(paths.bodies))
        return {name: entry for name, entry in entries.items() if _DIGEST.fullmatch(name)}

    def _entries(self, folder: str) -> dict[str, Mapping[str, Any]]:
        self._there.invalidate_cache()
        try:
            entries = self._there.ls(folder, detail=True)
        except FileNotFoundError:
            return {}
        return {posixpath.basename(e["name"]): e for e in entries if e["type"] == "file"}

    def _key(self, path: Path) -> str:
        return f"{self._root}/{path.relative_to(self.folder).as_posix()}"

    # --- bringing ---------------------------------------------------------------------------

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Keep other threads and processes of this machine from bringing or sending it."""
        paths = self._paths(name)
        try:
            _make_private(paths.bodies.parent)
            lock = beside(paths, "lock").open("ab")
        except OSError as error:
            raise CassetteError(
                f"the copy of {self.remote} cannot be kept in {self.folder}:"
                f" {error.filename}: {error.strerror}."
            ) from error
        with lock as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def fetch(self, name: str) -> None:
        """Make the copy of a cassette what is there, if it is not that already.

        Where the store cannot be reached and there is a copy, that is left, with a warning. Raises
        ConfigError for a bad name, CassetteError where there is none.
        """
        paths = self._paths(name)
        with self.held(name):
            try:
                self._bring(paths)
            except Exception as error:
                if not paths.existing():
                    raise self._unreachable(error) from error
                self._warn_of(error, f"the cassette {canonical_name(name)!r}")

    def _bring(self, paths: CassettePaths) -> None:
        there = self._listed(paths)
        memory = memory_of(paths)
        if changed_here(paths, memory):
            kept = self._set_aside(paths)
            log.warning("%s had changes that were never sent. %s", kept, self._advice(paths, kept))
            memory = Memory()
        here = {path.name: memory.files.get(path.name) for path in paths.existing()}
        fresh = {n: e for n, e in there.items() if not is_known(e, here.get(n))}
        if fresh:
            self._bring_bodies(paths, memory)
        for name, entry in fresh.items():
            place = paths.cassette.with_name(name)
            self._download(place, entry)
            memory.files[name] = copied(place, entry)
        gone = [path for path in paths.existing() if path.name not in there]
        for path in gone:
            path.unlink()
            memory.files.pop(path.name, None)
        if fresh or gone:
            remember(paths, memory)

    def _bring_bodies(self, paths: CassettePaths, memory: Memory) -> None:
        bodies = self._bodies(paths)
        if bodies:
            paths.bodies.mkdir(exist_ok=True)
        for digest, entry in bodies.items():
            place = paths.bodies / digest
            if not place.exists() or place.stat().st_size != entry["size"]:
                self._download(place, entry)
        memory.bodies = sorted(bodies)

    def _download(self, place: Path, entry: Mapping[str, Any]) -> None:
        temporary = place.with_name(f".{place.name}.part")
        try:
            self._there.get_file(entry["name"], str(temporary))
            if temporary.stat().st_size != entry["size"]:
                raise OSError(f"{entry['name']} did not arrive whole")
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)

    # --- sending ----------------------------------------------------------------------------

    def send(self, name: str) -> None:
        """Make what is there of a cassette what is here; the caller has :meth:`held` it.

        Raises CassetteError, which says where the cassette is kept, and how to send it.
        """
        paths = self._paths(name)
        memory = memory_of(paths)
        changed = changed_here(paths, memory)
        gone = memory.files.keys() - {path.name for path in paths.existing()}
        try:
            if changed:
                self._upload_all(changed, paths, memory)
            if changed or gone:
                self._remove_there(gone, paths, memory)
                remember(paths, memory)
        except Exception as error:
            raise self._unsendable(error, paths, changed=bool(changed)) from error

    def _upload_all(self, changed: list[Path], paths: CassettePaths, memory: Memory) -> None:
        bodies = _bodies_here(paths)
        already = self._bodies(paths) if bodies else {}
        for digest in bodies:
            place = paths.bodies / digest
            if digest not in already or already[digest]["size"] != place.stat().st_size:
                self._upload(place)
        for path in changed:
            self._upload(path)
        there = self._listed(paths)
        memory.files |= {path.name: copied(path, there[path.name]) for path in changed}

    def _upload(self, path: Path) -> None:
        key = self._key(path)
        if self._is_object_store:
            self._there.put_file(str(path), key)
            return
        folder = posixpath.dirname(key)
        temporary = f"{folder}/.{uuid4().hex}.new"
        self._there.makedirs(folder, exist_ok=True)
        try:
            self._there.put_file(str(path), temporary)
            self._there.mv(temporary, key)
        except BaseException:
            if self._there.exists(temporary):
                self._there.rm_file(temporary)
            raise

    def _remove_there(self, gone: set[str], paths: CassettePaths, memory: Memory) -> None:
        bodies = _bodies_here(paths)
        unused = [paths.bodies / digest for digest in memory.bodies if digest not in bodies]
        for path in (*map(paths.cassette.with_name, gone), *unused):
            try:
                self._there.rm_file(self._key(path))
            except FileNotFoundError:
                pass  # another machine was first
        memory.bodies = bodies
        for name in gone:
            del memory.files[name]

    # --- trouble ----------------------------------------------------------------------------

    def _set_aside(self, paths: CassettePaths) -> Path:
        """Move a cassette out of the copy, with its side files; return where its file is now."""
        number = 1
        while (place := self._unsent / str(number)).exists():
            number += 1
        _make_private(place)
        kept = [path.rename(place / path.name) for path in paths.existing()]
        if paths.bodies.is_dir():
            paths.bodies.rename(place / paths.bodies.name)
        beside(paths, "remote").unlink(missing_ok=True)
        return kept[0]

    def _advice(self, paths: CassettePaths, kept: Path) -> str:
        name = paths.cassette.with_name(kept.name).relative_to(self.folder).as_posix()
        command = ("magneto", "merge", str(kept), "-o", name, "--force", "-d", str(self.remote))
        return f"To send it: {shlex.join(command)}"

    def _unsendable(
        self, error: Exception, paths: CassettePaths, *, changed: bool
    ) -> CassetteError:
        url = f"{self.remote}/{paths.bodies.relative_to(self.folder).with_suffix('').as_posix()}"
        if not changed:
            return CassetteError(f"{url} could not be removed: {_reason(error)}.")
        kept = self._set_aside(paths)
        return CassetteError(
            f"{url} could not be written: {_reason(error)}. The cassette is kept as {kept}."
            f" {self._advice(paths, kept)}"
        )

    def _unreachable(self, error: Exception) -> CassetteError:
        return CassetteError(
            f"the cassette folder {self.remote} cannot be read, and there is no copy here:"
            f" {_reason(error)}. Look at its address, at your credentials and at the network."
        )

    def _warn_of(self, error: Exception, what: str) -> None:
        if what in self._warned:
            return
        self._warned.add(what)
        log.warning(
            "The cassette folder %s cannot be read: %s. What is used is the copy here of %s",
            self.remote,
            _reason(error),
            what,
        )

    def _paths(self, name: str) -> CassettePaths:
        return paths_of(self.folder, canonical_name(name))


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("magneto-serge")


def _make_private(folder: Path) -> None:
    """Make a folder of the cache: what origins have answered is not for others to read."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _name_of(file: str) -> str | None:
    """Return the cassette's name of a file there, None where it is something else."""
    *folders, last = file.split("/")
    bare, format = split_suffix(last)
    if format is None or any(each.endswith(BODIES_SUFFIX) for each in folders):
        return None
    try:
        return canonical_name("/".join((*folders, bare)))
    except ConfigError:
        return None  # no cassette can have this name: it is nothing of ours


def _bodies_here(paths: CassettePaths) -> list[str]:
    if not paths.bodies.is_dir():
        return []
    return sorted(path.name for path in paths.bodies.iterdir() if _DIGEST.fullmatch(path.name))
