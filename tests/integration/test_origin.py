"""The origin itself, asked directly: a test is worth what its instruments are worth."""

from __future__ import annotations

import hashlib
import json

import pytest

from . import routes
from .bytestream import StreamEnded
from .certificates import ThrowawayAuthority
from .exchange import leave_body
from .origin import Origin
from .wire_client import WireClient


def connect(origin: Origin, authority: ThrowawayAuthority) -> WireClient:
    """Connect without any proxy."""
    client = WireClient((origin.host, origin.port))
    if origin.context:
        client.start_tls(authority.client_context(), origin.name)
    return client


def get(path: str, method: str = "GET", extra: str = "", body: bytes = b"") -> bytes:
    """Write a request in origin-form."""
    return f"{method} {path} HTTP/1.1\r\nHost: o\r\n{extra}\r\n".encode() + body


def test_plain_and_tls_answer_alike(
    any_origin: Origin, origin_authority: ThrowawayAuthority
) -> None:
    """A script's bytes arrive as written, and the request's bytes are kept as sent."""
    with connect(any_origin, origin_authority) as client:
        answer = client.ask(get("/json", extra="X-Odd:  one\r\nx-odd:\r\n"))
    assert (answer.status, answer.reason, answer.body) == (200, b"OK", b'{"ok": true}')
    assert any_origin.last.headers == [(b"Host", b"o"), (b"X-Odd", b"one"), (b"x-odd", b"")]
    assert any_origin.connections == 1


def test_tls_origin_sees_the_name(tls_origin: Origin, origin_authority: ThrowawayAuthority) -> None:
    """The SNI of each handshake is kept."""
    with connect(tls_origin, origin_authority) as client:
        client.ask(get("/json"))
    assert tls_origin.sni == ["localhost"]


def test_every_standing_answer_can_be_read(origin: Origin) -> None:
    """Each ordinary script is well-formed HTTP/1.1 to an independent reader."""
    for call in routes.CALLS.values():
        body = call.body or b""
        extra = f"Content-Length: {len(body)}\r\n" if call.body is not None else ""
        with WireClient((origin.host, origin.port)) as client:
            answer = client.ask(get(call.path, call.method, extra, body))
        assert answer.status in (200, 204, 304, 404), call


def test_chunked_with_trailers(origin: Origin) -> None:
    """Chunk sizes, extensions and trailers are as scripted."""
    with WireClient((origin.host, origin.port)) as client:
        answer = client.ask(get("/chunked"))
    assert answer.body == b"hello, world"
    assert answer.chunk_sizes == [5, 7]
    assert answer.trailers == [(b"X-Checksum", b"3e25960a"), (b"X-Signed-By", b"Serge")]


def test_echo_of_a_chunked_request(origin: Origin) -> None:
    """A chunked request body is decoded, and its framing kept beside it."""
    framed = b"3;x=y\r\nabc\r\n0\r\nX-Tail: 1\r\n\r\n"
    with WireClient((origin.host, origin.port)) as client:
        answer = client.ask(get("/echo", "POST", "Transfer-Encoding: chunked\r\n", framed))
    assert json.loads(answer.body)["trailers"] == [["X-Tail", "1"]]
    assert (origin.last.body, origin.last.raw_body) == (b"abc", framed)


def test_gate_holds_a_stream_back(origin: Origin) -> None:
    """Nothing behind a gate is sent before it opens."""
    gate = origin.gate()
    origin.on("/gated", routes.head(b"Content-Length: 2"), b"a", gate, b"b")
    with WireClient((origin.host, origin.port)) as client:
        client.send(get("/gated")).head()
        assert client.stream.exactly(1) == b"a"
        client.socket.settimeout(0.02)
        with pytest.raises(TimeoutError):
            client.stream.fill()
        client.socket.settimeout(5)
        gate.open()
        assert client.stream.exactly(1) == b"b"


def test_reset_is_a_reset(origin: Origin) -> None:
    """A fault named reset sends a RST, not a FIN."""
    with WireClient((origin.host, origin.port)) as client, pytest.raises(ConnectionResetError):
        client.ask(get("/reset-mid-body"))


def test_faults_break_as_named(any_origin: Origin, origin_authority: ThrowawayAuthority) -> None:
    """Truncation is an early end, silence no byte at all."""
    with connect(any_origin, origin_authority) as client, pytest.raises(StreamEnded) as ended:
        client.ask(get("/truncated"))
    assert ended.value.partial == b"y" * 40
    with connect(any_origin, origin_authority) as client:
        client.socket.settimeout(0.02)
        with pytest.raises(TimeoutError):
            client.ask(get("/silence"))


def test_stale_connection(origin: Origin) -> None:
    """A reused connection to ``/stale`` is closed without an answer."""
    with WireClient((origin.host, origin.port)) as client:
        assert client.ask(get("/stale")).body == b"fresh"
        client.send(get("/stale"))
        assert client.at_end()


def test_expectations(origin: Origin) -> None:
    """100 comes before the body is read; a refusal comes instead of it."""
    with WireClient((origin.host, origin.port)) as client:
        client.send(get("/continue", "POST", "Content-Length: 2\r\nExpect: 100-continue\r\n"))
        assert client.head().status == 100
        assert client.ask(b"ok", "POST").status == 200
    with WireClient((origin.host, origin.port)) as client:
        head = get("/refuse-body", "POST", "Content-Length: 2\r\nExpect: 100-continue\r\n")
        assert client.ask(head).status == 417


def test_upgrade_echoes(origin: Origin) -> None:
    """After 101 the bytes are the other protocol's."""
    with WireClient((origin.host, origin.port)) as client:
        assert client.ask(get("/switch", extra="Upgrade: smoke-signals\r\n")).status == 101
        assert client.send(b"\x00puff").stream.exactly(5) == b"\x00puff"


def test_upload_is_counted_not_kept(origin: Origin) -> None:
    """A body goes through the hash and nowhere else."""
    with WireClient((origin.host, origin.port)) as client:
        answer = client.ask(
            get("/upload", "POST", f"Content-Length: {len(routes.BINARY)}\r\n", routes.BINARY)
        )
    assert json.loads(answer.body)["sha256"] == hashlib.sha256(routes.BINARY).hexdigest()
    assert origin.last.body == b""


def test_stop_frees_the_port_and_start_takes_it_again(origin: Origin) -> None:
    """A stopped origin refuses; a restarted one answers at the same address."""
    origin.on("/waits", leave_body, origin.gate(), b"never")
    with WireClient((origin.host, origin.port)) as client:
        client.send(get("/waits"))
        origin.wait_for(lambda: origin.received)
        origin.stop()
        assert client.at_end()
    with pytest.raises(ConnectionRefusedError):
        WireClient((origin.host, origin.port))
    origin.start()
    with WireClient((origin.host, origin.port)) as client:
        assert client.ask(get("/empty")).status == 200
