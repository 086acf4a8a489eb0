"""When a recorded answer is replayed."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Request
from magneto_serge.replay.timing import Latency, milliseconds, pace_of

REQUEST = Request("GET", "http", "origin.test", 80, "/slow")
RECORDED = (100.0, 120.0, 150.0, 400.0)  # head, three pieces; the end comes at 500


def latency(text: str, seed: int = 0) -> Latency:
    """Return the latency of that text."""
    pace = pace_of([text], seed)
    assert pace is not None
    found = pace.latency_for(REQUEST)
    assert found is not None
    return found


def moments(text: str, seed: int = 0) -> list[float]:
    """Return when head, pieces and end of a recording go out."""
    tempo = latency(text, seed).tempo()
    head, *pieces = RECORDED
    return [tempo.head(head), *(tempo.piece(each) for each in pieces), tempo.end(500.0)]


@pytest.mark.parametrize("text", ["none", "scale:0", "/slow none", "scale:0%"])
def test_at_once_costs_nothing(text: str) -> None:
    """Where nothing is ever waited for there is nothing to ask."""
    assert pace_of([text]) is None
    assert pace_of([]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recorded", [100, 120, 150, 400, 500]),
        ("scale:100", [100, 120, 150, 400, 500]),
        ("scale:50", [50, 60, 75, 200, 250]),
        ("scale:250%", [250, 300, 375, 1000, 1250]),
        ("fixed:30", [30, 30, 60, 90, 90]),
        ("fixed:30ms", [30, 30, 60, 90, 90]),
        ("fixed:0.5s", [500, 500, 1000, 1500, 1500]),
        ("uniform:20,20", [20, 20, 40, 60, 60]),
        ("normal:20,0", [20, 20, 40, 60, 60]),
        ("lognormal:20,0", [20, 20, 40, 60, 60]),
    ],
)
def test_moments_of_a_replay(text: str, expected: list[float]) -> None:
    """Recorded moments are scaled; the others give the first byte, and each gap between pieces."""
    assert moments(text) == pytest.approx(expected)


def test_where_moments_count_from() -> None:
    """What was recorded counts from the request's head, what is drawn from its end."""
    assert latency("recorded").from_head
    assert latency("scale:10").from_head
    assert not latency("fixed:10").from_head
    assert not latency("normal:10,1").from_head


@pytest.mark.parametrize(
    ("text", "low", "high", "middle"),
    [
        ("uniform:10,30", 10, 30, 20),
        ("normal:50,10", 0, 120, 50),
        ("lognormal:100,0.5", 0, 5000, 100),
    ],
)
def test_draws_follow_the_distribution(text: str, low: float, high: float, middle: float) -> None:
    """Draws stay in their range and gather around the middle that was asked for."""
    drawn = latency(text)
    first = [drawn.tempo().head(0.0) for _ in range(2000)]
    assert all(low <= each <= high for each in first)
    assert statistics.median(first) == pytest.approx(middle, rel=0.1)


def test_draws_repeat_with_their_seed() -> None:
    """The same seed gives the same draws, another one others, and each rule has its own."""
    assert moments("uniform:0,100", 1) == moments("uniform:0,100", 1)
    assert moments("uniform:0,100", 1) != moments("uniform:0,100", 2)
    assert moments("uniform:0,100") != moments("/slow uniform:0,100")


@given(st.floats(0, 1000), st.floats(0, 1000), st.integers(0, 5))
def test_moments_never_run_backwards(mean: float, deviation: float, seed: int) -> None:
    """Whatever is drawn, nothing is due before what went before it, nor before the request."""
    found = moments(f"normal:{mean!r},{deviation!r}", seed)
    assert found == sorted(found)
    assert found[0] >= 0


def test_first_matching_route_holds() -> None:
    """Rules are asked in order; a request that none is about is answered at once."""
    pace = pace_of(["GET /slow fixed:10", "/fast none", "origin.test/s* recorded"])
    assert pace is not None

    def of(method: str, target: str, host: str = "origin.test") -> Latency | None:
        assert pace is not None
        return pace.latency_for(Request(method, "http", host, 80, target))

    drawn, scaled = of("GET", "/slow"), of("POST", "/slow")
    assert drawn is not None
    assert not drawn.from_head
    assert scaled is not None
    assert scaled.from_head
    assert of("GET", "/fast") is None
    assert of("GET", "/slow/er") == scaled
    assert of("POST", "/slow", "other.test") is None


def test_rule_for_everything_may_come_last() -> None:
    """What is said of some comes before what is said of all."""
    pace = pace_of(["/fast none", "recorded"])
    assert pace is not None
    assert pace.latency_for(REQUEST) is not None
    assert pace.latency_for(Request("GET", "http", "origin.test", 80, "/fast")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slow",
        "fixed",
        "fixed:",
        "fixed:-1",
        "fixed:nan",
        "fixed:inf",
        "fixed:1e99",
        "fixed:1_0",
        "fixed:1,2",
        "fixed:1x",
        "recorded:1",
        "scale:fast",
        "uniform:2,1",
        "uniform:1",
        "normal:1,2,3",
        "lognormal:0,1",
        "lognormal:1,99",
        "lognormal:1,nan",
        "distribution",
        "/slow",
        "/slow fixed",
        "/slow fixed:1 more",
        "GET fixed:1",
    ],
)
def test_what_is_no_latency(text: str) -> None:
    """A mistake is refused with the setting, the text, the place and what is accepted."""
    with pytest.raises(ConfigError, match=r"latency: .* cannot be used: at .*column \d+.*expected"):
        pace_of([text])


def test_error_names_the_place() -> None:
    """The column is that of the word that is wrong."""
    with pytest.raises(ConfigError, match=r"'fixed:x' \(column 11\), expected none, recorded"):
        pace_of(["GET /slow fixed:x"])


@pytest.mark.parametrize(
    ("text", "ms"), [("200", 200), ("200ms", 200), ("1.5s", 1500), ("0", 0), ("0s", 0)]
)
def test_milliseconds(text: str, ms: float) -> None:
    """A number is in ms; its unit may be said."""
    assert milliseconds(text) == ms


def test_drawn_by_somebody_else() -> None:
    """What is drawn can be made another's: that of several processes together."""
    pace = pace_of(("GET /a recorded", "uniform:10,20"), 1)
    assert pace is not None
    pace.draw_by(lambda draw: lambda: 7.0)
    answers = []
    for target in ("/a", "/b"):
        found = pace.latency_for(Request("GET", "http", "a.test", 80, target))
        assert found is not None
        answers.append(found.tempo().head(3.0))
    assert answers == [3.0, 7.0]
