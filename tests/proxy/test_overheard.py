"""A conversation put together in memory, handed over when it is over."""

from __future__ import annotations

import hashlib

from magneto_serge.messages import FileBody, Frame, Interaction, WebSocketClose, WebSocketMessage
from magneto_serge.proxy.overheard import Limits, Overheard

from .frames import recorded


def test_it_is_handed_over_at_its_end() -> None:
    """Frames and messages, in their order, and the first close."""
    taken: list[Interaction] = []
    overheard = Overheard(recorded(), lambda said, _: taken.append(said), Limits(100, 10_000))
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
    overheard = Overheard(recorded(), lambda said, _: taken.append(said), Limits(100, 10_000))
    overheard.ended("client", 4.0, abnormal=False)
    assert taken[0].websocket is not None
    assert taken[0].websocket.close is None


def test_of_what_is_said_at_length_the_beginning_is_kept() -> None:
    """Memory has an end: what comes after it is not kept, and whoever compares is told so."""
    taken: list[tuple[Interaction, bool]] = []
    for kept in (10_000, 500):
        limits = Limits(100, kept)
        overheard = Overheard(recorded(), lambda said, whole: taken.append((said, whole)), limits)
        for number in range(20):
            overheard.heard("server", 1.0, [Frame(0x81, b"", b"%d" % number)], 1)
        overheard.ended("server", 2.0, abnormal=True)
    counts = [len(each.websocket.messages) for each, _ in taken if each.websocket is not None]
    assert counts == [20, 3]
    assert [whole for _, whole in taken] == [True, False]


def test_a_large_message_is_a_digest() -> None:
    """Whether its frames came or the whole of it; it takes neither memory nor a file."""
    taken: list[Interaction] = []
    overheard = Overheard(recorded(), lambda said, _: taken.append(said), Limits(100, 10_000))
    overheard.heard("server", 1.0, [Frame(0x02, b"", b"x" * 300)], 1)
    overheard.heard("server", 1.0, [Frame(0x80, b"", b"")], 1)
    overheard.said(WebSocketMessage("server", "binary", b"x" * 300, 2.0))
    overheard.heard("server", 1.0, [Frame(0x02, b"", b"not all of it" * 100)], 1)
    overheard.ended("server", 3.0, abnormal=True)
    assert taken[0].websocket is not None
    one, other = (each.data for each in taken[0].websocket.messages)
    assert isinstance(one, FileBody)
    assert isinstance(other, FileBody)
    assert one.sha256 == other.sha256 == hashlib.sha256(b"x" * 300).hexdigest()
    assert not one.path.exists()


def test_a_conversation_that_goes_on() -> None:
    """It can be handed over as far as it went, once; what is said later is too late."""
    taken: list[Interaction] = []
    overheard = Overheard(recorded(), lambda said, _: taken.append(said), Limits(100, 10_000))
    overheard.said(WebSocketMessage("server", "text", b"b", 2.0))
    overheard.conclude()
    overheard.said(WebSocketMessage("server", "text", b"c", 3.0))
    overheard.heard("server", 3.0, [Frame(0x88, b"", b"\x03\xe8")], 2)
    overheard.ended("client", 4.0, abnormal=True)
    (interaction,) = taken
    assert interaction.websocket is not None
    assert [each.data for each in interaction.websocket.messages] == [b"b"]
    assert interaction.websocket.close is None
    assert interaction.total_ms == 2.0
