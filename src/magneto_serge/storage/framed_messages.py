"""The messages of a long conversation in a container: frames of them, decoded as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

import msgspec

from magneto_serge.messages import Body, FileBody, Interaction, WebSocketMessage

if TYPE_CHECKING:
    from .container_read import Frames

Resolve = Callable[[FileBody], Body]
"""Finds a side file; raises CassetteError."""


class Talk(NamedTuple):
    """What stands for a long conversation: so many messages, in the frames at ``offsets``."""

    interaction: Interaction
    messages: int
    offsets: list[int]


class FramedMessages(Sequence[WebSocketMessage]):
    """The messages that ``talk`` stands for, decoded each time they are asked for.

    Iteration raises CassetteError where a frame is damaged.
    """

    def __init__(self, frames: Frames, talk: Talk, resolve: Resolve) -> None:
        self._frames = frames
        self._talk = talk
        self._resolve = resolve

    def __len__(self) -> int:
        return self._talk.messages

    def __iter__(self) -> Iterator[WebSocketMessage]:
        for offset in self._talk.offsets:
            yield from resolved(self._frames.messages(offset), self._resolve)

    @overload
    def __getitem__(self, index: int) -> WebSocketMessage: ...

    @overload
    def __getitem__(self, index: slice) -> list[WebSocketMessage]: ...

    def __getitem__(self, index: int | slice) -> WebSocketMessage | list[WebSocketMessage]:
        return list(self)[index]


def resolved(
    messages: Sequence[WebSocketMessage], resolve: Resolve
) -> tuple[WebSocketMessage, ...]:
    """Return messages whose large ones are in side files that are there."""
    return tuple(
        msgspec.structs.replace(each, data=resolve(each.data))
        if isinstance(each.data, FileBody)
        else each
        for each in messages
    )
