"""Sizes, counts and times as a person reads them; nothing here is meant to be parsed again."""

from __future__ import annotations

import time


def size(count: int) -> str:
    """Return a number of bytes as ``999 B``, ``1.5 kB``, ``23 MB`` (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5:
            return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"
    return f"{amount / 1000:.1f} TB"


def count(number: int, singular: str, plural: str = "") -> str:
    """Return ``1 request``, ``2 requests``, ``1,234 requests``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def milliseconds(duration: float) -> str:
    """Return a duration in ms, with a decimal only where it says something."""
    return f"{duration:.1f}" if duration < 10 else f"{duration:,.0f}"


def moment(seconds: float) -> str:
    """Return a time since the epoch as local time to the minute; ``-`` where it is unknown."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else "-"
