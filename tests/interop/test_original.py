"""Cassettes of version 1.0."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import take

REQUEST = {"method": "GET", "url": "http://h/p", "headers": {"accept": "*/*"}, "body": None}
RESPONSE = {"status": 200, "headers": {}, "body": [123, 125]}


@pytest.mark.parametrize("when", ["2025-10-10T14:30:00Z"])
def test_a_cassette(when: str, tmp_path: Path) -> None:
    """It is read as it always is."""
    http = {"type": "Http", "request": REQUEST, "response": RESPONSE, "recorded_at": when}
    held = {"version": "1.0", "name": "x", "recorded_at": when, "interactions": [http]}
    found = take(tmp_path, held, name="old.json")
    assert found.kind == "magneto-1"
    assert found.only.response is not None
    assert found.only.response.body == b"{}"


def test_an_empty_one(tmp_path: Path) -> None:
    """Its version says what it is."""
    assert take(tmp_path, {"version": "1.0", "interactions": []}).kind == "magneto-1"
