"""Users' functions in the way of real traffic: sync and async, and with every kind of mistake."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import magneto_serge
from magneto_serge import ConfigError, Headers, Interaction, Request, Response
from magneto_serge.proxy import shaped
from magneto_serge.replay.hooks import EVERYWHERE

from .conftest import MakeOrigin, MakeProxy
from .origin import Origin
from .shapes import client_of, interactions, targets


@pytest.fixture(autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    yield
    for hook in EVERYWHERE.every:
        EVERYWHERE.remove(hook.function)


def with_body(response: Response, body: bytes) -> Response:
    """Return the response with another body."""
    return msgspec.structs.replace(response, body=body)


# --- before_record ------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
def test_before_record(origin: Origin, make_proxy: MakeProxy, waits: bool) -> None:
    """What a hook returns is recorded; None is not, and not counted. The client sees neither."""
    threads: set[str] = set()

    def change(interaction: Interaction) -> Interaction | None:
        threads.add(threading.current_thread().name)
        if interaction.request.target == "/json?drop":
            return None
        assert interaction.response is not None
        interaction.response = with_body(interaction.response, b"changed")
        return interaction

    async def change_later(interaction: Interaction) -> Interaction | None:
        await asyncio.sleep(0)
        return change(interaction)

    proxy = make_proxy()
    proxy.before_record(change_later if waits else change)
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        for query in ("?one", "?drop", "?two"):
            assert client.get(origin.url("/json" + query)).json() == {"ok": True}
    path = proxy.stop_recording()
    assert targets(path) == ["/json?one", "/json?two"]
    assert {each.response and each.response.body for each in interactions(path)} == {b"changed"}
    assert threads == {"recorder tape"}
    proxy.stop()
    assert proxy.stats.recorded == 2


def test_redaction_comes_after_before_record(origin: Origin, make_proxy: MakeProxy) -> None:
    """What a hook puts in is redacted like everything else."""
    proxy = make_proxy()

    @proxy.before_record
    def leak(interaction: Interaction) -> Interaction:
        interaction.request.headers = Headers.of(("Authorization", "Bearer secret-of-the-hook"))
        return interaction

    proxy.use("tape", "record")
    with client_of(proxy) as client:
        client.get(origin.url("/json"))
    path = proxy.stop_recording()
    assert path is not None
    assert "Authorization" in path.read_text()
    assert "secret-of-the-hook" not in path.read_text()


def test_a_failing_before_record(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported with its place, and the exchange is recorded as it was."""
    proxy = make_proxy()

    @proxy.before_record
    def broken(interaction: Interaction) -> Interaction:
        raise ZeroDivisionError

    proxy.use("tape", "record")
    with client_of(proxy) as client, caplog.at_level(logging.ERROR, "magneto_serge"):
        client.get(origin.url("/json"))
        path = proxy.stop_recording()
    assert targets(path) == ["/json"]
    assert f"{__file__}:{broken.__code__.co_firstlineno + 2}: ZeroDivisionError" in caplog.text


def test_every_recording_dropped(origin: Origin, make_proxy: MakeProxy) -> None:
    """Then nothing was recorded, and there is no cassette."""
    proxy = make_proxy()
    proxy.use("tape", "record")
    proxy.before_record(lambda interaction: None)  # while it is under way
    with client_of(proxy) as client:
        client.get(origin.url("/json"))
    assert proxy.stop_recording() is None


# --- before_replay ------------------------------------------------------------------------------


def record(proxy: magneto_serge.MagnetoProxy, origin: Origin, *paths: str) -> None:
    """Record some paths, and stop the origin."""
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        for path in paths:
            client.get(origin.url(path))
    proxy.stop_recording()
    origin.stop()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("waits", [False, True])
