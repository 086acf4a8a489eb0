"""`stats` counts what is there, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.cli.stats import Spread
from magneto_serge.messages import Failure, FailureKind, Interaction, Request

from .recorded import exchange, invoke, record

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def github(here: object) -> None:
    """Three answers of two hosts, and a failure."""
    json_type = (("Content-Type", "application/json; charset=utf-8"),)
    record(
        "github",
        exchange("https://a.example/1", b"{}", fields=json_type),
        exchange("https://a.example/2", b"[1,2]", fields=json_type, started=1748736060.0),
        exchange("https://b.example/", method="POST", status=201, sent=b"hello"),
        Interaction(
            Request("GET", "https", "b.example", 443, "/"), failure=Failure(FailureKind.DNS)
        ),
    )


@pytest.mark.usefixtures("github")
def test_in_json_it_is_for_programs() -> None:
    """Bytes, ms and UTC."""
    figures = json.loads(invoke("stats", "github", "--json").stdout)
    assert figures["interactions"] == 4
    assert figures["first"] == "2025-06-01T00:00:00.000+00:00"
    assert figures["last"] == "2025-06-01T00:01:00.000+00:00"
    assert figures["methods"] == {"GET": 3, "POST": 1}
    assert figures["statuses"] == {"200": 2, "201": 1}
    assert figures["failures"] == {"dns": 1}
    assert figures["types"] == {"application/json": 2, "none": 1}
    assert figures["request_bodies"]["total"] == 5
    assert figures["response_bodies"]["largest"] == 5
    assert figures["first_byte_ms"]["count"] == 3
    assert figures["hosts"][1] == {
        "host": "b.example",
        "interactions": 2,
        "failed": 1,
        "received": 0,
        "median_ms": 0.0,
    }


@pytest.mark.usefixtures("github")
def test_for_people_it_is_tables() -> None:
    """Hosts, methods, outcomes, types, sizes and times."""
    lines = invoke("stats", "github").stdout.splitlines()
    assert lines[0].startswith("github: 4 interactions, ")
    assert lines[0].endswith("recorded 2025-06-01 00:00 to 2025-06-01 00:01")
    assert "a.example             2       0       7 B        2.0" in lines
    assert "failed: dns             1" in lines
    assert any(
        line.split() == ["ms", "in", "all", "6.0", "0.0", "2.0", "2.0", "2.0"] for line in lines
    )


def test_a_cassette_of_nothing_has_no_figures() -> None:
    """And no division by zero."""
    path = record("empty", exchange())
    path.write_text('{"version": "2", "interactions": []}')
    assert invoke("stats", "empty").stdout == "empty: 0 interactions, 36 B on disk\n"
    assert json.loads(invoke("stats", "empty", "--json").stdout)["total_ms"] is None


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_a_percentile_is_a_value_that_was_measured(values: list[int]) -> None:
    """Nearest rank: at least that part of the values is no larger."""
    spread = Spread.of(values)
    assert spread is not None
    assert (spread.smallest, spread.largest) == (min(values), max(values))
    for part, value in ((0.5, spread.median), (0.95, spread.p95)):
        assert value in values
        assert sum(each <= value for each in values) >= part * len(values)
