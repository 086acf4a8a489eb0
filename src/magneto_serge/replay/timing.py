"""When a recorded answer is replayed: at once, as recorded, or as drawn. Pure: no clock, no sleep.

A latency turns the moments of a recording into the moments of its replay. Moments are in ms and
count from the request: ``recorded`` and ``scale`` from its head, as recording does, so that an
upload counts once; ``fixed`` and the distributions from its end, and they are drawn for the first
byte and again for each gap between the pieces of a stream.

The text of a latency is ``[[METHOD[,METHOD]] PATTERN] LATENCY`` (``routes``); of several, the first
whose route matches holds, and where none does, everything is replayed at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from magneto_serge.messages import Request
from magneto_serge.replay.routes import (
    EVERYTHING,
    Route,
    Word,
    bad_rule,
    looks_like_pattern,
    split_route,
    words_of,
)

if TYPE_CHECKING:
    from random import Random

_LONGEST_MS = 86_400_000.0  # a day: a longer wait is a slip of the keyboard
_WIDEST = 5.0  # sigma; with more, a draw is anything from nothing to for ever

LATENCY_ACCEPTED = (
    "none, recorded, fixed:MS, scale:PERCENT, uniform:LOW,HIGH, normal:MEAN,SD or "
    "lognormal:MEDIAN,SIGMA (times in ms, at most a day; SIGMA at most 5)"
)


class Tempo(Protocol):
    """One replay of one recording; asked in order, answers in ms, never earlier than before."""

    def head(self, recorded_ms: float) -> float:
        """Return when the head goes out, which came at ``recorded_ms``."""

    def piece(self, recorded_ms: float) -> float:
        """Return when the next piece of the body goes out."""

    def end(self, recorded_ms: float) -> float:
        """Return when the body ends."""


class Latency(Protocol):
    """How long replays take; ``from_head``: moments count from the request's head."""

    @property
    def from_head(self) -> bool:
        """Whether moments count from the request's head, and not from its end."""

    def tempo(self) -> Tempo:
        """Return the tempo of one replay."""


class Scaled:
    """Recorded moments times ``factor``; a latency, and the tempo of each of its replays."""

    from_head = True

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def tempo(self) -> Tempo:
        """Return itself: nothing is drawn, so nothing is kept."""
        return self

    def head(self, recorded_ms: float) -> float:
        """Scale."""
        return recorded_ms * self.factor

    piece = end = head


class Drawn:
    """A delay that ``draw`` gives, in ms; what is below 0 is 0."""

    from_head = False

    def __init__(self, draw: Callable[[], float]) -> None:
        self.draw = draw

    def tempo(self) -> Tempo:
        """Return a tempo that draws as it goes."""
        return _DrawnTempo(self.draw)


class _DrawnTempo:
    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._at = 0.0
        self._in_body = False

    def head(self, recorded_ms: float) -> float:
        self._at = max(0.0, self._draw())
        return self._at

    def piece(self, recorded_ms: float) -> float:
        if self._in_body:  # the first piece comes with the head
            self._at += max(0.0, self._draw())
        self._in_body = True
        return self._at

    def end(self, recorded_ms: float) -> float:
        return self._at


class Pace:
    """The latencies of a session, by route; see `pace_of`."""

    def __init__(self, rules: tuple[tuple[Route, Latency | None], ...]) -> None:
        self._rules = rules

    def draw_by(self, in_turn: Callable[[Callable[[], float]], Callable[[], float]]) -> None:
        """Have ``in_turn`` make of each rule's chance what several processes draw together."""
        for _, latency in self._rules:
            if isinstance(latency, Drawn):
                latency.draw = in_turn(latency.draw)

    def latency_for(self, request: Request) -> Latency | None:
        """Return the latency of the first rule about this request; None: at once."""
        for route, latency in self._rules:
            if route.matches(request):
                return latency
        return None


def pace_of(rules: Iterable[str], seed: int = 0) -> Pace | None:
    """Compile the setting ``latency``; None where everything is replayed at once.

    The same ``seed`` gives the same draws in the same order of requests. Raises ConfigError.
    """
    compiled = tuple(_rule(rule, seed) for rule in rules)
    if all(latency is None for _, latency in compiled):
        return None
    return Pace(compiled)


def _rule(rule: str, seed: int) -> tuple[Route, Latency | None]:
    words = words_of(rule)
    if len(words) == 1 and not looks_like_pattern(words[0].text.partition(":")[0]):
        return EVERYTHING, _latency(rule, words[0], seed)
    route, rest = split_route("latency", rule)
    if len(rest) != 1:
        raise bad_rule("latency", rule, rest[1] if rest else None, LATENCY_ACCEPTED)
    return route, _latency(rule, rest[0], seed)


def _latency(rule: str, word: Word, seed: int) -> Latency | None:
    name, colon, text = word.text.partition(":")
    try:
        if not colon:
            return {"none": None, "recorded": Scaled(1.0)}[name]
        make, units = _KINDS[name]
        parts = text.split(",")
        numbers = [unit(part) for unit, part in zip(units, parts, strict=True)]
        return make(rule, seed, *numbers)
    except (KeyError, ValueError):
        raise bad_rule("latency", rule, word, LATENCY_ACCEPTED) from None


def milliseconds(text: str) -> float:
    """Read ``200``, ``200ms`` or ``0.2s``; raises ValueError for anything else."""
    if text.endswith("s") and not text.endswith("ms"):
        return _number(text[:-1]) * 1000
    return _number(text.removesuffix("ms"))


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value <= _LONGEST_MS or "_" in text:
        raise ValueError(text)
    return value


def _percent(text: str) -> float:
    return _number(text.removesuffix("%"))


def _sigma(text: str) -> float:
    value = float(text)
    if not 0 <= value <= _WIDEST:
        raise ValueError(text)
    return value


def _scale(rule: str, seed: int, percent: float) -> Latency | None:
    return Scaled(percent / 100) if percent else None


def _fixed(rule: str, seed: int, ms: float) -> Latency:
    return Drawn(lambda: ms)


def _uniform(rule: str, seed: int, low: float, high: float) -> Latency:
    if low > high:
        raise ValueError
    random = seeded(rule, seed)
    return Drawn(lambda: random.uniform(low, high))


def _normal(rule: str, seed: int, mean: float, deviation: float) -> Latency:
    random = seeded(rule, seed)
    return Drawn(lambda: random.normalvariate(mean, deviation))


def _lognormal(rule: str, seed: int, median: float, sigma: float) -> Latency:
    random = seeded(rule, seed)
    location = math.log(median)  # ValueError for 0
    return Drawn(lambda: random.lognormvariate(location, sigma))


def seeded(rule: str, seed: int) -> Random:
    """Return the random numbers of one rule: adding another rule leaves them as they were."""
    from random import Random

    return Random(f"{seed} {rule}")  # noqa: S311 - to be repeatable, not to be unguessable


_KINDS: dict[str, tuple[Callable[..., Latency | None], tuple[Callable[[str], float], ...]]] = {
    "scale": (_scale, (_percent,)),
    "fixed": (_fixed, (milliseconds,)),
    "uniform": (_uniform, (milliseconds, milliseconds)),
    "normal": (_normal, (milliseconds, milliseconds)),
    "lognormal": (_lognormal, (milliseconds, _sigma)),
}
