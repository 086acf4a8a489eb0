"""A recorded request, sent once more to its service, without a client.

What goes out is what the client said: method, target, field lines in their order and case, body,
framing. Only what belonged to the client's own hop is left out, ``Expect`` is not repeated (the
body is at hand), and ``Host`` and the length are what they must be for this service and this body,
which may have been changed since. What comes back is taken up as a recording would be, with its
times, but kept nowhere. A failure is an outcome like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from magneto_serge.messages import (
    Body,
    Failure,
    FailureKind,
    FieldLine,
    FileBody,
    Interaction,
    Request,
    body_size,
)
from magneto_serge.proxy.dial import DialError, Origin
from magneto_serge.proxy.pool import Pool
from magneto_serge.proxy.tape import Tape
from magneto_serge.proxy.tee import Spooled
from magneto_serge.proxy.upstream import UpstreamConnection
from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Event,
    InformationalReceived,
    PeerBrokeProtocol,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.fields import NEVER_NOMINATED, connection_options, first
from magneto_serge.wire.serialize import chunk, last_chunk, request_head

_PIECE = 262_144  # bytes read from a file and written at a time

# RFC 9110 §9.2.1: asking these changes nothing.
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


class _Catch:
    """Takes the one interaction that there will be."""

    congested = False
    interaction: Interaction | None = None

    def record(self, interaction: Interaction) -> None:
        """Keep it."""
        self.interaction = interaction

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Never congested."""
        callback()

    def open_body(self, fields: tuple[FieldLine, ...] = ()) -> Spooled:
        """Begin a body that is too large for memory."""
        return Spooled()


