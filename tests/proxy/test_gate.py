"""Backpressure: reading stops for the first reason and goes on after the last."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.proxy.gate import Gate, Hold

from .mock_loop import MockLoop
from .mock_transport import MockTransport

REASONS = [Hold.BACKLOG, Hold.PEER, Hold.DISK, Hold.DIALLING]


def gate() -> tuple[Gate, MockTransport]:
    """Return a gate and its transport."""
    transport = MockTransport(MockLoop(), asyncio.Protocol())
    return Gate(transport), transport


def test_reading_goes_on_after_the_last_reason() -> None:
    """Two reasons to hold: releasing one of them is not enough."""
    held, transport = gate()
    held.hold(Hold.PEER)
    held.hold(Hold.DISK)
    held.release(Hold.PEER)
    assert not transport.reading
    held.release(Hold.DISK)
    assert transport.reading


def test_reasons_can_be_released_together() -> None:
    """One call may take several reasons away, held or not."""
    held, transport = gate()
    held.hold(Hold.PEER)
    held.hold(Hold.DISK)
    held.release(Hold.PEER | Hold.DISK | Hold.BACKLOG)
    assert transport.reading


def test_closing_transport_is_left_alone() -> None:
    """A transport that is closing is neither paused nor resumed."""
    held, transport = gate()
    held.hold(Hold.PEER)
    transport.close()
    held.release(Hold.PEER)
    assert not transport.reading
    other, closing = gate()
    closing.close()
    other.hold(Hold.PEER)
    assert closing.reading


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(REASONS))))
def test_gate_is_a_set_of_reasons(steps: list[tuple[bool, Hold]]) -> None:
    """After any sequence the transport reads exactly when the set of reasons is empty."""
    held, transport = gate()
    reasons: set[Hold] = set()
    for hold, reason in steps:
        if hold:
            held.hold(reason)
            reasons.add(reason)
        else:
            held.release(reason)
            reasons.discard(reason)
        assert transport.reading is not bool(reasons)
        assert bool(held.reasons) is bool(reasons)
