"""HTTP/1.x bytes to events, by llhttp in its strict setting (``httptools``).

llhttp refuses what RFC 9112 calls request smuggling material: Content-Length with
Transfer-Encoding, repeated or malformed lengths, bare CR or LF, obs-fold, white space before a
colon, malformed chunks. This module adds what llhttp leaves to its user:

* Host exactly once in HTTP/1.1, and a host (RFC 9112 §3.2); no Transfer-Encoding before 1.1
  (§6.1), no transfer coding other than chunked (§6.1: 501), no version but 1.0 and 1.1 (505);
* a limit on everything that produces no event: request lines, header sections, chunk extensions,
  trailer sections;
* responses without content by virtue of the request (HEAD, 2xx to CONNECT; §6.3).

A parser belongs to one connection. ``feed`` never raises for what a peer sent: bad bytes become a
final ``PeerBrokeProtocol``, after the events of everything that was good before them. Where the
bytes were cut on their way makes no difference to what comes out.
"""

from __future__ import annotations

import re

import httptools

from magneto_serge.errors import ClientProtocolError, ProtocolError, UpstreamProtocolError
from magneto_serge.messages import FieldLine
from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Event,
    Framing,
    InformationalReceived,
    PeerBrokeProtocol,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.fields import KNOWN, NEVER_NOMINATED, Known, connection_options
from magneto_serge.wire.memory import RequestMemory, ResponseMemory

DEFAULT_MAX_HEADER_SIZE = 65_536  # bytes; nginx: 4 × 8k, Node: 16k, Apache: 100 × 8k

# Upgrades that the retired h2c and RFC 2817 offer on ordinary requests (Java's HttpClient sends
# one with each): not offered onwards, so the exchange stays HTTP/1.1 and can be recorded.
_IGNORED_UPGRADES = (b"h2c", b"tls/")

_METHODS: dict[bytes, str] = {}
_REQUESTS = RequestMemory()
_RESPONSES = ResponseMemory()
_NO_CONTENT = ("HEAD", "CONNECT")  # whose responses end with their head

# RFC 9110 §7.2: uri-host [":" port], or empty. A comma, which RFC 3986 allows in a name, would
# make it a list to some readers.
_HOST_FIELD = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::[0-9]*)?")

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # what obs-text, VCHAR, SP and HTAB are not