class Resend:
    """One request on its way to its service; to be run once.

    ``limit`` is the bytes of a body kept in memory; of a larger one the answer has a file, for
    whoever has compared it to :func:`~magneto_serge.proxy.tee.forget`.
    """

    def __init__(self, pool: Pool, request: Request, limit: int) -> None:
        self._pool = pool
        self._request = request
        self._origin = Origin(request.scheme, request.host, request.port)
        self._sink = _Catch()
        self._tape = Tape(self._sink, limit)
        self._safe = request.method in SAFE_METHODS
        self._upstream: UpstreamConnection | None = None
        self._peer = ""
        self._response: ResponseReceived | None = None
        self._trailers: tuple[FieldLine, ...] = ()
        self._interim_seen = False
        self._room = asyncio.Event()

    async def run(self, seconds: float) -> Interaction:
        """Send it and return the exchange, complete or failed; it may take so many ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                failure = await self._exchange()
        except TimeoutError:
            detail = f"{self._origin.authority} took longer than {seconds:g} s"
            failure = Failure(FailureKind.TIMEOUT, detail)
        finally:
            self._abandon()
        request = self._request
        self._tape.finish(request, (), self._response, self._trailers, failure, self._peer)
        assert self._sink.interaction is not None  # noqa: S101  # the tape has just given it
        return self._sink.interaction

    async def _exchange(self) -> Failure | None:
        """Try, and try again where an idle connection turned out to be gone (RFC 9110 §9.2.2)."""
        while True:
            try:
                # What is not safe to repeat goes over a connection that nobody has used.
                upstream = self._pool.take(self._origin, repeatable=True) if self._safe else None
                if upstream is None:
                    upstream = await self._pool.dial(self._origin)
            except DialError as error:
                return error.failure
            if not upstream.usable:
                detail = f"{self._origin.authority} closed at once"
                return Failure(FailureKind.RESET, detail)
            reused = upstream.reused
            failure = await self._converse(upstream)
            stale = failure is not None and failure.kind is FailureKind.RESET and reused
            if not stale or self._response is not None or self._interim_seen:
                return failure

    async def _converse(self, upstream: UpstreamConnection) -> Failure | None:
        self._upstream, self._peer = upstream, upstream.peer
        self._ended: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
        self._room.set()
        upstream.begin(self, self._request.method)
        sent = await self._send(upstream)
        failure = await self._ended
        if self._upstream is not None:
            self._upstream = None
            upstream.finish()
            response = self._response
            if failure is None and sent and response is not None and response.keep_alive:
                self._pool.give_back(upstream)
            else:
                upstream.transport.close()
        return failure

    # --- out ---------------------------------------------------------------------------------

    async def _send(self, upstream: UpstreamConnection) -> bool:
        """Write head and body; False where the answer was there before all of it was sent."""
        request = self._request
        chunked = _is_chunked(request)
        upstream.transport.write(self._head(upstream, chunked=chunked))
        for piece in _pieces(request.body):
            await self._room.wait()
            if self._ended.done():
                return False
            upstream.transport.write(chunk(piece) if chunked else piece)
        if chunked:
            upstream.transport.write(last_chunk(request.trailers.raw))
        return True

    def _head(self, upstream: UpstreamConnection, *, chunked: bool) -> bytes:
        request, proxy = self._request, upstream.proxy
        target, extra = request.target, b""
        if proxy is not None and request.scheme == "http":
            target, extra = request.url, proxy.authorization  # RFC 9112 §3.2.2
        fields = request.headers.raw
        options = connection_options(first(fields, b"connection") or b"")
        return request_head(
            request.method,
            target,
            _framed(fields, request.body, chunked=chunked),
            host=self._origin.host_field,
            nominated=frozenset(options - NEVER_NOMINATED),
            expect_continue=False,
            extra=extra,
        )

    def upstream_writable(self, writable: bool) -> None:
        """Wait with the rest of the body, or go on."""
        if writable:
            self._room.set()
        else:
            self._room.clear()

    # --- in ----------------------------------------------------------------------------------

    def upstream_said(self, events: list[Event], size: int) -> None:
        """Take up what the service sent."""
        for event in events:
            if isinstance(event, DataReceived):
                self._tape.response_data(event.data)
            elif isinstance(event, ResponseReceived):
                if event.status == 101:
                    self._end(Failure(FailureKind.BAD_RESPONSE, "101 to a request without upgrade"))
                    return
                self._response = event
                self._tape.response_started(event)
                if event.ended:
                    self._end(None)
            elif isinstance(event, StreamEnded):
                self._trailers = event.trailers
                self._end(None)
            elif isinstance(event, InformationalReceived):
                self._interim_seen = True
                self._tape.interim(event)
            elif isinstance(event, PeerBrokeProtocol):
                self._end(Failure(FailureKind.BAD_RESPONSE, str(event.error)))
            elif isinstance(event, BytesAfterUpgrade):
                return  # of the 101 that was refused above

    def upstream_lost(self, last_events: list[Event], exc: Exception | None) -> None:
        """The connection is gone; ``last_events`` is what its end completes."""
        self._upstream = None
        self._room.set()
        if last_events and isinstance(last_events[0], StreamEnded):  # its end was the body's
            self.upstream_said(last_events, 0)
        authority = self._origin.authority
        if exc is not None:
            self._end(Failure(FailureKind.RESET, f"{authority} reset the connection"))
        elif self._response is None:
            detail = f"{authority} closed the connection before answering"
            self._end(Failure(FailureKind.RESET, detail))
        else:
            detail = f"{authority} closed the connection in the middle of its answer"
            self._end(Failure(FailureKind.TRUNCATED, detail))

    def _end(self, failure: Failure | None) -> None:
        self._room.set()
        if not self._ended.done():
            self._ended.set_result(failure)

    def _abandon(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.finish()
            upstream.transport.abort()


def _is_chunked(request: Request) -> bool:
    coding = first(request.headers.raw, b"transfer-encoding") or b""
    return b"chunked" in coding.lower()


def _framed(fields: tuple[FieldLine, ...], body: Body, *, chunked: bool) -> Iterator[FieldLine]:
    """Yield the field lines, with a length that is true (RFC 9112 §6.2)."""
    sized = chunked
    for name, value in fields:
        lower = name.lower()
        if lower == b"content-length":
            if not sized:
                yield name, b"%d" % body_size(body)
            sized = True
        elif lower == b"transfer-encoding":
            if chunked:
                yield name, b"chunked"
        else:
            yield name, value
    if not sized and body_size(body):
        yield b"Content-Length", b"%d" % body_size(body)


def _pieces(body: Body) -> Iterator[bytes]:
    if not isinstance(body, FileBody):
        if body:
            yield bytes(body)
        return
    with body.path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
