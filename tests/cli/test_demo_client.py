"""The demonstration's client writes down what it got, with curl and without."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.cli import demo_client
from magneto_serge.cli.demo_client import Call, fetch, is_down, program, requests_per_second
from magneto_serge.cli.demo_origin import DemoOrigin
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.leaf import LeafCache


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoOrigin]:
    """A running origin."""
    authority = Authority.load_or_create(tmp_path_factory.mktemp("ca"))
    with DemoOrigin(LeafCache(authority).context_for("127.0.0.1")) as running:
        yield running


@pytest.fixture(params=["curl", "Python's urllib"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either client; curl only where there is one."""
    if request.param == "curl" and shutil.which("curl") is None:
        pytest.skip("needs curl, which is not installed here")
    if request.param != "curl":
        monkeypatch.setattr(demo_client.shutil, "which", lambda _: None)
    return str(request.param)


def test_every_call_is_answered_in_order(client: str, origin: DemoOrigin, tmp_path: Path) -> None:
    """Status, header section and body of each, errors included."""
    assert program() == client
    calls = [
        Call(f"{origin.http}/cover.png"),
        Call(f"{origin.http}/orders", '{"title": "a \\"quoted\\" one"}'),
        Call(f"{origin.http}/nowhere"),
    ]
    cover, order, nowhere = fetch(calls, os.environ, tmp_path / "answers")
    assert [answer.status for answer in (cover, order, nowhere)] == ["200", "201", "404"]
    assert len(cover.body) == 65_544
    assert b'a \\"quoted\\" one' in order.body
    assert sum(line.startswith("Set-Cookie:") for line in order.head) == 2
    assert nowhere.body == b"no such page\n"


def test_framing_is_no_part_of_an_answer(client: str, origin: DemoOrigin, tmp_path: Path) -> None:
    """Each connection frames anew (RFC 9110 §7.6.1)."""
    (live,) = fetch([Call(f"{origin.http}/live")], os.environ, tmp_path / "answers")
    assert not [line for line in live.head if line.lower().startswith("transfer-encoding")]


def test_what_is_not_answered_is_an_empty_answer(client: str, tmp_path: Path) -> None:
    """And no exception."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    (nothing,) = fetch([Call(f"http://127.0.0.1:{port}/")], os.environ, tmp_path / "answers")
    assert (nothing.head, nothing.body, nothing.status) == ((), b"", "-")


def test_speed_is_measured_over_one_connection(origin: DemoOrigin) -> None:
    """Here against the origin itself, which does not mind the absolute form."""
    url = f"{origin.http}/catalogue.json"
    host, port = "127.0.0.1", origin.ports[0]
    assert requests_per_second(host, port, "http://x/nowhere", 0.05) > 0
    assert requests_per_second(host, port, url, 0.05) > 0


def test_speed_of_what_is_not_there_is_zero() -> None:
    """And no exception."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert requests_per_second("127.0.0.1", port, "http://x/", 0.05) == 0.0


def test_a_port_is_down_when_nobody_listens() -> None:
    """Which is only true after the server has closed it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert is_down(port)
