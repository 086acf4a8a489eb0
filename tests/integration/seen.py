"""What a client was told to do, and what it saw: the same form for every client.

A :class:`Way` says where calls go. A :class:`Seen` is all that a client lets its user see of one
response, with bytes where there are bytes, so that two runs can be compared with ``==``.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .bytestream import FieldLines, end_to_end
from .routes import Call

SHOWN = 2_000  # bytes of a body up to which a failing test shows it rather than its digest


class Way(NamedTuple):
    """Where the calls go: ``base`` URL, through ``proxy`` (None: none), trusting the PEM ``ca``."""

    base: str
    proxy: str | None
    ca: Path

    @property
    def context(self) -> ssl.SSLContext:
        """A client side context that trusts ``ca``."""
        return ssl.create_default_context(cafile=str(self.ca))


@dataclass
class Seen:
    """What a client saw of one response; ``reason`` None where it does not show it."""

    status: int
    reason: str | None
    headers: FieldLines
    body: bytes | str
    trailers: FieldLines

    @classmethod
    def of(
        cls,
        status: int,
        reason: str | bytes | None,
        headers: FieldLines,
        body: bytes,
        trailers: FieldLines | None = None,
    ) -> Seen:
        """Bring what any client gives into one form."""
        text = reason.decode("latin-1") if isinstance(reason, bytes) else reason
        return cls(status, text, end_to_end(headers), shown(body), trailers or [])

    def without(self, *names: bytes) -> Seen:
        """Leave field lines out of the comparison."""
        kept = [line for line in self.headers if line[0].lower() not in names]
        return Seen(self.status, self.reason, kept, self.body, self.trailers)


def shown(body: bytes) -> bytes | str:
    """Return a body, or its size and digest where it is too long to show."""
    if len(body) <= SHOWN:
        return body
    return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}"


def latin1(pairs: Any) -> FieldLines:
    """Bring text pairs back to bytes, for clients that decode field lines as Latin-1."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


Program = Callable[[dict[str, Call], Way], dict[str, Seen]]
