"""Origins that fail: each way is told apart to the client, recorded, and replayed the same.

Before the response head a failure is an answer: 502, or 504 for time, as problem details that name
the kind (RFC 9457). After it, the client sees what the proxy saw: the connection breaks off.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from magneto_serge.messages import FailureKind

from . import faults, routes
from .certificates import ThrowawayAuthority
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .exchange import Step
from .origin import Origin
from .wire_client import Answer, WireClient

Unreachable = Callable[[MakeOrigin, Path], Origin]


def refused(make_origin: MakeOrigin, _: Path) -> Origin:
    """An origin that is not there."""
    origin = make_origin()
    origin.stop()
    return origin


def unknown_name(make_origin: MakeOrigin, _: Path) -> Origin:
    """An origin whose name no resolver would know: a label is too long (RFC 1035 §2.3.4)."""
    return make_origin(name="x" * 64 + ".invalid")


def untrusted(make_origin: MakeOrigin, folder: Path) -> Origin:
    """A TLS origin whose certificate comes from an authority that nobody knows."""
    origin = make_origin(tls=True)
    assert origin.context is not None
    origin.context = ThrowawayAuthority(folder, "Nobody's CA").server_context("localhost")
    return origin


def misnamed(make_origin: MakeOrigin, _: Path) -> Origin:
    """A TLS origin whose certificate, though trusted, is for another name."""
    return make_origin(tls=True, name="127.0.0.2", host="127.0.0.2")


FAILURES: dict[str, tuple[Unreachable | None, str, str, FailureKind, int]] = {
    "refused": (refused, "/json", "http", FailureKind.REFUSED, 502),
    "dns": (unknown_name, "/json", "http", FailureKind.DNS, 502),
    "untrusted": (untrusted, "/json", "https", FailureKind.TLS, 502),
    "misnamed": (misnamed, "/json", "https", FailureKind.TLS, 502),
    "reset": (None, "/reset", "http", FailureKind.RESET, 502),
    "reset over TLS": (None, "/reset", "https", FailureKind.RESET, 502),
    "closed": (None, "/closed", "http", FailureKind.RESET, 502),
    "half a head": (None, "/half-head", "http", FailureKind.RESET, 502),
    "malformed": (None, "/malformed", "http", FailureKind.BAD_RESPONSE, 502),
    "two lengths": (None, "/two-lengths", "http", FailureKind.BAD_RESPONSE, 502),
    "silent": (None, "/silence", "http", FailureKind.TIMEOUT, 504),
    "silent over TLS": (None, "/silence", "https", FailureKind.TIMEOUT, 504),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failure_before_the_answer(
    case: str, make_origin: MakeOrigin, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """The client is told which failure it was, and is told the same on replay."""
    arrange, path, scheme, kind, status = FAILURES[case]
    origin = arrange(make_origin, tmp_path) if arrange else make_origin(tls=scheme == "https")
    origin.on("/half-head", b"HTTP/1.1 200 OK\r\nX-Half:", faults.close)
    origin.on("/closed", faults.close)
    origin.on("/two-lengths", routes.response(b"abc", b"Content-Length: 4"))
    proxy = make_proxy(idle_timeout=0.2 if status == 504 else 10.0)
    take = Take(proxy, origin)
    take.record()

    def play() -> Answer:
        if scheme == "https":
            client = WireClient((proxy.host, proxy.port)).tunnel(origin.authority)
            client.start_tls(proxy.ssl_context(), origin.name)
            target = path
        else:
            client = WireClient((proxy.host, proxy.port))
            target = f"http://{origin.authority}{path}"
        with client:
            return client.ask(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    recorded = play()
    assert recorded.status == status
    assert recorded.problem["type"].endswith(f"/{kind.value}")
    assert recorded.problem["detail"]
    assert proxy.stats.failed == 1
    take.replay()
    assert play().seen == recorded.seen
    assert not proxy.misses


def test_tls_failure_says_what_to_do(
    make_origin: MakeOrigin, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """A certificate that is not trusted names the way out, and `insecure` is one."""
    origin = untrusted(make_origin, tmp_path)
    door = Door("tls", make_proxy(), origin)
    assert "--upstream-ca" in door.ask("/json").problem["detail"]
    assert Door("tls", make_proxy(insecure=True), origin).ask("/json").status == 200


def test_handshake_that_never_comes(make_proxy: MakeProxy) -> None:
    """A port that accepts and says nothing is a timeout to connect, with 504."""
    proxy = make_proxy(connect_timeout=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = WireClient((proxy.host, proxy.port)).tunnel(f"127.0.0.1:{port}")
        with client.start_tls(proxy.ssl_context(), "127.0.0.1"):
            answer = client.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 504
    assert "0.2 s" in answer.problem["detail"]


def test_connection_lives_on_after_a_failure(plain_door: Door) -> None:
    """A failure of the origin is an answer like another to the client's connection."""
    with plain_door.open() as client:
        assert client.ask(plain_door.request("/reset")).status == 502
        assert client.ask(plain_door.request("/json")).status == 200
        assert client.ask(plain_door.request("/reset", "HEAD"), "HEAD").status == 502
        assert client.ask(plain_door.request("/json")).status == 200