# Token, SP, and a likely target, as far as they have come.
_METHOD = re.compile(rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: ?\Z| [/*h])")
_START_KEPT = 32  # bytes; the longest method that llhttp knows has 13


class _Parser:
    """What the two directions share: the event list, the head being read, the size limit."""

    _upstream = False

    def __init__(self, max_header_size: int = DEFAULT_MAX_HEADER_SIZE) -> None:
        self._max_header_size = max_header_size
        self._events: list[Event] = []
        self._fields: list[FieldLine] = []
        self._between = True  # no message is under way, as far as llhttp knows
        self._silent = 0  # bytes fed since the last event
        self._carried = 0  # bytes in the last feed with events: a head may have begun in it
        self._start = b""  # what is silent so far, while it is short
        self.broken = False  # the peer has broken the protocol: nothing more can be read from it
        self._parser = self._new_parser()

    def _new_parser(self) -> httptools.HttpRequestParser | httptools.HttpResponseParser:
        raise AssertionError("a direction makes its own")  # pragma: no cover

    @property
    def mid_message(self) -> bool:
        """Whether bytes have come that have made no event yet: part of a head, say."""
        return self._silent > 0

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that ``data`` completes, in order; empty data makes none."""
        if self.broken:
            return []
        self._silent += len(data)
        rest: bytes | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._fail(error, data)
        if rest is not None:  # not while an exception is handled: it would hide what `_fail` needs
            self._upgraded(rest)
        events = self._events
        if events:
            self._events = []
            self._silent = 0
            self._carried = len(data)
        elif self._silent > self._max_header_size:
            self.broken = True
            return [PeerBrokeProtocol(self._too_large())]
        elif self._silent <= _START_KEPT:
            self._start = data if self._silent == len(data) else self._start + data
        return events

    def _upgraded(self, rest: bytes) -> None:
        self._events.append(BytesAfterUpgrade(rest))

    def _fail(self, error: httptools.HttpParserError, data: bytes) -> None:
        self.broken = True
        cause = error.__context__
        if not isinstance(cause, ProtocolError):
            cause = self._error(f"Malformed HTTP: {error}")
        self._events.append(PeerBrokeProtocol(cause))

    def _error(self, message: str) -> ProtocolError:
        return UpstreamProtocolError(message) if self._upstream else ClientProtocolError(message)

    def _too_large(self) -> ProtocolError:
        message = f"Header section larger than {self._max_header_size} bytes"
        if self._upstream:
            return UpstreamProtocolError(message)
        return ClientProtocolError(message, 431)  # RFC 6585 §5

    def _take_fields(self, start: bytes = b"") -> tuple[FieldLine, ...]:
        fields = self._fields
        self._fields = []
        limit = self._max_header_size
        # A section over the limit that `feed` has not stopped is completed by the feed in hand,
        # and may have begun behind the last event; adding up is for that case only.
        if (
            self._carried + self._silent > limit
            and len(start) + sum(len(name) + len(value) + 4 for name, value in fields) > limit
        ):
            raise self._too_large()
        return tuple(fields)

    # --- callbacks common to both directions -------------------------------------------------

    def on_message_begin(self) -> None:
        """Note the first byte of a message."""
        self._between = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field line, of the header or the trailer section."""
        self._fields.append((name, value.rstrip(b" \t")))  # RFC 9112 §5.1; llhttp strips the front

    def on_body(self, data: bytes) -> None:
        """Take a piece of content."""
        self._events.append(DataReceived(data))


class RequestParser(_Parser):
    """Events of a client's connection."""

    def __init__(self, max_header_size: int = DEFAULT_MAX_HEADER_SIZE) -> None:
        super().__init__(max_header_size)
        self._target = b""
        self._head: RequestReceived | None = None
        self._closing = False
        self._skipping = False  # llhttp takes the content of the request in hand for an upgrade

    def _new_parser(self) -> httptools.HttpRequestParser:
        return httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that ``data`` completes.

        What follows a request that closes the connection is dropped (RFC 9112 §9.6).
        """
        # Where a request can begin; which of the limits a long one is over, the callbacks tell.
        if self._between and not self._silent and len(data) <= self._max_header_size:
            head = _REQUESTS.recall(data)
            if head is not None:
                self._head = head
                return [head]
            events = super().feed(data)
            if events and self._between:
                _REQUESTS.learn(data, events)
            return events
        if self._closing:
            return []
        return super().feed(data)

    def _upgraded(self, rest: bytes) -> None:
        while (head := self._head) is not None and head.method != "CONNECT" and not head.upgrade:
            # An upgrade that we ignore: what follows is its content, or the next request.
            if self._skipping:
                self._parser = self._new_parser()
                self._parser.feed_data(_content_head(head))
            if not rest:
                return
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                continue
            except httptools.HttpParserError as error:
                self._fail(error, rest)
            return
        super()._upgraded(rest)

    def _fail(self, error: httptools.HttpParserError, data: bytes) -> None:
        if self._closing:  # the error is llhttp's "data after Connection: close"
            return
        # Behind something good in the same read, nobody can tell where the method begins.
        if isinstance(error, httptools.HttpParserInvalidMethodError) and not self._events:
            start = self._start if len(self._start) == self._silent - len(data) else b""
            if _METHOD.match(start + data):
                self.broken = True
                refusal = ClientProtocolError("Unknown method", 501)  # RFC 9110 §15.6.2
                self._events.append(PeerBrokeProtocol(refusal))
                return
        super()._fail(error, data)

    def _too_large(self) -> ProtocolError:
        if len(self._target) * 2 > self._max_header_size:  # the larger part of what was too much
            return ClientProtocolError("Request target too long", 414)  # RFC 9110 §15.5.15
        return super()._too_large()

    def on_url(self, target: bytes) -> None:
        """Take (a part of) the request target."""
        self._target += target
        if len(self._target) > self._max_header_size:
            raise self._too_large()

    def on_headers_complete(self) -> None:
        """Check the head and make its event."""
        parser = self._parser
        if self._skipping:  # the head of `_content_head`, made up by us
            self._skipping = False
            self._target, self._fields = b"", []
            return
        version = parser.get_http_version()
        if version != "1.1" and version != "1.0":
            raise ClientProtocolError(f"HTTP/{version} is not spoken on this connection", 505)
        fields = self._take_fields(self._target)
        raw_method = parser.get_method()  # type: ignore[union-attr]  # ours is a request parser
        method = _METHODS.get(raw_method)
        if method is None:
            method = _METHODS[raw_method] = raw_method.decode("ascii")
        head = RequestReceived(
            method,
            self._target.decode("ascii"),
            "HTTP/1.1" if version == "1.1" else "HTTP/1.0",
            fields,
            Framing.NONE,
            keep_alive=parser.should_keep_alive(),
        )
        self._target = b""
        hosts = 0
        for name, value in fields:
            known = KNOWN.get(name.lower())
            if known is None:
                continue
            if known is Known.HOST:
                hosts += 1
                if _HOST_FIELD.fullmatch(value) is None:
                    raise ClientProtocolError(f"Host is no host: {value!r} (RFC 9112 §3.2)")
            else:
                _read_request_field(head, known, value)
        if hosts != 1 and (hosts or version == "1.1"):
            raise ClientProtocolError("A request needs exactly one Host field (RFC 9112 §3.2)")
        if version == "1.0":
            _as_http_1_0(head)
        if method == "CONNECT" and head.framing is not Framing.NONE:
            raise ClientProtocolError("CONNECT has no content (RFC 9110 §9.3.6)")
        if not parser.should_upgrade():
            head.upgrade = b""  # RFC 9110 §7.8: an offer stands in Connection as well
        elif head.framing is not Framing.NONE:
            # httptools has no content in a request that offers an upgrade. A recipient may
            # ignore the offer, so this one does, and reads the content.
            head.upgrade = b""
            self._skipping = True
        self._head = head
        self._events.append(head)

    def on_message_complete(self) -> None:
        """End the message."""
        if self._skipping:
            return
        self._between = True
        head = self._head
        trailers = self._take_fields()
        if head is None:  # llhttp completes no message without a head; told to the type checker
            return
        if head.framing is Framing.NONE:
            head.ended = True
        else:
            self._events.append(StreamEnded(trailers))
        if not head.keep_alive and not head.upgrade and head.method != "CONNECT":
            self._closing = True
            self._between = False  # nothing can begin any more


def _as_http_1_0(head: RequestReceived) -> None:
    """Leave out what HTTP/1.0 does not know; raises ClientProtocolError for a transfer coding."""
    if head.framing is Framing.CHUNKED:
        raise ClientProtocolError("Transfer-Encoding needs HTTP/1.1 (RFC 9112 §6.1)")
    head.upgrade = b""  # RFC 9110 §7.8
    head.expect_continue = False  # RFC 9110 §10.1.1
    if b"close" in head.nominated:  # even beside keep-alive (RFC 9112 §9.3)
        head.keep_alive = False


def _content_head(head: RequestReceived) -> bytes:
    """Return a head with the framing of ``head``, and no upgrade, for llhttp to read on after."""
    return b"POST / HTTP/1.1\r\nHost: x\r\n%b%b\r\n" % (
        b"Transfer-Encoding: chunked\r\n"
        if head.framing is Framing.CHUNKED
        else b"Content-Length: %d\r\n" % head.content_length,
        b"" if head.keep_alive else b"Connection: close\r\n",
    )


def _read_request_field(head: RequestReceived, known: Known, value: bytes) -> None:
    if known is Known.CONNECTION:
        head.nominated |= connection_options(value) - NEVER_NOMINATED
    elif known is Known.CONTENT_LENGTH:
        head.content_length = int(value)
        head.framing = Framing.LENGTH if head.content_length else Framing.NONE
    elif known is Known.TRANSFER_ENCODING:
        if value.strip(b" \t").lower() != b"chunked":
            raise ClientProtocolError(f"Unknown transfer coding {value!r}", 501)
        head.framing = Framing.CHUNKED
    elif known is Known.EXPECT:
        head.expect_continue = value.strip(b" \t").lower() == b"100-continue"
    elif known is Known.UPGRADE and not value.lower().startswith(_IGNORED_UPGRADES):
        head.upgrade = value


class ResponseParser(_Parser):
    """Events of a connection to an origin; call :meth:`expect` before each response."""

    _upstream = True

    def __init__(self, max_header_size: int = DEFAULT_MAX_HEADER_SIZE) -> None:
        super().__init__(max_header_size)
        self._reason = b""
        self._method = ""
        self._awaiting = False
        self._stale = False  # llhttp still waits for content that will not come
        self._head: ResponseReceived | None = None

    def _new_parser(self) -> httptools.HttpResponseParser:
        return httptools.HttpResponseParser(self)

    def expect(self, method: str) -> None:
        """Get ready for the response to a request with this method (RFC 9112 §6.3)."""
        self._method = method
        self._awaiting = True
        self._head = None
        if self._stale:
            self._stale = False
            self._fields = []
            self._between = True
            self._parser = self._new_parser()

    @property
    def awaiting(self) -> bool:
        """Whether the response expected has not ended yet."""
        return self._awaiting

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that ``data`` completes; bytes nobody asked for break the protocol."""
        if not self._awaiting and not self.broken:
            self.broken = True
            return [PeerBrokeProtocol(UpstreamProtocolError("Bytes beyond the response"))]
        if not self._between or self._silent or self._stale or self._method in _NO_CONTENT:
            return super().feed(data)
        known = _RESPONSES.recall(data)
        if known is not None:
            self._awaiting = False
            return known
        events = super().feed(data)
        if events and self._between:
            _RESPONSES.learn(data, events)
        return events

    def feed_eof(self) -> list[Event]:
        """Tell that the origin closed: ends a response that is delimited by that (§6.3, rule 8).

        Returns nothing where no response was due or nothing of it had arrived: what that means
        is for the connection to say. An unfinished message is ``PeerBrokeProtocol``.
        """
        head = self._head
        if not self._awaiting or self.broken:
            return []
        if head is not None and head.framing is Framing.CLOSE:
            self._awaiting = False
            return [StreamEnded(())]
        if head is None and self._between:
            return []
        self.broken = True
        return [PeerBrokeProtocol(UpstreamProtocolError("The origin closed mid-message"))]

    def on_message_begin(self) -> None:
        """Refuse what nobody asked for, from its first byte on (RFC 9112 §9.2)."""
        if not self._awaiting:
            raise UpstreamProtocolError("Bytes beyond the response")
        self._between = False

    def on_status(self, reason: bytes) -> None:
        """Take (a part of) the reason phrase."""
        self._reason += reason

    def on_headers_complete(self) -> None:
        """Check the head and make its event."""
        parser = self._parser
        status = parser.get_status_code()  # type: ignore[union-attr]  # ours is a response parser
        version = "HTTP/" + parser.get_http_version()
        if version != "HTTP/1.1" and version != "HTTP/1.0":
            raise UpstreamProtocolError(f"{version} in answer to HTTP/1.1")
        fields = self._take_fields(self._reason)
        reason, self._reason = self._reason, b""
        if status < 100:
            raise UpstreamProtocolError(f"{status} is no status code (RFC 9110 §15)")
        if _CONTROL.search(reason):
            raise UpstreamProtocolError("Control characters in the reason phrase (RFC 9112 §4)")
        if status < 200 and status != 101:
            self._events.append(InformationalReceived(status, reason, version, fields))
            return
        head = ResponseReceived(status, reason, version, fields, Framing.CLOSE)
        options: set[bytes] = set()
        for name, value in fields:
            known = KNOWN.get(name.lower())
            if known is None:
                continue
            if known is Known.CONNECTION:
                options |= connection_options(value)
            elif known is Known.CONTENT_LENGTH:
                head.content_length = int(value)
                head.framing = Framing.LENGTH
            elif known is Known.TRANSFER_ENCODING:
                # TE is never sent with anything but "trailers", so no other coding may come.
                if value.strip(b" \t").lower() != b"chunked":
                    raise UpstreamProtocolError(f"Unknown transfer coding {value!r}")
                if head.framing is Framing.CHUNKED:
                    raise UpstreamProtocolError("Chunked more than once (RFC 9112 §6.1)")
                head.framing = Framing.CHUNKED
        if options:
            head.nominated = frozenset(options - NEVER_NOMINATED)
        if self._method == "HEAD" or (self._method == "CONNECT" and status < 300):
            head.framing = Framing.NONE
            self._stale = True
        elif status in (101, 204, 304):
            head.framing = Framing.NONE
            if status == 101 and not parser.should_upgrade():
                raise UpstreamProtocolError("101 without an Upgrade (RFC 9110 §15.2.2)")
        head.keep_alive = (
            head.framing is not Framing.CLOSE
            and b"close" not in options
            and (version == "HTTP/1.1" or _keeps_http_1_0(head, options))
        )
        self._head = head
        self._events.append(head)
        if self._stale:
            head.ended = True
            self._awaiting = False

    def on_body(self, data: bytes) -> None:
        """Take a piece of content."""
        if self._stale:
            if self._method == "CONNECT":
                self._events.append(BytesAfterUpgrade(data))
                return
            raise UpstreamProtocolError("Content in a response to HEAD")
        self._events.append(DataReceived(data))

    def on_message_complete(self) -> None:
        """End the message."""
        self._between = True
        head = self._head
        trailers = self._take_fields()
        if head is None or self._stale:  # an interim response, or one ended by its head
            return
        self._awaiting = False
        if head.framing is Framing.NONE or (
            head.framing is Framing.LENGTH and head.content_length == 0
        ):
            head.ended = True
        else:
            self._events.append(StreamEnded(trailers))


def _keeps_http_1_0(head: ResponseReceived, options: set[bytes]) -> bool:
    """Whether an HTTP/1.0 origin keeps the connection: never after faulty framing (§6.1, §9.3)."""
    return b"keep-alive" in options and head.framing is not Framing.CHUNKED
