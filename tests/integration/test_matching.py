"""Matching as it is configured, through a real proxy, in every kind of cassette."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from magneto_serge import ConfigError, Mode, register_matcher

from .doors import Door

pytestmark = pytest.mark.usefixtures("at_home")
FORMATS = ("json", "msgpack")
BEARER = "Authorization: Bearer {}\r\n"


def taped(door: Door, *asked: tuple[str, str], format: str = "json") -> None:
    """Record requests, each a path and its field lines."""
    door.proxy.start_recording(f"tape.{format}")
    for path, fields in asked:
        assert door.ask(path, fields=fields).status in (200, 404)  # the origin knows few paths
    door.proxy.stop_recording()
    door.origin.stop()


def asks(door: Door, name: str, *asked: tuple[str, str], **settings: Any) -> list[str]:
    """Ask in a session of its own with these settings; return what became of each request."""
    proxy = door.proxy
    with proxy.session("tape", Mode.REPLAY, key=name, **settings):
        credentials = "Proxy-Authorization: Basic " + _basic(name) + "\r\n"
        answers = [door.ask(path, fields=credentials + fields) for path, fields in asked]
    return ["refused" if answer.status == 502 else "played" for answer in answers]


def _basic(key: str) -> str:
    from base64 import b64encode

    return b64encode(f"{key}:session".encode()).decode()


@pytest.mark.parametrize("format", FORMATS)
def test_settings_decide_what_matches(plain_door: Door, format: str) -> None:
    """The same cassette, asked under other rules by each session."""
    taped(plain_door, ("/echo?ts=1&q=a", ""), ("/echo/users/1", ""), format=format)
    changed, other = ("/echo?q=a&ts=2", ""), ("/echo/users/2", "")
    assert asks(plain_door, "default", changed, other) == ["refused", "refused"]
    assert asks(plain_door, "query", changed, ignore_query=["ts"]) == ["played"]
    assert asks(plain_door, "url", other, url_patterns=["/echo/users/{id}"]) == ["played"]
    routes = [{"path": "/echo", "match_on": "path"}]
    assert asks(plain_door, "route", changed, other, routes=routes) == ["played", "refused"]


@pytest.mark.parametrize("format", FORMATS)
def test_secrets_match_whatever_they_are_now(plain_door: Door, format: str) -> None:
    """In fields and in the query; but there have to be credentials where there were some."""
    recorded = ("/echo?api_key=s3cret-one", BEARER.format("s3cret-two"))
    taped(plain_door, recorded, format=format)
    changed = ("/echo?api_key=another-one", BEARER.format("another-two"))
    without = ("/echo?api_key=another-one", "")
    assert asks(plain_door, "same", recorded, changed) == ["played", "played"]
    assert asks(plain_door, "without", without) == ["refused"]
    assert asks(plain_door, "ignored", without, match_credentials="ignore") == ["played"]


def test_a_miss_is_a_problem_with_all_that_helps(plain_door: Door) -> None:
    """The document has the request, the reason, the nearest recordings and what to do."""
    taped(plain_door, ("/echo?ts=1", ""))
    plain_door.proxy.replay("tape")
    answer = plain_door.ask("/echo?ts=2")
    assert answer.status == 502
    problem = json.loads(answer.body)
    assert problem["method"] == "GET"
    assert problem["url"].endswith("/echo?ts=2")
    assert "No recording in cassette 'tape' (1 interaction) matches." in problem["detail"]
    assert "magneto hybrid tape" in problem["remedy"]
    (near,) = problem["nearest"]
    assert (near["number"], near["played"]) == (1, 0)
    assert near["differences"] == [{"field": "query ts", "asked": "'2'", "recorded": "'1'"}]
    assert near["remedy"] == 'ignore_query = ["ts"]  (--ignore-query ts)'


def test_a_matcher_of_ones_own(plain_door: Door) -> None:
    """A key by a name in `match_on`; it must have been registered by then."""
    taped(plain_door, ("/echo/a", "X-Tenant: ann\r\n"), ("/echo/a", "X-Tenant: bob\r\n"))
    register_matcher("x-tenant", lambda request: request.headers.get("x-tenant"))
    on = ["default", "x-tenant"]
    tenants = [("/echo/a", f"X-Tenant: {who}\r\n") for who in ("bob", "ann", "eve")]
    assert asks(plain_door, "own", *tenants, match_on=on) == ["played", "played", "refused"]
    with pytest.raises(ConfigError, match="there is no matcher 'nobody'"):
        plain_door.proxy.session("tape", Mode.REPLAY, match_on=["nobody"])


def test_tables_for_single_cassettes(
    plain_door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file says of one cassette holds in its session."""
    from magneto_serge import MagnetoProxy

    monkeypatch.chdir(tmp_path)
    (tmp_path / "magneto.toml").write_text('[cassettes."t*"]\nrepeats = "refuse"\n')
    taped(plain_door, ("/echo", ""))
    with MagnetoProxy(tmp_path / "cassettes", port=0) as proxy:
        door = Door("absolute", proxy, plain_door.origin)
        proxy.replay("tape")
        assert [door.ask("/echo").status for _ in range(2)] == [200, 502]
        assert "was played already" in proxy.misses[0].reason
        assert proxy.play_counts == [1]
        proxy.rewind()
        assert door.ask("/echo").status == 200