CUTS: dict[str, tuple[bytes, bytes, Step]] = {
    "reset": (routes.head(b"Content-Length: 100"), b"x" * 40, faults.reset),
    "truncated": (routes.head(b"Content-Length: 100"), b"x" * 40, faults.close),
    "reset in chunks": (
        routes.head(b"Transfer-Encoding: chunked"),
        b"28\r\n" + b"x" * 40 + b"\r\n",
        faults.reset,
    ),
    "truncated chunk": (
        routes.head(b"Transfer-Encoding: chunked"),
        b"64\r\n" + b"x" * 40,
        faults.close,
    ),
    "bad chunk": (
        routes.head(b"Transfer-Encoding: chunked"),
        b"28\r\n" + b"x" * 40 + b"\r\n",
        b"nonsense\r\n",
    ),
    "reset before close": (routes.head(b"X-Until: close"), b"x" * 40, faults.reset),
}


@pytest.mark.parametrize("case", CUTS)
def test_failure_in_the_middle_of_the_answer(case: str, door: Door, take: Take) -> None:
    """What had arrived arrives, then the connection breaks; on replay just so."""
    head, piece, fault = CUTS[case]
    gate = door.origin.gate()  # opened when the client has the piece: a RST overtakes data
    door.origin.on("/cut", head, piece, gate, fault)
    for phase in ("record", "replay"):
        with door.open() as client:
            answer = client.send(door.request("/cut")).head()
            assert answer.status == 200, phase
            data = b""
            while len(data) < 40:
                data += read_some(client, answer)
            assert data == b"x" * 40, phase
            gate.open()
            assert breaks_off(client, answer), phase
        if phase == "record":
            take.replay()
    assert not door.proxy.misses


def read_some(client: WireClient, answer: Answer) -> bytes:
    """Read a piece of a body that will not be whole."""
    if answer.values("transfer-encoding"):
        line = client.stream.line()
        data = client.stream.exactly(int(line, 16))
        assert client.stream.exactly(2) == b"\r\n"
        return data
    return client.stream.exactly(40)


def breaks_off(client: WireClient, answer: Answer) -> bool:
    """Whether the body breaks off in a way that the client can tell from its end."""
    try:
        rest = client.stream.to_end()
    except OSError:
        return True
    delimited = answer.values("content-length") or answer.values("transfer-encoding")
    return bool(delimited) and rest == b""


def test_reset_reaches_the_client_as_a_reset(plain_door: Door, plain_take: Take) -> None:
    """A RST from the origin is a RST to the client, recording and replaying."""
    gate = plain_door.origin.gate()
    plain_door.origin.on("/cut", routes.head(b"X-Until: close"), b"x" * 40, gate, faults.reset)
    for phase in ("record", "replay"):
        with plain_door.open() as client:
            client.send(plain_door.request("/cut")).head()
            assert client.stream.exactly(40) == b"x" * 40, phase
            gate.open()
            with pytest.raises(ConnectionResetError):
                client.stream.fill()
        if phase == "record":
            plain_take.replay()


def test_upstream_proxy_that_refuses(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """An upstream proxy's refusal is a failure of its own kind."""
    elsewhere = make_origin()
    elsewhere.on("localhost:1", routes.response(b"no", status=b"403 Forbidden"))
    proxy = make_proxy(upstream_proxy=elsewhere.url(""))
    client = WireClient((proxy.host, proxy.port)).tunnel("localhost:1")
    with client.start_tls(proxy.ssl_context(), "localhost"):
        answer = client.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 502
    assert answer.problem["type"].endswith("/upstream-proxy")
    assert "403" in answer.problem["detail"]
