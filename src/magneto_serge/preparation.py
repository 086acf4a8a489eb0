"""What happens to an interaction between the traffic and the disk, in the recorder's thread.

First what is to be rewritten in the cassette, then the users' ``before_record`` hooks; redaction is
the recorder's and comes after it: whatever a hook puts in, no secret is written. Coroutines run on
a loop of this thread's own, one at a time, each for ``PATIENCE`` seconds at most.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from magneto_serge.messages import Interaction
from magneto_serge.replay.hooks import PATIENCE, any_waits

if TYPE_CHECKING:
    import asyncio

    from magneto_serge.replay.shaping import Shaping

log = logging.getLogger("magneto_serge")


class Preparation:
    """Prepares the interactions of one recording; called in the recorder's thread.

    It is false where there is nothing to do.
    """

    def __init__(self, shaping: Shaping) -> None:
        self._hooks = shaping.hooks
        rewriter = shaping.rewriter
        self._rewriter = rewriter if rewriter is not None and rewriter.for_cassette else None
        self._runner: asyncio.Runner | None = None

    def __bool__(self) -> bool:
        return self._rewriter is not None or bool(self._hooks.at_record)

    def __call__(self, interaction: Interaction) -> Interaction | None:
        """Return what is to be written; None: nothing."""
        if self._rewriter is not None:
            interaction = self._rewriter.interaction(interaction)
        return self._asked(interaction) if self._hooks.at_record else interaction

    def _asked(self, interaction: Interaction) -> Interaction | None:
        if not any_waits(self._hooks.at_record):
            return self._hooks.record(interaction)
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
        waiting = asyncio.wait_for(self._hooks.record_async(interaction), PATIENCE)
        try:
            return self._runner.run(waiting)
        except TimeoutError:
            log.error("A before_record hook has taken more than %g s: not used", PATIENCE)
            return interaction

    def close(self) -> None:
        """Close the loop; when the recorder's thread has ended."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
