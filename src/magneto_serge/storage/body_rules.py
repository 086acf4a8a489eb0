"""How bodies are stored, as the settings say it; apart, because a replay needs no more of it."""

from __future__ import annotations

from typing import NamedTuple


class BodyRules(NamedTuple):
    """``exact``: never decode; ``memory_limit``: bytes, larger bodies go to side files;
    ``stable``: leave out what changes with every recording."""

    exact: bool = False
    memory_limit: int = 4 * 1024 * 1024
    stable: bool = False


DEFAULT_RULES = BodyRules()
