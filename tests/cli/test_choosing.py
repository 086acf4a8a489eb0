"""Hosts, paths, methods and outcomes as a person types them."""

from __future__ import annotations

import pytest

from magneto_serge.cli.choosing import Choice, Outcomes
from magneto_serge.errors import ConfigError
from magneto_serge.messages import Failure, FailureKind, Interaction, Request, Response

EXCHANGE = Interaction(
    Request("GET", "http", "api.example.com", 8080, "/v1/users?page=2"), Response(404)
)
FAILURE = Interaction(
    Request("GET", "https", "a.example", 443, "/"), failure=Failure(FailureKind.DNS)
)


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("api.example.com", True),
        ("API.example.com:8080", True),
        ("*.example.com", True),
        ("*:8080", True),
        ("example.com", False),
        ("api.example.com:80", False),
    ],
)
def test_a_host_is_a_name_with_or_without_its_port(pattern: str, fits: bool) -> None:
    """As `--ignore-host` has it."""
    assert Choice(hosts=(pattern,)).fits(EXCHANGE) is fits


@pytest.mark.parametrize(
    ("pattern", "fits"), [("/v1/users", True), ("/v1/*", True), ("/v1", False), ("*page*", False)]
)
def test_a_path_is_without_its_query(pattern: str, fits: bool) -> None:
    """The query has an order of its own."""
    assert Choice(paths=(pattern,)).fits(EXCHANGE) is fits


@pytest.mark.parametrize(("method", "fits"), [("GET", True), ("get", True), ("POST", False)])
def test_a_method_may_be_typed_in_lower_case(method: str, fits: bool) -> None:
    """Nobody means another one."""
    assert Choice(methods=(method,)).fits(EXCHANGE) is fits


@pytest.mark.parametrize(
    ("status", "fits"),
    [("404", True), ("4xx", True), ("4XX", True), ("400-404", True), ("405-499", False)],
)
def test_a_status_is_a_code_a_class_or_a_range(status: str, fits: bool) -> None:
    """Both ends belong to a range; a failure has none."""
    choice = Choice(outcomes=Outcomes.of([status]))
    assert choice.fits(EXCHANGE) is fits
    assert not choice.fits(FAILURE)


def test_failures_are_an_outcome_too() -> None:
    """And an answer that broke off is both."""
    failed = Choice(outcomes=Outcomes.of(["failed"]))
    assert failed.fits(FAILURE)
    assert not failed.fits(EXCHANGE)
    broken = Interaction(EXCHANGE.request, Response(200), Failure(FailureKind.TRUNCATED))
    assert failed.fits(broken)
    assert Choice(outcomes=Outcomes.of(["200"])).fits(broken)


@pytest.mark.parametrize("status", ["", "40", "4x", "0xx", "ok", "200-"])
def test_what_is_no_status_is_answered_with_what_is(status: str) -> None:
    """All four forms."""
    with pytest.raises(ConfigError, match=r"404.*4xx.*400-499.*failed"):
        Outcomes.of([status])


def test_values_are_alternatives_and_kinds_are_not() -> None:
    """Or within, and between."""
    assert Choice(hosts=("other", "api.*"), methods=("GET",)).fits(EXCHANGE)
    assert not Choice(hosts=("other", "api.*"), methods=("PUT",)).fits(EXCHANGE)


def test_nothing_said_restricts_nothing() -> None:
    """Everything fits."""
    assert Choice().fits(EXCHANGE)
    assert Choice().fits(FAILURE)
