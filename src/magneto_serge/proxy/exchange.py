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
from typing import TYPE_CHECKING, BinaryIO, cast

from magneto_serge.errors import ProtocolError
from magneto_serge.messages import Body, Failure, FailureKind, FieldLine, FileBody, Request
from magneto_serge.proxy.dial import DialError, Origin
from magneto_serge.proxy.gate import Hold
from magneto_serge.proxy.tape import Tape
from magneto_serge.proxy.tee import Spool
from magneto_serge.proxy.upstream import UpstreamConnection
from magneto_serge.proxy.websocket import open_websocket
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
    from magneto_serge.proxy.distortion import Absentee
    from magneto_serge.replay.engine import InteractionSink, RecordingSink

log = logging.getLogger("magneto_serge.proxy")

# RFC 9110 §9.2.2: a client may repeat these on its own after a broken connection.
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
_REPEAT_LIMIT = 65_536  # bytes of a request body kept for repeating the request
_PENDING_LIMIT = 65_536  # bytes of a request body kept while there is no connection yet
_FILE_PIECE = 262_144  # bytes read from a spooled body at a time
# Bytes in several pieces: from here on the copy that one write needs costs more than it saves, of
# 100 KB 4 µs (of about 95 in all), of 250 KB 10.
JOIN_BELOW = 32_768
_CHUNKED = Framing.CHUNKED
_LENGTH = Framing.LENGTH
_WEBSOCKET = ("ws", "wss")


