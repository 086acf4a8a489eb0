"""What the control API answers, without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.app import MagnetoProxy
from magneto_serge.control.api import SETTINGS, ControlApi
from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.storage.store import CassetteStore


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MagnetoProxy]:
    """A proxy that pretends to listen, with a cassette of one interaction."""

    async def start(server: ProxyServer) -> None:
        server.port = 4001

    async def stop(server: ProxyServer) -> None:
        pass

    monkeypatch.setattr(ProxyServer, "start", start)
    monkeypatch.setattr(ProxyServer, "stop", stop)
    monkeypatch.chdir(tmp_path)
    request = Request("GET", "http", "api.test", 80, "/")
    CassetteStore(tmp_path / "cassettes").save("tape", [Interaction(request, Response(200))])
    with MagnetoProxy(data_dir=tmp_path / "data", port=0) as proxy:
        yield proxy


@pytest.fixture
def api(proxy: MagnetoProxy) -> ControlApi:
    """Its API."""
    return ControlApi(proxy)


def ask(
    api: ControlApi, method: str, path: str = "", body: Any = None, **fields: str
) -> tuple[int, Any]:
    """Return status and document of an answer."""
    headers = {"Host": "127.0.0.1:4001"} | {name.title(): value for name, value in fields.items()}
    content = (
        b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    )
    target = f"/__magneto/{path}"
    request = Request(
        method, "http", "127.0.0.1", 4001, target, Headers.of(*headers.items()), content
    )
    answer = api.answer(request)
    return answer.status, answer.document


def test_state(api: ControlApi) -> None:
    """The proxy says what it is and does."""
    status, state = ask(api, "GET")
    assert status == 200
    assert state["session"]["mode"] == "auto"
    assert state["stats"]["requests"] == 0


def test_life_of_a_session(api: ControlApi, proxy: MagnetoProxy) -> None:
    """It is opened, looked at, switched, and finished; then there is none."""
    status, session = ask(api, "POST", "sessions", {"cassette": "tape", "key": "a b"})
    assert status == 201
    assert session["url"] == "http://a%20b:session@127.0.0.1:4001"
    assert session["unplayed"] == [1]
    assert ask(api, "GET", "sessions")[1] == [session]
    assert ask(api, "GET", "sessions/a%20b") == (200, session)
    changed = ask(api, "PATCH", "sessions/a%20b", {"mode": "passthrough", "rewind": True})[1]
    assert changed["mode"] == "passthrough"
    status, ended = ask(api, "DELETE", "sessions/a%20b")
    assert (status, ended["saved"]) == (200, None)
    assert ask(api, "GET", "sessions/a%20b")[0] == 404
    assert proxy.sessions == []


def test_drifts_are_told(api: ControlApi, proxy: MagnetoProxy) -> None:
    """Of a session that verifies; its settings say what counts."""
    asked = {"cassette": "tape", "mode": "verify", "settings": {"verify_shape_only": True}}
    status, session = ask(api, "POST", "sessions", asked)
    assert (status, session["mode"], session["drifts"]) == (201, "verify", [])
    [opened] = proxy.sessions
    assert opened.replay.sink is not None
    opened.replay.sink.record(
        Interaction(Request("GET", "http", "api.test", 80, "/"), Response(404))
    )
    _, ended = ask(api, "DELETE", f"sessions/{session['key']}")
    assert ended["drifts"] == [
        "#1 GET http://api.test/: changed\n  response.status: recorded '200', now '404'"
    ]


def test_session_is_forgotten(api: ControlApi) -> None:
    """What was recorded need not be saved."""
    ask(api, "POST", "sessions", {"cassette": "new", "mode": "record", "key": "k"})
    assert ask(api, "DELETE", "sessions/k?save=false")[0] == 200
    assert not Path("cassettes/new.json").exists()


def test_own_mode_is_switched(api: ControlApi, proxy: MagnetoProxy) -> None:
    """The mode of the session that serves everybody can be changed while traffic flows."""
    proxy.use("tape")
    assert ask(api, "PATCH", "", {"mode": "passthrough"})[1]["mode"] == "passthrough"
    assert proxy.mode == "passthrough"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "sessions", {}, 400, "needs a cassette"),
        ("POST", "sessions", {"cassette": "x", "mod": "auto"}, 400, "no 'mod'"),
        ("POST", "sessions", {"cassette": "x", "mode": "sometimes"}, 400, "sometimes"),
        ("POST", "sessions", {"cassette": "x", "settings": {"scripts": ["a"]}}, 400, "scripts"),
        ("POST", "sessions", {"cassette": "x", "settings": [1]}, 400, "not an object"),
        ("POST", "sessions", {"cassette": "x", "settings": {"latency": "x"}}, 400, "latency"),
        ("POST", "sessions", {"cassette": "x", "key": 5}, 400, "key is not a text"),
        ("POST", "sessions", {"cassette": "/etc/passwd"}, 400, "has a name"),
        ("POST", "sessions", {"cassette": "../x"}, 400, "would leave"),
        ("POST", "sessions", {"cassette": "absent", "mode": "replay"}, 404, "no cassette"),
        ("POST", "sessions", b"{", 400, "not JSON"),
        ("POST", "sessions", [1], 400, "not a JSON object"),
        ("PUT", "sessions", None, 405, "no method PUT"),
        ("GET", "nothing", None, 404, "no /__magneto/nothing"),
        ("GET", "sessions/a/b", None, 404, "no /__magneto/sessions/a/b"),
        ("DELETE", "sessions/absent", None, 404, "'absent'"),
    ],
)
def test_mistakes(
    api: ControlApi, method: str, path: str, body: Any, status: int, said: str
) -> None:
    """A mistake gets its status, and a sentence about it."""
    found, document = ask(api, method, path, body)
    assert found == status
    assert said in document["detail"]


@pytest.mark.parametrize(
    "fields",
    [{"origin": "http://page.test"}, {"host": "page.test"}, {"host": ""}, {"host": "page.test:80"}],
)
def test_pages_are_refused(api: ControlApi, fields: dict[str, str]) -> None:
    """No page that a browser shows can reach the API, not by a name that it points here either."""
    assert ask(api, "GET", "", **fields)[0] == 403


def test_settings_are_settings() -> None:
    """What may be set for a session is a setting, and none that reaches beyond its recordings."""
    from magneto_serge.config_values import RULES

    assert set(RULES) >= SETTINGS
    assert not {"cassette_dir", "scripts", "hooks", "data_dir", "upstream_ca"} & SETTINGS
