"""What is kept of one exchange for the recorder, while it happens.

A tape runs from the request's head to the response's end: the bodies (``tee``), the interim
responses, the moments of the pieces. It never delays the relay. Times are in ms since the tape
started.

Moments are kept where a body came as a stream: where its length was not said beforehand, and of any
body that took its time. Of an event stream, or one of lines, each piece is kept as it came; of
anything else what came within the same ms is one piece, for a bulk transfer is not a stream of
reads. An endless stream costs a bounded number of moments: they become coarser.
"""

from __future__ import annotations

from time import perf_counter, time

import msgspec

from magneto_serge.messages import (
    NO_HEADERS,
    Body,
    Conversation,
    Failure,
    FieldLine,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.proxy.tee import Tee
from magneto_serge.replay.engine import InteractionSink
from magneto_serge.replay.pieces import is_stream
from magneto_serge.wire.events import Framing, InformationalReceived, ResponseReceived
from magneto_serge.wire.fields import first

STREAM_AFTER_MS = 20.0  # a body with a known length that takes longer, in pieces, is a stream too
SAME_PIECE_MS = 1.0  # pieces closer than this are one
SAME_READ_MS = 0.05  # of an event stream: what came in one read
PIECES_KEPT = 65_536  # beyond it, neighbours are joined: 8 MB


class Tape:
    """The recording of one exchange; ``limit`` is the bytes of a body kept in memory.

    ``asked`` are the fields of the request: who keeps a larger body is told what stands above it.
    """

    # What most exchanges never touch are class attributes, as in `exchange`.
    _first_byte_at: float | None = None
    _first = b""  # the first piece: most bodies come in one
    _first_at = 0.0
    _chunks: list[tuple[int, float]] | None = None
    _resolution = SAME_PIECE_MS
    _response: ResponseReceived | None = None
    _uploaded: list[int] | None = None  # set where the answer came before the end
    _asked_all = False
    _informational: tuple[Response, ...] = ()
    _request_tee: Tee | None = None
    _response_tee: Tee | None = None

    def __init__(
        self, sink: InteractionSink, limit: int, asked: tuple[FieldLine, ...] = ()
    ) -> None:
        self.sink = sink
        self._limit = limit
        self._asked = asked
        self._started = time()
        self._clock = perf_counter()  # as are the moments below, until something is made of them

    def request_data(self, data: bytes) -> None:
        """Keep a piece of the request's content."""
        if self._request_tee is None:
            self._request_tee = Tee(self.sink, self._limit, self._asked)
        self._request_tee.add(data)

    def interim(self, event: InformationalReceived) -> None:
        """Keep an interim response; 100 is between the hops (RFC 9110 §10.1.1)."""
        if event.status != 100:
            response = Response(event.status, event.reason.decode("latin-1"), Headers(event.fields))
            self._informational += (response,)

    def response_started(self, response: ResponseReceived) -> None:
        """Note the time to the first byte."""
        self._first_byte_at = perf_counter()
        self._response = response

    def answered_early(self) -> None:
        """Note that the response has begun before its request has ended."""
        self._uploaded = [self._sent()]

    def request_ended(self) -> None:
        """Note that the request has ended while it was being answered."""
        self._asked_all = True

    def _sent(self) -> int:
        """Return the bytes of the request's content that have gone."""
        return 0 if self._request_tee is None else self._request_tee.size

    def response_data(self, data: bytes) -> None:
        """Keep a piece of the response's content, and when it came."""
        if self._uploaded is not None:
            self._answer_while_asked(data, self._uploaded)
            return
        if not self._first and self._chunks is None and len(data) <= self._limit:
            self._first, self._first_at = data, perf_counter()
            return
        now = self._ms(perf_counter())
        tee, chunks = self._response_tee, self._chunks
        if tee is None or chunks is None:
            tee = self._response_tee = Tee(self.sink, self._limit, self._answered())
            chunks = self._chunks = []
            self._resolution = SAME_READ_MS if self._of_events() else SAME_PIECE_MS
            if self._first:
                tee.add(self._first)
                chunks.append((len(self._first), self._ms(self._first_at)))
                self._first = b""
        tee.add(data)
        if chunks and now - chunks[-1][1] < self._resolution:
            chunks[-1] = (chunks[-1][0] + len(data), chunks[-1][1])
        else:
            chunks.append((len(data), now))
            if len(chunks) > PIECES_KEPT:
                self._coarsen(chunks)

    def _answered(self) -> tuple[FieldLine, ...]:
        """Return the fields of the response."""
        return () if self._response is None else self._response.fields

    def _answer_while_asked(self, data: bytes, uploaded: list[int]) -> None:
        """Keep a piece, and what of the request had gone before it."""
        if self._response_tee is None or self._chunks is None:
            self._response_tee = Tee(self.sink, self._limit, self._answered())
            self._chunks = []
        self._response_tee.add(data)
        sent, chunks, now = self._sent(), self._chunks, self._ms(perf_counter())
        same = chunks and uploaded[-1] == sent and now - chunks[-1][1] < SAME_READ_MS
        if same or len(chunks) >= PIECES_KEPT:
            chunks[-1] = (chunks[-1][0] + len(data), chunks[-1][1])
        else:
            uploaded.append(sent)
            chunks.append((len(data), now))

    def _of_events(self) -> bool:
        """Whether the body says of itself that it is a stream."""
        kind = first(self._answered(), b"content-type")
        return kind is not None and is_stream(kind.decode("latin-1"))

    def _coarsen(self, chunks: list[tuple[int, float]]) -> None:
        """Join neighbours: what is left goes out when its second half had come."""
        self._resolution *= 2
        pairs = zip(chunks[::2], chunks[1::2], strict=False)
        joined = [(one[0] + other[0], other[1]) for one, other in pairs]
        chunks[:] = joined + chunks[2 * len(joined) :]

    def answered_whole(
        self,
        request: Request,
        request_trailers: tuple[FieldLine, ...],
        response: ResponseReceived,
        content: bytes,
        peer: str,
    ) -> None:
        """Hand over an exchange whose response came in one read, as most do; it has ended well.

        Where nothing else is to be kept this is what the steps would do one by one, for half.
        """
        if self._request_tee is not None or request_trailers or len(content) > self._limit:
            self.response_started(response)
            self.response_data(content)
            self.finish(request, request_trailers, response, (), None, peer)
            return
        section = response.section
        total_ms = (perf_counter() - self._clock) * 1000
        self.sink.record(
            Interaction(
                request,
                Response(
                    response.status,
                    response.reason.decode("latin-1"),
                    Headers(response.fields) if section is None else section.headers,
                    content,
                    response.version,
                ),
                None,
                self._informational,
                self._started,
                total_ms,
                total_ms,
                (),
                peer,
            )
        )

    def finish(
        self,
        request: Request,
        request_trailers: tuple[FieldLine, ...],
        response: ResponseReceived | None,
        trailers: tuple[FieldLine, ...],
        failure: Failure | None,
        peer: str,
    ) -> None:
        """Hand the interaction to the recorder; the tape is used up."""
        clock = self._clock
        total_ms = (perf_counter() - clock) * 1000
        if self._request_tee is not None or request_trailers:
            request = msgspec.structs.replace(
                request, body=_closed(self._request_tee), trailers=Headers(request_trailers)
            )
        recorded = None
        if response is not None:
            section = response.section
            recorded = Response(
                response.status,
                response.reason.decode("latin-1"),
                Headers(response.fields) if section is None else section.headers,
                self._first if self._response_tee is None else self._response_tee.close(),
                response.version,
                Headers(trailers) if trailers else NO_HEADERS,
            )
        first_byte_at = self._first_byte_at
        interaction = Interaction(
            request,
            recorded,
            failure,
            self._informational,
            self._started,
            None if first_byte_at is None else (first_byte_at - clock) * 1000,
            total_ms,
            () if self._chunks is None and total_ms <= STREAM_AFTER_MS else self._pieces(total_ms),
            peer,
        )
        if self._uploaded is not None:
            interaction.uploaded = self._conversation(self._uploaded)
        self.sink.record(interaction)

    def _conversation(self, uploaded: list[int]) -> tuple[int, ...]:
        """Return what of the request had gone before each part of an early answer."""
        return (*uploaded, self._sent()) if self._asked_all else tuple(uploaded)

    def _pieces(self, total_ms: float) -> tuple[tuple[int, float], ...]:
        """Return the moments of the pieces, if the body came as a stream."""
        chunks = self._chunks
        if chunks is None:
            if not self._first:
                return ()
            at = self._ms(self._first_at)  # its end may have come much later
            return ((len(self._first), at),) if total_ms - at > STREAM_AFTER_MS else ()
        if self._uploaded is not None:
            return tuple(chunks)
        response = self._response
        transfer = response is None or response.framing is Framing.LENGTH
        if transfer and chunks[-1][1] - chunks[0][1] <= STREAM_AFTER_MS and not self._of_events():
            return ()
        return tuple(chunks) if len(chunks) > 1 or total_ms - chunks[0][1] > STREAM_AFTER_MS else ()

    def switched(self, request: Request, response: ResponseReceived, peer: str) -> Interaction:
        """Return the handshake of a WebSocket that the origin has accepted."""
        accepted = Response(
            response.status,
            response.reason.decode("latin-1"),
            Headers(response.fields),
            version=response.version,
        )
        return Interaction(
            request,
            accepted,
            informational=self._informational,
            started=self._started,
            first_byte_ms=self._ms(perf_counter()),
            peer=peer,
            websocket=Conversation(),
        )

    def discard(self) -> None:
        """Forget everything."""
        for tee in (self._request_tee, self._response_tee):
            if tee is not None:
                tee.discard()

    def _ms(self, moment: float) -> float:
        return (moment - self._clock) * 1000


def _closed(tee: Tee | None) -> Body:
    return b"" if tee is None else tee.close()
