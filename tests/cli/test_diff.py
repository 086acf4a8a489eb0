"""`diff`: what is printed, for people and for programs, and the exit status."""

from __future__ import annotations

import json
import sys

import pytest

from magneto_serge.cli.main import cli

from .recorded import exchange, invoke, record
from .terminal import Terminal

A = "https://a.example/"
JSON = ("Content-Type", "application/json")


@pytest.fixture(autouse=True)
def cassettes(here: object) -> None:
    """Two recordings of one API."""
    record(
        "then",
        exchange(A + "same"),
        exchange(A + "seats", b'{"plan": {"seats": 5}}', fields=(JSON,)),
        exchange(A + "gone"),
    )
    record(
        "now",
        exchange(A + "new"),
        exchange(A + "seats", b'{"plan": {"seats": 6}}', fields=(JSON, ("Age", "1"))),
        exchange(A + "same", started=1.0),
    )


def test_equal_cassettes_end_with_0() -> None:
    """And say so."""
    result = invoke("diff", "then", "then")
    assert (result.exit_code, result.stdout) == (
        0,
        "3 interactions equal, 0 changed, 0 gone, 0 new\n",
    )


def test_different_ones_end_with_1() -> None:
    """Field by field, as diff marks it."""
    result = invoke("diff", "then", "now")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "  #2 GET https://a.example/seats",
        "      response.headers.age",
        "+     1",
        "      response.body.plan.seats",
        "-     5",
        "+     6",
        "- #3 GET https://a.example/gone",
        "+ #1 GET https://a.example/new",
        "1 interaction equal, 1 changed, 1 gone, 1 new",
    ]


def test_a_header_can_be_ignored() -> None:
    """However it is spelt."""
    assert "headers" not in invoke("diff", "then", "now", "--ignore-header", "AGE").stdout


def test_what_a_path_selects_can_be_ignored() -> None:
    """In bodies of either side; a path that is none is an error before anything is compared."""
    options = ("--ignore-header", "age", "--ignore-json-path", "$.plan.seats")
    assert "0 changed" in invoke("diff", "then", "now", *options).stdout
    result = invoke("diff", "then", "now", "--ignore-json-path", "plan")
    assert result.exit_code == 2
    assert "--ignore-json-path: 'plan' does not start with $" in result.stderr


def test_the_shape_alone_can_be_compared() -> None:
    """Types and members of bodies; header fields as always."""
    result = invoke("diff", "then", "now", "--shape-only")
    assert "headers.age" in result.stdout
    assert "seats\n" not in result.stdout.replace("example/seats\n", "")


def test_in_json_it_is_for_programs() -> None:
    """Values are values."""
    found = json.loads(invoke("diff", "then", "now", "--json", "--ignore-header", "age").stdout)
    assert found == {
        "equal": 1,
        "changed": [
            {
                "a": 2,
                "b": 2,
                "method": "GET",
                "url": "https://a.example/seats",
                "differences": [{"field": "response.body.plan.seats", "a": 5, "b": 6}],
            }
        ],
        "gone": [{"a": 3, "method": "GET", "url": "https://a.example/gone"}],
        "new": [{"b": 1, "method": "GET", "url": "https://a.example/new"}],
    }


def test_another_place_is_named() -> None:
    """When the request was made later or earlier."""
    record("late", exchange(A + "x"), exchange(A + "same", status=500))
    assert "  #1, now #2, GET https://a.example/same\n" in invoke("diff", "then", "late").stdout


def test_long_values_are_cut_for_people_only() -> None:
    """A screen is not a file."""
    record("long", exchange(A + "same", b"x" * 900))
    assert "… and 400 more characters" in invoke("diff", "then", "long").stdout
    assert "x" * 900 in invoke("diff", "then", "long", "--json").stdout


def test_secrets_are_masked_unless_revealed() -> None:
    """In URLs too."""
    token = "t0k3n-0123456789-abcdefghij-value"
    record("secret", exchange(f"{A}?token={token}"))
    assert token not in invoke("diff", "then", "secret").stdout
    assert token in invoke("diff", "then", "secret", "--reveal").stdout


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red for what was, green for what is."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit) as ended:
        cli.main(["diff", "then", "now"])
    assert ended.value.code == 1
    assert "\x1b[31m-     5\x1b[0m" in terminal.getvalue()
    assert "\x1b[32m+     6\x1b[0m" in terminal.getvalue()
    assert "\x1b" not in invoke("diff", "then", "now").stdout


def test_what_is_not_there_is_another_exit_status() -> None:
    """3: nothing was compared."""
    assert invoke("diff", "then", "never").exit_code == 3
