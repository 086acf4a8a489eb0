"""Betamax, from its oldest form on."""

from __future__ import annotations

from pathlib import Path

from .files import take


def test_the_oldest_form(tmp_path: Path) -> None:
    """Bodies and header values are strings, the status a number."""
    request = {"method": "GET", "uri": "https://h/", "body": "", "headers": {"Accept": "*/*"}}
    response = {
        "status_code": 404, "url": "https://h/", "headers": {"A": "1"},
        "body": {"base64_string": "/w==", "encoding": "utf-8"},
    }  # fmt: skip
    held = {"request": request, "response": response, "recorded_at": "1970-01-01T00:00:09"}
    found = take(tmp_path, {"http_interactions": [held], "recorded_with": "betamax/0.1"})
    assert found.kind == "betamax"
    assert found.only.started == 9.0
    assert found.only.response is not None
    assert (found.only.response.reason, found.only.response.body) == ("Not Found", b"\xff")


def test_a_body_without_encoding(tmp_path: Path) -> None:
    """Null is UTF-8."""
    response = {
        "status": {"code": 200, "message": "OK"}, "headers": {"A": ["1"]},
        "body": {"string": "é", "encoding": None},
    }  # fmt: skip
    request = {"method": "GET", "uri": "https://h/", "body": {"string": ""}, "headers": {}}
    held = {"request": request, "response": response}
    found = take(tmp_path, {"http_interactions": [held], "recorded_with": "betamax/{version}"})
    assert found.only.response is not None
    assert found.only.response.body == "é".encode()


def test_nothing_recorded(tmp_path: Path) -> None:
    """It is a file of Betamax all the same."""
    found = take(tmp_path, {"http_interactions": [], "recorded_with": "betamax/0.8.2"})
    assert (found.kind, found.interactions) == ("betamax", [])
