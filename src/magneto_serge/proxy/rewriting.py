"""A forwarded exchange that a user's rules are about: filtered, and rewritten on its way.

Heads are edited as they pass. A body in which something is to be substituted has to be whole first:
it is held until it ends, and its framing is made anew. One that is larger than ``memory_limit`` is
passed on as it is, with a warning, and from there on as it comes. What is recorded is what client
and origin have said, not what was made of it.

All of it is a kind of exchange, so that the ordinary one knows nothing of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from magneto_serge.messages import Body, Failure, FieldLine, FileBody, Headers, Interaction
from magneto_serge.proxy.dial import Origin
from magneto_serge.proxy.exchange import Exchange
from magneto_serge.replay.edits import Substitution, new_content
from magneto_serge.wire.events import Framing, ResponseReceived
from magneto_serge.wire.serialize import chunk, request_head, response_head

if TYPE_CHECKING:
    from magneto_serge.messages import Request
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.tee import Spool
    from magneto_serge.proxy.upstream import UpstreamConnection
    from magneto_serge.replay.decisions import Stats
    from magneto_serge.replay.engine import ConversationSink, InteractionSink, RecordingSink
    from magneto_serge.replay.filters import RecordFilter
    from magneto_serge.replay.rewrite import Outgoing
    from magneto_serge.replay.shaping import Shaping
    from magneto_serge.wire.events import RequestReceived

log = logging.getLogger("magneto_serge.proxy")


class Sieve:
    """A sink for those interactions that a filter keeps; it takes the others off the count."""

    def __init__(self, sink: RecordingSink, keeps: RecordFilter, stats: Stats) -> None:
        self.sink = sink
        self._keeps = keeps
        self._stats = stats

    def record(self, interaction: Interaction) -> None:
        """Record it, or not."""
        if self._keeps.keeps(interaction):
            self.sink.record(interaction)
        else:
            self._stats.recorded -= 1  # the exchange has counted it, or is about to

    def open_conversation(self, interaction: Interaction) -> ConversationSink | None:
        """Begin a conversation, or not: what is judged is its handshake."""
        kept = self._keeps.keeps(interaction)
        return self.sink.open_conversation(interaction) if kept else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sink, name)


class ShapedExchange(Exchange):
    """An exchange in a session that shapes what it carries."""

    _relays_whole = False
    _original: ResponseReceived | None = None  # the response's head as the origin sent it
    _outgoing: Outgoing | None = None
    _content: bytes | None = None  # of the request, where it is not what the client sent
    _substitutions: tuple[Substitution, ...] = ()
    _held: list[bytes] | None = None  # the response's body; None: it passes
    _held_size = 0
    _held_head: ResponseReceived | None = None  # its head, as it is to be sent
    _held_start = b""

    def __init__(
        self,
        client: ClientConnection,
        request: Request,
        head: RequestReceived,
        origin: Origin,
        sink: RecordingSink | None,
        shaping: Shaping,
    ) -> None:
        self._shaping = shaping
        if sink is not None and shaping.filter is not None:
            sink = Sieve(sink, shaping.filter, client.server.stats)
        super().__init__(client, request, head, origin, sink)
        outgoing = shaping.outgoing(request)
        if outgoing is not None:
            outgoing = self._with_content(outgoing, request.body)
            self._outgoing = outgoing
            self._map(outgoing.request)

    # --- towards the origin ------------------------------------------------------------------

    def _map(self, request: Request) -> None:
        server = self.client.server
        if request.port == server.port and server.is_self(request.host):
            log.error("%s is this proxy: a rule that maps to it is left out", request.authority)
        else:
            self._origin = Origin(request.scheme, request.host, request.port)

    def _with_content(self, outgoing: Outgoing, body: Body) -> Outgoing:
        if not outgoing.body or not body:
            return outgoing
        if isinstance(body, FileBody):
            self._warn("the request's body", "it is larger than memory_limit")
            return outgoing
        try:
            found = new_content(outgoing.request.headers, body, outgoing.body)
        except ValueError as error:
            self._warn("the request's body", str(error))
            return outgoing
        if found is None:
            return outgoing
        headers, self._content = found
        return outgoing._replace(request=msgspec.structs.replace(outgoing.request, headers=headers))

    def _head_for(self, upstream: UpstreamConnection) -> bytes:
        if self._outgoing is None:
            return super()._head_for(upstream)
        head, request, addressing = self.head, self._outgoing.request, self.client.addressing
        target = request.target
        extra = addressing.extra_fields(request)
        if upstream.proxy is not None and request.scheme == "http":
            target = request.url  # RFC 9112 §3.2.2
            extra += upstream.proxy.authorization
        return request_head(
            request.method,
            target,
            request.headers.raw,
            host=self._outgoing.host or addressing.host_field(head),
            nominated=head.nominated,
            upgrade=head.upgrade,
            expect_continue=head.expect_continue,
            extra=extra,
        )

    def request_spooled(self, spool: Spool, body: Body, trailers: tuple[FieldLine, ...]) -> None:
        """Pass on a body that was read in full beforehand, or what it was made into."""
        content = self._content
        if content is None or isinstance(body, FileBody):
            super().request_spooled(spool, body, trailers)
            return
        spool.discard()
        if self._tape is not None:
            self._tape.request_data(body)
        if content:
            self._send(chunk(content) if self.head.framing is Framing.CHUNKED else content)
        self.request_ended(trailers)

    # --- towards the client ------------------------------------------------------------------

    def _response_started(self, event: ResponseReceived, out: list[bytes]) -> bool:
        if event.status == 101:
            return super()._response_started(event, out)
        self._original = event
        headers = Headers(event.fields)
        if self._tape is not None and not self._shaping.may_keep(
            self.request, event.status, headers
        ):
            self._tape.discard()
            self._tape = None
        rewriter = self._shaping.rewriter
        found = None
        if rewriter is not None:
            reason = event.reason.decode("latin-1")
            found = rewriter.incoming(self.request, event.status, reason, headers)
        if found is None:
            return super()._response_started(event, out)
        changed = msgspec.structs.replace(
            event,
            status=found.status,
            reason=found.reason.encode("latin-1"),
            fields=found.fields,
            section=None,
        )
        if not found.body or event.ended or event.status == 206:  # a range is no whole text
            return super()._response_started(changed, out)
        start: list[bytes] = []
        over = super()._response_started(changed, start)
        self._held, self._held_start = [], b"".join(start)
        self._held_head, self._substitutions = changed, found.body
        return over

    def _response_data(self, data: bytes, out: list[bytes]) -> None:
        if self._held is None:
            super()._response_data(data, out)
            return
        super()._response_data(data, [])  # for the recording alone
        self._held.append(data)
        self._held_size += len(data)
        if self._held_size > self.client.server.settings.memory_limit:
            self._warn("the body", "it is larger than memory_limit")
            out += self._as_it_came()

    def _response_ended(self, trailers: tuple[FieldLine, ...], out: list[bytes]) -> None:
        if self._held is not None:
            out += self._rewritten()
        super()._response_ended(trailers, out)

    def _as_it_came(self) -> list[bytes]:
        """Return what was held for the client; nothing is held from here on."""
        held, self._held = self._held or [], None
        return [self._held_start, *(chunk(each) if self._chunked else each for each in held)]

    def _rewritten(self) -> list[bytes]:
        """Return what was held, with everything substituted."""
        head, body = self._held_head, b"".join(self._held or ())
        found = None
        if head is not None and body:
            try:
                found = new_content(Headers(head.fields), body, self._substitutions)
            except ValueError as error:
                self._warn("the body", str(error))
        if head is None or found is None:
            return self._as_it_came()
        self._held = None
        headers, body = found
        framing = Framing.LENGTH if head.framing is Framing.LENGTH else None
        if head.framing is Framing.CHUNKED and not self._chunked:
            framing = Framing.CLOSE  # as for any client of HTTP/1.0
        start = response_head(
            head.status,
            head.reason,
            headers.raw,
            nominated=head.nominated,
            framing=framing,
            length=len(body),
            connection=self.client.connection_field(self.head),
        )
        return [start, *([chunk(body) if self._chunked else body] if body else [])]

    @property
    def records_into(self) -> InteractionSink | None:
        """What it is recorded into, behind the sieve."""
        sink = super().records_into
        return sink.sink if isinstance(sink, Sieve) else sink

    def _upgraded(self, response: ResponseReceived) -> bytes:
        rewriter = self._shaping.rewriter
        if rewriter is not None:
            reason = response.reason.decode("latin-1")
            headers = Headers(response.fields)
            found = rewriter.incoming(self.request, response.status, reason, headers)
            if found is not None:  # a 101 stays one: both ends have settled on it
                response = msgspec.structs.replace(response, fields=found.fields)
        return super()._upgraded(response)

    # --- ends --------------------------------------------------------------------------------

    def _fail(self, failure: Failure) -> None:
        if self._held is not None:
            self.client.write(self._as_it_came())
        super()._fail(failure)

    def _keep(self, failure: Failure | None, trailers: tuple[FieldLine, ...]) -> None:
        changed, self._response = self._response, self._original
        super()._keep(failure, trailers)
        self._response = changed

    def _warn(self, what: str, why: str) -> None:
        request = self.request
        log.warning("%s %s: %s is not rewritten: %s", request.method, request.url, what, why)
