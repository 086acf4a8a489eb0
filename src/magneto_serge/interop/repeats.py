"""Which of a cassette's requests are equal, and how often each comes.

Formats of matchers replay equal requests one after the other by *states*: the first is there in
state 1 and leads to 2, and so on; the last stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from magneto_serge.messages import Interaction

from .outgoing import body_bytes


class Turn(NamedTuple):
    """The ``number``-th of ``of`` equal requests, which are the group ``group`` (0: no repeats)."""

    group: int
    number: int
    of: int


def turns(interactions: Iterable[Interaction]) -> list[Turn]:
    """Return each interaction's turn; bodies are compared by digest and not kept."""
    keys = [_key(each) for each in interactions]
    totals = Counter(keys)
    repeated = {key: number for number, key in enumerate((k for k in totals if totals[k] > 1), 1)}
    seen: Counter[bytes] = Counter()
    found = []
    for key in keys:
        seen[key] += 1
        found.append(Turn(repeated.get(key, 0), seen[key], totals[key]))
    return found


def _key(interaction: Interaction) -> bytes:
    request = interaction.request
    digest = blake2b(digest_size=16)
    for part in (request.method, request.url, request.target):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(body_bytes(request.body))
    return digest.digest()
