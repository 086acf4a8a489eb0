"""The shaping of a session: what is set is there, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from magneto_serge.config import Settings
from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.messages import Interaction, Request, Response
from magneto_serge.replay.engine import Session
from magneto_serge.replay.filters import record_filter
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.rewrite_rules import rewriter
from magneto_serge.replay.shaping import Shaping
from magneto_serge.shaping import SessionShaping

REQUEST = Request("GET", "http", "a.example", 80, "/")


class Recorder:
    """A recorder to be prepared for."""

    prepare: object = None


def shaped(above: Hooks | None = None, **settings: Any) -> tuple[Session, SessionShaping]:
    """Return a session with these settings, and what shapes it."""
    session = Session("tape", Mode.RECORD)
    around = Hooks() if above is None else above
    return session, SessionShaping(Settings(**settings), session, around)


def test_nothing_set() -> None:
    """A session without any of it has no shaping, and its recorder nothing to prepare."""
    session, shaping = shaped()
    assert session.shaping is None
    assert shaping.prepare is None


@pytest.mark.parametrize(
    "settings",
    [
        {"record_only": ("no-media",)},
        {"record_except": ("host=a",)},
        {"map_hosts": ("a=b",)},
        {"set_headers": ("A: b",)},
        {"rewrite": ("to-client set A: b",)},
        {"templates": True},
    ],
)
def test_anything_set(settings: dict[str, Any]) -> None:
    """One setting is enough."""
    assert shaped(**settings)[0].shaping is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"record_only": ("hots=a",)},
        {"record_except": ("hots=a",)},
        {"map_hosts": ("a",)},
        {"set_headers": ("A",)},
        {"rewrite": ("nowhere",)},
    ],
)
def test_mistakes(settings: dict[str, Any]) -> None:
    """Each names its setting."""
    [name] = settings
    with pytest.raises(ConfigError, match=f"^{name} "):
        shaped(**settings)


def test_hooks_come_and_go() -> None:
    """From above and at the session itself; session and recorder learn of it."""
    above, recorder = Hooks(), Recorder()
    session, shaping = shaped(above)
    shaping.attend(recorder)  # type: ignore[arg-type]
    assert recorder.prepare is None
    hook = above.before_record(lambda interaction: None)
    assert session.shaping is not None
    assert recorder.prepare is not None
    above.remove(hook)
    assert session.shaping is None
    assert recorder.prepare is None
    shaping.hooks.on_miss(lambda request: None)
    assert session.shaping is not None
    assert recorder.prepare is None
    shaping.close()
    above.before_record(hook)
    assert recorder.prepare is None


def test_templates_are_checked_where_they_are_on() -> None:
    """A cassette with a broken template can be opened as long as nobody renders it."""
    broken = [Interaction(REQUEST, Response(200, body=b"{{"), template=True)]
    shaped()[1].check(broken, "tape")
    with pytest.raises(CassetteError, match=r"tape: interaction 1, response\.body"):
        shaped(templates=True)[1].check(broken, "tape")


def test_what_wants_bodies() -> None:
    """Hooks and templates that answer, and rules that substitute in a request."""
    hooks = Hooks()
    shaping = Shaping(hooks)
    assert not shaping
    assert not shaping.asks_for_bodies
    hooks.before_record(lambda interaction: None)
    assert not shaping.asks_for_bodies
    hooks.on_miss(lambda request: None)
    assert shaping.asks_for_bodies
    assert Shaping(Hooks(), rewriter=rewriter(["to-server body a b"])).wants_body(REQUEST)
    assert not Shaping(Hooks(), rewriter=rewriter(["to-server set A: b"])).wants_body(REQUEST)
    assert not Shaping(Hooks()).wants_body(REQUEST)


def test_what_may_be_kept() -> None:
    """Without a filter everything."""
    assert Shaping(Hooks()).may_keep(REQUEST)
    assert Shaping(Hooks(), record_filter(["method=GET"])).may_keep(REQUEST)
    assert not Shaping(Hooks(), record_filter(["method=PUT"])).may_keep(REQUEST)
