"""VCR.py's interface over real sockets, and over cassettes that the real VCR.py has written."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import vcr as the_real_one

from magneto_serge import CassetteNotFoundError, ConfigError, ReplayMiss
from magneto_serge.compat import vcr
from magneto_serge.replay.matchers import registered
from magneto_serge.testing.run import shared

from .origin import Origin
from .tapes import urls_in

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    """Stop the proxy that all blocks of a test share."""
    yield
    shared().close()
    shared().forget()


def get(url: str, **more: Any) -> str:
    """Ask."""
    return requests.get(url, timeout=10, **more).text


def get_and_fail(url: str) -> None:
    """Ask, and then have trouble."""
    get(url)
    raise ZeroDivisionError


def get_twice(url: str) -> None:
    """Ask the same twice."""
    get(url)
    get(url)


def test_records_once_and_replays(origin: Origin) -> None:
    """The default is ``once``; the cassette is ours, where VCR.py's would be."""
    with vcr.use_cassette("fixtures/synopsis.yaml") as cassette:
        first = get(origin.url("/echo?1"))
        get(origin.url("/echo?2"))
        assert (cassette.dirty, cassette.play_count, len(cassette)) == (True, 0, 2)
        assert [request.path for request in cassette.requests] == ["/echo", "/echo"]
    assert len(urls_in(Path("fixtures/synopsis.json"))) == 2
    origin.stop()
    with vcr.use_cassette("fixtures/synopsis.yaml") as cassette:
        assert get(origin.url("/echo?1")) == first
        assert (cassette.play_count, dict(cassette.play_counts)) == (1, {0: 1})
        assert not cassette.all_played
        get(origin.url("/echo?2"))
        assert cassette.all_played
        assert cassette.responses[0]["status"]["code"] == 200
        cassette.rewind()
        assert cassette.play_count == 0
        get(origin.url("/echo?1"))


def test_cassette_of_the_real_one(origin: Origin) -> None:
    """What VCR.py has recorded replays as it is; its file stays as it was."""
    path = Path("fixtures/theirs.yaml")
    for ending in ("yaml", "json"):
        path = Path(f"fixtures/{ending}s.{ending}")
        with the_real_one.use_cassette(str(path), serializer=ending):
            recorded = [get(origin.url(f"/echo?{n}")) for n in range(3)]
        before = path.read_bytes()
        with vcr.use_cassette(str(path)) as cassette:
            assert [get(origin.url(f"/echo?{n}")) for n in range(3)] == recorded
            assert cassette.all_played
        assert path.read_bytes() == before


def test_request_without_a_recording(origin: Origin) -> None:
    """The block's end raises VCR.py's exception, which is ours too, with the explanation."""
    with vcr.use_cassette("a"):
        get(origin.url("/echo?page=1"))
    with (
        pytest.raises(vcr.CannotOverwriteExistingCassetteException, match="page") as caught,
        vcr.use_cassette("a"),
    ):
        get(origin.url("/echo?page=2"))
    assert isinstance(caught.value, ReplayMiss)


def test_repeats_are_refused_unless_allowed(origin: Origin) -> None:
    """Each recording is played once, as with VCR.py, or as often as is asked."""
    with vcr.use_cassette("a"):
        get(origin.url("/json"))
    with pytest.raises(vcr.CannotOverwriteExistingCassetteException), vcr.use_cassette("a"):
        get_twice(origin.url("/json"))
    with vcr.use_cassette("a", allow_playback_repeats=True) as cassette:
        get_twice(origin.url("/json"))
        assert cassette.play_count == 2


