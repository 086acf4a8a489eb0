"""CONNECT: what the client speaks inside is found out by its first byte, and dealt with."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import pytest

from magneto_serge.errors import CertificateError
from magneto_serge.messages import FailureKind
from magneto_serge.proxy.connect import log_tls_refusal
from magneto_serge.proxy.dial import Origin
from magneto_serge.replay.modes import Mode

from .mock_loop import TlsLayer
from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, answer, ask, read_answers, recorded

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
HELLO = b"\x16\x03\x01\x00\x40" + bytes(range(64))  # a TLS handshake record


def connect(authority: str = "origin.test:443", *fields: str) -> bytes:
    """Return a CONNECT request."""
    return ask(authority, *fields, method="CONNECT", host=authority)


def tunnel(stage: Stage, authority: str = "origin.test:443", rest: bytes = b"") -> MockTransport:
    """Return a client whose CONNECT has been granted."""
    client = stage.client()
    client.send(connect(authority) + rest)
    assert client.take() == ESTABLISHED
    return client


def secured(stage: Stage, layer: TlsLayer) -> MockTransport:
    """Let a handshake succeed; return the transport above it."""
    above = MockTransport(stage.loop, layer.inner, half_close=False)
    layer.pending.settle(above)
    stage.loop.run()
    return above


# --- plain HTTP ----------------------------------------------------------------------------------


def test_plain_http_inside() -> None:
    """What does not start like TLS is HTTP for the host that was named, at that port."""
    stage = Stage()
    client = tunnel(stage, "origin.test:8080")
    client.send(ask("/path", host="origin.test:8080"))
    assert stage.dialer.waiting[0].origin == Origin("http", "origin.test", 8080)
    origin = stage.answer_dial()
    assert origin.take().startswith(b"GET /path HTTP/1.1\r\nHost: origin.test:8080\r\n")
    origin.send(answer(b"hello"))
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"


def test_request_may_come_with_the_connect() -> None:
    """A client that does not wait for 200 has its request heard all the same."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"hello")])
    client = stage.client()
    client.send(connect("origin.test:80") + ask("/"))
    said = client.take()
    assert said.startswith(ESTABLISHED)
    assert read_answers(said[len(ESTABLISHED) :], ["GET"])[0].body == b"hello"


def test_connect_may_follow_another_request() -> None:
    """A CONNECT waits for its turn like any request, and what came with it waits too."""
    stage = Stage(Mode.HYBRID, [recorded(f"{URL}/inside", b"inside")])
    client = stage.client()
    client.send(ask() + connect("origin.test:80") + ask("/inside"))
    assert client.take() == b""
    stage.answer_dial().send(answer(b"first"))
    said = client.take()
    first, _, rest = said.partition(ESTABLISHED)
    assert read_answers(first, ["GET"])[0].body == b"first"
    assert read_answers(rest, ["GET"])[0].body == b"inside"
    assert client.reading


def test_ipv6_literal() -> None:
    """The host is kept without its brackets."""
    stage = Stage()
    client = tunnel(stage, "[2001:db8::1]:8080")
    client.send(ask("/", host="[2001:db8::1]:8080"))
    assert stage.dialer.waiting[0].origin == Origin("http", "2001:db8::1", 8080)


def test_tunnel_to_ourselves_is_refused_inside() -> None:
    """A request that would come back to us is refused there too."""
    stage = Stage()
    client = tunnel(stage, "127.0.0.1:8888")
    client.send(ask("/", host="127.0.0.1:8888"))
    assert read_answers(client.take(), ["GET"])[0].kind == "not-a-proxy-request"


def test_connect_needs_credentials_where_requests_do() -> None:
    """407 comes before the tunnel; inside it the client has been let in."""
    stage = Stage(Mode.REPLAY, [recorded(body=b"hello")], proxy_auth="u:p")
    refused = stage.client()
    refused.send(connect())
    assert refused.take().startswith(b"HTTP/1.1 407 ")
    assert not refused.open
    client = stage.client()
    client.send(connect("origin.test:80", "Proxy-Authorization: Basic dTpw"))
    assert client.take() == ESTABLISHED
    client.send(ask("/"))
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"