def test_before_replay(
    make_origin: MakeOrigin, make_proxy: MakeProxy, scheme: str, waits: bool
) -> None:
    """What a hook returns is sent, with true framing, on connections that are kept."""
    origin = make_origin(tls=scheme == "https")
    proxy = make_proxy()

    def change(request: Request, response: Response) -> Response:
        assert isinstance(response.body, bytes)
        body = response.body + request.target.encode()
        headers = Headers((*response.headers.raw, (b"X-Hook", b"yes")))
        return msgspec.structs.replace(response, body=body, headers=headers)

    async def change_later(request: Request, response: Response) -> Response:
        await asyncio.sleep(0.001)
        return change(request, response)

    record(proxy, origin, "/json", "/gzip", "/chunked")
    proxy.replay("tape")
    with client_of(proxy) as client:
        plain = client.get(origin.url("/json"))
        session = proxy.current
        session.before_replay(change_later if waits else change)
        for _ in range(3):
            changed = client.get(origin.url("/json"))
            assert changed.text == plain.text + "/json"
            assert changed.headers["X-Hook"] == "yes"
        assert client.get(origin.url("/chunked")).text.endswith("/chunked")
    assert proxy.stats.replayed == 5


def test_a_waiting_hook_holds_its_own_connection_only(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """While one client waits for a coroutine, others are served; pipelined requests keep order."""
    proxy = make_proxy()
    record(proxy, origin, "/json?slow", "/json?quick")
    proxy.replay("tape")
    release = threading.Event()

    @proxy.current.before_replay
    async def wait(request: Request, response: Response) -> Response:
        if "slow" in request.target:
            await asyncio.to_thread(release.wait)
        return with_body(response, request.target.encode())

    with ThreadPoolExecutor(1) as pool, client_of(proxy) as one, client_of(proxy) as other:
        waiting = pool.submit(one.get, origin.url("/json?slow"))
        for _ in range(20):
            assert other.get(origin.url("/json?quick")).text == "/json?quick"
        assert not waiting.done()
        release.set()
        assert waiting.result(20).text == "/json?slow"
        assert one.get(origin.url("/json?quick")).text == "/json?quick"


def test_a_hook_that_waits_for_ever(
    origin: Origin,
    make_proxy: MakeProxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is given up, and the recording is sent as it is."""
    monkeypatch.setattr(shaped, "PATIENCE", 0.05)
    proxy = make_proxy()
    record(proxy, origin, "/json")
    proxy.replay("tape")

    @proxy.current.before_replay
    async def forever(request: Request, response: Response) -> Response:
        await asyncio.Event().wait()
        return response

    with client_of(proxy) as client:
        assert client.get(origin.url("/json")).json() == {"ok": True}
    assert "has taken more than 0.05 s" in caplog.text


def test_a_client_that_leaves_while_a_hook_waits(origin: Origin, make_proxy: MakeProxy) -> None:
    """The hook is cancelled when the proxy stops, which does not wait for it for long."""
    proxy = make_proxy(shutdown_timeout=0.1)
    record(proxy, origin, "/json")
    proxy.replay("tape")
    cancelled = threading.Event()

    @proxy.current.before_replay
    async def forever(request: Request, response: Response) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return response

    with client_of(proxy) as client, pytest.raises(httpx.ReadTimeout):
        client.get(origin.url("/json"), timeout=0.2)
    proxy.stop()
    assert cancelled.wait(20)


# --- on_miss ------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
def test_on_miss(origin: Origin, make_proxy: MakeProxy, waits: bool) -> None:
    """A response is the answer, and no miss; None refuses as ever. The hook sees the body."""
    proxy = make_proxy()
    record(proxy, origin, "/json")

    def answer(request: Request) -> Response | None:
        if request.target == "/unknown":
            return None
        assert isinstance(request.body, bytes)
        return Response(202, body=request.method.encode() + b" " + request.body)

    async def answer_later(request: Request) -> Response | None:
        await asyncio.sleep(0.001)
        return answer(request)

    proxy.on_miss(answer_later if waits else answer)
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get(origin.url("/json")).json() == {"ok": True}
        for body in (b"one", b"x" * 100_000):
            answered = client.post(origin.url("/new"), content=body)
            assert answered.status_code == 202
            assert answered.content == b"POST " + body
        refused = client.get(origin.url("/unknown"))
        assert refused.status_code == 502
        assert refused.json()["type"].endswith("/replay-miss")
    assert [miss.url for miss in proxy.misses] == [origin.url("/unknown")]
    assert (proxy.stats.replayed, proxy.stats.missed) == (3, 1)


def test_on_miss_is_asked_only_where_it_would_be_refused(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """In hybrid mode what is not recorded goes to its origin."""
    proxy = make_proxy()
    proxy.on_miss(lambda request: Response(418))
    proxy.use("tape", "hybrid")
    with client_of(proxy) as client:
        assert client.get(origin.url("/json")).status_code == 200
    assert targets(proxy.stop_recording()) == ["/json"]


def test_a_body_on_the_disk_can_be_read_while_a_hook_waits(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """A large request body is a file that lives as long as the hook that is asked."""
    proxy = make_proxy(memory_limit=1000)
    record(proxy, origin, "/json")

    @proxy.on_miss
    async def size(request: Request) -> Response:
        await asyncio.sleep(0.01)
        assert isinstance(request.body, magneto_serge.messages.FileBody)
        return Response(200, body=str(len(request.body.path.read_bytes())).encode())

    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.post(origin.url("/new"), content=b"x" * 50_000).text == "50000"


def test_a_hook_that_returns_nonsense(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the exchange nor the connection breaks, whatever comes back."""
    proxy = make_proxy()
    record(proxy, origin, "/json")
    proxy.replay("tape")
    nonsense: list[Any] = [
        3,
        Response("200"),  # type: ignore[arg-type]
        Response(99),
        Response(200, body="text"),  # type: ignore[arg-type]
        Response(200, headers={"a": "b"}),  # type: ignore[arg-type]
        Response(200, headers=Headers([(b"A", b"b\r\nC: d")])),
        Response(200, headers=Headers([("A", "b")])),  # type: ignore[list-item]
        Response(200, reason="no\r\nA: b"),
    ]
    proxy.current.before_replay(lambda request, response: nonsense[0])
    with client_of(proxy) as client:
        while nonsense:
            answer = client.get(origin.url("/json"))
            assert (answer.status_code, answer.json()) == (200, {"ok": True})
            assert "C" not in answer.headers
            nonsense.pop(0)
            if not nonsense:
                break
    assert caplog.text.count("The original is used") == 8


# --- how they are registered --------------------------------------------------------------------


def test_everywhere_and_in_one_session(origin: Origin, make_proxy: MakeProxy) -> None:
    """A hook of the process is for all, one of a session for that one, in this order."""
    proxy = make_proxy()
    record(proxy, origin, "/json")

    @magneto_serge.before_replay
    def everywhere(request: Request, response: Response) -> Response:
        return with_body(response, b"everywhere")

    with proxy.session("tape", "replay") as one, proxy.session("tape", "replay") as other:

        @one.before_replay
        def here(request: Request, response: Response) -> Response:
            assert isinstance(response.body, bytes)
            return with_body(response, response.body + b" and here")

        with client_of(proxy, one.url) as client:
            assert client.get(origin.url("/json")).text == "everywhere and here"
        with client_of(proxy, other.url) as client:
            assert client.get(origin.url("/json")).text == "everywhere"
            EVERYWHERE.remove(everywhere)
            assert client.get(origin.url("/json")).json() == {"ok": True}
    assert other.replay.shaping is None


def test_scripts(origin: Origin, make_proxy: MakeProxy, tmp_path: Path) -> None:
    """A script is run once for a proxy, however many sessions it has."""
    script = tmp_path / "hooks.py"
    script.write_text(
        "from magneto_serge import Response\n"
        "runs = 1\n"
        "count = 0\n"
        "def on_miss(request):\n"
        "    global count\n"
        "    count += 1\n"
        "    return Response(200, body=str(count).encode())\n"
    )
    proxy = make_proxy(scripts=[script])
    record(proxy, origin, "/json")
    for expected in ("1", "2"):
        proxy.replay("tape")
        with client_of(proxy) as client:
            assert client.get(origin.url("/new")).text == expected


def test_mistakes_at_the_start(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """A proxy with a bad script is not even made."""
    script = tmp_path / "hooks.py"
    script.write_text("\nx = 1 / 0\n")
    with pytest.raises(ConfigError, match=f"{script}:2: ZeroDivisionError"):
        make_proxy(scripts=[script])
    with pytest.raises(ConfigError, match="there are no hooks 'nobody'"):
        make_proxy(hooks=["nobody"])


def test_a_proxy_without_hooks_asks_nobody(origin: Origin, make_proxy: MakeProxy) -> None:
    """Where nothing is set, there is nothing to ask."""
    proxy = make_proxy()
    assert proxy.current.replay.shaping is None
    hook = proxy.on_miss(lambda request: None)
    assert proxy.current.replay.shaping is not None
    proxy._hooks.remove(hook)
    assert proxy.current.replay.shaping is None
