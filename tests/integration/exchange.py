"""One request at the scripted origin: what arrived, the connection to answer on, and the steps.

``Received`` keeps the request's exact bytes. A step of a script is ``bytes`` to send, or a function
of the :class:`Exchange`; :class:`HungUp` ends the script and the connection with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .bytestream import (
    ByteStream,
    FieldLines,
    end_to_end,
    parse_field_lines,
    read_chunked,
    values,
)

if TYPE_CHECKING:
    from .origin import Origin

PATIENCE = 10.0  # seconds that any wait in a test may take before it counts as failed


class HungUp(Exception):
    """The script ends and so does the connection."""


@dataclass
class Received:
    """A request as it arrived; ``head`` and ``raw_body`` are its exact bytes."""

    connection: int
    head: bytes
    raw_body: bytes = b""
    body: bytes = b""
    trailers: FieldLines = field(default_factory=list)

    @property
    def start_line(self) -> list[bytes]:
        """Method, target and version."""
        return self.head.split(b"\r\n", 1)[0].split(b" ")

    @property
    def method(self) -> str:
        """The method, as text."""
        return self.start_line[0].decode("latin-1")

    @property
    def target(self) -> str:
        """The request target, as text."""
        return self.start_line[1].decode("latin-1")

    @property
    def headers(self) -> FieldLines:
        """Field lines in order, raw."""
        return parse_field_lines(self.head.split(b"\r\n", 1)[1][:-4]) if self.has_fields else []

    @property
    def end_to_end(self) -> FieldLines:
        """Field lines but those about one connection."""
        return end_to_end(self.headers)

    @property
    def has_fields(self) -> bool:
        """Whether there is any field line."""
        return self.head.count(b"\r\n") > 2

    def values(self, name: str) -> list[bytes]:
        """Every value of ``name`` in order."""
        return values(self.headers, name.encode())


class Gate:
    """Holds a script until the test opens it (or the origin stops)."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.passes = 0

    def open(self, times: int = 1) -> None:
        """Let the script pass ``times`` times."""
        with self.origin.changed:
            self.passes += times
            self.origin.changed.notify_all()

    def __call__(self, exchange: Exchange) -> None:
        """Wait, as a step of a script."""
        with self.origin.changed:
            self.origin.changed.wait_for(lambda: self.passes or self.origin.stopped, PATIENCE)
            if not self.passes:
                raise HungUp
            self.passes -= 1


class Exchange:
    """One request and the connection to answer it on; steps are functions of this."""

    def __init__(self, origin: Origin, stream: ByteStream, request: Received, nth: int) -> None:
        self.origin = origin
        self.stream = stream
        self.request = request
        self.nth = nth  # 1 for the first request on its connection
        self.body_read = False

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self.stream.socket.sendall(data)
        with self.origin.changed:
            self.origin.sent += len(data)

    def read_body(self) -> bytes:
        """Read the request body, once, by its framing (RFC 9112 §6.3)."""
        if self.body_read:
            return self.request.body
        self.body_read = True
        request, length = self.request, self.request.values("content-length")
        if request.values("transfer-encoding"):
            chunked = read_chunked(self.stream)
            request.body, request.raw_body = chunked.data, chunked.raw
            request.trailers = chunked.trailers
        elif length:
            request.body = request.raw_body = self.stream.exactly(int(length[0]))
        return request.body

    @property
    def last(self) -> bool:
        """Whether the request asked for this to be the last on its connection."""
        options = b",".join(self.request.values("connection")).lower()
        if self.request.start_line[2] == b"HTTP/1.0":
            return b"keep-alive" not in options
        return b"close" in options


Step = bytes | Callable[[Exchange], None]


def read_body(exchange: Exchange) -> None:
    """Read the request body at this point of the script rather than before it."""
    exchange.read_body()


def leave_body(_: Exchange) -> None:
    """Leave the request body to the script: nothing reads it unless a step does."""
