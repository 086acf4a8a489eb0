"""What a session can decide about a request, and the counters of what was decided.

Plain values: ``engine`` makes them and ``proxy`` tells them apart by their type. They have a module
of their own because ``engine`` may be compiled, and mypyc drops the keywords of a class statement:
a Struct would be neither frozen nor free of the garbage collector.
"""

from __future__ import annotations

import msgspec

from magneto_serge.messages import Request
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.shelf import Recording


class Forward(msgspec.Struct, frozen=True):
    """Send the request on; ``keep``: record what comes back."""

    keep: bool


FORWARD = Forward(keep=False)
FORWARD_AND_KEEP = Forward(keep=True)


class Unanswered(msgspec.Struct, frozen=True):
    """Ask the users' hooks for an answer; where they have none, :meth:`Session.refuse` it."""

    request: Request


Decision = Recording | Forward | Miss | Unanswered


class Stats(msgspec.Struct):
    """What went through a proxy since it started: counts, and bytes of content.

    ``bytes_in`` came from origins, ``bytes_out`` went to clients; ``faults`` were injected.
    """

    requests: int = 0
    recorded: int = 0
    replayed: int = 0
    forwarded: int = 0
    missed: int = 0
    failed: int = 0
    faults: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
