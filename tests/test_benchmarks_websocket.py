"""What the benchmark of WebSockets says and concludes: no program is started here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import _websocket_traffic, websocket
from benchmarks._websocket_load import Found

from magneto_serge.wire.websocket import FrameReader
from magneto_serge.wire.websocket_messages import unmask


@pytest.mark.parametrize("size", [64, 125, 126, 256, 16_384])
def test_both_streams_are_frames_of_the_same_messages(size: int) -> None:
    """The client's stream is masked, the origin's is not; each message has the size asked for."""
    streams = {masked: _websocket_traffic.Stream(size, masked=masked) for masked in (True, False)}
    messages = {
        masked: [
            unmask(frame) for frame in FrameReader(masked=masked).feed(stream.data[: stream.round])
        ]
        for masked, stream in streams.items()
    }
    assert messages[True] == messages[False]
    assert {len(message) for message in messages[False]} == {size}
    assert len(set(messages[False])) == _websocket_traffic.RING


def test_a_handshake_is_accepted_as_the_rfc_has_it() -> None:
    """The key of RFC 6455 §1.3 gives the answer that stands there."""
    head = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in _websocket_traffic.accepted(
        head
    )


def row(
    work: str, program: str, *rates: float, p50: float = 50.0, foreign: float = 0.0
) -> websocket.Row:
    """Return the row of ``program`` with a round for each of ``rates``."""
    found = next(r for r in websocket.rows() if (r.work, r.program) == (work, program))
    found.found = [Found(rate, p50, p50, 1_000, 10.0) for rate in rates]
    found.foreign = [foreign] * len(rates)
    return found


def verdicts(*rows: websocket.Row) -> dict[str, tuple[float, bool | None]]:
    """Return what is claimed of ``rows``: the value, and whether it holds."""
    return {
        claim.what: (round(claim.value, 2), claim.holds) for claim in websocket.claims(rows, {})
    }


def test_a_ratio_is_taken_within_its_round() -> None:
    """Each round's rate is divided by that of nginx in the same round."""
    rows = [
        row(websocket.ONE, websocket.NGINX, 100, 200, 400),
        row(websocket.ONE, websocket.RECORD, 60, 80, 240),
    ]
    assert verdicts(*rows)["1 in flight: record, of nginx"] == (0.6, True)


def test_no_target_is_judged_on_a_busy_machine() -> None:
    """Where other work disturbed a row or its reference, the figure is shown and not judged."""
    rows = [
        row(websocket.ONE, websocket.NGINX, 100, foreign=0.5),
        row(websocket.ONE, websocket.RECORD, 60),
    ]
    assert verdicts(*rows)["1 in flight: record, of nginx"] == (0.6, None)


def test_latency_is_what_is_added_to_a_round_trip_without_us() -> None:
    """The medians are subtracted; 100 µs are too many."""
    rows = [
        row(websocket.ALONE, websocket.DIRECT, 1, p50=50),
        row(websocket.ALONE, websocket.PASSTHROUGH, 1, p50=149),
        row(websocket.ALONE, websocket.RECORD, 1, p50=150),
    ]
    added = {what: found for what, found in verdicts(*rows).items() if "p50" in what}
    assert added == {
        "p50 added by magneto passthrough, µs": (99, True),
        "p50 added by magneto record, µs": (100, False),
    }
