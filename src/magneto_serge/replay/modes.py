"""The modes, as rows of one table: what to do when a recording matches, and when none does.

A mode never branches elsewhere in the code; :class:`~magneto_serge.replay.engine.Session` reads
the row. ``auto`` becomes ``record`` or ``replay`` when a session begins, depending on whether the
cassette exists (VCR's ``once``); the other modes mean the same from the first request on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Mode(StrEnum):
    """How a session answers; the members are also the names of the commands."""

    AUTO = "auto"
    RECORD = "record"
    REPLAY = "replay"
    STRICT = "strict"
    HYBRID = "hybrid"
    PASSTHROUGH = "passthrough"
    VERIFY = "verify"


class Policy(NamedTuple):
    """One row: ``replays`` on a match; ``forwards`` otherwise; ``keeps`` what was forwarded.

    ``replaces``: what is kept replaces the older cassette instead of being appended to it.
    ``needs_cassette``: starting without a cassette is an error. ``once``: each recording is played
    once, and one that was not is a failure at the end. ``compares``: what is kept is held against
    its recording, and goes nowhere else.
    """

    replays: bool
    forwards: bool
    keeps: bool
    replaces: bool
    needs_cassette: bool
    once: bool
    compares: bool = False


#                                 replays  forwards keeps  replaces needs_cassette once  compares
POLICIES: dict[Mode, Policy] = {
    Mode.RECORD: Policy(False, True, True, True, False, False),
    Mode.REPLAY: Policy(True, False, False, False, True, False),
    Mode.STRICT: Policy(True, False, False, False, True, True),
    Mode.HYBRID: Policy(True, True, True, False, False, False),
    Mode.PASSTHROUGH: Policy(False, True, False, False, False, False),
    Mode.VERIFY: Policy(False, True, True, False, True, False, True),
}


def policy_for(mode: Mode, *, cassette_exists: bool) -> Policy:
    """Return the row for ``mode``; ``auto`` is resolved here and only here."""
    if mode is Mode.AUTO:
        mode = Mode.REPLAY if cassette_exists else Mode.RECORD
    return POLICIES[mode]
