"""The vocabulary: plain values, the same for every version of HTTP."""

from __future__ import annotations

from typing import get_args

import pytest

from magneto_serge.errors import ClientProtocolError
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

EVENTS: list[Event] = [
    RequestReceived("GET", "/", "HTTP/1.1", ((b"Host", b"a"),), Framing.NONE),
    ResponseReceived(200, b"OK", "HTTP/1.1", (), Framing.CLOSE),
    InformationalReceived(103, b"Early Hints", "HTTP/1.1", ()),
    DataReceived(b"x"),
    StreamEnded(()),
]


@pytest.mark.parametrize("event", EVENTS)
def test_what_belongs_to_an_exchange_names_its_stream(event: Event) -> None:
    """Every event of an exchange carries a stream_id; HTTP/1.x has one stream, number 1."""
    assert getattr(event, "stream_id", None) == 1


def test_what_belongs_to_the_connection_names_none() -> None:
    """Leaving HTTP and breaking it concern the whole connection."""
    broke = PeerBrokeProtocol(ClientProtocolError("Bad"))
    for event in (BytesAfterUpgrade(b""), broke):
        assert not hasattr(event, "stream_id")


def test_the_vocabulary_is_complete() -> None:
    """Event is the union of what parsers may tell, and of nothing else."""
    assert {type(event) for event in EVENTS} | {BytesAfterUpgrade, PeerBrokeProtocol} == set(
        get_args(Event)
    )


def test_heads_without_content_have_no_end_of_their_own() -> None:
    """`ended` is said by the parser, which alone knows: a head starts open."""
    request, response = EVENTS[:2]
    assert isinstance(request, RequestReceived)
    assert isinstance(response, ResponseReceived)
    assert not request.ended
    assert not response.ended


def test_events_compare_by_value() -> None:
    """Two events that tell the same are equal."""
    assert DataReceived(b"x") == DataReceived(b"x")
    assert DataReceived(b"x") != DataReceived(b"y")
    assert StreamEnded(((b"a", b"b"),)) == StreamEnded(((b"a", b"b"),))
