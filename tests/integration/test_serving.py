"""Sessions over HTTP: a proxy that a program in any language tells what to do."""

from __future__ import annotations

import httpx
import pytest

from magneto_serge import MagnetoProxy
from magneto_serge.control.serving import enable_control

from .conftest import MakeProxy
from .origin import Origin
from .tapes import urls_in

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> MagnetoProxy:
    """A proxy that can be told what to do."""
    proxy = make_proxy()
    enable_control(proxy)
    return proxy


@pytest.fixture
def api(proxy: MagnetoProxy) -> httpx.Client:
    """A client of its API."""
    return httpx.Client(base_url=f"{proxy.url}/__magneto/", trust_env=False)


def test_session_of_a_program(origin: Origin, proxy: MagnetoProxy, api: httpx.Client) -> None:
    """A program opens a session, sends through it, and finishes it; the next time it replays."""
    with api:
        for replayed in (0, 1):
            session = api.post("sessions", json={"cassette": "from-elsewhere"}).json()
            with httpx.Client(proxy=session["url"]) as client:
                assert client.get(origin.url("/json")).json() == {"ok": True}
            ended = api.delete(f"sessions/{session['key']}").json()
            assert ended["replayed"] == replayed
            assert ended["misses"] == ended["unplayed"] == []
    path = proxy.settings.cassette_dir
    assert urls_in(path / "from-elsewhere.json") == [origin.url("/json")]  # type: ignore[operator]  # a path


def test_misses_are_told(origin: Origin, api: httpx.Client) -> None:
    """What was refused is explained to who finishes the session."""
    with api:
        for path in ("/echo?1", "/echo?2"):
            session = api.post("sessions", json={"cassette": "a"}).json()
            with httpx.Client(proxy=session["url"]) as client:
                client.get(origin.url(path))
            ended = api.delete(f"sessions/{session['key']}").json()
    assert "/echo?2" in ended["misses"][0]
    assert ended["unplayed"] == [1]


def test_what_is_asked_of_the_proxy_itself_is_no_traffic(
    proxy: MagnetoProxy, api: httpx.Client
) -> None:
    """Telling the proxy what to do counts neither as a request nor as a replay."""
    with api:
        for _ in range(2):
            stats = api.get("").json()["stats"]
    assert stats["requests"] == stats["replayed"] == 0


def test_errors_are_problem_details(api: httpx.Client) -> None:
    """A mistake is told in problem details (RFC 9457)."""
    with api:
        answer = api.post("sessions", json={})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_without_control_there_is_none(make_proxy: MakeProxy) -> None:
    """A proxy of the library is told by the library alone, unless that is asked for."""
    answer = httpx.get(f"{make_proxy().url}/__magneto/", trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("not-a-proxy-request")


def test_guarded_proxy_asks(make_proxy: MakeProxy) -> None:
    """Who may not use the proxy may not tell it anything either."""
    proxy = make_proxy(proxy_auth="user:secret")
    enable_control(proxy)
    url = f"http://127.0.0.1:{proxy.port}/__magneto/"
    assert httpx.get(url, trust_env=False).status_code == 407
    fields = {"Proxy-Authorization": "Basic dXNlcjpzZWNyZXQ="}
    assert httpx.get(url, headers=fields, trust_env=False).status_code == 200