# --- TLS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_tls_inside(together: bool) -> None:
    """A handshake record starts TLS with our certificate for the host; then it is https."""
    stage = Stage(client_tls=lambda name: f"context for {name}")
    client = tunnel(stage, rest=HELLO if together else b"")
    if not together:
        client.send(HELLO)
    (layer,) = stage.loop.tls
    assert layer.context == "context for origin.test"
    assert layer.how["server_side"] is True
    assert layer.received == HELLO
    client.send(b"more of it")
    assert layer.received == HELLO + b"more of it"
    above = secured(stage, layer)
    above.send(ask("/secret"))
    assert stage.dialer.waiting[0].origin == Origin("https", "origin.test", 443)
    origin = stage.answer_dial()
    assert origin.take().startswith(b"GET /secret HTTP/1.1\r\nHost: origin.test\r\n")
    origin.send(answer(b"hello"))
    assert read_answers(above.take(), ["GET"])[0].body == b"hello"


def test_handshake_has_the_time_of_a_head() -> None:
    """A client that does not finish its handshake is given up after the header timeout."""
    stage = Stage(header_timeout=7.0)
    tunnel(stage, rest=HELLO)
    assert stage.loop.tls[0].how["ssl_handshake_timeout"] == 7.0


def test_request_that_comes_with_the_end_of_the_handshake() -> None:
    """What TLS hands over before the connection has changed hands is not lost."""
    stage = Stage(Mode.REPLAY, [recorded("https://origin.test:443/", b"hello")])
    tunnel(stage, rest=HELLO)
    (layer,) = stage.loop.tls
    layer.inner.data_received(ask("/")[:10])
    layer.inner.data_received(ask("/")[10:])
    above = secured(stage, layer)
    assert read_answers(above.take(), ["GET"])[0].body == b"hello"


