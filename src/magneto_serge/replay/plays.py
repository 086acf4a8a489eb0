"""How often each recording was played, by several processes together.

One map of memory, made before the processes part, holds a row of counters for each of them. A
recording was played as often as its column adds up to. Nobody writes in another's row, so counting
needs no lock, and nothing is lost when two count at once, or when one is killed.

Whoever has to *choose* (the next recording of a sequence, the one that suits a secret) holds a lock
from looking to counting. The locks are POSIX record locks on a file without a name: byte N is that
of the shelf whose first recording is N, and all bytes together are everybody's, so that shelves do
not wait for each other. The system releases them when their holder dies, which a semaphore in
shared memory would not; a pair of calls takes 2 us, and playing a recording that is alone on its
shelf, as most are, takes none.

The same file, which is memory and never reaches a disk, holds what the processes tell each other
in lines: which secret met which placeholder. Linux only: ``memfd_create``.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

_LINE_OF_CACHE = 8  # counters: rows do not share one
_AT_A_TIME = 1 << 16
_DRAWS = 1 << 48  # the locks of what is drawn are behind those of all recordings


class Plays:
    """The counters of ``processes``; numbers of recordings count from 1.

    Before :meth:`open` nothing was played. A process says with :meth:`become` which row is its
    :attr:`own`; one that only looks has none. :attr:`turns` holds, where a shelf begins, how often
    anything was played from it; it is read and written under the shelf's lock.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._map: mmap.mmap | None = None
        self.generations = memoryview(mmap.mmap(-1, 8)).cast("Q")
        self.turns = memoryview(b"")
        self.own = memoryview(b"")
        self._drawing = 0
        self._drawn = memoryview(b"")
        self._rows: list[memoryview] = []
        self._file = -1

    def open(self, recordings: int) -> None:
        """Make the counters, for so many recordings; then the processes can part."""
        import fcntl  # nothing of this exists on Windows

        self._lockf, self._exclusive, self._unlock = fcntl.lockf, fcntl.LOCK_EX, fcntl.LOCK_UN
        self._file = os.memfd_create("magneto-plays")
        width = -(-max(recordings, 1) // _LINE_OF_CACHE) * _LINE_OF_CACHE
        self._map = mmap.mmap(-1, 8 * (1 + self._processes) * width)
        counters = memoryview(self._map).cast("Q")
        rows = (counters[start : start + recordings] for start in range(0, len(counters), width))
        self.turns, *self._rows = rows
        # Of a map of its own: starting over is not drawing anew.
        self._drawn = memoryview(mmap.mmap(-1, 8 * max(self._drawing, 1))).cast("Q")

    def become(self, process: int) -> None:
        """Count in the row of this process, from 0, from now on."""
        self.own = self._rows[process]

    # --- counting ------------------------------------------------------------------------------

    def count(self, number: int) -> None:
        """Note that a recording is played."""
        self.own[number - 1] += 1

    def of(self, number: int) -> int:
        """Return how often a recording was played."""
        at = number - 1
        return sum([row[at] for row in self._rows])

    @property
    def totals(self) -> list[int]:
        """How often each was played, in recorded order."""
        return list(map(sum, zip(*self._rows, strict=True)))

    # --- choosing ------------------------------------------------------------------------------

    def lock(self, number: int = 0) -> None:
        """Wait until nobody else chooses on the shelf that begins with ``number``; 0: anywhere."""
        self._lockf(self._file, self._exclusive, 1 if number else 0, number)

    def unlock(self, number: int = 0) -> None:
        """Let the others choose."""
        self._lockf(self._file, self._unlock, 1 if number else 0, number)

    # --- drawing -------------------------------------------------------------------------------

    def in_turn(self, draw: Callable[[], float]) -> Callable[[], float]:
        """Return ``draw`` so that whoever draws gets the next of *one* series; before :meth:`open`.

        Each process has the whole series, because all have the same seed, and passes over what
        others have drawn: 0.1 us for each.
        """
        slot, mine = self._drawing, 0
        self._drawing += 1

        def following() -> float:
            nonlocal mine
            self.lock(_DRAWS + slot)
            try:
                turn = self._drawn[slot]
                self._drawn[slot] = turn + 1
            finally:
                self.unlock(_DRAWS + slot)
            while mine < turn:
                draw()
                mine += 1
            mine += 1
            return draw()

        return following

    # --- telling -------------------------------------------------------------------------------

    def tell(self, line: bytes) -> None:
        """Tell the others a line, without an end; the whole lock is held.

        It begins with its separator: had a process been killed while it wrote, the next line would
        not be lost with that one.
        """
        os.pwrite(self._file, b"\n" + line, os.fstat(self._file).st_size)

    def told(self, since: int) -> tuple[list[bytes], int]:
        """Return the lines that were told ``since`` a place, and the next; the lock is held."""
        found = b""
        while more := os.pread(self._file, _AT_A_TIME, since):
            found, since = found + more, since + len(more)
        return found.split(b"\n")[1:], since

    # --- starting over -------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """Changes with each :meth:`rewind`: what was remembered before holds no longer."""
        return self.generations[0]

    def rewind(self) -> None:
        """Forget what was played and what was told, for every process."""
        if self._map is None:
            return
        self.lock()
        try:
            self._map.madvise(mmap.MADV_REMOVE)  # zeros, and the pages are given back
            os.ftruncate(self._file, 0)
            self.generations[0] += 1
        finally:
            self.unlock()
