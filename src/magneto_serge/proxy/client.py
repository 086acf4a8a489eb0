"""One client connection: requests in, answers out, in order.

Events of the request in hand go to whoever is dealing with it (an exchange, a spool, or nobody);
those of the next request wait in the backlog, reading held, until its turn has come: answers to
pipelined requests keep their order (RFC 9112 §9.3.2). A connection starts as a proxy's or, in
reverse mode, an origin's; CONNECT turns it into the connection of the origin named, with TLS or
without, as the first byte says.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from typing import TYPE_CHECKING, cast

from magneto_serge.errors import ClientProtocolError
from magneto_serge.messages import Failure, FieldLine, Headers, Request
from magneto_serge.proxy import answers, refusals, websocket
from magneto_serge.proxy.addressing import Addressing
from magneto_serge.proxy.caught import CAUGHT_FIELD, CaughtClient
from magneto_serge.proxy.connect import (
    ConnectedClient,
    h2_preface_refusal,
    is_h2_preface,
    log_tls_refusal,
)
from magneto_serge.proxy.conversation import Player, play_conversation
from magneto_serge.proxy.credentials import CredentialsError
from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.distortion import Absentee, DistortedTransport
from magneto_serge.proxy.duplex import Duplex, decide_early
from magneto_serge.proxy.exchange import Exchange
from magneto_serge.proxy.faulty import Pause, suffer
from magneto_serge.proxy.gate import Gate, Hold
from magneto_serge.proxy.patience import Patient
from magneto_serge.proxy.playing import Playing
from magneto_serge.proxy.pump import Pump
from magneto_serge.proxy.reset import reset as send_reset
from magneto_serge.proxy.shaped import Asking, ask, replay
from magneto_serge.proxy.tee import Spool
from magneto_serge.proxy.tunnel import join
from magneto_serge.proxy.websocket import Relay
from magneto_serge.replay.decisions import Decision, Forward, Unanswered
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.shelves import Recording
from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Event,
    PeerBrokeProtocol,
    RequestReceived,
    StreamEnded,
)
from magneto_serge.wire.fields import first
from magneto_serge.wire.http1 import RequestParser
from magneto_serge.wire.serialize import CONTINUE
from magneto_serge.wire.websocket_handshake import SCHEMES, is_handshake

if TYPE_CHECKING:
    from magneto_serge.proxy.server import ProxyServer

log = logging.getLogger("magneto_serge.proxy")

OWN_PATH = "/__magneto/"  # what is asked of the proxy itself
_RAW_LIMIT = 65_536  # bytes kept while an offered upgrade is undecided


class ClientConnection(Patient):
    """A connection from a client. ``origin`` None: proxy requests, in absolute-form.

    ``user`` chooses the session: that of the CONNECT, or of the last proxy request.
    """

    __slots__ = (
        "_asked",
        "_backlog",
        "_pinned",
        "_raw",
        "_request",
        "_session",
        "addressing",
        "origin",
        "user",
    )

    def __init__(
        self,
        server: ProxyServer,
        origin: Origin | None = None,
        *,
        in_tunnel: bool = False,
        user: str | None = None,
    ) -> None:
        self.server = server
        self.user = user
        self.origin = origin
        self.ticks = 0
        self.writable = True
        self.addressing = Addressing(server, origin, in_tunnel=in_tunnel)
        self._pinned = False
        self._parser = RequestParser(server.settings.max_header_size)
        self._backlog: deque[Event] = deque()
        self._close_after = False
        self._cutting = False
        self._discarding = False
        self._ended = False
        self._exchange: Exchange | None = None
        self._head: RequestReceived | None = None
        self._request: Request | None = None
        self._session = server.session
        self._spool: Spool | None = None
        self._pump: Pump | Playing | Pause | Asking | None = None
        self._asked = 0.0
        self._raw: bytearray | None = None

    @property
    def session(self) -> Session:
        """The session that the request in hand belongs to."""
        return self._session

    # --- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the books, or turn the client away where there are too many."""
        self.transport = cast(asyncio.Transport, transport)
        self.gate = Gate(self.transport)
        if self.server.expected and not self._pinned and self.server.lead(self):
            return
        if not self.server.admit(self):
            self._refuse(refusals.TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Parse, and deal with every event whose turn has come."""
        if self._cutting:
            return
        if self._raw is not None:
            self._raw += data
            if len(self._raw) > _RAW_LIMIT:
                self.gate.hold(Hold.BACKLOG)
            return
        if self._head is None and self.origin is not None and is_h2_preface(data):
            log.warning("A client of %s insists on HTTP/2: refused", self.origin.authority)
            self.transport.write(h2_preface_refusal())
            self.transport.close()
            return
        if self._backlog and type(waiting := self._backlog[-1]) is BytesAfterUpgrade:
            waiting.data += data  # how it is to be read is undecided
            return
        parser = self._parser
        # A head that comes in drips must not look alive: its clock starts with its first byte.
        if self.ticks and not parser.mid_message:
            self.ticks = 0
        events = parser.feed(data)
        if events:
            self.ticks = 0
        if self._backlog:
            self._backlog.extend(events)
            return
        if (  # a request whose turn has come: nearly every read is just that
            len(events) == 1
            and type(head := events[0]) is RequestReceived
            and self._exchange is None
            and self._pump is None
            and self.writable
            and not self.transport.is_closing()
        ):
            self._on_request(head)
        else:
            for index, event in enumerate(events):
                if not self._dispatch(event):
                    self._backlog.extend(events[index:])
                    self.gate.hold(Hold.BACKLOG)
                    return
        if self._backlog:
            self._next()
        elif self._spool is not None:
            self._answer_early(self._spool)

    def eof_received(self) -> bool:
        """Answer what was asked before closing, where the transport has a half-close."""
        self._ended = True
        if self._request_incomplete() or (self._pump is not None and self._pump.endless):
            return False
        return (self.busy or bool(self._backlog)) and self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the books; end what was under way."""
        self.server.dismiss(self)
        if self.origin is not None and isinstance(exc, ssl.SSLError):
            # TLS 1.3: the client's verdict on our certificate comes after our handshake is done.
            log_tls_refusal(self.origin.authority, exc)
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not exchange.over:
            if type(self.transport) is DistortedTransport and exchange.completes_recording:
                Absentee(self, exchange)
            else:
                exchange.client_gone()
        if self._spool is not None:
            self._spool.discard()
        if self._pump is not None:
            self._pump.close()
        self._backlog.clear()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self.writable = False
        if self._exchange is not None:
            self._exchange.client_writable(False)

    def resume_writing(self) -> None:
        """The client takes more."""
        self.writable = True
        self.ticks = 0
        if self._cutting:
            send_reset(self.transport)
        elif self._exchange is not None:
            self._exchange.client_writable(True)
        elif self._pump is None or self._go_on(self._pump):
            self._next()

    def pin(self, user: str | None) -> None:
        """Belong to a session whatever the requests say: the client's process says so."""
        self.user = user
        self._pinned = True

    # --- events ------------------------------------------------------------------------------

    def _dispatch(self, event: Event) -> bool:
        """Deal with an event; False: its turn has not come."""
        kind = type(event)
        if kind is RequestReceived:
            if self._exchange is not None or self._pump is not None or not self.writable:
                return False
            if self.transport.is_closing() or self._cutting:
                return True  # an answer has ended the connection: what was pipelined is void
            self._on_request(event)  # type: ignore[arg-type]  # by its type
        elif kind is DataReceived:
            self._on_data(event.data)  # type: ignore[union-attr]  # by its type
        elif kind is StreamEnded:
            self._on_end(event.trailers)  # type: ignore[union-attr]  # by its type
        elif kind is BytesAfterUpgrade:
            self._on_bytes_after_upgrade(event.data)  # type: ignore[union-attr]  # by its type
        elif kind is PeerBrokeProtocol:
            if self._exchange is not None and self._exchange.request_complete:
                return False
            if self._pump is not None:
                return False
            self._on_malformed(event.error)  # type: ignore[union-attr]  # by its type
        return True

    def _on_request(self, head: RequestReceived) -> None:
        server = self.server
        self._head = head
        self._close_after = not head.keep_alive or server.draining
        try:
            if (server.guarded or server.selective) and self.origin is None and not self._pinned:
                self.user = server.credentials.user_of(head.fields)
                if self.user is not None and not server.selective:
                    raise CredentialsError
            if head.method == "CONNECT":
                self._on_connect(head)
                return
            request = self.addressing.request_of(head)
        except ClientProtocolError as error:
            self._on_malformed(error)
            return
        except CredentialsError:
            self._discarding = not head.ended
            self._refuse(refusals.UNAUTHORIZED, head)
            return
        if request is None or (request.port == server.port and server.is_self(request.host)):
            if request is None and server.own is not None and head.target.startswith(OWN_PATH):
                self._answer_itself(server.own, head)
                return
            self._refuse(refusals.origin_form(server.host, server.port), head)
            return
        if head.upgrade and is_handshake(head):
            request.scheme = SCHEMES[request.scheme]
        self._request = request
        server.stats.requests += 1
        session = server.session if self.user is None else server.session_for(self.user)
        if session is None:
            self._refuse_session(head)
            return
        self._session = session
        if session.seen is not None:
            session.seen.append(request)
        if session.pace is not None:
            self._asked = server.loop.time()
        if session.faults is not None and not session.ignores(request.host, request.port):
            fault = session.faults.draw(request)
            if fault is not None:
                suffer(self, fault, request, head)
                return
        if head.ended:  # as `decide` would
            self._act(session.decide(request))
        else:
            self.decide(request, head)

    def _answer_itself(self, session: Session, head: RequestReceived) -> None:
        """Answer what is asked of the proxy itself."""
        server = self.server
        self._session = session
        self._request = request = Request(
            head.method, "http", server.host, server.port, head.target, Headers(head.fields)
        )
        self.decide(request, head)

    def decide(self, request: Request, head: RequestReceived) -> None:
        """Do with a request what the session says, now or when its body has been read."""
        session = self._session
        if head.ended:
            self._act(session.decide(request))
            return
        decision = session.foresee(request)
        if decision is not None:
            self._discarding = True
            # What is answered now was not told to continue, and may leave its body out.
            if head.expect_continue and type(decision) is not Forward:
                self._close_after = True
            self._act(decision)
            return
        self._spool = Spool(self.server.settings.memory_limit)
        if head.expect_continue and head.version == "HTTP/1.1":  # RFC 9110 §10.1.1
            self.transport.write(CONTINUE)

    def _on_data(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.request_data(data)
        elif self._spool is not None:
            try:
                self._spool.add(data)
            except OSError as error:  # the disk for temporary files is full
                log.error("A request body cannot be kept for matching: %s", error)
                self._spool.discard()
                self._spool = None
                self._refuse(refusals.no_space(error))
        elif type(self._pump) is Duplex:
            self._hear(data)
        elif type(self._pump) is Pause and not self._discarding:
            self._pump.keep(DataReceived(data), self.gate)

    def _on_end(self, trailers: tuple[FieldLine, ...]) -> None:
        if type(self._pump) is Pause and not self._discarding:
            self._pump.keep(StreamEnded(trailers), self.gate)
            return
        self._discarding = False
        if self._exchange is not None:
            self._exchange.request_ended(trailers)
        elif self._spool is not None:
            self._decide_spooled(trailers)

    def _answer_early(self, spool: Spool) -> None:
        """Begin an answer that was recorded as one that begins before its request has ended."""
        session, request, head = self._session, self._request, self._head
        if request is None or head is None:
            return
        decision = decide_early(session, request, spool)
        if decision is None:
            return
        self._spool = None
        self._discarding = True
        if isinstance(decision, Recording) and decision.interaction.uploaded:
            self.server.stats.replayed += 1
            latency = None if session.pace is None else session.pace.latency_for(request)
            self.wait_for(Duplex(self, decision.interaction, latency, self._asked, head.version))
            self._hear(spool.so_far)
        else:
            self._act(decision)

    def _hear(self, data: bytes) -> None:
        """Let a recording go on that waits for what the client says."""
        pump, request = self._pump, self._request
        if type(pump) is not Duplex or request is None:
            return
        if pump.hear(data):
            self._go_on(pump)
            return
        request.body = pump.heard + data
        self.server.missed(self._session.refuse(request))
        self.transport.abort()

    def _decide_spooled(self, trailers: tuple[FieldLine, ...]) -> None:
        spool, request, head = self._spool, self._request, self._head
        if spool is None or request is None or head is None:
            return
        self._spool = None
        request.body = body = spool.close()
        request.trailers = Headers(trailers)
        decision = self._session.decide(request)
        # The body has been read: there is nothing left to expect.
        head.expect_continue = False
        self._act(decision)
        exchange = self._exchange
        if exchange is None:
            if type(self._pump) is Asking:
                self._pump.spool = spool  # the hook that is asked may read it
            else:
                spool.discard()
            return
        request.body = b""  # the exchange's tee keeps it on its way out
        exchange.request_spooled(spool, body, trailers)

    def _on_bytes_after_upgrade(self, data: bytes) -> None:
        if self._exchange is not None:
            self._raw = bytearray(data)
        elif data and not self.transport.is_closing():
            # CONNECT handed the transport to a ConnectedClient; a refused upgrade goes on here.
            protocol = self.transport.get_protocol()
            if isinstance(protocol, ConnectedClient | Player):
                protocol.data_received(data)
            else:
                self._backlog.extend(self._parser.feed(data))

    def _on_malformed(self, error: Exception) -> None:
        status = error.status if isinstance(error, ClientProtocolError) else 400
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            # The body of the request in hand is broken: the origin must not take it for whole.
            exchange.client_gone()
            if exchange.answered:
                self.transport.abort()
                return
        if self._spool is not None:
            self._spool.discard()
            self._spool = None
        if self._discarding:  # the request has had its answer: a second one would be another's
            self.transport.close()
            return
        log.warning("Refused a request with %d: %s", status, error)
        self._refuse(refusals.malformed(status, error))

    def _on_connect(self, head: RequestReceived) -> None:
        if self.origin is not None:
            raise ClientProtocolError("CONNECT is for proxies; this connection serves an origin")
        if self.server.session_for(self.user) is None:
            self._refuse_session(head)
        else:
            kind = ConnectedClient if first(head.fields, CAUGHT_FIELD) is None else CaughtClient
            kind.take_over(self, head, self.user)

    # --- answers -----------------------------------------------------------------------------

    def _act(self, decision: Decision) -> None:
        if isinstance(decision, Recording):
            if self._session.shaping is None:
                self.play(decision)
            else:
                replay(self, self._session.shaping, cast(Request, self._request), decision)
        elif type(decision) is Forward:
            self._forward(decision.keep)
        elif type(decision) is Unanswered:
            ask(self, self._session, decision.request)
        else:
            self.refuse_miss(cast(Miss, decision))

    def _forward(self, keep: bool) -> None:
        server, head, request = self.server, self._head, self._request
        if head is None or request is None:
            return
        server.stats.forwarded += 1
        self._discarding = False
        sink = self._session.sink if keep else None
        destination, shaping = self.addressing.destination, self._session.shaping
        if shaping is None:
            exchange = Exchange(self, request, head, destination, sink)
        else:
            from magneto_serge.proxy.rewriting import ShapedExchange

            exchange = ShapedExchange(self, request, head, destination, sink, shaping)
        self._exchange = exchange
        exchange.start()

    def play(self, recording: Recording) -> None:
        """Answer with a recording."""
        server, head = self.server, self._head
        if head is None:
            return
        if self._session is not server.own:  # what is asked of the proxy itself is no traffic
            server.stats.replayed += 1
        pace, request = self._session.pace, self._request
        if head.upgrade and request and recording.interaction.websocket is not None:
            self._play_conversation(recording, request)
            return
        if pace is not None and request and (latency := pace.latency_for(request)):
            began = self._asked if latency.from_head else server.loop.time()
            self.wait_for(Playing(self, recording.interaction, latency, began, head.version))
            return
        encoded = answers.encoded_once(recording, head.version, keep_alive=not self._close_after)
        server.stats.bytes_out += len(encoded.head)
        self.transport.write(encoded.head)
        if encoded.whole:
            return
        if encoded.pieces or encoded.file or encoded.tail or encoded.cut:
            self.wait_for(Pump(self, encoded))
        elif encoded.close:
            self.transport.close()

    def _play_conversation(self, recording: Recording, request: Request) -> None:
        """Be the server of a recorded WebSocket from here on."""
        player = play_conversation(self, self._session, recording, request)
        if player is None:
            self._refuse(refusals.NO_HANDSHAKE)
            return
        self.server.dismiss(self)
        player.start()

    def play_on(self, pump: Playing) -> None:
        """Go on with a recording whose next piece is due."""
        if self._pump is pump and self._go_on(pump):
            self._next()

    # --- called by faults and hooks ----------------------------------------------------------

    def pause_over(self, pause: Pause | Asking) -> None:
        """Deal with what came in a pause."""
        if self._pump is pause:
            self._pump = None
            pause.then()
            for event in pause.events:
                self._dispatch(event)
            if self._ended and self._request_incomplete():
                self.transport.abort()
            elif not self.busy:
                self._next()
            elif not self._backlog:
                self.gate.release(Hold.BACKLOG)

    def _refuse_session(self, head: RequestReceived) -> None:
        log.warning("Refused %s %s: session %r is over", head.method, head.target, self.user)
        self._refuse(refusals.session_over(self.user), head)

    # --- called by the exchange --------------------------------------------------------------

    def exchange_over(self, *, request_ended: bool) -> None:
        """The response is complete; the next request may have its turn."""
        head = self._head
        self._exchange = None
        self._discarding = not request_ended
        # RFC 9110 §10.1.1: a client that was never told to continue may leave its body out.
        unsure = not request_ended and head is not None and head.expect_continue
        if self._close_after or unsure:
            self.transport.close()
        elif self._backlog or self._ended or self._raw is not None or self.gate.reasons:
            self._next()

    def exchange_failed(self, failure: Failure, *, request_ended: bool) -> None:
        """Answer for an origin that has failed before it answered."""
        head = self._head
        self._exchange = None
        self._discarding = not request_ended
        unsure = not request_ended and head is not None and head.expect_continue
        close = self._close_after or unsure
        head_only = head is not None and head.method == "HEAD"
        answer = answers.failure_answer(failure, close=close, head_only=head_only)
        self._write(answer, close=close)
        if not close:
            self._next()

    def join_tunnel(
        self, upstream: asyncio.Transport, rest: bytes, relay: Relay | None = None
    ) -> None:
        """Hand the transport to a tunnel, or to the ``relay`` of a WebSocket, for good."""
        self._exchange = None
        raw, self._raw = bytes(self._raw or b""), None
        self.gate.release(Hold.BACKLOG | Hold.PEER | Hold.DISK)  # the tunnel has gates of its own
        self.server.dismiss(self)
        if relay is None:
            join(self.server, self.transport, upstream, to_upstream=raw, to_client=rest)
        else:
            websocket.join(
                self.server, self.transport, upstream, relay, to_upstream=raw, to_client=rest
            )

    def _next(self) -> None:
        """Go on with what has been read meanwhile."""
        if self._raw is not None:
            data, self._raw = bytes(self._raw), None
            self._backlog.extend(self._parser.feed(data))
        backlog = self._backlog
        while backlog:
            event = backlog.popleft()
            if not self._dispatch(event):
                backlog.appendleft(event)
                self.gate.hold(Hold.BACKLOG)
                return
        self.gate.release(Hold.BACKLOG)
        if self._ended and not self.busy:
            self.transport.close()
