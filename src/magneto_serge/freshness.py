"""A cassette that is too old: what is done about it when it is taken into use.

``max_age`` says how old the newest interaction may be, ``stale`` what happens where it is older:

* ``warn``: it is used all the same, and a warning says how old it is;
* ``fail``: it is not used;
* ``re-record``: a mode that may reach the network records it anew. The others replay it with a
  warning: they have promised that nothing leaves this machine.

A recording that nobody answered (the network is down) does not take the older one's place. Modes
that renew a cassette, compare it with the world, or do not look at it, ask for no age. A cassette
that does not say when it was recorded has none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from magneto_serge.config import Settings
from magneto_serge.errors import StaleCassetteError
from magneto_serge.replay.modes import Mode, policy_for
from magneto_serge.units import count

log = logging.getLogger("magneto_serge")

_UNITS = (("day", 86_400.0), ("hour", 3600.0), ("minute", 60.0))


def fresh_mode(
    name: str,
    path: Path,
    mode: Mode,
    settings: Settings,
    clock: Callable[[], float] = time.time,
    *,
    tell: Callable[[str], None] = lambda story: None,
) -> Mode:
    """Return the mode in which to use the cassette ``name``, which is there, in the file ``path``.

    ``clock`` gives seconds since the epoch; ``tell`` is called with how old the cassette is where
    it is too old and used all the same. Raises StaleCassetteError where it is too old and that
    is to be a failure, CassetteError where its age cannot be read.
    """
    policy = policy_for(mode, cassette_exists=True)
    if settings.max_age is None or not policy.replays:
        return mode
    from magneto_serge.storage.age import newest

    recorded = newest(path)
    age = 0.0 if recorded is None else clock() - recorded
    if age <= settings.max_age:
        return mode
    story = (
        f"Cassette {name!r} is {shown_age(age)} old, and max_age is {shown_age(settings.max_age)}"
    )
    if settings.stale == "fail":
        raise StaleCassetteError(f"{story}. To record it anew: magneto record {name}")
    if settings.stale == "re-record" and (mode is Mode.AUTO or policy.forwards):
        log.warning("%s: it is recorded anew", story)
        return Mode.RECORD
    log.warning("%s. To record it anew: magneto record %s", story, name)
    tell(f"{shown_age(age)} old")
    return mode


def shown_age(seconds: float) -> str:
    """Return an age as a person says it: ``40 days``, ``1 hour``."""
    for unit, length in _UNITS:
        if seconds >= length:
            return count(int(seconds // length), unit)
    return "less than a minute"
