"""A recorded body in the pieces in which it is replayed over time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Headers, Response
from magneto_serge.replay.pieces import LONGEST, unit_end, whole_units


def end_of(content_type: str, *fields: tuple[str, str]) -> re.Pattern[bytes]:
    """Return what ends a unit of a body of this type."""
    end = unit_end(Response(200, headers=Headers.of(("Content-Type", content_type), *fields)))
    assert end is not None
    return end


EVENTS = end_of("text/event-stream")
LINES = end_of("application/x-ndjson")


def joined(*data: bytes, end: re.Pattern[bytes] = EVENTS) -> list[tuple[float, bytes]]:
    """Return the pieces of a body that came in ``data``, one each 10 ms."""
    return list(whole_units(((10.0 * n, each) for n, each in enumerate(data)), end))


def test_whole_events_go_out_as_they_came() -> None:
    """A piece that is an event stays one, at its own moment."""
    assert joined(b"data: 1\n\n", b"data: 2\n\n") == [(0, b"data: 1\n\n"), (10, b"data: 2\n\n")]


def test_several_events_of_one_piece_stay_together() -> None:
    """What arrived together goes out together."""
    assert joined(b"data: 1\n\ndata: 2\n\n") == [(0, b"data: 1\n\ndata: 2\n\n")]


def test_split_event_goes_out_when_it_was_complete() -> None:
    """An event that came in three pieces goes out whole, at the moment of its last byte."""
    assert joined(b"data: ", b"one", b"\n\n") == [(20, b"data: one\n\n")]


def test_piece_across_events_is_divided() -> None:
    """The end of one event and the beginning of the next do not wait for each other."""
    assert joined(b"data: 1\n\nda", b"ta: 2\n\n") == [(0, b"data: 1\n\n"), (10, b"data: 2\n\n")]


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_ends_an_event(line: bytes) -> None:
    """LF, CRLF and CR are all ends of a line, and two of them of an event."""
    one, two = b"data: 1" + line * 2, b"data: 2" + line * 2
    pieces = joined(*(bytes([byte]) for byte in one + two))
    assert [data for _, data in pieces] == [one, two]


def test_crlf_is_not_two_line_ends() -> None:
    """A CRLF, cut in the middle or not, ends one line and no event."""
    event = b"data: a\r\ndata: b\r\n\r\n"
    assert joined(event[:8], event[8:]) == [(10, event)]


def test_what_has_no_end_goes_out_at_the_end() -> None:
    """A stream that breaks off in an event has its rest replayed too."""
    assert joined(b"data: 1\n\n", b"data: 2") == [(0, b"data: 1\n\n"), (10, b"data: 2")]


def test_lines_stay_whole() -> None:
    """A line of NDJSON goes out when its end had come."""
    found = joined(b'{"a":', b"1}\n{", b'"a":2}\n', end=LINES)
    assert found == [(10, b'{"a":1}\n'), (20, b'{"a":2}\n')]


def test_endless_event_is_let_go_in_parts() -> None:
    """What never ends is not held for ever, and every byte comes out once."""
    data = [b"x" * 100_000] * 50
    pieces = joined(*data)
    assert len(pieces) > 1
    assert max(len(each) for _, each in pieces) <= LONGEST + 100_000
    assert b"".join(each for _, each in pieces) == b"".join(data)


def test_long_event_in_small_pieces_takes_linear_time() -> None:
    """Bytes are looked at once: 100,000 pieces of one event take about ten times 10,000."""

    def seconds(pieces: int) -> float:
        began = time.perf_counter()
        for _ in whole_units(((0.0, b"xxxxxxxx") for _ in range(pieces)), EVENTS):
            pass
        return time.perf_counter() - began

    seconds(1000)
    assert seconds(100_000) < 60 * seconds(10_000)


PARTS = [b"data: x", b"\n", b"\r\n", b"\r", b"\n\n", b": c"]


@given(st.lists(st.sampled_from(PARTS), max_size=30), st.lists(st.integers(1, 9), max_size=40))
def test_only_the_last_piece_may_end_inside_an_event(parts: list[bytes], sizes: list[int]) -> None:
    """Wherever the network splits a stream: the same bytes, and pieces end with a blank line."""
    body = b"".join(parts)
    cuts, at = [], 0
    for size in sizes:
        cuts.append(body[at : at + size])
        at += size
    pieces = [data for _, data in joined(*filter(None, [*cuts, body[at:]]))]
    assert b"".join(pieces) == body
    for data in pieces[:-1]:
        lines = re.split(rb"\r\n|\n|\r", data)
        assert lines[-1] == b""
        assert lines[-2] == b""


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ([("Content-Type", "text/event-stream; charset=utf-8")], True),
        ([("content-type", "Text/Event-Stream"), ("Content-Encoding", "identity")], True),
        ([("Content-Type", "application/jsonl")], True),
        ([("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")], False),
        ([("Content-Type", "text/html")], False),
        ([], False),
    ],
)
def test_units_are_known_by_the_type(fields: list[tuple[str, str]], known: bool) -> None:
    """Event streams and lines have units; what is encoded, or anything else, has none we see."""
    assert (unit_end(Response(200, headers=Headers.of(*fields))) is not None) is known
