"""The vocabulary between parsers and connections, the same for every version of HTTP.

Names are in the past tense: an event tells what the peer has sent. ``stream_id`` is always 1 for
HTTP/1.x. An exchange is ``RequestReceived (DataReceived)* StreamEnded`` one way and
``(InformationalReceived)* ResponseReceived (DataReceived)* StreamEnded`` the other; where a head
has no content at all, ``ended`` is set on it and no ``StreamEnded`` follows.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from magneto_serge.errors import ProtocolError
from magneto_serge.messages import FieldLine, Headers


class Section:
    """A field section that came before, and what was made of it; see ``memory``.

    ``relayed`` is the section as it goes out, and the Host value that it was made for (none in a
    response): one value, because proxies on several threads share it.
    """

    __slots__ = ("headers", "nominated", "relayed")

    def __init__(
        self, fields: tuple[FieldLine, ...], nominated: frozenset[bytes] = frozenset()
    ) -> None:
        self.headers = Headers(fields)
        self.nominated = nominated
        self.relayed: tuple[bytes, bytes] | None = None


class Framing(IntEnum):
    """How the end of a message's content is found (RFC 9112 §6.3)."""

    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3


class RequestReceived(msgspec.Struct, gc=False):
    """A request head.

    ``keep_alive``: the client wants the connection kept (RFC 9112 §9.3). ``expect_continue``:
    ``Expect: 100-continue``. ``upgrade``: the protocols offered, empty where none is.
    ``nominated``: names, lower-case, that ``Connection`` declares hop-by-hop. ``section``: what
    was made of the same fields before, where they are remembered.
    """

    method: str
    target: str
    version: str
    fields: tuple[FieldLine, ...]
    framing: Framing
    content_length: int = 0
    keep_alive: bool = True
    expect_continue: bool = False
    upgrade: bytes = b""
    nominated: frozenset[bytes] = frozenset()
    ended: bool = False
    stream_id: int = 1
    section: Section | None = None


class InformationalReceived(msgspec.Struct, gc=False):
    """An interim response: any 1xx but 101 (RFC 9110 §15.2)."""

    status: int
    reason: bytes
    version: str
    fields: tuple[FieldLine, ...]
    stream_id: int = 1


class ResponseReceived(msgspec.Struct, gc=False):
    """A final response head, or 101 Switching Protocols."""

    status: int
    reason: bytes
    version: str
    fields: tuple[FieldLine, ...]
    framing: Framing
    content_length: int = 0
    keep_alive: bool = True
    nominated: frozenset[bytes] = frozenset()
    ended: bool = False
    stream_id: int = 1
    section: Section | None = None


class DataReceived(msgspec.Struct, gc=False):
    """A piece of content, as it arrived, free of its transfer coding; never empty."""

    data: bytes
    stream_id: int = 1


class StreamEnded(msgspec.Struct, gc=False):
    """The message is complete; ``trailers`` holds its trailer section."""

    trailers: tuple[FieldLine, ...]
    stream_id: int = 1


class BytesAfterUpgrade(msgspec.Struct, gc=False):
    """What followed a CONNECT, or a message that offers or makes an upgrade; may be empty."""

    data: bytes


class PeerBrokeProtocol(msgspec.Struct, gc=False):
    """Always the last event: what follows cannot be understood and was dropped."""

    error: ProtocolError


Event = (
    RequestReceived
    | InformationalReceived
    | ResponseReceived
    | DataReceived
    | StreamEnded
    | BytesAfterUpgrade
    | PeerBrokeProtocol
)
