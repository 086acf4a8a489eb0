"""The shaping of one session: what its settings say, and the hooks that reach it.

Everything that a setting says is compiled here, before anything starts; a mistake in it is a
ConfigError that names the setting. Hooks may come and go while traffic flows: a session has a
:class:`~magneto_serge.replay.shaping.Shaping` for as long as there is something in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from magneto_serge.config import Settings
from magneto_serge.messages import Interaction
from magneto_serge.preparation import Preparation
from magneto_serge.replay.engine import Session
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.shaping import Shaping

if TYPE_CHECKING:
    from magneto_serge.replay.filters import RecordFilter
    from magneto_serge.replay.rewrite import Rewriter
    from magneto_serge.replay.templates import Templates


Prepare = Callable[[Interaction], Interaction | None]


class Prepared(Protocol):
    """What takes interactions, each ``prepare``d first: a recorder, or a verifier."""

    prepare: Prepare | None


class SessionShaping:
    """Keeps what shapes ``session``; ``above`` are the hooks of everything around it.

    Raises ConfigError for a setting that cannot be used.
    """

    def __init__(self, settings: Settings, session: Session, above: Hooks) -> None:
        self._session = session
        self._recorder: Prepared | None = None
        self.hooks = Hooks(above)
        self._shaping = Shaping(
            self.hooks,
            _filter(settings),
            _rewriter(settings),
            _templates(settings),
        )
        self._preparation = Preparation(self._shaping)
        self.hooks.changed = self._changed
        self._changed()

    def _changed(self) -> None:
        self._session.shaping = self._shaping if self._shaping else None
        if self._recorder is not None:
            self._recorder.prepare = self.prepare

    @property
    def prepare(self) -> Prepare | None:
        """What is done to an interaction before it is written; None: nothing."""
        return self._preparation if self._preparation else None

    def attend(self, recorder: Prepared) -> None:
        """Prepare what ``recorder`` takes, from now on."""
        self._recorder = recorder
        recorder.prepare = self.prepare

    def check(self, interactions: Iterable[Interaction], where: str) -> None:
        """Raise CassetteError where one of ``interactions`` is a template that cannot be used."""
        if self._shaping.templates is not None:
            self._shaping.templates.check(interactions, where)

    def close(self) -> None:
        """End; when nothing is written any more."""
        self.hooks.changed = None
        self._recorder = None
        self._preparation.close()


def _filter(settings: Settings) -> RecordFilter | None:
    if not (settings.record_only or settings.record_except):
        return None
    from magneto_serge.replay.filters import record_filter

    return record_filter(settings.record_only, settings.record_except, settings.record_combine)


def _rewriter(settings: Settings) -> Rewriter | None:
    if not (settings.rewrite or settings.map_hosts or settings.set_headers):
        return None
    from magneto_serge.replay.rewrite_rules import rewriter

    return rewriter(settings.rewrite, settings.map_hosts, settings.set_headers)


def _templates(settings: Settings) -> Templates | None:
    if not settings.templates:
        return None
    import os
    import time

    from magneto_serge.replay.templates import Templates

    return Templates(
        environ=os.environ,
        allowed=settings.template_env,
        seed=settings.template_seed,
        clock=time.time,
        timer=time.perf_counter,
    )
