"""A conversation put together in memory, handed over when it is over."""

from __future__ import annotations

from magneto_serge.messages import Frame, Interaction, WebSocketClose, WebSocketMessage
from magneto_serge.proxy.overheard import Overheard

from .frames import recorded


def test_it_is_handed_over_at_its_end() -> None:
    """Frames and messages, in their order, and the first close."""
    taken: list[Interaction] = []
    overheard = Overheard(recorded(), taken.append, 100)
    overheard.heard("client", 1.0, [Frame(0x81, b"", b"a")], 1)
    overheard.said(WebSocketMessage("server", "text", b"b", 2.0))
    overheard.heard("server", 3.0, [Frame(0x88, b"", b"\x03\xe8")], 2)
    assert taken == []
    overheard.ended("client", 4.0, abnormal=True)
    (interaction,) = taken
    assert interaction.websocket is not None
    assert [each.data for each in interaction.websocket.messages] == [b"a", b"b"]
    assert interaction.websocket.close == WebSocketClose(1000, "", "server", 3.0)
    assert interaction.total_ms == 4.0


def test_an_end_of_ours_is_none() -> None:
    """Where we ended it, the conversation had not ended."""
    taken: list[Interaction] = []
    Overheard(recorded(), taken.append, 100).ended("client", 4.0, abnormal=False)
    assert taken[0].websocket is not None
    assert taken[0].websocket.close is None
