"""What h11 makes of the same bytes: an independent reading to agree with.

h11 shares no code with us (llhttp is C, h11 a grammar in regular expressions). Its events are told
in a form that both can be brought to: heads, whole contents, trailers, and what it left unread
where the connection leaves HTTP. A message that it does not accept raises RemoteProtocolError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import h11

from magneto_serge.wire.events import (
    BytesAfterUpgrade,
    DataReceived,
    Event,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
)

from .fixtures import ResponseFixture

FieldLines = tuple[tuple[bytes, bytes], ...]


class Message(NamedTuple):
    """A message as both readers tell it; ``start`` is what its first line says."""

    start: tuple[bytes, ...]
    fields: FieldLines
    content: bytes = b""
    trailers: FieldLines = ()
    after: bytes = b""


def same(ours: list[Message], theirs: list[Message]) -> bool:
    """Whether both read the same; h11 writes the name of a transfer coding in lower case."""
    return [_lower_coding(message) for message in ours] == theirs


def _lower_coding(message: Message) -> Message:
    fields = tuple(
        (name, value.lower() if name.lower() == b"transfer-encoding" else value)
        for name, value in message.fields
    )
    return message._replace(fields=fields)


def ours(events: Iterable[Event]) -> list[Message]:
    """Return our events as messages."""
    messages: list[Message] = []
    for event in events:
        match event:
            case RequestReceived():
                start = (event.method.encode(), event.target.encode(), event.version.encode()[5:])
                messages.append(Message(start, tuple(event.fields)))
            case InformationalReceived() | ResponseReceived():
                start = (b"%d" % event.status, event.reason, event.version.encode()[5:])
                messages.append(Message(start, tuple(event.fields)))
            case DataReceived():
                last = messages[-1]
                messages[-1] = last._replace(content=last.content + event.data)
            case StreamEnded():
                messages[-1] = messages[-1]._replace(trailers=tuple(event.trailers))
            case BytesAfterUpgrade():
                messages[-1] = messages[-1]._replace(after=event.data)
            case _:
                raise AssertionError(event)
    return messages


def requests_by_h11(data: bytes) -> list[Message]:
    """Return the requests that h11 reads from ``data``; raises RemoteProtocolError."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    messages: list[Message] = []
    while True:
        event = connection.next_event()
        if event is h11.PAUSED and _answer(connection, messages):
            continue
        if event in (h11.NEED_DATA, h11.PAUSED):
            return messages
        _note(event, messages)


def _answer(connection: h11.Connection, messages: list[Message]) -> bool:
    """Answer the request in hand, refusing upgrades of h2c only; say whether HTTP goes on."""
    if _leaves_http(messages[-1]):
        messages[-1] = messages[-1]._replace(after=connection.trailing_data[0])
        return False
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    if connection.our_state is h11.MUST_CLOSE or connection.their_state is h11.MUST_CLOSE:
        return False
    connection.start_next_cycle()
    return True


def _leaves_http(request: Message) -> bool:
    """Whether we would let this request leave HTTP (RFC 9110 §7.8, §9.3.6)."""
    options, offers = (
        [value.lower() for field, value in request.fields if field.lower() == name]
        for name in (b"connection", b"upgrade")
    )
    nominated = b"upgrade" in [option.strip() for line in options for option in line.split(b",")]
    offered = any(offer and not offer.startswith((b"h2c", b"tls/")) for offer in offers)
    wanted = nominated and offered and not request.content
    return request.start[0] == b"CONNECT" or (wanted and request.start[2] == b"1.1")


def response_by_h11(fixture: ResponseFixture) -> list[Message]:
    """Return the responses that h11 reads from the fixture; raises RemoteProtocolError."""
    connection = h11.Connection(h11.CLIENT)
    fields = [("Host", "a.example")]
    if b" 101 " in fixture.data:
        fields += [("Connection", "upgrade"), ("Upgrade", "websocket, foo")]
    connection.send(h11.Request(method=fixture.method, target="/", headers=fields))
    connection.send(h11.EndOfMessage())
    connection.receive_data(fixture.data)
    if fixture.closes:
        connection.receive_data(b"")
    messages: list[Message] = []
    while True:
        event = connection.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
            if connection.their_state is h11.SWITCHED_PROTOCOL:
                messages[-1] = messages[-1]._replace(after=connection.trailing_data[0])
            return messages
        _note(event, messages)


def _note(event: object, messages: list[Message]) -> None:
    match event:
        case h11.Request():
            start = (event.method, event.target, event.http_version)
            messages.append(Message(start, _lines(event.headers)))
        case h11.InformationalResponse() | h11.Response():
            start = (b"%d" % event.status_code, event.reason, event.http_version)
            messages.append(Message(start, _lines(event.headers)))
        case h11.Data():
            last = messages[-1]
            messages[-1] = last._replace(content=last.content + bytes(event.data))
        case h11.EndOfMessage():
            messages[-1] = messages[-1]._replace(trailers=_lines(event.headers))


def _lines(headers: h11._headers.Headers) -> FieldLines:
    return tuple((bytes(name), bytes(value)) for name, value in headers.raw_items())