class Exchange:
    """A request on its way to ``origin``. ``sink`` None: keep nothing.

    ``over`` is set when the exchange has ended, however it did; ``ticks`` counts sweeps since
    anything moved.
    """

    # What most exchanges never touch are class attributes: half of them would otherwise be set
    # for each GET only to be thrown away. What each of them looks at is set: an attribute of the
    # class takes three times as long to look at.
    over = False
    ticks = 0
    _upstream: UpstreamConnection | None = None
    _peer = ""
    _dialling: asyncio.Task[None] | None = None
    _pending_size = 0
    _sent: list[bytes] | None = None
    _sent_size = 0
    _retried = False
    _request_trailers: tuple[FieldLine, ...] = ()
    _response: ResponseReceived | None = None
    _switching: ResponseReceived | None = None
    _chunked = False  # the response goes to the client in chunks
    _interim_seen = False
    _spooled: BinaryIO | None = None
    _tape: Tape | None
    _relays_whole = True  # a response passes as it comes

    def __init__(
        self,
        client: ClientConnection,
        request: Request,
        head: RequestReceived,
        origin: Origin,
        sink: RecordingSink | None,
    ) -> None:
        self.client: ClientConnection | Absentee = client
        self.request = request
        self.head = head
        self.request_complete = head.ended
        self._origin = origin
        self._repeatable = request.method in _IDEMPOTENT
        self._pending: list[bytes] | None = None
        self._spool: Spool | None = None
        if sink is None:
            self._tape = None
        else:
            self._tape = Tape(sink, client.server.settings.memory_limit, request.headers.raw)

    @property
    def records_into(self) -> InteractionSink | None:
        """What it is recorded into, None where it is not, or not any more."""
        return None if self._tape is None else self._tape.sink

    @property
    def answered(self) -> bool:
        """Whether a response head has gone to the client."""
        return self._response is not None

    @property
    def completes_recording(self) -> bool:
        """Whether it can go on without its client, so that what the origin says is recorded."""
        return self._tape is not None and self.request_complete

    # --- towards the origin ------------------------------------------------------------------

    def start(self) -> None:
        """Send the request on a connection that is there, or have one opened."""
        upstream = None
        if self.request.scheme != "ws":  # RFC 6455 §4.1: it has a connection of its own
            upstream = self.client.server.pool.take(self._origin, repeatable=self._repeatable)
        if upstream is None:
            self._dial()
        else:
            self._send_on(upstream)

    def _dial(self) -> None:
        if self._pending is None:
            self._pending = []
        self._dialling = self.client.server.spawn(self._open())

    async def _open(self) -> None:
        pool = self.client.server.pool
        try:
            upstream = await pool.dial(self._origin, tunnel=self.request.scheme == "ws")
        except DialError as error:
            if not self.over:
                self._fail(error.failure)
            return
        finally:
            self._dialling = None
        if self.over:
            pool.give_back(upstream)
        elif not upstream.usable:
            self._fail(Failure(FailureKind.RESET, f"{self._origin.authority} closed at once"))
        else:
            self._send_on(upstream)

    def _send_on(self, upstream: UpstreamConnection) -> None:
        self._upstream = upstream
        self._peer = upstream.peer
        upstream.begin(self, self.request.method)
        block = self._head_for(upstream)
        pending = self._pending
        if pending is None:
            upstream.transport.write(block)
        else:
            self._pending = None
            upstream.transport.writelines([block, *pending])
        gate = self.client.gate
        if gate.reasons:
            gate.release(Hold.DIALLING)
        if not upstream.writable:
            gate.hold(Hold.PEER)
        if self._spool is not None:
            self._send_spooled()

    def _head_for(self, upstream: UpstreamConnection) -> bytes:
        head, request, addressing = self.head, self.request, self.client.addressing
        target, extra, section = request.target, b"", head.section
        host = addressing.host_field(head)
        if addressing.userinfo is not None:
            extra = addressing.extra_fields(request)
        if upstream.proxy is not None and request.scheme == "http":
            # RFC 9112 §3.2.2: to a proxy, absolute-form; "*" is asked for with an empty path.
            target = request.url
            extra += upstream.proxy.authorization
        if section is not None and not extra:
            relayed = section.relayed
            if relayed is not None and relayed[0] == host:
                return f"{request.method} {target} HTTP/1.1\r\n".encode("ascii") + relayed[1]
        block = request_head(
            request.method,
            target,
            head.fields,
            host=host,
            nominated=head.nominated,
            upgrade=head.upgrade,
            expect_continue=head.expect_continue,
            extra=extra,
        )
        if section is not None and not extra:
            section.relayed = (host, block[block.find(b"\r\n") + 2 :])
        return block

    def request_data(self, data: bytes) -> None:
        """Pass a piece of the request's content on."""
        tape = self._tape
        if tape is not None:
            tape.request_data(data)
            self._mind_the_disk(tape.sink)
        self._send(chunk(data) if self.head.framing is _CHUNKED else data)

    def request_spooled(self, spool: Spool, body: Body, trailers: tuple[FieldLine, ...]) -> None:
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

    def request_ended(self, trailers: tuple[FieldLine, ...]) -> None:
        """Pass the end of the request on."""
        self.request_complete = True
        self._request_trailers = trailers
        if self._tape is not None and self._response is not None:
            self._tape.request_ended()
        if self.head.framing is _CHUNKED:
            self._send(last_chunk(trailers))

    def _send(self, data: bytes) -> None:
        self.ticks = 0
        if self._repeatable:
            self._sent_size += len(data)
            if self._sent is None:
                self._sent = []
            self._sent.append(data)
            if self._sent_size > _REPEAT_LIMIT:
                self._repeatable = False
                self._sent = None
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
        if len(events) == 3 and self._relays_whole and self.request_complete:
            head, content, end = events
            if (
                type(head) is ResponseReceived
                and type(content) is DataReceived
                and type(end) is StreamEnded
                and head.framing is _LENGTH
            ):
                self._answered_whole(head, content.data)
                return
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

    def _answered_whole(self, head: ResponseReceived, content: bytes) -> None:
        """Pass on a response with a length that came in one read, as most do.

        It is what its three events would do one by one, a sixth of a forwarded exchange cheaper.
        """
        self._response = head
        client, section = self.client, head.section
        tape, self._tape = self._tape, None
        if tape is not None:
            tape.answered_whole(self.request, self._request_trailers, head, content, self._peer)
            client.server.stats.recorded += 1
            if tape.sink.congested:
                client.server.hold_for_disk(self, tape.sink)
        self.over = True
        connection = client.connection_field(self.head)
        if section is None or connection:
            start = _head_of(head, None, connection)
        elif section.relayed is None:
            start = _head_of(head, None, b"")
            section.relayed = (b"", start)
        else:
            start = section.relayed[1]
        self._detach(reusable=head.keep_alive)
        client.write([start + content] if len(content) < JOIN_BELOW else [start, content])
        client.exchange_over(request_ended=True)

    def _interim(self, event: InformationalReceived, out: list[bytes]) -> None:
        self._interim_seen = True
        if self.head.version == "HTTP/1.1":  # RFC 9110 §15.2: never to an HTTP/1.0 client
            out.append(response_head(event.status, event.reason, event.fields))
        if self._tape is not None:
            self._tape.interim(event)

    def _response_started(self, event: ResponseReceived, out: list[bytes]) -> bool:
        """Pass the head on; returns whether the exchange is over."""
        if event.status == 101:
            if self.head.upgrade:
                self._switching = event
                return False  # its BytesAfterUpgrade comes next
            self._abandon_upstream()
            self._fail(Failure(FailureKind.BAD_RESPONSE, "101 to a request without an upgrade"))
            return True
        self._response = event
        if self._tape is not None:
            self._tape.response_started(event)
            if not self.request_complete:
                self._tape.answered_early()
        client = self.client
        modern = self.head.version == "HTTP/1.1"
        framing: Framing | None = None
        if event.framing is _CHUNKED:
            self._chunked = modern
            if not modern:  # RFC 9112 §7.1: chunks are not for HTTP/1.0
                framing = Framing.CLOSE
        if event.framing is Framing.CLOSE or framing is Framing.CLOSE:
            client.close_after_this()
        connection = client.connection_field(self.head)
        section = event.section
        if section is None or connection or framing is not None:
            out.append(_head_of(event, framing, connection))
        else:
            relayed = section.relayed
            if relayed is None:
                relayed = section.relayed = (b"", _head_of(event, None, b""))
            out.append(relayed[1])
        if event.ended:
            self._response_ended((), out)
            return True
        return False

    def _response_data(self, data: bytes, out: list[bytes]) -> None:
        tape = self._tape
        if tape is not None:
            tape.response_data(data)
            self._mind_the_disk(tape.sink)
        if self._chunked:
            out += (b"%x\r\n" % len(data), data, b"\r\n")
        else:
            out.append(data)

    def _response_ended(self, trailers: tuple[FieldLine, ...], out: list[bytes]) -> None:
        if self._chunked:
            out.append(last_chunk(trailers))
        if self._tape is not None:
            self._keep(None, trailers)
        self.over = True
        response, client = self._response, self.client
        self._detach(reusable=response is not None and response.keep_alive)
        client.write(out)
        client.exchange_over(request_ended=self.request_complete)

    def _switch(self, rest: bytes) -> None:
        """Leave HTTP: the origin has switched protocols (RFC 9110 §15.2.2)."""
        response, upstream = self._switching, self._upstream
        if response is None or upstream is None:
            return
        client = cast("ClientConnection", self.client)  # one that is here: it sent the upgrade
        tape, self._tape = self._tape, None
        relay = None
        if self.request.scheme in _WEBSOCKET:
            relay = open_websocket(client, self.request, response, tape, upstream.peer)
        elif tape is not None:
            tape.discard()
            log.warning(
                "%s %s switched to %s: relayed, not recorded",
                self.request.method,
                self.request.url,
                self.head.upgrade.decode("latin-1"),
            )
        self.over = True
        upstream.finish()
        client.write([self._upgraded(response)])
        client.join_tunnel(upstream.transport, rest, relay)

    def _upgraded(self, response: ResponseReceived) -> bytes:
        return upgrade_head(response.status, response.reason, response.fields)

    def _detach(self, *, reusable: bool) -> None:
        if self._spool is not None:
            self._close_spool()
        upstream, client = self._upstream, self.client
        if upstream is None:
            return
        self._upstream = None
        if client.gate.reasons:
            client.gate.release(Hold.PEER)
        if upstream.gate.reasons:
            upstream.gate.release(Hold.PEER | Hold.DISK)
        upstream.finish()
        if reusable and self.request_complete:
            client.server.pool.give_back(upstream)
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
            self._dial()
            return
        authority = self._origin.authority
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
            and self._repeatable
            and not self._retried
            and not self._interim_seen
        )

    def _broken(self, error: ProtocolError) -> None:
        self._abandon_upstream()
        self._fail(Failure(FailureKind.BAD_RESPONSE, str(error)))

    def timed_out(self, seconds: float) -> None:
        """Nothing came from the origin for ``seconds``."""
        self._abandon_upstream()
        authority = self._origin.authority
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
        self._keep(failure, ())
        client.gate.release(Hold.PEER | Hold.DIALLING)
        if self._response is None:
            client.exchange_failed(failure, request_ended=self.request_complete)
        else:
            client.cut(failure.kind)

    def client_gone(self) -> None:
        """The client closed: what it had seen of a response is recorded as far as it went."""
        self.over = True
        self._abandon_upstream()
        self._close_spool()
        if self._response is not None:
            self._keep(Failure(FailureKind.CLIENT_CLOSED, "The client went away"), ())
        elif self._tape is not None:
            self._tape.discard()

    def recording_ends(self) -> None:
        """Record a stream as far as it went; it goes on, unheard. Nobody knows how long it is."""
        response = self._response
        if response is not None and response.framing is not Framing.LENGTH:
            self._keep(Failure(FailureKind.CLIENT_CLOSED, "The recording ended"), ())

    def forget(self) -> None:
        """End the exchange; nothing is recorded of it."""
        self.over = True
        self._abandon_upstream()
        self._close_spool()
        if self._tape is not None:
            self._tape.discard()
            self._tape = None

    def _keep(self, failure: Failure | None, trailers: tuple[FieldLine, ...]) -> None:
        tape, self._tape = self._tape, None
        if tape is None:
            return
        tape.finish(
            self.request, self._request_trailers, self._response, trailers, failure, self._peer
        )
        self.client.server.stats.recorded += 1
        self._mind_the_disk(tape.sink)


def _head_of(event: ResponseReceived, framing: Framing | None, connection: bytes) -> bytes:
    return response_head(
        event.status,
        event.reason,
        event.fields,
        nominated=event.nominated,
        framing=framing,
        connection=connection,
    )
