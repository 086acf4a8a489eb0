"""What is written is read back: generated messages through the serializer, both readers, and cuts.

The serializer writes a message that Hypothesis has made up; our parser and h11 must read from it
what went in, wherever the bytes are cut.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.wire.events import (
    DataReceived,
    Event,
    Framing,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
)
from magneto_serge.wire.http1 import RequestParser, ResponseParser

from .feeding import plain, read_requests, read_response
from .fixtures import REQUESTS, RESPONSES, ResponseFixture
from .messages import Made, requests, responses
from .oracle import ours, requests_by_h11, response_by_h11, same


def content_of(events: list[Event]) -> bytes:
    """Return the content told by ``events``."""
    return b"".join(event.data for event in events if isinstance(event, DataReceived))


def check_body(made: Made, events: list[Event]) -> None:
    """Content and trailers are what was made, and the end is told once."""
    assert content_of(events) == made.content
    ends = [event for event in events if isinstance(event, StreamEnded)]
    if made.framing is Framing.NONE or (made.framing is Framing.LENGTH and not made.content):
        assert ends == []
    else:
        assert [list(end.trailers) for end in ends] == [made.trailers]


@given(requests())
def test_requests_are_read_as_they_were_written(made: Made) -> None:
    """A request comes out of the parser as it went into the serializer."""
    events = read_requests([made.data])
    head = events[0]
    assert isinstance(head, RequestReceived)
    assert (head.method, head.target, head.version) == (made.method, made.target, "HTTP/1.1")
    assert list(head.fields) == made.fields
    assert head.framing is made.framing
    check_body(made, events)


@given(responses())
def test_responses_are_read_as_they_were_written(made: Made) -> None:
    """A response comes out of the parser as it went into the serializer."""
    fixture = ResponseFixture(made.data, closes=made.framing is Framing.CLOSE)
    events = read_response(fixture)
    head = events[0]
    assert isinstance(head, ResponseReceived)
    assert (head.status, head.reason, head.version) == (made.status, made.reason, "HTTP/1.1")
    assert list(head.fields) == made.fields
    assert head.framing is made.framing
    check_body(made, events)


@given(st.lists(requests(), min_size=1, max_size=3), st.data())
def test_pipelined_requests_wherever_they_are_cut(made: list[Made], data: st.DataObject) -> None:
    """Several requests in a row are the same requests in any pieces."""
    joined = b"".join(one.data for one in made)
    points = sorted(data.draw(st.sets(st.integers(1, len(joined) - 1), max_size=5)))
    pieces = [joined[a:b] for a, b in zip([0, *points], [*points, len(joined)], strict=True)]
    told = plain(read_requests(pieces))
    assert told == plain(read_requests([joined]))
    assert [event[1:3] for event in told if event[0] == "request"] == [
        (one.method, one.target) for one in made
    ]


@given(st.lists(requests(), min_size=1, max_size=3))
def test_h11_reads_generated_requests_alike(made: list[Made]) -> None:
    """h11 reads the same from any requests that the serializer writes."""
    joined = b"".join(one.data for one in made)
    assert same(ours(read_requests([joined])), requests_by_h11(joined))


@given(responses())
def test_h11_reads_generated_responses_alike(made: Made) -> None:
    """h11 reads the same from any response that the serializer writes."""
    fixture = ResponseFixture(made.data, closes=made.framing is Framing.CLOSE)
    assert same(ours(read_response(fixture)), response_by_h11(fixture))


mangled = st.sampled_from(
    [*REQUESTS.values(), *(fixture.data for fixture in RESPONSES.values())]
).flatmap(
    lambda data: st.tuples(
        st.just(data),
        st.integers(0, len(data)),
        st.integers(0, 8),
        st.binary(max_size=6) | st.sampled_from([b"\r\n", b"\r\n\r\n", b"\n", b": ", b"0\r\n\r\n"]),
    )
)


@given(
    st.binary(max_size=200)
    | mangled.map(lambda cut: cut[0][: cut[1]] + cut[3] + cut[0][cut[1] + cut[2] :])
)
def test_no_bytes_raise(data: bytes) -> None:
    """Whatever a peer sends comes out as events: no exception leaves a parser."""
    read_requests([data[:7], data[7:]])
    for method in ("GET", "HEAD", "CONNECT"):
        read_response(ResponseFixture(data, method, closes=True), [data[:7], data[7:]])
    parser = ResponseParser()
    parser.feed(data)
    parser.feed_eof()
    assert RequestParser(10).feed(data) is not None
