"""One interaction after the other: what cannot be understood is left out, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from magneto_serge.messages import Interaction

from .remarks import Remark, Remarks
from .values import UnusableError

T = TypeVar("T")


def converted(
    items: Iterable[T], convert: Callable[[T], Interaction | None], remarks: Remarks
) -> Iterator[Interaction]:
    """Yield what ``convert`` makes of each item; None and UnusableError leave it out.

    Remarks get the item's number as their place.
    """
    file = remarks.place
    try:
        for number, item in enumerate(items, 1):
            remarks.place = f"{file}, interaction {number}" if file else f"interaction {number}"
            try:
                interaction = convert(item)
            except UnusableError as error:
                remarks.add(Remark.LEFT_OUT, str(error))
                continue
            if interaction is not None:
                yield interaction
    finally:
        remarks.place = file
