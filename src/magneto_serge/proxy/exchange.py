"""One forwarded request and its response: the relay between a client and an origin.

States follow the two messages: the request is sent as it comes (``request_data``,
``request_ended``), the response is written as it comes (``upstream_said``), and neither waits for
the other, so a response may start, and end, before its request has. Three rules:

* nothing is buffered for its own sake: what arrived goes out in the same turn of the loop, and a
  side that cannot take more holds the other side's gate;
* an interaction is handed to the recorder *before* the last bytes of its response are written, so
  whoever has the whole response can rely on its being recorded;
* before the response head has gone out, a failure is an answer (502, 504); afterwards it is a cut.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from magneto_serge.errors import ProtocolError
from magneto_serge.messages import (
    NO_HEADERS,
    Body,
    Failure,
    FailureKind,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.proxy.dial import DialError, Origin
from magneto_serge.proxy.gate import Hold
from magneto_serge.proxy.tee import Spool, Tee
from magneto_serge.proxy.upstream import UpstreamConnection
from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Event,
    Framing,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.serialize import (
    chunk,
    last_chunk,
    request_head,
    response_head,
    upgrade_head,
)

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.replay.engine import InteractionSink

log = logging.getLogger("magneto_serge.proxy")

# RFC 9110 §9.2.2: a client may repeat these on its own after a broken connection.
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
_REPEAT_LIMIT = 65_536  # bytes of a request kept for repeating it
_PENDING_LIMIT = 65_536  # bytes of a request body kept while there is no connection yet
_FILE_PIECE = 262_144  # bytes read from a spooled body at a time
_STREAM_AFTER_MS = 20.0  # a body that takes longer, in several pieces, keeps their times
_SAME_PIECE_MS = 1.0  # pieces closer than this are one: a bulk transfer is not a stream of reads


class Exchange:
    """A request on its way to an origin. ``sink`` None: keep nothing."""

    __slots__ = (
        "_chunks",
        "_clock",
        "_dialling",
        "_first_byte_ms",
        "_informational",
        "_peer",
        "_pending",
        "_pending_size",
        "_request_ended",
        "_request_tee",
        "_request_trailers",
        "_response",
        "_response_tee",
        "_retried",
        "_sent",
        "_sent_size",
        "_sink",
        "_spool",
        "_spooled",
        "_started",
        "_upstream",
        "client",
        "head",
        "limit",
        "over",
        "request",
        "ticks",
    )

    def __init__(
        self,
        client: ClientConnection,
        request: Request,
        head: RequestReceived,
        sink: InteractionSink | None,
    ) -> None:
        self.client = client
        self.request = request
        self.head = head
        self.limit = client.server.settings.memory_limit
        self.over = False
        self.ticks = 0
        self._sink = sink
        self._upstream: UpstreamConnection | None = None
        self._peer = ""
        self._dialling: asyncio.Task[None] | None = None
        self._pending: list[bytes] | None = []
        self._pending_size = 0
        self._sent: list[bytes] | None = [] if request.method in _IDEMPOTENT else None
        self._sent_size = 0
        self._retried = False
        self._request_ended = head.ended
        self._request_trailers: list[FieldLine] = []
        self._response: ResponseReceived | None = None
        self._informational: list[Response] = []
        self._spool: Spool | None = None
        self._spooled: BinaryIO | None = None
        self._request_tee: Tee | None = None
        self._response_tee: Tee | None = None
        if sink is not None:
            self._started = time.time()
            self._clock = time.perf_counter()
            self._first_byte_ms: float | None = None
            self._chunks: list[tuple[int, float]] = []

    @property
    def request_complete(self) -> bool:
        """Whether the client has sent all of its request."""
        return self._request_ended

    @property
    def answered(self) -> bool:
        """Whether a response head has gone to the client."""
        return self._response is not None

    # --- towards the origin ------------------------------------------------------------------

    def start(self) -> None:
        """Send the request on a connection that is there, or have one opened."""
        request = self.request
        origin = Origin(request.scheme, request.host, request.port)
        upstream = self.client.server.pool.take(origin, repeatable=self._sent is not None)
        if upstream is None:
            self._dial(origin)
        else:
            self._send_on(upstream)

    def _dial(self, origin: Origin) -> None:
        self._dialling = self.client.server.spawn(self._open(origin))

    async def _open(self, origin: Origin) -> None:
        pool = self.client.server.pool
        try:
            upstream = await pool.dial(origin)
        except DialError as error:
            if not self.over:
                self._fail(error.failure)
            return
        finally:
            self._dialling = None
        if self.over:
            pool.give_back(upstream)
        elif not upstream.usable:
            self._fail(Failure(FailureKind.RESET, f"{origin.authority} closed at once"))
        else:
            self._send_on(upstream)

    def _send_on(self, upstream: UpstreamConnection) -> None:
        head = self.head
        request = self.request
        self._upstream = upstream
        self._peer = upstream.peer
        upstream.begin(self, request.method)
        target = request.target
        extra = b""
        if upstream.proxy is not None and request.scheme == "http":
            # RFC 9112 §3.2.2: to a proxy, absolute-form; "*" is asked for with an empty path.
            target = request.url
            extra = upstream.proxy.authorization
        block = request_head(
            request.method,
            target,
            head.fields,
            host=self.client.host_field(request, head),
            nominated=head.nominated,
            upgrade=head.upgrade,
            expect_continue=head.expect_continue,
            extra=extra + self.client.extra_fields(request),
        )
        pending, self._pending = self._pending, None
        if pending:
            upstream.transport.writelines([block, *pending])
            self.client.gate.release(Hold.DIALLING)
        else:
            upstream.transport.write(block)
        if not upstream.writable:
            self.client.gate.hold(Hold.PEER)
        self._send_spooled()

    def request_data(self, data: bytes) -> None:
        """Pass a piece of the request's content on."""
        if self._sink is not None:
            if self._request_tee is None:
                self._request_tee = Tee(self._sink, self.limit)
            self._request_tee.add(data)
            self._mind_the_disk(self._sink)
        self._send(chunk(data) if self.head.framing is Framing.CHUNKED else data)

    def request_spooled(self, spool: Spool, body: Body, trailers: list[FieldLine]) -> None:
        """Pass on a body that was read in full beforehand; the spool is ours from here on."""
        if isinstance(body, FileBody):
            self._spool = spool
            self._spooled = body.path.open("rb")
            self._request_trailers = trailers
            self._send_spooled()
            return
        spool.discard()
        if body:
            self.request_data(body)
        self.request_ended(trailers)

    def _send_spooled(self) -> None:
        """Send as much of a spooled body as the origin takes."""
        file = self._spooled
        while file is not None and self._upstream is not None and self._upstream.writable:
            piece = file.read(_FILE_PIECE)
            if piece:
                self.request_data(piece)
            else:
                self._close_spool()
                self.request_ended(self._request_trailers)
                return

    def _close_spool(self) -> None:
        if self._spool is not None and self._spooled is not None:
            self._spooled.close()
            self._spool.discard()
            self._spool = self._spooled = None

    def request_ended(self, trailers: list[FieldLine]) -> None:
        """Pass the end of the request on."""
        self._request_ended = True
        self._request_trailers = trailers
        if self.head.framing is Framing.CHUNKED:
            self._send(last_chunk(trailers))

    def _send(self, data: bytes) -> None:
        self.ticks = 0
        if self._sent is not None:
            self._sent_size += len(data)
            if self._sent_size > _REPEAT_LIMIT:
                self._sent = None
            else:
                self._sent.append(data)
        if self._pending is None:
            upstream = self._upstream
            if upstream is not None and not upstream.transport.is_closing():
                upstream.transport.write(data)
            return
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size > _PENDING_LIMIT:
            self.client.gate.hold(Hold.DIALLING)

    # --- towards the client ------------------------------------------------------------------

    def upstream_said(self, events: list[Event], size: int) -> None:
        """Pass on what the origin sent; ``size`` in bytes."""
        self.ticks = 0
        client = self.client
        client.server.stats.bytes_in += size
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is DataReceived:
                self._response_data(event.data, out)  # type: ignore[union-attr]  # by its type
            elif kind is StreamEnded:
                self._response_ended(event.trailers, out)  # type: ignore[union-attr]  # by its type
                return
            elif kind is ResponseReceived:
                if self._response_started(event, out):  # type: ignore[arg-type]  # by its type
                    return
            elif kind is InformationalReceived:
                self._interim(event, out)  # type: ignore[arg-type]  # by its type
            elif kind is BytesAfterUpgrade:
                self._switch(event.data)  # type: ignore[union-attr]  # by its type
                return
            else:
                client.write(out)
                self._broken(event.error)  # type: ignore[union-attr]  # by its type
                return
        client.write(out)

    def _interim(self, event: InformationalReceived, out: list[bytes]) -> None:
        if self.head.version == "HTTP/1.1":  # RFC 9110 §15.2: never to an HTTP/1.0 client
            out.append(response_head(event.status, event.reason, event.fields))
        if event.status != 100:
            self._informational.append(
                Response(event.status, event.reason.decode("latin-1"), Headers(event.fields))
            )

    def _response_started(self, event: ResponseReceived, out: list[bytes]) -> bool:
        """Pass the head on; returns whether the exchange is over or leaves HTTP."""
        self._response = event
        self._sent = None
        if self._sink is not None:
            self._first_byte_ms = self._elapsed_ms()
        if event.status == 101:
            if self.head.upgrade:
                return False  # its BytesAfterUpgrade comes next
            self._response = None
            self._fail(Failure(FailureKind.BAD_RESPONSE, "101 to a request without an upgrade"))
            return True
        client = self.client
        framing: Framing | None = None
        if self.head.version != "HTTP/1.1" and event.framing is Framing.CHUNKED:
            framing = Framing.CLOSE
        if event.framing is Framing.CLOSE or framing is Framing.CLOSE:
            client.close_after_this()
        out.append(
            response_head(
                event.status,
                event.reason,
                event.fields,
                nominated=event.nominated,
                framing=framing,
                connection=client.connection_field(self.head),
            )
        )
        if event.ended:
            self._response_ended([], out)
            return True
        return False

    def _response_data(self, data: bytes, out: list[bytes]) -> None:
        sink = self._sink
        if sink is not None:
            tee = self._response_tee
            if tee is None:
                tee = self._response_tee = Tee(sink, self.limit)
            tee.add(data)
            self._note_piece(len(data))
            self._mind_the_disk(sink)
        response = self._response
        if (
            response is not None
            and response.framing is Framing.CHUNKED
            and self.head.version == "HTTP/1.1"
        ):
            out.append(b"%x\r\n" % len(data))
            out.append(data)
            out.append(b"\r\n")
        else:
            out.append(data)

    def _note_piece(self, size: int) -> None:
        now = self._elapsed_ms()
        chunks = self._chunks
        if chunks and now - chunks[-1][1] < _SAME_PIECE_MS:
            chunks[-1] = (chunks[-1][0] + size, chunks[-1][1])
        else:
            chunks.append((size, now))

    def _response_ended(self, trailers: list[FieldLine], out: list[bytes]) -> None:
        response = self._response
        if (
            response is not None
            and response.framing is Framing.CHUNKED
            and self.head.version == "HTTP/1.1"
        ):
            out.append(last_chunk(trailers))
        self._keep(None, trailers)
        self._detach(reusable=response is not None and response.keep_alive)
        self.over = True
        self.client.write(out)
        self.client.exchange_over(request_ended=self._request_ended)

    def _switch(self, rest: bytes) -> None:
        """Leave HTTP: the origin has switched protocols (RFC 9110 §15.2.2)."""
        response, upstream = self._response, self._upstream
        if response is None or upstream is None:
            return
        if self._sink is not None:
            log.warning(
                "%s %s switched to %s: relayed, not recorded",
                self.request.method,
                self.request.url,
                self.head.upgrade.decode("latin-1"),
            )
        self.over = True
        upstream.finish()
        self.client.write([upgrade_head(response.status, response.reason, response.fields)])
        self.client.join_tunnel(upstream.transport, rest)

    def _detach(self, *, reusable: bool) -> None:
        self._close_spool()
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            return
        self.client.gate.release(Hold.PEER)
        upstream.gate.release(Hold.PEER | Hold.DISK)
        upstream.finish()
        if reusable and self._request_ended:
            self.client.server.pool.give_back(upstream)
        else:
            upstream.transport.close()

    # --- backpressure ------------------------------------------------------------------------

    def upstream_writable(self, writable: bool) -> None:
        """Hold or release the client's reading."""
        if writable:
            self.client.gate.release(Hold.PEER)
            self._send_spooled()
        else:
            self.client.gate.hold(Hold.PEER)

    def client_writable(self, writable: bool) -> None:
        """Hold or release the origin's reading."""
        upstream = self._upstream
        if upstream is None:
            return
        if writable:
            upstream.gate.release(Hold.PEER)
        else:
            upstream.gate.hold(Hold.PEER)

    def _mind_the_disk(self, sink: InteractionSink) -> None:
        if sink.congested:
            self.client.server.hold_for_disk(self, sink)

    def hold_for_disk(self) -> None:
        """Stop both sides until the recorder has caught up."""
        self.client.gate.hold(Hold.DISK)
        if self._upstream is not None:
            self._upstream.gate.hold(Hold.DISK)

    def release_from_disk(self) -> None:
        """Go on."""
        self.client.gate.release(Hold.DISK)
        if self._upstream is not None:
            self._upstream.gate.release(Hold.DISK)

    # --- failures ----------------------------------------------------------------------------

    def upstream_lost(self, last_events: list[Event], exc: Exception | None) -> None:
        """The origin's connection is gone; ``last_events`` is what its end completes."""
        upstream, self._upstream = self._upstream, None
        self.client.gate.release(Hold.PEER)
        if last_events and type(last_events[0]) is StreamEnded:
            self.upstream_said(last_events, 0)
            return
        if self._response is None and self._may_repeat(upstream):
            self._retried = True
            self._pending = list(self._sent or ())
            request = self.request
            self._dial(Origin(request.scheme, request.host, request.port))
            return
        authority = f"{self.request.host}:{self.request.port}"
        if exc is None:
            when = "before answering" if self._response is None else "in the middle of its answer"
            kind = FailureKind.RESET if self._response is None else FailureKind.TRUNCATED
            self._fail(Failure(kind, f"{authority} closed the connection {when}"))
        else:
            self._fail(Failure(FailureKind.RESET, f"{authority} reset the connection"))

    def _may_repeat(self, upstream: UpstreamConnection | None) -> bool:
        return (
            upstream is not None
            and upstream.reused
            and not self._retried
            and self._sent is not None
            and not self._informational
        )

    def _broken(self, error: ProtocolError) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.finish()
            upstream.transport.abort()
        self._fail(Failure(FailureKind.BAD_RESPONSE, str(error)))

    def timed_out(self, seconds: float) -> None:
        """Nothing came from the origin for ``seconds``."""
        authority = f"{self.request.host}:{self.request.port}"
        self._abandon_upstream()
        self._fail(Failure(FailureKind.TIMEOUT, f"{authority} sent nothing for {seconds:g} s"))

    def _abandon_upstream(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.finish()
            upstream.transport.abort()

    def _fail(self, failure: Failure) -> None:
        self.over = True
        self._close_spool()
        client = self.client
        client.server.stats.failed += 1
        log.warning("%s %s: %s", self.request.method, self.request.url, failure.detail)
        self._keep(failure, [])
        client.gate.release(Hold.PEER)
        client.gate.release(Hold.DIALLING)
        if self._response is None:
            client.exchange_failed(failure, request_ended=self._request_ended)
        else:
            client.cut(failure.kind)

    def client_gone(self) -> None:
        """The client closed: what it had seen of a response is recorded as far as it went."""
        self.over = True
        self._abandon_upstream()
        self._close_spool()
        if self._response is not None:
            self._keep(Failure(FailureKind.CLIENT_CLOSED, "The client went away"), [])
        else:
            for tee in (self._request_tee, self._response_tee):
                if tee is not None:
                    tee.discard()

    # --- recording ---------------------------------------------------------------------------

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._clock) * 1000, 3)

    def _keep(self, failure: Failure | None, trailers: list[FieldLine]) -> None:
        sink = self._sink
        if sink is None:
            return
        self._sink = None
        total_ms = self._elapsed_ms()
        request = self.request
        if self._request_tee is not None or self._request_trailers:
            request = msgspec.structs.replace(
                request, body=_closed(self._request_tee), trailers=_headers(self._request_trailers)
            )
        chunks = self._chunks
        streamed = len(chunks) > 1 and chunks[-1][1] - chunks[0][1] > _STREAM_AFTER_MS
        event = self._response
        response = None
        if event is not None:
            response = Response(
                event.status,
                event.reason.decode("latin-1"),
                Headers(event.fields),
                _closed(self._response_tee),
                event.version,
                _headers(trailers),
            )
        sink.record(
            Interaction(
                request,
                response,
                failure,
                tuple(self._informational),
                self._started,
                self._first_byte_ms,
                total_ms,
                tuple(chunks) if streamed else (),
                self._peer,
            )
        )
        self.client.server.stats.recorded += 1
        if sink.congested:
            self.client.server.hold_for_disk(self, sink)


def _closed(tee: Tee | None) -> Body:
    return b"" if tee is None else tee.close()


def _headers(fields: list[FieldLine]) -> Headers:
    return Headers(fields) if fields else NO_HEADERS