@pytest.mark.parametrize(
    "error", [ssl.SSLError(1, "[SSL] no shared cipher"), ConnectionResetError("reset")]
)
def test_handshake_that_fails(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with the host's name; the connection ends and is in nobody's books."""
    stage = Stage()
    client = tunnel(stage, rest=HELLO)
    stage.loop.tls[0].pending.settle(error=error)
    stage.loop.run()
    assert client.aborted
    assert "origin.test:443" in caplog.text
    assert stage.server._connections == set()


def test_client_that_leaves_in_the_handshake() -> None:
    """It is in nobody's books afterwards."""
    stage = Stage()
    client = tunnel(stage, rest=HELLO)
    client.hang_up()
    assert stage.server._connections == set()


@pytest.mark.parametrize("gone", ["none", "closing"])
def test_client_that_leaves_at_the_end_of_the_handshake(gone: str) -> None:
    """A handshake that succeeds too late changes nothing."""
    stage = Stage()
    tunnel(stage, rest=HELLO)
    (layer,) = stage.loop.tls
    above: Any = None
    if gone == "closing":
        above = MockTransport(stage.loop, layer.inner)
        above.closing = True
    layer.pending.settle(above)
    stage.loop.run()
    assert stage.server._connections == set()


def test_no_certificate_can_be_made(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets a TLS alert, not a dead connection; the log has the reason."""

    def refuse(name: str) -> object:
        raise CertificateError(f"no certificate for {name}")

    stage = Stage(client_tls=refuse)
    client = tunnel(stage)
    client.send(HELLO)
    assert client.take() == b"\x15\x03\x03\x00\x02\x02\x50"
    assert not client.open
    assert "no certificate for origin.test" in caplog.text


def test_certificate_is_made_while_the_client_reads_our_answer() -> None:
    """At the port of https it is there when TLS is spoken; elsewhere nobody knows what comes."""
    asked: list[str] = []

    def made(name: str) -> str:
        asked.append(name)
        return "a context"

    stage = Stage(client_tls=made)
    client = tunnel(stage)
    stage.loop.run()
    assert asked == ["origin.test"]
    client.send(HELLO)
    assert stage.loop.tls[0].context == "a context"
    assert asked == ["origin.test"]
    tunnel(stage, "other.test:8443")
    stage.loop.run()
    assert asked == ["origin.test"]


def test_nothing_is_said_of_a_certificate_that_nobody_needs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A tunnel to port 443 in which plain HTTP is spoken works without an authority."""

    def refuse(name: str) -> object:
        raise CertificateError(f"no certificate for {name}")

    stage = Stage(Mode.REPLAY, [recorded("http://origin.test:443/", b"hello")], client_tls=refuse)
    client = tunnel(stage)
    stage.loop.run()
    client.send(ask("/"))
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"
    assert not caplog.text


def test_client_that_leaves_at_once_costs_no_certificate() -> None:
    """Nothing is made for a connection that has ended."""
    asked: list[str] = []
    stage = Stage(client_tls=asked.append)
    client = stage.client()
    client.get_protocol().data_received(connect())
    client.abort()
    stage.loop.run()
    assert asked == []


@pytest.mark.parametrize(
    ("reason", "helped"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True),
        ("NO_SHARED_CIPHER", False),
        ("", False),
    ],
)
def test_client_that_refuses_our_certificate(
    reason: str, helped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its alert is translated into what the user has to do."""
    error = ssl.SSLError(1, "")
    error.reason = reason
    log_tls_refusal("origin.test:443", error)
    assert ("magneto ca install-help" in caplog.text) is helped
    assert "origin.test:443" in caplog.text


def test_verdict_on_our_certificate_comes_late(caplog: pytest.LogCaptureFixture) -> None:
    """In TLS 1.3 the alert comes after our handshake is done: it is explained then too."""
    stage = Stage()
    tunnel(stage, rest=HELLO)
    above = secured(stage, stage.loop.tls[0])
    error = ssl.SSLError(1, "")
    error.reason = "TLSV1_ALERT_UNKNOWN_CA"
    above.hang_up(error)
    assert "magneto ca install-help" in caplog.text


# --- waiting -------------------------------------------------------------------------------------


def test_tunnel_in_which_nothing_is_said() -> None:
    """It is closed after the keepalive timeout."""
    stage = Stage(keepalive_timeout=20.0)
    client = tunnel(stage)
    stage.pass_time(19)
    assert client.open
    stage.pass_time(3)
    assert not client.open
    assert stage.server._connections == set()


def test_tunnel_counts_as_a_connection() -> None:
    """Whatever becomes of it, a connection is in the books exactly once."""
    stage = Stage(max_connections=1)
    client = tunnel(stage)
    assert not stage.client().open
    client.send(ask("/"))
    assert not stage.client().open
    assert len(stage.server._connections) == 1
    client.hang_up()
    assert stage.client().open


def test_draining_ends_a_tunnel_in_which_nothing_is_said() -> None:
    """Nothing is under way in it."""
    stage = Stage()
    client = tunnel(stage)
    (connection,) = stage.server._connections
    assert not connection.busy
    connection.close_when_idle()
    assert not client.open


# --- hosts that are left alone -------------------------------------------------------------------


def test_ignored_host_is_tunnelled_unread(caplog: pytest.LogCaptureFixture) -> None:
    """Its TLS is its own: bytes go through as they are, and 200 comes when there is somebody."""
    caplog.set_level(logging.DEBUG)
    stage = Stage(Mode.RECORD, ignore_hosts=("origin.test",))
    client = stage.client()
    client.send(connect() + HELLO[:10])
    assert client.take() == b""
    assert stage.dialer.waiting[0].tunnel
    origin = stage.answer_dial()
    assert client.take() == ESTABLISHED
    client.send(HELLO[10:])
    assert origin.take() == HELLO
    origin.send(b"\x16server")
    assert client.take() == b"\x16server"
    assert stage.loop.tls == []
    assert stage.sink.interactions == []


def test_origin_that_speaks_first() -> None:
    """What it says before the tunnel stands is delivered after the 200."""
    stage = Stage(ignore_hosts=("origin.test:25",))
    client = stage.client()
    client.send(connect("origin.test:25"))
    dial = stage.dialer.waiting.pop()
    listener = dial.factory()
    origin = MockTransport(stage.loop, listener)
    listener.connection_made(origin)
    origin.send(b"220 ready\r\n")
    dial.pending.settle((origin, listener))
    stage.loop.run()
    assert client.take() == ESTABLISHED + b"220 ready\r\n"


def test_client_is_not_read_until_the_tunnel_stands() -> None:
    """Nothing piles up while the origin is dialled."""
    stage = Stage(ignore_hosts=("origin.test",))
    client = stage.client()
    client.send(connect())
    assert not client.reading
    client.send(HELLO)
    origin = stage.answer_dial()
    assert client.reading
    assert origin.take() == HELLO


def test_ignored_host_that_cannot_be_reached() -> None:
    """CONNECT is answered with the failure (RFC 9110 §9.3.6)."""
    stage = Stage(ignore_hosts=("origin.test",))
    client = stage.client()
    client.send(connect())
    stage.fail_dial(FailureKind.DNS, "no such host")
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind, only.headers["connection"]) == (502, "dns", "close")
    assert not client.open


def test_client_that_leaves_before_the_tunnel_stands() -> None:
    """The origin's connection is not kept for nobody."""
    stage = Stage(ignore_hosts=("origin.test",))
    client = stage.client()
    client.send(connect())
    client.hang_up()
    origin = stage.answer_dial()
    assert origin.aborted
    assert stage.server._connections == set()
