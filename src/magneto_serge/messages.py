"""What was said: requests, responses, failures, and the interaction that holds them together.

Plain values, shared by every layer above; nothing here does I/O. Three rules:

* **Bytes are the truth.** A field line is kept as the pair of bytes that was on the wire: order,
  case and repeats included. ``str`` views are for people. The framing that the origin chose
  (``Content-Length``, ``Transfer-Encoding``) stays in the fields as received; what a client gets
  on replay is framed anew by ``proxy``.
* **Values hold no cycles**, so the garbage collector need not follow them (`gc=False`): what waits
  for the recorder would otherwise be scanned again and again.
* **A body is whole, decoded from its transfer coding, and still content-encoded**: either
  ``bytes``, or a :class:`FileBody` when it was too large to keep in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

FieldLine = tuple[bytes, bytes]


class Headers:
    """A header or trailer section: an immutable list of field lines with look-up by name.

    ``raw`` has the pairs ``(name, value)`` as bytes in the order received. Names compare without
    case (RFC 9110 §5.1). ``str`` values are UTF-8 where the bytes are, Latin-1 otherwise.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Iterable[FieldLine] = ()) -> None:
        self.raw: tuple[FieldLine, ...] = tuple(raw)

    @classmethod
    def of(cls, *pairs: tuple[str, str]) -> Headers:
        """Build from text pairs, UTF-8 encoded: ``Headers.of(("Accept", "*/*"))``."""
        return cls((name.encode("ascii"), value.encode()) for name, value in pairs)

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of ``name``, or ``default``."""
        wanted = name.encode("latin-1", "replace").lower()
        for key, value in self.raw:
            if key.lower() == wanted:
                return field_text(value)
        return default

    def get_all(self, name: str) -> list[str]:
        """Return every value of ``name`` in order; repeats are kept apart (Set-Cookie)."""
        wanted = name.encode("latin-1", "replace").lower()
        return [field_text(value) for key, value in self.raw if key.lower() == wanted]

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((key.decode("latin-1"), field_text(value)) for key, value in self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


def field_text(value: bytes) -> str:
    """Decode a field value for people: UTF-8 where valid, Latin-1 otherwise (RFC 9110 §5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class FileBody(msgspec.Struct):
    """A body too large to keep in memory: ``size`` bytes in the file ``path``.

    ``sha256`` is the lower-case hexadecimal digest of the bytes; while recording it is empty until
    the writer thread has closed the file.
    """

    path: Path
    size: int
    sha256: str


Body = bytes | FileBody


def body_size(body: Body) -> int:
    """Return the length of a body in bytes, wherever it is kept."""
    return body.size if isinstance(body, FileBody) else len(body)


NO_HEADERS = Headers()


class Request(msgspec.Struct, gc=False, omit_defaults=True):
    """A request as the origin sees it.

    ``scheme`` is ``http`` or ``https``, of a WebSocket's opening handshake ``ws`` or ``wss``
    (RFC 6455 §3); ``host`` is lower-case, an IPv6 literal without its
    brackets; ``target`` is what stands in the request line towards the origin: origin-form
    (``/path?query``) or ``*`` (RFC 9112 §3.2). ``version`` is ``HTTP/1.1`` or ``HTTP/1.0``.
    """

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: Headers = NO_HEADERS
    body: Body = b""
    version: str = "HTTP/1.1"
    trailers: Headers = NO_HEADERS

    @property
    def authority(self) -> str:
        """``host`` or ``host:port``, without the port where it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The target URI (RFC 9110 §7.1); ``OPTIONS *`` has an empty path."""
        return f"{self.scheme}://{self.authority}{'' if self.target == '*' else self.target}"


DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Response(msgspec.Struct, gc=False, omit_defaults=True):
    """A response as the origin sent it. ``reason`` is Latin-1 text of the bytes received."""

    status: int
    reason: str = ""
    headers: Headers = NO_HEADERS
    body: Body = b""
    version: str = "HTTP/1.1"
    trailers: Headers = NO_HEADERS


class FailureKind(StrEnum):
    """How an exchange with the origin failed."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    RESET = "reset"
    TRUNCATED = "truncated"
    BAD_RESPONSE = "bad-response"
    UPSTREAM_PROXY = "upstream-proxy"
    CLIENT_CLOSED = "client-closed"


class Failure(msgspec.Struct, frozen=True):
    """The origin could not be reached, or broke off: ``detail`` says how, for people."""

    kind: FailureKind
    detail: str = ""


class Frame(msgspec.Struct, gc=False):
    """A WebSocket frame as it was on the wire, or a piece of one (RFC 6455 §5.2).

    ``head`` is its first octet: FIN, RSV1 to RSV3, opcode. ``mask`` is the masking key turned to
    the first byte of ``payload``, empty where there is none; ``payload`` is still masked. A frame
    that came in several reads is several pieces, of which one is the ``first`` and one the
    ``last``.
    """

    head: int
    mask: bytes
    payload: bytes
    first: bool = True
    last: bool = True


class WebSocketMessage(msgspec.Struct, gc=False, array_like=True):
    """One message of a WebSocket conversation (RFC 6455 §5).

    ``sender`` is ``client`` or ``server``; ``kind`` is ``text``, ``binary``, ``ping`` or ``pong``.
    ``data`` is the payload, unmasked and, where permessage-deflate was negotiated, decompressed; of
    a text message its UTF-8. ``at_ms`` is ms since the handshake's 101. ``fragments`` is empty for
    a message in one frame, otherwise the payload bytes of each frame as they were on the wire.
    ``compressed``: it came with RSV1 set (RFC 7692 §6).
    """

    sender: str
    kind: str
    data: Body
    at_ms: float = 0.0
    fragments: tuple[int, ...] = ()
    compressed: bool = False


class WebSocketClose(msgspec.Struct, frozen=True, gc=False):
    """How a conversation ended: ``code`` and ``reason`` (RFC 6455 §7.4), and whose end it was.

    ``by`` is the side that closed first, ``client`` or ``server``. 1006: the connection broke off
    without a Close frame; 1005: the Close frame had no code.
    """

    code: int
    reason: str = ""
    by: str = "server"
    at_ms: float = 0.0


class Conversation(msgspec.Struct, gc=False):
    """What was said over a WebSocket, in order, and how it ended; None: it has not ended.

    ``messages`` of a long conversation may be read from the disk as they are asked for.
    """

    messages: Sequence[WebSocketMessage] = ()
    close: WebSocketClose | None = None


# What a cassette may say: no more than a date can be, and some thirty thousand years.
Moment = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Size = Annotated[int, msgspec.Meta(ge=0)]


class Interaction(msgspec.Struct, gc=False, omit_defaults=True):
    """One exchange with the world.

    ``response`` is None where the failure came before a response head; both are set where the
    origin broke off mid-body (the body is then what had arrived). ``informational`` holds 1xx
    responses other than 100. Times: ``started`` in seconds since the epoch (UTC);
    ``first_byte_ms`` (None without a response) and ``total_ms`` in ms since then. ``chunks`` is
    empty unless the body arrived as a stream, in pieces or long before its end (``proxy/tape.py``);
    then ``(size in bytes, ms since started)`` for each piece, the sizes adding up to the body's.
    ``peer`` is the origin's ``address:port``. ``websocket`` is set where the response is a 101 that
    opened a WebSocket. ``template``: body and field values of the response are templates, to be
    rendered for each request that it answers; somebody has written that into the cassette.
    ``uploaded`` is set where the response began before its request had ended: the bytes of the
    request's body that had gone before the head, before each of ``chunks``, and, if the request had
    ended by then, before the end.
    """

    request: Request
    response: Response | None = None
    failure: Failure | None = None
    informational: tuple[Response, ...] = ()
    started: Moment = 0.0
    first_byte_ms: Milliseconds | None = None
    total_ms: Milliseconds = 0.0
    chunks: tuple[tuple[Size, Milliseconds], ...] = ()
    peer: str = ""
    websocket: Conversation | None = None
    template: bool = False
    uploaded: tuple[int, ...] = ()
