"""Several sessions of one proxy, chosen by the user name in its URL, with real clients."""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from magneto_serge import ConfigError, MagnetoProxy, Mode

from . import faults
from .conftest import MakeOrigin, MakeProxy
from .origin import Origin
from .tapes import fetch, urls_in

pytestmark = pytest.mark.usefixtures("at_home")


def test_sessions_at_once_keep_their_cassettes_apart(origin: Origin, make_proxy: MakeProxy) -> None:
    """Requests that name a session are recorded in its cassette and in no other."""
    proxy = make_proxy()
    sessions = [proxy.session(f"number {n}", Mode.RECORD) for n in range(8)]

    def work(number: int) -> None:
        for request in range(40):
            fetch(origin.url(f"/echo?session={number}&request={request}"), sessions[number].url)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    for number, session in enumerate(sessions):
        path = session.finish()
        assert path is not None
        assert path.stem == f"number {number}"
        assert urls_in(path) == [
            origin.url(f"/echo?session={number}&request={request}") for request in range(40)
        ]


def test_tasks_and_tunnels_have_sessions(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """A tunnel belongs to the session that its CONNECT names, with any number in one loop."""
    origin = make_origin(tls=True)
    proxy = make_proxy()

    async def ask(url: str, number: int) -> list[str]:
        context: ssl.SSLContext = proxy.ssl_context()
        async with httpx.AsyncClient(proxy=url, verify=context) as client:
            return [
                (await client.get(origin.url(f"/echo?n={number}&i={i}"))).text for i in range(5)
            ]

    async def all_at_once(urls: list[str]) -> list[list[str]]:
        return list(await asyncio.gather(*(ask(url, n) for n, url in enumerate(urls))))

    with proxy.session("one", "record") as one, proxy.session("two", "record") as two:
        recorded = asyncio.run(all_at_once([one.url, two.url]))
    origin.stop()
    with proxy.session("one", "replay") as one, proxy.session("two", "replay") as two:
        assert asyncio.run(all_at_once([one.url, two.url])) == recorded
        assert one.misses == two.misses == []
        with pytest.raises(AssertionError, match="502"):
            fetch_502(origin.url("/echo?n=0&i=0"), two.url)


def fetch_502(url: str, proxy: str) -> None:
    """Ask through a proxy that intercepts TLS; AssertionError for a refusal."""
    response = httpx.get(url, proxy=proxy, verify=False)
    assert response.status_code == 200, response.status_code


def test_session_that_is_over_serves_nobody(origin: Origin, make_proxy: MakeProxy) -> None:
    """A client of a finished session is refused, and not served from a later one's cassette."""
    proxy = make_proxy()
    earlier = proxy.session("earlier", "record")
    with httpx.Client(proxy=earlier.url) as client:
        assert client.get(origin.url("/json")).status_code == 200
        earlier.finish()
        with proxy.session("earlier", "replay") as later:
            refused = client.get(origin.url("/json"))
            assert refused.status_code == 502
            assert refused.json()["type"].endswith("no-such-session")
            assert fetch(origin.url("/json"), later.url)


def test_tunnel_of_a_session_that_is_over(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """A tunnel that was opened in time ends with its session; a new one is refused."""
    origin = make_origin(tls=True)
    proxy = make_proxy()
    session = proxy.session("tunnel", "record")
    with httpx.Client(proxy=session.url, verify=proxy.ssl_context()) as client:
        assert client.get(origin.url("/json")).status_code == 200
        session.finish()
        with pytest.raises(httpx.ProxyError, match="502"):
            client.get(origin.url("/json"))


def test_proxy_s_own_session_is_another(origin: Origin, make_proxy: MakeProxy) -> None:
    """Who names no session is served by the proxy's own."""
    proxy = make_proxy(mode=Mode.PASSTHROUGH)
    with proxy.session("named", "record") as named:
        fetch(origin.url("/json"), proxy.url)
        assert named.recorded == 0
        fetch(origin.url("/json"), named.url)
        assert named.recorded == 1
        assert named.cassette_name == "named"
        assert named.cassette_path is not None


def test_settings_of_a_session_are_its_own(origin: Origin, make_proxy: MakeProxy) -> None:
    """A session may differ from its proxy in folder, format, and what is recorded."""
    proxy = make_proxy()
    folder = proxy.settings.cassette_dir
    with proxy.session("a", "record", cassette_dir=f"{folder}/deeper", format="msgpack") as one:
        fetch(origin.url("/json"), one.url)
        assert str(one.cassette_path) == f"{folder}/deeper/a.msgpack"
    with proxy.session("b", "record", ignore_hosts=[origin.name]) as two:
        fetch(origin.url("/json"), two.url)
        assert two.recorded == 0


def test_modes_of_a_session_switch_live(origin: Origin, make_proxy: MakeProxy) -> None:
    """A session's mode holds from its next request on; other sessions keep theirs."""
    proxy = make_proxy()
    with proxy.session("a", "record") as one, proxy.session("b", "record") as two:
        fetch(origin.url("/echo?1"), one.url)
        one.mode = Mode.PASSTHROUGH
        fetch(origin.url("/echo?2"), one.url)
        fetch(origin.url("/echo?3"), two.url)
        assert (one.recorded, two.recorded) == (1, 1)
        assert (one.mode, two.mode) == (Mode.PASSTHROUGH, Mode.RECORD)


def test_environment_of_a_session(make_proxy: MakeProxy) -> None:
    """The variables for a child name the session, with a password that clients insist on."""
    proxy = make_proxy()
    with proxy.session("users/list", "record") as session:
        url = session.env({})["HTTPS_PROXY"]
        assert url == session.url
        assert url.startswith("http://users-list-1:session@127.0.0.1:")


def test_port_of_a_session(origin: Origin, make_proxy: MakeProxy) -> None:
    """Clients of a session's own port belong to it unasked; the port ends with it."""
    proxy = make_proxy()
    with proxy.session("browser", "record") as session:
        url = f"http://127.0.0.1:{session.own_port}"
        assert session.own_port == int(url.rpartition(":")[2]) != proxy.port
        fetch(origin.url("/json"), url)
        assert session.recorded == 1
    with pytest.raises(OSError, match="refused"):
        fetch(origin.url("/json"), url)
    assert proxy.current.own_port == proxy.port


def test_guarded_proxy_has_sessions(origin: Origin, make_proxy: MakeProxy) -> None:
    """Where credentials are required, a session is named with the password that was set."""
    proxy = make_proxy(proxy_auth="user:secret")
    with proxy.session("a", "record") as session:
        assert ":secret@" in session.url
        fetch(origin.url("/json"), session.url)
        assert session.recorded == 1
        with pytest.raises(urllib.error.HTTPError, match="407"):
            fetch(origin.url("/json"), session.url.replace("secret", "guess"))


@pytest.mark.parametrize("key", ["", "a:b", "taken"])
def test_bad_keys(make_proxy: MakeProxy, key: str) -> None:
    """A key that is in use, or can be no user name, is refused."""
    proxy = make_proxy()
    with (
        proxy.session("first", "record", key="taken"),
        pytest.raises(ConfigError, match="session key"),
    ):
        proxy.session("second", "record", key=key)


def test_sessions_need_a_forward_proxy(origin: Origin, make_proxy: MakeProxy) -> None:
    """In reverse mode no client could name a session, and the error says so."""
    proxy = make_proxy(reverse=origin.url(""))
    with pytest.raises(ConfigError, match="reverse"):
        proxy.session("a")


def test_stopping_saves_every_session(origin: Origin, make_proxy: MakeProxy) -> None:
    """A proxy that stops finishes the sessions that are still open."""
    proxy: MagnetoProxy = make_proxy()
    session = proxy.session("open", "record")
    fetch(origin.url("/json"), session.url)
    path = session.cassette_path
    proxy.stop()
    assert path is not None
    assert urls_in(path) == [origin.url("/json")]


def test_exchange_that_is_about_to_end(origin: Origin, make_proxy: MakeProxy) -> None:
    """A client that hangs up in a stream is recorded, however soon its session is finished."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
    origin.on("/endless", head, faults.stay_silent)
    proxy = make_proxy()
    for number in range(5):
        session = proxy.session(f"stream-{number}", "record")
        with (
            httpx.Client(proxy=session.url) as client,
            client.stream("GET", origin.url("/endless")) as response,
        ):
            next(response.iter_raw())
        path = session.finish()
        assert path is not None
        assert urls_in(path) == [origin.url("/endless")]


def test_place_of_a_cassette_that_changes_its_format(origin: Origin, make_proxy: MakeProxy) -> None:
    """A session tells where its cassette was read from, and once it was added to, where it is."""
    proxy = make_proxy()
    with proxy.session("tape", "record") as session:
        fetch(origin.url("/echo?1"), session.url)
    adding = proxy.session("tape", "replay", format="msgpack")
    assert adding.cassette_path is not None
    assert adding.cassette_path.name == "tape.json"
    adding.mode = Mode.HYBRID
    fetch(origin.url("/echo?2"), adding.url)
    assert adding.cassette_path.name == "tape.json"
    saved = adding.finish()
    assert saved is not None
    assert saved.name == "tape.msgpack"
    assert adding.cassette_path == saved


def test_aborted_session_leaves_nothing(origin: Origin, make_proxy: MakeProxy) -> None:
    """An aborted session forgets what it recorded, and an older cassette stays as it was."""
    proxy: MagnetoProxy = make_proxy()
    with proxy.session("kept", "record") as session:
        fetch(origin.url("/echo?older"), session.url)
        path = session.cassette_path
    again = proxy.session("kept", "record")
    fetch(origin.url("/echo?newer"), again.url)
    again.abort()
    assert path is not None
    assert urls_in(path) == [origin.url("/echo?older")]
