"""Mode verify over real sockets: the client gets what is answered now, we what has changed."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import httpx
import pytest

from magneto_serge import MagnetoProxy, use_cassette
from magneto_serge.errors import CassetteNotFoundError, DriftError, UnplayedError, UnreachableError
from magneto_serge.replay.drift import Outcome

from . import routes
from .conftest import MakeProxy
from .origin import Origin
from .tapes import fetch

pytestmark = pytest.mark.usefixtures("at_home")

JSON = b"Content-Type: application/json"


def seats(number: int) -> bytes:
    """Return the answer of a service that changes its mind."""
    return routes.response(b'{"plan": {"seats": %d}, "at": %d}' % (number, number), JSON)


def fail_after(url: str) -> None:
    """Have an error of one's own on top of drift."""
    fetch(url)
    raise ZeroDivisionError


def get(proxy: MagnetoProxy, url: str) -> httpx.Response:
    """Ask through a proxy, which need not be in the environment."""
    with httpx.Client(proxy=proxy.url, verify=proxy.ssl_context()) as client:
        return client.get(url)


def recorded(proxy: MagnetoProxy, *urls: str) -> None:
    """Record these into the cassette ``then``."""
    proxy.start_recording("then")
    for url in urls:
        get(proxy, url)
    assert proxy.stop_recording()


def found(proxy: MagnetoProxy) -> list[tuple[str, int, list[str]]]:
    """Return what was found: outcome, number, fields."""
    return [
        (str(each.outcome), each.number, [field for field, *_ in each.differences])
        for each in proxy.verdicts.kept
    ]


def test_the_client_gets_what_is_answered_now(any_origin: Origin, make_proxy: MakeProxy) -> None:
    """And what differs from then is told; nothing is recorded."""
    proxy = make_proxy()
    url = any_origin.on("/seats", seats(5))
    recorded(proxy, url, any_origin.url("/json"))
    path = Path("cassettes/then.json")
    before = path.read_bytes()
    any_origin.on("/seats", seats(6))
    proxy.use("then", "verify")
    assert get(proxy, url).json()["plan"] == {"seats": 6}
    assert get(proxy, any_origin.url("/json")).json() == {"ok": True}
    assert get(proxy, any_origin.url("/empty")).status_code == 200
    assert found(proxy) == [
        ("changed", 1, ["response.body.plan.seats", "response.body.at"]),
        ("same", 2, []),
        ("new", 0, []),
    ]
    assert [each.outcome for each in proxy.drifts] == [Outcome.CHANGED, Outcome.NEW]
    proxy.stop()
    assert proxy.stats.recorded == 2  # those of the recording: what verifying counts is taken back
    assert proxy.drifts
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["then.json"]


