"""Messages of a conversation by columns, so that none is an object of its own.

Of a crowd of small messages, what each costs is what counts: an object for it, its encoding, a look
of its own for secrets. Most are alike: text or binary, in one frame, uncompressed, whole when they
were read. Those are kept as what the frames were, and looked at, encoded and written together.
"""

from __future__ import annotations

from typing import NamedTuple

from magneto_serge.messages import WebSocketMessage
from magneto_serge.wire.websocket import WHOLE

Run = tuple[str, float, int]
"""Who said something, when (ms since the handshake), and how many messages."""


class Columns(NamedTuple):
    """``heads`` has the first octet of each frame, ``payloads`` what it said; ``runs`` say who did,
    and when."""

    heads: bytes
    runs: list[Run]
    payloads: list[bytes]

    def messages(self) -> list[WebSocketMessage]:
        """Return them one by one."""
        kinds = [WHOLE[head] for head in self.heads]
        found: list[WebSocketMessage] = []
        start = 0
        for sender, at_ms, count in self.runs:
            end = start + count
            said = zip(kinds[start:end], self.payloads[start:end], strict=True)
            found += [WebSocketMessage(sender, kind, data, at_ms) for kind, data in said]
            start = end
        return found
