"""Between the traffic and the disk: rewriting, then hooks, in the thread that writes."""

from __future__ import annotations

import asyncio

import pytest

from magneto_serge import preparation
from magneto_serge.messages import Interaction, Request, Response
from magneto_serge.preparation import Preparation
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.rewrite_rules import rewriter
from magneto_serge.replay.shaping import Shaping

SAID = Interaction(Request("GET", "http", "a.example", 80, "/"), Response(200, body=b"body"))


def body_of(interaction: Interaction | None) -> object:
    """Return the response's body."""
    assert interaction is not None
    assert interaction.response is not None
    return interaction.response.body


def appending(letter: bytes) -> object:
    """Return a hook that adds a letter."""

    def hook(interaction: Interaction) -> Interaction:
        assert interaction.response is not None
        assert isinstance(interaction.response.body, bytes)
        interaction.response.body += letter
        return interaction

    return hook


def test_nothing_to_do() -> None:
    """It is false, so that a recorder need not call it."""
    assert not Preparation(Shaping(Hooks()))
    assert not Preparation(Shaping(Hooks(), rewriter=rewriter(["to-client set A: b"])))
    assert Preparation(Shaping(Hooks(), rewriter=rewriter(["to-cassette set A: b"])))


def test_rules_then_hooks() -> None:
    """Hooks see what the rules have made of it, and have the last word before redaction."""
    hooks = Hooks()
    prepare = Preparation(Shaping(hooks, rewriter=rewriter(["to-cassette body body rules"])))
    assert body_of(prepare(SAID)) == b"rules"
    hooks.before_record(appending(b"!"))  # type: ignore[type-var]
    assert prepare
    assert body_of(prepare(SAID)) == b"rules!"
    hooks.before_record(lambda interaction: None)
    assert prepare(SAID) is None


def test_coroutines_share_a_loop_of_their_own() -> None:
    """What one has left on the loop is there for the next; closing ends it, twice is once."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def note(interaction: Interaction) -> Interaction:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return interaction

    hooks = Hooks()
    hooks.before_record(note)
    prepare = Preparation(Shaping(hooks))
    for _ in range(2):
        assert prepare(SAID) == SAID
    assert loops[0] is loops[1]
    prepare.close()
    assert loops[0].is_closed()
    prepare.close()


def test_a_coroutine_that_does_not_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up, and the interaction is written as it was."""
    monkeypatch.setattr(preparation, "PATIENCE", 0.01)

    async def forever(interaction: Interaction) -> Interaction:
        await asyncio.Event().wait()
        return interaction

    hooks = Hooks()
    hooks.before_record(forever)
    prepare = Preparation(Shaping(hooks))
    assert prepare(SAID) == SAID
    prepare.close()
    assert "more than 0.01 s" in caplog.text