def test_default_matching_is_vcr_py_s(origin: Origin) -> None:
    """Bodies and credentials do not count, unless they are asked for."""
    url = origin.url("/echo")
    with vcr.use_cassette("a"):
        requests.post(url, data="one", headers={"Authorization": "Bearer x"}, timeout=10)
    with vcr.use_cassette("a"):
        assert requests.post(url, data="two", timeout=10).status_code == 200
    with (
        pytest.raises(vcr.CannotOverwriteExistingCassetteException),
        vcr.use_cassette("a", match_on=["uri", "method", "body"]),
    ):
        requests.post(url, data="two", timeout=10)


def test_filters_and_callables(origin: Origin) -> None:
    """What is filtered is not in the cassette; callables see and change what is recorded."""
    seen = []

    def on_request(request: vcr.Request) -> vcr.Request | None:
        seen.append(request.uri)
        request.headers["X-Added"] = "yes"
        return None if "skip" in request.uri else request

    def on_response(response: dict[str, Any]) -> dict[str, Any]:
        response["body"]["string"] = response["body"]["string"].replace(b"true", b"false")
        return response

    mine = vcr.VCR(
        cassette_library_dir="tapes",
        filter_headers=["X-Personal", ("Authorization", "none")],
        filter_query_parameters=["user"],
        before_record_request=on_request,
        before_record_response=on_response,
    )
    headers = {"X-Personal": "very-personal", "Authorization": "Bearer abcdefghijkl"}
    for _ in range(2):
        with mine.use_cassette("a.yaml") as cassette:
            get(origin.url("/json?user=very-personal"), headers=headers)
            assert get(origin.url("/json?skip")) == '{"ok": true}'
    assert cassette.play_count == 1
    text = Path("tapes/a.json").read_text()
    assert "very-personal" not in text
    assert "abcdefghijkl" not in text
    assert "X-Added" in text
    assert "skip" not in text
    assert "false" in text
    assert seen


def test_hosts_by_a_pattern(origin: Origin) -> None:
    """A compiled pattern among the ignored hosts matches whole names; what it matches is live."""
    for _ in range(2):
        with vcr.use_cassette("a", ignore_hosts=[re.compile(r"127\.0\.0\.\d")]) as cassette:
            assert get(origin.url("/json"))
            assert len(cassette) == 0
    assert not Path("a.json").exists()


def test_matchers_of_the_user(origin: Origin) -> None:
    """A matcher returns a verdict, or raises where requests differ."""
    mine = vcr.VCR(match_on=["method", "jurassic"])

    def jurassic(one: vcr.Request, other: vcr.Request) -> None:
        assert one.path == other.path

    mine.register_matcher("jurassic", jurassic)
    with mine.use_cassette("a"):
        get(origin.url("/echo?1"))
    with mine.use_cassette("a") as cassette:
        get(origin.url("/echo?2"))
        assert cassette.play_count == 1
    with pytest.raises(ConfigError, match="no matcher 'triassic'"):
        mine.use_cassette("a", match_on=["triassic"]).__enter__()


def test_a_block_leaves_no_matcher_behind(origin: Origin) -> None:
    """What is registered for a block's sake is gone after it, however many there are."""
    mine = vcr.VCR(match_on=["odd"], record_mode="none")
    mine.register_matcher("odd", lambda one, other: True)
    before = registered()
    with mine.use_cassette("odd", record_mode="all"):
        get(origin.url("/echo?1"))
    with mine.use_cassette("odd"):
        assert get(origin.url("/echo?2"))
    with pytest.raises(CassetteNotFoundError), mine.use_cassette("absent"):
        pass
    assert registered() == before


