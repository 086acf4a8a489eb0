"""Which requests go wrong, how often, and how."""

from __future__ import annotations

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Request
from magneto_serge.replay.faults import Fault, Faults, Instead, faults_of

REQUEST = Request("GET", "http", "api.test", 80, "/pay/1?x=1")


def faults(*rules: str, seed: int = 0) -> Faults:
    """Return compiled faults."""
    compiled = faults_of(rules, seed)
    assert compiled is not None
    return compiled


def drawn(*rules: str) -> Fault | None:
    """Return what goes wrong with the request."""
    return faults(*rules).draw(REQUEST)


def test_no_rules_cost_nothing() -> None:
    """Where no fault is asked for there is nothing to draw from."""
    assert faults_of([]) is None


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ("503", {"instead": Instead.STATUS, "status": 503}),
        ("404", {"instead": Instead.STATUS, "status": 404}),
        ("timeout", {"instead": Instead.TIMEOUT}),
        ("reset", {"instead": Instead.RESET}),
        ("malformed", {"instead": Instead.MALFORMED}),
        ("reset:0", {"cut": 0, "reset": True}),
        ("reset:100", {"cut": 100, "reset": True}),
        ("truncate", {"cut": 0}),
        ("truncate:100", {"cut": 100}),
        ("delay:200", {"delay_ms": 200.0}),
        ("delay:1.5s", {"delay_ms": 1500.0}),
        ("drip:64", {"rate": 64.0}),
        ("drip:64B/s", {"rate": 64.0}),
        ("delay:10 503", {"delay_ms": 10.0, "instead": Instead.STATUS, "status": 503}),
        ("drip:10 truncate:5 delay:1", {"rate": 10.0, "cut": 5, "delay_ms": 1.0}),
        ("drip:10 reset:5", {"rate": 10.0, "cut": 5, "reset": True}),
    ],
)
def test_effects(effects: str, expected: dict[str, object]) -> None:
    """Each effect is what the documentation says, and some go together."""
    rule = f"GET /pay* {effects} 100%"
    assert drawn(rule) == Fault(rule, **expected)  # type: ignore[arg-type]


def test_answers_that_come_out_wrong() -> None:
    """Only a cut and a drip need an answer to work on."""
    fault = drawn("* delay:1 503")
    assert fault is not None
    assert not fault.distorts
    for effects in ("truncate", "reset:1", "drip:1"):
        fault = drawn(f"* {effects}")
        assert fault is not None
        assert fault.distorts


def test_routes_and_order() -> None:
    """The first rule about a request that hits is its fault; others are none of its business."""
    assert drawn("POST * 500", "/other 501") is None
    fault = drawn("POST * 500", "/pay* 502 0%", "/pay* 503", "* 504")
    assert fault is not None
    assert fault.status == 503


def hits(*rules: str, seed: int = 0, count: int = 2000) -> list[int]:
    """Return the statuses that a run of requests gets, 0 for no fault."""
    source = faults(*rules, seed=seed)
    found = (source.draw(REQUEST) for _ in range(count))
    return [0 if fault is None else fault.status for fault in found]


def test_probability_holds_over_many_requests() -> None:
    """20% is about a fifth; 0% is never, and no percentage is always."""
    assert 0.15 < sum(map(bool, hits("* 503 20%"))) / 2000 < 0.25
    assert not any(hits("* 503 0%"))
    assert all(hits("* 503"))


def test_seed_repeats_a_run() -> None:
    """The same seed makes the same requests go wrong, another one others."""
    assert hits("* 503 20%") == hits("* 503 20%")
    assert hits("* 503 20%") != hits("* 503 20%", seed=1)


def test_another_rule_changes_no_draws() -> None:
    """Each rule has numbers of its own."""
    alone = hits("* 503 20%")
    assert hits("/never 500", "* 503 20%") == alone
    first = hits("* 500 50%", "* 503 20%")
    assert [each if each != 503 else 0 for each in first] == hits("* 500 50%")


@pytest.mark.parametrize(
    ("rule", "word", "column"),
    [
        ("GET /pay* 200", "200", 11),
        ("GET /pay* 503 120%", "120%", 15),
        ("GET /pay* 503 x%", "x%", 15),
        ("/pay 20% 503", "20%", 6),
        ("/pay sleep", "sleep", 6),
        ("/pay status:503", "status:503", 6),
        ("/pay delay", "delay", 6),
        ("/pay delay:", "delay:", 6),
        ("/pay delay:fast", "delay:fast", 6),
        ("/pay drip:0", "drip:0", 6),
        ("/pay drip:nan", "drip:nan", 6),
        ("/pay truncate:-1", "truncate:-1", 6),
        ("/pay reset:1.5", "reset:1.5", 6),
        ("/pay 503 reset", "reset", 10),
        ("/pay 503 502", "502", 10),
        ("/pay reset:1 truncate:1", "truncate:1", 14),
        ("/pay truncate truncate", "truncate", 15),
        ("/pay drip:1 503", "503", 13),
        ("/pay timeout drip:1", "drip:1", 14),
        ("/pay delay:1 delay:1", "delay:1", 14),
        ("pay 503", "pay", 1),
    ],
)
def test_what_is_no_fault(rule: str, word: str, column: int) -> None:
    """A mistake is refused with the rule, the word, its column, and what is accepted."""
    with pytest.raises(ConfigError) as caught:
        faults_of([rule])
    message = str(caught.value)
    assert message.startswith(f"faults: {rule!r} cannot be used: at {word!r} (column {column})")
    assert "expected" in message


@pytest.mark.parametrize("rule", ["", "GET", "/pay", "/pay 20%"])
def test_unfinished_rule(rule: str) -> None:
    """A rule that ends too soon is refused where it ends."""
    with pytest.raises(ConfigError, match=r"at its end \(column \d+\), expected"):
        faults_of([rule])


def test_drawn_by_somebody_else() -> None:
    """Each rule's chance can be made another's: that of several processes together."""
    found = faults("GET /pay/* 503 50%", "GET /pay/* 404 50%")
    found.draw_by(lambda draw: lambda: 0.4)
    assert all(fault is not None and fault.status == 503 for fault in _draws(found))
    found.draw_by(lambda draw: lambda: 0.6)
    assert not any(_draws(found))


def _draws(found: Faults) -> list[Fault | None]:
    return [found.draw(REQUEST) for _ in range(9)]