def test_equal_requests_are_held_against_their_recordings_in_order(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """As replay would play them."""
    proxy = make_proxy()
    url = origin.on("/n", routes.response(b"1"))
    proxy.start_recording("then")
    fetch(url, proxy.url)
    origin.on("/n", routes.response(b"2"))
    fetch(url, proxy.url)
    proxy.stop_recording()
    proxy.use("then", "verify")
    for _ in range(3):
        fetch(url, proxy.url)
    assert found(proxy) == [
        ("changed", 1, ["response.body, line 1"]),
        ("same", 2, []),
        ("same", 2, []),
    ]


def test_bodies_of_requests_tell_them_apart(origin: Origin, make_proxy: MakeProxy) -> None:
    """They stream on to the service meanwhile."""
    proxy = make_proxy(memory_limit=1000)
    url = origin.url("/echo")
    bodies = [b"a" * 5000, b"b" * 5000]
    proxy.start_recording("then")
    with httpx.Client(proxy=proxy.url) as client:
        for body in bodies:
            client.post(url, content=body)
        proxy.stop_recording()
        proxy.use("then", "verify")
        for body in (*reversed(bodies), b"c"):
            client.post(url, content=body)
    assert [each[:2] for each in found(proxy)] == [("same", 2), ("same", 1), ("new", 0)]


def test_settings_say_what_is_compared(origin: Origin, make_proxy: MakeProxy) -> None:
    """Shape only, paths that are ignored, other fields."""
    url = origin.on("/seats", seats(5))
    recorded(make_proxy(), url)
    origin.on("/seats", seats(6))
    for settings, fields in (
        ({"verify_shape_only": True}, []),
        ({"ignore_json_paths": ["$.plan.seats", "$.at"]}, []),
        ({"ignore_json_paths": ["$.at"]}, ["response.body.plan.seats"]),
    ):
        proxy = make_proxy(**settings)
        proxy.use("then", "verify")
        fetch(url, proxy.url)
        assert found(proxy)[0][2] == fields


def test_a_service_that_is_gone_is_not_drift(origin: Origin, make_proxy: MakeProxy) -> None:
    """It is unreachable, and the client is told so as ever."""
    proxy = make_proxy()
    recorded(proxy, origin.url("/json"))
    origin.stop()
    proxy.use("then", "verify")
    with httpx.Client(proxy=proxy.url) as client:
        assert client.get(origin.url("/json")).status_code == 502
    (verdict,) = proxy.verdicts.kept
    assert (verdict.outcome, verdict.reason[:8]) == (Outcome.UNREACHABLE, "refused:")
    assert proxy.drifts == []


def test_a_large_answer_is_compared_by_its_digest(origin: Origin, make_proxy: MakeProxy) -> None:
    """It is in no memory, and in no file afterwards."""
    url = origin.on("/large", routes.response(b"x" * 100_000))
    proxy = make_proxy(memory_limit=1000)
    recorded(proxy, url)
    proxy.use("then", "verify")
    fetch(url, proxy.url)
    origin.on("/large", routes.response(b"y" * 100_000))
    fetch(url, proxy.url)
    assert found(proxy) == [("same", 1, []), ("changed", 1, ["response.body"])]


def test_a_secret_that_changed_is_not_drift(origin: Origin, make_proxy: MakeProxy) -> None:
    """What was redacted in the recording is not held against what is not."""
    proxy = make_proxy()
    url = origin.on("/login", routes.response(b'{"access_token": "s3cret-0123456789"}', JSON))
    recorded(proxy, url)
    origin.on("/login", routes.response(b'{"access_token": "s3cret-9876543210"}', JSON))
    proxy.use("then", "verify")
    assert b"s3cret-98" in fetch(url, proxy.url)
    assert found(proxy) == [("same", 1, [])]


def test_there_must_be_a_cassette(proxy: MagnetoProxy) -> None:
    """Nothing could be compared."""
    with pytest.raises(CassetteNotFoundError):
        proxy.use("never", "verify")


def test_the_mode_can_be_switched(origin: Origin, make_proxy: MakeProxy) -> None:
    """From one request to the next."""
    proxy = make_proxy()
    url = origin.on("/n", routes.response(b"1"))
    recorded(proxy, url)
    origin.on("/n", routes.response(b"2"))
    proxy.replay("then")
    assert fetch(url, proxy.url) == b"1"
    proxy.mode = "verify"  # type: ignore[assignment]  # its setter takes names too
    assert fetch(url, proxy.url) == b"2"
    proxy.mode = "replay"  # type: ignore[assignment]
    assert fetch(url, proxy.url) == b"1"
    assert [each.outcome for each in proxy.drifts] == [Outcome.CHANGED]


def test_a_session_beside_others_has_drifts_of_its_own(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """What one client finds is not another's."""
    proxy = make_proxy()
    recorded(proxy, origin.url("/json"))
    with proxy.session("then", "verify") as one, proxy.session("then", "verify") as other:
        fetch(origin.url("/empty"), one.url)
        fetch(origin.url("/json"), other.url)
        assert (len(one.drifts), len(other.drifts)) == (1, 0)
        assert other.verdicts.summary() == "1 same, 0 changed, 0 new"


def test_what_nobody_asked_for_is_told(origin: Origin, make_proxy: MakeProxy) -> None:
    """As the setting says: not at all, or as a finding."""
    recorded(make_proxy(), origin.url("/json"), origin.url("/empty"))
    for severity, outcomes in (
        ("ignore", ["same"]),
        ("warn", ["same", "unplayed"]),
        ("fail", ["same", "unplayed"]),
    ):
        proxy = make_proxy(unplayed=severity)
        proxy.use("then", "verify")
        fetch(origin.url("/json"), proxy.url)
        proxy.stop()
        assert [each[0] for each in found(proxy)] == outcomes
        assert bool(proxy.unplayed) == (severity == "fail")


def test_a_block_ends_with_an_error_where_there_is_drift(origin: Origin) -> None:
    """Which says what it is; everything else has errors of its own."""
    url = origin.on("/n", routes.response(b"1"))
    with use_cassette("then", mode="record"):
        fetch(url)
    with use_cassette("then", mode="verify"):
        fetch(url)
    origin.on("/n", routes.response(b"2"))
    with (
        pytest.raises(DriftError, match=r"(?s)1 changed.*#1 GET .*recorded '1', now '2'"),
        use_cassette("then", mode="verify"),
    ):
        fetch(url)
    with pytest.raises(UnplayedError), use_cassette("then", mode="verify", unplayed="fail"):
        pass
    with pytest.raises(ZeroDivisionError), use_cassette("then", mode="verify"):
        fail_after(url)
    origin.stop()
    with (
        pytest.raises(UnreachableError, match="1 unreachable"),
        use_cassette("then", mode="verify"),
        httpx.Client() as client,
    ):
        client.get(url)


def test_a_stale_cassette_is_recorded_anew(
    origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """Unless nobody answers: then the older one stays."""
    caplog.set_level(logging.WARNING)
    url = origin.on("/n", routes.response(b"1"))
    with use_cassette("then", mode="record"):
        fetch(url)
    path = Path("cassettes/then.json")
    path.write_text(re.sub(r'("started": *)"\d{4}', r'\1"1999', path.read_text()))
    old = path.read_bytes()
    origin.on("/n", routes.response(b"2"))
    settings = {"max_age": "30d", "stale": "re-record"}
    with use_cassette("then", mode="replay", **settings):
        assert fetch(url) == b"1"
    assert "days old" in caplog.text
    origin.stop()
    with use_cassette("then", **settings) as proxy, httpx.Client() as client:
        assert client.get(url).status_code == 502
    assert proxy.stats.recorded == 0
    assert "Nobody answered: cassette 'then' stays as it is" in caplog.text
    assert path.read_bytes() == old
    origin.start()
    with use_cassette("then", **settings):
        assert fetch(url) == b"2"
    caplog.clear()
    origin.stop()
    with use_cassette("then", **settings):
        assert fetch(url) == b"2"
    assert not caplog.records
