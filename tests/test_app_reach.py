"""What a `MagnetoProxy` tells others, so that they reach it and trust it."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from magneto_serge import app
from magneto_serge.app import MagnetoProxy
from magneto_serge.proxy.server import ProxyServer

MakeProxy = Callable[..., MagnetoProxy]


@pytest.fixture
def make_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MakeProxy:
    """Return a maker of proxies that pretend to listen on port 4242."""

    async def start(server: ProxyServer) -> None:
        server.port = 4242

    async def stop(server: ProxyServer) -> None:
        pass

    monkeypatch.setattr(ProxyServer, "start", start)
    monkeypatch.setattr(ProxyServer, "stop", stop)

    def make(**overrides: Any) -> MagnetoProxy:
        return MagnetoProxy(tmp_path / "cassettes", data_dir=tmp_path / "data", **overrides)

    return make


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1:4242"),
        ("localhost", "localhost:4242"),
        ("::1", "[::1]:4242"),
        ("0.0.0.0", "127.0.0.1:4242"),
        ("::", "[::1]:4242"),
    ],
)
def test_child_finds_the_proxy(host: str, reached: str, make_proxy: MakeProxy) -> None:
    """By the variables of both cases; an address that means all of them is reached on this one."""
    with make_proxy(host=host, proxy_auth="u:p") as proxy:
        assert proxy.url == f"http://{reached}"
        env = proxy.env({})
        assert {env[name] for name in PROXIES} == {f"http://u:p@{reached}"}
        assert env["NODE_USE_ENV_PROXY"] == "1"
        assert "MAGNETO_URL" not in env


@pytest.mark.parametrize("auth", ["us/er:pass:wo@rd", "ü:% &", "user:"])
def test_credentials_survive_a_url(auth: str, make_proxy: MakeProxy) -> None:
    """Whatever characters they have, the child reads them as they are."""
    with make_proxy(proxy_auth=auth) as proxy:
        parts = urlsplit(proxy.env({})["http_proxy"])
        assert f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" == auth
        assert parts.hostname == "127.0.0.1"


def test_child_bypasses_what_is_ignored(make_proxy: MakeProxy) -> None:
    """NO_PROXY is emptied, so that localhost is recorded too, but for the hosts to leave alone."""
    with make_proxy() as proxy:
        env = proxy.env({"NO_PROXY": "localhost"})
        assert env["no_proxy"] == env["NO_PROXY"] == ""
    with make_proxy(ignore_hosts=("a.test", "b.test")) as proxy:
        assert proxy.env({})["NO_PROXY"] == "a.test,b.test"


def test_child_of_a_reverse_proxy(make_proxy: MakeProxy) -> None:
    """There is no proxy to name, but a URL to use instead of the origin's."""
    for tls, scheme in ((False, "http"), (True, "https")):
        with make_proxy(reverse="http://origin.test", reverse_tls=tls) as proxy:
            env = proxy.env({})
            assert env["MAGNETO_URL"] == proxy.url == f"{scheme}://127.0.0.1:4242"
            assert not set(env) & set(PROXIES)
            assert env["SSL_CERT_FILE"]


def test_child_trusts_us(make_proxy: MakeProxy, tmp_path: Path) -> None:
    """A file with the system's trust, the child's own and ours; our own certificate for Node."""
    with make_proxy() as proxy:
        env = proxy.env({})
        ours = proxy.ca_path.read_text()
        assert ours in Path(env["SSL_CERT_FILE"]).read_text()
        assert Path(env["NODE_EXTRA_CA_CERTS"]).read_text() == ours
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO"):
            assert env[name] == env["SSL_CERT_FILE"]
        assert tmp_path in proxy.ca_path.parents


def test_environment_is_looked_at_when_asked(
    make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without an argument the child's environment is ours; nothing of ours is changed."""
    with make_proxy() as proxy:
        own = tmp_path / "own.pem"
        own.write_text(proxy.ca_path.read_text())
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        before = dict(os.environ)
        assert proxy.env()["SSL_CERT_FILE"] != str(own)
        assert dict(os.environ) == before


def test_context_for_clients_in_this_process(make_proxy: MakeProxy) -> None:
    """It verifies, and trusts our authority; it may be asked for before the start."""
    context = make_proxy().ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    subjects = [dict(pair[0] for pair in ca["subject"]) for ca in context.get_ca_certs()]
    assert any("Magn" in str(subject) for subject in subjects)


def test_log_is_the_package_s(make_proxy: MakeProxy) -> None:
    """One logger for users to turn up or down."""
    assert app.log is logging.getLogger("magneto_serge")
