"""The port is there before the cassette is read, and nobody is answered before it is."""

from __future__ import annotations

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from magneto_serge import CassetteNotFoundError, MagnetoProxy, ProxyError

from .conftest import MakeProxy
from .origin import Origin
from .tapes import fetch

pytestmark = pytest.mark.usefixtures("at_home")


def free_port(host: str) -> int:
    """Return a port that nothing listens on."""
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_who_comes_early_is_answered_from_the_cassette(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """A connection that is made before the start waits for the session, and is served by it."""
    with make_proxy().session("tape", "record") as session:
        fetch(origin.url("/echo?1"), session.url)
    origin.stop()
    port = free_port("127.0.0.1")
    proxy = MagnetoProxy(port=port)
    proxy.listen()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as early:
        early.connect()
        early.request("GET", origin.url("/echo?1"))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(early.getresponse)
            proxy.replay("tape")
            assert not answer.done()
            with proxy:
                assert answer.result(10).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_port_is_given_back(host: str, make_proxy: MakeProxy) -> None:
    """Where there is no start after all, the next proxy can have it."""
    port = free_port("127.0.0.1")
    proxy = MagnetoProxy(host=host, port=port, proxy_auth="a:b")
    proxy.listen()
    with pytest.raises(CassetteNotFoundError):
        proxy.replay("nothing")
    proxy.stop()
    with MagnetoProxy(host=host, port=port, proxy_auth="a:b") as other:
        assert other.port == port


def test_a_port_in_use_is_said_at_once() -> None:
    """Before anything is read."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = MagnetoProxy(port=taken.getsockname()[1])
        with pytest.raises(ProxyError, match="is in use"):
            proxy.listen()
