"""How far a long command is: a bar on stderr, on a terminal only, after the first second.

What ends sooner draws nothing, and pays for nothing: ``rich`` is imported when the second is over.
The bar goes when the work ends, well or not.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")

PATIENCE = 1.0  # seconds without a bar


def tracked(
    items: Iterable[T],
    what: str,
    total: int | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yield ``items``, and show how many of ``total`` are done; ``what`` names the work."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield from items
        return
    begun = clock()
    bar: tuple[Progress, TaskID] | None = None
    try:
        for done, item in enumerate(items):
            if bar is None and clock() - begun > PATIENCE:
                bar = _begin(what, total)
            if bar is not None:
                bar[0].update(bar[1], completed=done)
            yield item
    finally:
        if bar is not None:
            bar[0].stop()


def _begin(what: str, total: int | None) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(what, total=total)
    progress.start()
    return progress, task
