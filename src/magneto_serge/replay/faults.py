"""Faults on purpose: which requests go wrong, how often, and how. Pure: deciding only.

The text of a fault is ``[METHOD[,METHOD]] PATTERN EFFECT... [PROBABILITY]`` (``routes``)::

    GET /pay* 503 20%
    api.example.com delay:1.5s
    POST /upload delay:200 reset:1000 5%

====================  ======================================================================
``400`` ... ``599``   that status, with a problem document
``timeout``           no answer, until the client gives up
``reset[:BYTES]``     a connection reset: instead of an answer, or after so much of its body
``truncate[:BYTES]``  the connection ends after so much of the answer's body [0]
``malformed``         an answer that is not HTTP
``delay:TIME``        the request is looked at only after this time, in ms
``drip:RATE``         the answer comes at so many bytes a second
====================  ======================================================================

``delay`` goes with any other effect, ``drip`` with ``truncate`` and ``reset:BYTES``. Rules draw in
their order, each from numbers of its own; the first that hits is the fault of the request. A fault
is ours: it is never recorded as the origin's, and what it answers is neither a play nor a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, NamedTuple

from magneto_serge.messages import Request
from magneto_serge.replay.routes import Route, Word, bad_rule, split_route
from magneto_serge.replay.timing import milliseconds, seeded

FAULTS_ACCEPTED = (
    "a status from 400 to 599, timeout, reset[:BYTES], truncate[:BYTES], malformed, delay:TIME, "
    "drip:RATE, or last a probability such as 20%"
)


class Instead(Enum):
    """What a client gets instead of an answer."""

    STATUS = auto()
    TIMEOUT = auto()
    RESET = auto()
    MALFORMED = auto()


class Fault(NamedTuple):
    """What goes wrong with one request.

    ``instead`` None: it is answered, but ``cut`` ends the connection after so many bytes of the
    body as it is on the wire (``reset``: with a reset), and ``rate`` is bytes a second; 0 is no
    limit. ``rule`` is the text that says so.
    """

    rule: str
    delay_ms: float = 0.0
    instead: Instead | None = None
    status: int = 0
    cut: int | None = None
    reset: bool = False
    rate: float = 0.0

    @property
    def distorts(self) -> bool:
        """Whether an answer is given and comes out wrong."""
        return self.cut is not None or self.rate > 0


class _Rule(NamedTuple):
    route: Route
    probability: float
    random: Callable[[], float]
    fault: Fault


class Faults:
    """The faults of a session; see `faults_of`."""

    def __init__(self, rules: tuple[_Rule, ...]) -> None:
        self._rules = rules

    def draw_by(self, in_turn: Callable[[Callable[[], float]], Callable[[], float]]) -> None:
        """Have ``in_turn`` make of each rule's chance what several processes draw together."""
        self._rules = tuple(rule._replace(random=in_turn(rule.random)) for rule in self._rules)

    def draw(self, request: Request) -> Fault | None:
        """Return what goes wrong with this request, None where nothing does."""
        for route, probability, random, fault in self._rules:
            if route.matches(request) and random() < probability:
                return fault
        return None


def faults_of(rules: Iterable[str], seed: int = 0) -> Faults | None:
    """Compile the setting ``faults``; None where there are none.

    The same ``seed`` makes the same requests, in the same order, go wrong. Raises ConfigError.
    """
    compiled = tuple(_rule(rule, seed) for rule in rules)
    return Faults(compiled) if compiled else None


def _rule(rule: str, seed: int) -> _Rule:
    route, words = split_route("faults", rule)
    probability = 1.0
    if words and words[-1].text.endswith("%"):
        probability = _probability(rule, words.pop())
    if not words:
        raise bad_rule("faults", rule, None, FAULTS_ACCEPTED)
    fault = Fault(rule)
    for word in words:
        fault = _with_effect(fault, word)
    return _Rule(route, probability, seeded(rule, seed).random, fault)


def _probability(rule: str, word: Word) -> float:
    try:
        percent = float(word.text[:-1])
        if 0 <= percent <= 100:
            return percent / 100
    except ValueError:
        pass
    raise bad_rule("faults", rule, word, "a probability from 0% to 100%")


def _with_effect(fault: Fault, word: Word) -> Fault:
    """Return ``fault`` with one more effect; raises ConfigError."""
    name, colon, value = word.text.partition(":")
    try:
        change = _change(name, value if colon else None)
    except (KeyError, ValueError):
        raise bad_rule("faults", fault.rule, word, FAULTS_ACCEPTED) from None
    more = fault._replace(**change)
    again = any(getattr(fault, member) for member in change if member != "cut")
    if again or (fault.cut is not None and "cut" in change) or _contradicts(more):
        raise bad_rule("faults", fault.rule, word, "an effect that goes with those before it")
    return more


def _contradicts(fault: Fault) -> bool:
    return fault.instead is not None and fault.distorts


def _change(name: str, value: str | None) -> dict[str, Any]:
    if value is None:
        if name.isascii() and name.isdecimal() and 400 <= int(name) <= 599:
            return {"instead": Instead.STATUS, "status": int(name)}
        return _BARE[name]
    if name == "delay":
        return {"delay_ms": milliseconds(value)}
    if name == "drip":
        return {"rate": _rate(value)}
    return {**_CUTS[name], "cut": _bytes(value)}


def _bytes(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def _rate(text: str) -> float:
    rate = float(text.removesuffix("B/s"))
    if not 0.1 <= rate <= 1e9:
        raise ValueError(text)
    return rate


_BARE: dict[str, dict[str, Any]] = {
    "timeout": {"instead": Instead.TIMEOUT},
    "reset": {"instead": Instead.RESET},
    "malformed": {"instead": Instead.MALFORMED},
    "truncate": {"cut": 0},
}
_CUTS: dict[str, dict[str, Any]] = {"truncate": {}, "reset": {"reset": True}}
