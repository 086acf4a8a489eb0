"""Equal requests take turns."""

from __future__ import annotations

from magneto_serge.interop.repeats import Turn, turns
from magneto_serge.messages import Interaction, Request


def ask(target: str, body: bytes = b"") -> Interaction:
    """Return an interaction that asks for this."""
    return Interaction(Request("POST", "http", "h", 80, target, body=body))


def test_turns() -> None:
    """By method, URL and body; requests that come once have no group."""
    held = [ask("/a"), ask("/b"), ask("/a"), ask("/a", b"x"), ask("/b"), ask("/a")]
    assert turns(held) == [
        Turn(1, 1, 3), Turn(2, 1, 2), Turn(1, 2, 3), Turn(0, 1, 1), Turn(2, 2, 2), Turn(1, 3, 3),
    ]  # fmt: skip
