"""What is recorded and what only passes through, with real clients and origins."""

from __future__ import annotations

import logging

import pytest

from magneto_serge import ConfigError, Mode

from .conftest import MakeProxy
from .origin import Origin
from .routes import response
from .shapes import client_of, interactions, targets

FILM = response(b"film" * 10, b"Content-Type: video/mp4")
API = response(b'{"a": 1}', b"Content-Type: application/json")


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.HYBRID])
def test_what_is_not_recorded_passes_through(
    origin: Origin, make_proxy: MakeProxy, mode: Mode
) -> None:
    """The client gets everything, the cassette what the conditions are about."""
    origin.on("/film", FILM)
    origin.on("/api", API)
    proxy = make_proxy(record_only=["no-media"], record_except=["path=/health"])
    origin.on("/health", API)
    proxy.use("tape", mode)
    with client_of(proxy) as client:
        for path, size in (("/film", 40), ("/api", 8), ("/health", 8), ("/api?again", 8)):
            assert len(client.get(origin.url(path)).content) == size
    assert targets(proxy.stop_recording()) == ["/api", "/api?again"]
    stats = proxy.stats
    assert (stats.requests, stats.forwarded, stats.recorded) == (4, 4, 2)


def test_conditions_on_the_end_of_an_exchange(origin: Origin, make_proxy: MakeProxy) -> None:
    """Status and size are known late; what they exclude is not recorded and not counted."""
    origin.on("/good", response(b"x" * 100))
    origin.on("/large", response(b"x" * 5000))
    origin.on("/bad", response(b"", status=b"500 No"))
    proxy = make_proxy(record_only=["success-only", "size<1k"])
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        for path in ("/good", "/large", "/bad", "/good?again"):
            client.get(origin.url(path))
        client.get("http://127.0.0.1:9/refused")
    assert targets(proxy.stop_recording()) == ["/good", "/good?again"]
    assert proxy.stats.recorded == 2


def test_a_body_that_nobody_keeps_is_not_kept(origin: Origin, make_proxy: MakeProxy) -> None:
    """A large body whose head says that it is not recorded leaves no file behind."""
    body = b"x" * 300_000
    origin.on("/film", response(body, b"Content-Type: video/mp4"))
    origin.on("/api", response(body, b"Content-Type: application/json"))
    proxy = make_proxy(record_only=["no-media"], memory_limit=1000)
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        assert client.get(origin.url("/film")).content == body
        assert client.get(origin.url("/api")).content == body
        assert client.post(origin.url("/film"), content=b"y" * 5000).content == body
    path = proxy.stop_recording()
    assert targets(path) == ["/api"]
    assert path is not None
    assert len(list(path.with_suffix(".bodies").iterdir())) == 1


def test_any_of_several(origin: Origin, make_proxy: MakeProxy) -> None:
    """With `record_combine` any, one condition is enough; sessions may have others."""
    proxy = make_proxy()
    origin.on("/a", API)
    origin.on("/b", API)
    only = ["path=/a", "method=POST"]
    with (
        proxy.session("any", "record", record_only=only, record_combine="any") as one,
        proxy.session("all", "record", record_only=only) as other,
    ):
        for session in (one, other):
            with client_of(proxy, session.url) as client:
                client.get(origin.url("/a"))
                client.get(origin.url("/b"))
                client.post(origin.url("/b"), content=b"x")
                client.post(origin.url("/a"), content=b"x")
        paths = one.finish(), other.finish()
    assert targets(paths[0]) == ["/a", "/b", "/a"]
    assert [each.request.method for each in interactions(paths[1])] == ["POST"]


def test_nothing_kept_is_nothing_recorded(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """An older cassette stays as it was where a filter lets nothing through."""
    proxy = make_proxy(record_only=["host=somewhere.else"])
    proxy.use("tape", "record")
    with client_of(proxy) as client, caplog.at_level(logging.ERROR):
        assert client.get(origin.url("/json")).json() == {"ok": True}
    assert proxy.stop_recording() is None
    assert not caplog.records


@pytest.mark.parametrize("settings", [{"record_only": ["hots=a"]}, {"record_except": ["nothing"]}])
def test_mistakes_at_the_start(make_proxy: MakeProxy, settings: dict[str, list[str]]) -> None:
    """A proxy with a bad condition is not even made."""
    [(name, [value])] = settings.items()
    with pytest.raises(ConfigError, match=f"{name} '{value}': "):
        make_proxy(**settings)
