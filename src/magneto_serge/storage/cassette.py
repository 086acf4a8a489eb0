"""A cassette on the disk as a lazy sequence of interactions.

A binary cassette is mapped, and an interaction is decoded when it is asked for, each time anew. A
JSON cassette has to be read whole. Either may be read by any number of threads and processes, also
while it is being recorded again: what was opened stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, overload

from magneto_serge.errors import CassetteError, CassetteNotFoundError
from magneto_serge.messages import Interaction
from magneto_serge.replay.rules import DEFAULT_RULES, Rules
from magneto_serge.replay.shelves import Scanner, Shelves

from .formats import split_suffix

if TYPE_CHECKING:
    from .container_read import Container

_BINARY = b"magneto"  # what a container starts with, of whatever version


class Cassette(Sequence[Interaction]):
    """The interactions of one cassette, in recorded order. Make one with :meth:`open`.

    ``path`` is its file; ``binary`` tells whether it is a container. An index gives an
    :class:`Interaction`, a slice a list of them; CassetteError is raised where one is damaged.
    """

    def __init__(
        self, path: Path, interactions: list[Interaction], container: Container | None
    ) -> None:
        self.path = path
        self.binary = container is not None
        self._interactions = interactions
        self._container = container
        self._closed = False

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = False) -> Cassette:
        """Open the cassette in the file ``path``, in any format; its content tells which.

        Bodies in side files are checked for presence and size when their interaction is decoded,
        with ``verify`` for content too. Raises CassetteNotFoundError, and CassetteError where the
        file cannot be read or is no cassette.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                start = file.read(len(_BINARY))
                if start == _BINARY:
                    from .container_read import Container, mapped

                    return cls(path, [], Container(path, mapped(path), verify=verify))
                data = start + file.read()
        except FileNotFoundError as error:
            raise CassetteNotFoundError(f"there is no cassette {path}.") from error
        except OSError as error:
            raise CassetteError(f"cannot read {path}: {error.strerror}.") from error
        return cls._from_bytes(path, data, verify)

    @classmethod
    def _from_bytes(cls, path: Path, data: bytes, verify: bool) -> Cassette:
        from .json_format import read
        from .packing import unpacked

        data = unpacked(path, data)
        named = split_suffix(path.name)[1]
        if data.startswith(_BINARY) or (named and named.binary and not data.startswith(b"{")):
            from .container_read import Container

            return cls(path, [], Container(path, memoryview(data), verify=verify))
        return cls(path, read(path, data, verify=verify), None)

    def __len__(self) -> int:
        return len(self._open_container() or self._interactions)

    @overload
    def __getitem__(self, index: int) -> Interaction: ...

    @overload
    def __getitem__(self, index: slice) -> list[Interaction]: ...

    def __getitem__(self, index: int | slice) -> Interaction | list[Interaction]:
        container = self._open_container()
        if container is None:
            return self._interactions[index]
        numbers = range(len(container))[index]
        if isinstance(numbers, int):
            return container.interaction_at(numbers)
        return list(map(container.interaction_at, numbers))

    def __iter__(self) -> Iterator[Interaction]:
        return (self[number] for number in range(len(self)))

    def __enter__(self) -> Cassette:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was read from it stays good. Calling it again does nothing."""
        self._closed = True
        self._interactions = []
        self._container = None

    def _open_container(self) -> Container | None:
        if self._closed:
            raise CassetteError(f"{self.path} has been closed: open it again.")
        return self._container

    @property
    def container(self) -> Container | None:
        """The container behind it, None for JSON."""
        return self._open_container()

    def shelves(
        self,
        *,
        rules: Rules = DEFAULT_RULES,
        secrets: Scanner | None = None,
        make: Callable[..., Shelves] = Shelves,
    ) -> Shelves:
        """Return the interactions ready to be replayed, decoded when they are first played.

        ``make`` is called as the class is.
        """
        container = self._open_container()
        if container is None:
            return make(self._interactions, rules=rules, secrets=secrets)
        import hashlib  # noqa: F401  # look-ups digest: not to load it while the first one waits

        index = container if container.searchable else None
        return make(_Lent(container), index, rules=rules, secrets=secrets, lazy=True)


class _Lent(Sequence[Interaction]):
    """The interactions of a container for replay: large bodies are views of the map."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def __len__(self) -> int:
        return len(self._container)

    @overload
    def __getitem__(self, number: int) -> Interaction: ...

    @overload
    def __getitem__(self, number: slice) -> list[Interaction]: ...

    def __getitem__(self, number: int | slice) -> Interaction | list[Interaction]:
        if isinstance(number, slice):
            return [self._container.lend(each) for each in range(len(self))[number]]
        return self._container.lend(number)
