"""The demonstration's origin answers as it says."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.cli.demo_origin import CATALOGUE, PIECES, DemoOrigin
from magneto_serge.tls.authority import Authority
from magneto_serge.tls.contexts import client_context
from magneto_serge.tls.leaf import LeafCache


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of the origin."""
    return Authority.load_or_create(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def origin(authority: Authority) -> Iterator[DemoOrigin]:
    """A running one."""
    with DemoOrigin(LeafCache(authority).context_for("127.0.0.1")) as running:
        yield running


@pytest.fixture
def connection(origin: DemoOrigin) -> Iterator[http.client.HTTPConnection]:
    """A connection over plain HTTP."""
    opened = http.client.HTTPConnection("127.0.0.1", origin.ports[0], timeout=10)
    yield opened
    opened.close()


def test_the_catalogue_is_compressed_json(connection: http.client.HTTPConnection) -> None:
    """Which a cassette shows as JSON."""
    connection.request("GET", "/catalogue.json")
    response = connection.getresponse()
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(response.read())) == CATALOGUE


def test_the_cover_is_binary_and_the_same_each_time(connection: http.client.HTTPConnection) -> None:
    """Nothing in it compresses."""
    bodies = []
    for _ in range(2):
        connection.request("GET", "/cover.png")
        bodies.append(connection.getresponse().read())
    assert bodies[0] == bodies[1]
    assert len(gzip.compress(bodies[0])) > len(bodies[0]) > 65_000


def test_the_stream_arrives_in_pieces(connection: http.client.HTTPConnection) -> None:
    """As server-sent events."""
    connection.request("GET", "/live")
    response = connection.getresponse()
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.read().count(b"data: piece") == PIECES


def test_an_order_sets_two_cookies(connection: http.client.HTTPConnection) -> None:
    """In field lines of their own."""
    connection.request("POST", "/orders", json.dumps({"track": 1}))
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["order"]) == (201, {"track": 1})
    assert len(response.headers.get_all("Set-Cookie") or ()) == 2


def test_the_rest_is_not_there(connection: http.client.HTTPConnection) -> None:
    """404, with a body."""
    connection.request("GET", "/nowhere")
    response = connection.getresponse()
    assert (response.status, response.read()) == (404, b"no such page\n")


def test_tls_is_verifiable(origin: DemoOrigin, authority: Authority) -> None:
    """By whoever trusts its CA, and by nobody else."""
    port = origin.ports[1]
    trusting = http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=10, context=client_context(authority)
    )
    trusting.request("GET", "/nowhere")
    assert trusting.getresponse().status == 404
    trusting.close()
    doubting = http.client.HTTPSConnection("127.0.0.1", port, timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError):
        doubting.request("GET", "/nowhere")
    doubting.close()


def test_when_it_is_over_nobody_listens(authority: Authority, tmp_path: Path) -> None:
    """Connections are refused."""
    with DemoOrigin(LeafCache(authority).context_for("127.0.0.1")) as origin:
        pass
    late = http.client.HTTPConnection("127.0.0.1", origin.ports[0], timeout=10)
    with pytest.raises(ConnectionRefusedError):
        late.request("GET", "/")
