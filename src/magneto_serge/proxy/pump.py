"""Writing a recorded response that is too large for one write, as fast as the client takes it.

A body in memory goes out in its pieces; one in a side file is read piece by piece, so that a
gigabyte costs a quarter of a megabyte.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING

from magneto_serge.proxy.answers import Encoded

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection

log = logging.getLogger("magneto_serge.proxy")

_PIECE = 262_144  # bytes


class Pump:
    """One recorded response on its way to one client; its head has been written."""

    waiting = False  # for the clock; see `playing`
    endless = False

    __slots__ = ("_client", "_pieces", "close_after", "cut")

    def __init__(self, client: ClientConnection, encoded: Encoded) -> None:
        self._client = client
        self.cut = encoded.cut
        self.close_after = encoded.close
        self._pieces = _pieces(encoded)

    def go_on(self) -> bool:
        """Write until the client takes no more (False), or all is written (True)."""
        client = self._client
        try:
            for piece in self._pieces:
                client.write([piece])
                if not client.writable:
                    return False
        except OSError as error:
            log.error("A recorded body cannot be read, its answer is cut off: %s", error)
            client.transport.abort()
            return False
        return True

    def close(self) -> None:
        """Give up; a side file is closed."""
        self._pieces.close()


def _pieces(encoded: Encoded) -> Generator[bytes, None, None]:
    yield from encoded.pieces
    if encoded.file is not None:
        left = encoded.file.size
        with encoded.file.path.open("rb") as file:
            while piece := file.read(min(_PIECE, left)):
                left -= len(piece)
                yield piece
        if left:  # its length has been promised to the client
            raise OSError(f"{encoded.file.path} is {left} bytes shorter than when recorded")
    if encoded.tail:
        yield encoded.tail