def test_decorators(origin: Origin) -> None:
    """Functions, coroutines and generators are decorated; a cassette may be handed in."""
    mine = vcr.VCR(cassette_library_dir="tapes")

    @mine.use_cassette
    def plain() -> str:
        return get(origin.url("/echo?plain"))

    @mine.use_cassette("named", inject_cassette=True)
    def injected(cassette: vcr.Cassette, more: int) -> tuple[str, int]:
        get(origin.url("/echo?injected"))
        return cassette.path, more

    @mine.use_cassette()
    async def later() -> str:
        return await asyncio.to_thread(get, origin.url("/echo?later"))

    @mine.use_cassette(func_path_generator=lambda function: f"by-{function.__name__}")
    def generated() -> Iterator[str]:
        yield get(origin.url("/echo?generated"))

    plain()
    assert injected(2) == ("tapes/named", 2)
    asyncio.run(later())
    list(generated())
    origin.stop()
    plain()
    asyncio.run(later())
    list(generated())
    found = sorted(path.name for path in Path("tapes").iterdir())
    assert found == ["by-generated.json", "later.json", "named.json", "plain.json"]


def test_exception_need_not_save(origin: Origin) -> None:
    """With ``record_on_exception=False`` a block that fails leaves nothing."""
    with pytest.raises(ZeroDivisionError), vcr.use_cassette("a", record_on_exception=False):
        get_and_fail(origin.url("/json"))
    assert not Path("a.json").exists()
    with pytest.raises(ZeroDivisionError), vcr.use_cassette("a"):
        get_and_fail(origin.url("/json"))
    assert Path("a.json").exists()


def test_unused_requests_may_be_dropped(origin: Origin) -> None:
    """What was not played goes from the cassette where that is asked."""
    with vcr.use_cassette("a"):
        for n in range(3):
            get(origin.url(f"/echo?{n}"))
    with vcr.use_cassette("a", drop_unused_requests=True):
        get(origin.url("/echo?1"))
    assert urls_in(Path("a.json")) == [origin.url("/echo?1")]


def test_record_modes(origin: Origin) -> None:
    """``none`` records nothing, ``new_episodes`` adds, ``all`` records anew."""
    with vcr.use_cassette("a", record_mode=vcr.mode.ONCE):
        get(origin.url("/echo?1"))
    with vcr.use_cassette("a", record_mode="new_episodes"):
        get(origin.url("/echo?1"))
        get(origin.url("/echo?2"))
    assert urls_in(Path("a.json")) == [origin.url("/echo?1"), origin.url("/echo?2")]
    with vcr.use_cassette("a", record_mode=vcr.mode.ALL):
        get(origin.url("/echo?3"))
    assert urls_in(Path("a.json")) == [origin.url("/echo?3")]


def test_subprocesses_are_covered(origin: Origin) -> None:
    """What VCR.py cannot see is recorded too."""
    code = f"import urllib.request; urllib.request.urlopen('{origin.url('/json')}').read()"
    with vcr.use_cassette("a") as cassette:
        subprocess.run([sys.executable, "-c", code], check=True)
        assert len(cassette) == 1


def test_test_case(origin: Origin) -> None:
    """A base class gives every test method a cassette."""
    mine = vcr.VCR(cassette_library_dir="tapes")

    class Tests(mine.test_case()):  # type: ignore[misc]  # a class that was made
        def test_one(self) -> str:
            return get(origin.url("/json"))

    assert Tests().test_one()
    assert Path("tapes/test_one.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nonsense": 1}, "nonsense has no counterpart"),
        ({"serializer": "mine"}, "serializer 'mine'"),
        ({"record_mode": "sometimes"}, "no mode 'sometimes'"),
    ],
)
def test_mistakes(options: dict[str, Any], said: str) -> None:
    """An option that does nothing here is refused, wherever it is given."""
    with pytest.raises(ConfigError, match=said):
        vcr.VCR(**options)
    with pytest.raises(ConfigError, match=said):
        vcr.use_cassette("a", **options)


def test_what_has_no_counterpart() -> None:
    """Serializers and persisters are refused with what to do instead."""
    with pytest.raises(ConfigError, match="our formats"):
        vcr.VCR().register_serializer("x", object())
    with pytest.raises(ConfigError, match="URL"):
        vcr.VCR().register_persister(object())
    with pytest.raises(ConfigError, match="needs the path"):
        vcr.use_cassette().__enter__()
