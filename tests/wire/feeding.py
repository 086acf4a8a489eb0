"""Feeding parsers in pieces, and comparing what comes out.

Where a message was cut on its way must make no difference. Events are compared as plain tuples:
adjacent content is joined, since a piece of content is whatever one read has brought, and of an
error only its class and status count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from magneto_serge.errors import ClientProtocolError
from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Event,
    InformationalReceived,
    PeerBrokeProtocol,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.http1 import RequestParser, ResponseParser

from .fixtures import ResponseFixture

Told = list[tuple[object, ...]]


def read_requests(pieces: Iterable[bytes], parser: RequestParser | None = None) -> list[Event]:
    """Return the events of a client that sends ``pieces``."""
    parser = parser or RequestParser()
    events: list[Event] = []
    for piece in pieces:
        _feed(parser, piece, events)
    return events


def read_response(
    fixture: ResponseFixture,
    pieces: Iterable[bytes] | None = None,
    parser: ResponseParser | None = None,
) -> list[Event]:
    """Return the events of an origin that sends the fixture's bytes, cut into ``pieces``."""
    parser = parser or ResponseParser()
    parser.expect(fixture.method)
    events: list[Event] = []
    for piece in [fixture.data] if pieces is None else pieces:
        _feed(parser, piece, events)
    if fixture.closes:
        events += parser.feed_eof()
    return events


def _feed(parser: RequestParser | ResponseParser, piece: bytes, events: list[Event]) -> None:
    if events and isinstance(events[-1], BytesAfterUpgrade):
        events[-1].data += piece  # the connection has left HTTP: nobody parses it any more
    else:
        events += parser.feed(piece)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield ``data`` cut in two at every point, then into single bytes."""
    for index in range(1, len(data)):
        yield [data[:index], data[index:]]
    yield [data[index : index + 1] for index in range(len(data))]


def plain(events: Iterable[Event]) -> Told:
    """Return events as comparable tuples, adjacent content joined."""
    told: Told = []
    for event in events:
        if isinstance(event, DataReceived) and told and told[-1][0] == "data":
            told[-1] = ("data", _joined(told[-1][1], event.data))
        else:
            told.append(_plain(event))
    return told


def _joined(before: object, data: bytes) -> bytes:
    assert isinstance(before, bytes)
    return before + data


def _plain(event: Event) -> tuple[object, ...]:
    match event:
        case RequestReceived():
            return (
                "request",
                event.method,
                event.target,
                event.version,
                tuple(event.fields),
                event.framing,
                event.content_length,
                event.keep_alive,
                event.expect_continue,
                event.upgrade,
                event.nominated,
                event.ended,
            )
        case ResponseReceived():
            return (
                "response",
                event.status,
                event.reason,
                event.version,
                tuple(event.fields),
                event.framing,
                event.content_length,
                event.keep_alive,
                event.nominated,
                event.ended,
            )
        case InformationalReceived():
            return ("interim", event.status, event.reason, event.version, tuple(event.fields))
        case DataReceived():
            return ("data", event.data)
        case StreamEnded():
            return ("end", tuple(event.trailers))
        case BytesAfterUpgrade():
            return ("after", event.data)
        case PeerBrokeProtocol():
            return ("broke", *refusal(event))


def comparable(told: Told) -> Told:
    """Leave out what may depend on the cuts of malformed bytes: how exactly they are refused.

    Behind something good in the same read an unknown method is told as 400, alone as 501. What
    comes behind a response is refused unless it is an empty line in the same read, or the bytes
    of a tunnel, which nobody parses any more.
    """
    compared: Told = []
    for event in told:
        if compared and _ends_a_response(compared[-1], compared[0]):
            break
        if event[0] == "broke":
            compared.append(("broke", event[1], 400 if event[2] == 501 else event[2]))
        else:
            compared.append(event)
    return compared


def _ends_a_response(event: tuple[object, ...], first: tuple[object, ...]) -> bool:
    if event[0] == "end":
        return first[0] != "request"
    return event[0] == "response" and event[-1] is True and event[1] != 101


def refusal(event: Event) -> tuple[str, int | None]:
    """Return the class of a broken protocol's error, and the status that a client is told."""
    assert isinstance(event, PeerBrokeProtocol)
    error = event.error
    status = error.status if isinstance(error, ClientProtocolError) else None
    return type(error).__name__, status


def statuses(events: Iterable[Event]) -> list[int | None]:
    """Return the statuses of what was refused among ``events``."""
    return [refusal(event)[1] for event in events if isinstance(event, PeerBrokeProtocol)]
