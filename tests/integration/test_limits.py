"""Limits: every wait, header and connection count ends somewhere, and says so."""

from __future__ import annotations

import base64
import socket
from contextlib import suppress

import pytest

from . import faults, routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door
from .exchange import Exchange, leave_body
from .wire_client import WireClient

SHORT = 0.2  # seconds


def test_request_head_that_never_ends(make_proxy: MakeProxy) -> None:
    """A client that dribbles its head (slowloris) gets 408 and is closed."""
    proxy = make_proxy(header_timeout=SHORT)
    with WireClient((proxy.host, proxy.port)) as client:
        client.send(b"GET http://x.example/ HTTP/1.1\r\nHost: x.example\r\nX-Slow: ")
        assert client.answer().status == 408
        assert client.at_end()


def test_bytes_do_not_buy_more_time(make_proxy: MakeProxy) -> None:
    """The limit is for the whole head: a byte now and then does not extend it."""
    proxy = make_proxy(header_timeout=SHORT)
    with WireClient((proxy.host, proxy.port)) as client:
        client.send(b"GET http://x.example/ HTTP/1.1\r\nHost: x.example\r\nX-Slow: ")
        client.socket.settimeout(0.02)
        for _ in range(500):
            try:
                client.send(b"x")
                client.stream.fill()
            except TimeoutError:
                continue
            except OSError:
                break
            break
        else:
            pytest.fail("the head was still being read after ten times the limit")
        client.socket.settimeout(10)
        assert client.answer().status == 408


def test_silent_client_is_closed(make_proxy: MakeProxy) -> None:
    """A connection on which nothing was ever asked is closed without a word."""
    proxy = make_proxy(keepalive_timeout=SHORT)
    with WireClient((proxy.host, proxy.port)) as client:
        assert client.at_end()


def test_idle_connection_is_closed(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """A kept connection is kept for a while only."""
    door = Door("absolute", make_proxy(keepalive_timeout=SHORT), make_origin())
    with door.open() as client:
        assert client.ask(door.request("/json")).status == 200
        assert client.at_end()


@pytest.mark.parametrize("inside", ["nothing", "half a hello"])
def test_tunnel_without_a_word_is_closed(inside: str, make_proxy: MakeProxy) -> None:
    """A tunnel in which nobody completes a sentence ends, too."""
    proxy = make_proxy(keepalive_timeout=SHORT, header_timeout=SHORT)
    with WireClient((proxy.host, proxy.port)).tunnel("x.example:443") as client:
        if inside != "nothing":
            client.send(b"\x16\x03\x01\x02\x00\x01")
        try:
            assert client.stream.to_end()[:1] in (b"", b"\x15")
        except ConnectionResetError:
            pass


def test_request_body_that_stops_coming(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """A client that stops in the middle of its body is cut off, and so is its exchange."""
    origin = make_origin()
    ended = []
    door = Door("absolute", make_proxy(idle_timeout=SHORT), origin)

    def note(exchange: Exchange) -> None:
        with suppress(OSError):
            exchange.stream.to_end()
        with origin.changed:
            ended.append(True)
            origin.changed.notify_all()

    origin.on("/half", leave_body, note)
    with door.open() as client:
        client.send(door.request("/half", "POST", "Content-Length: 10\r\n", b"half"))
        try:
            said = client.stream.to_end()
        except ConnectionResetError:
            said = b""
        assert said == b"" or said.startswith((b"HTTP/1.1 408", b"HTTP/1.1 504"))
    origin.wait_for(lambda: ended)


def test_stream_that_stalls_is_ended(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """An origin silent in the middle of its answer is given up after the idle timeout."""
    origin = make_origin()
    origin.on("/stall", routes.head(b"Content-Length: 10"), b"half", faults.stay_silent)
    door = Door("absolute", make_proxy(idle_timeout=SHORT), origin)
    with door.open() as client:
        client.send(door.request("/stall")).head()
        assert client.stream.exactly(4) == b"half"
        assert client.at_end()


def test_connection_limit(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """One connection too many gets 503; when another has gone there is room again."""
    door = Door("absolute", make_proxy(max_connections=2), make_origin())
    with door.open() as first, door.open() as second:
        assert first.ask(door.request("/json")).status == 200
        assert second.ask(door.request("/json")).status == 200
        with door.open() as third:
            answer = third.answer()
            assert answer.status == 503
            assert third.at_end()
        second.socket.shutdown(socket.SHUT_WR)
        assert second.at_end()  # the proxy has let go of it
        with door.open() as third:
            assert third.ask(door.request("/json")).status == 200


LARGE = {
    "one field": b"X-Large: " + b"x" * 9000 + b"\r\n",
    "many fields": b"".join(b"X-%d: y\r\n" % number for number in range(2000)),
    "a name": b"X" * 9000 + b": y\r\n",
}


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("case", LARGE)
def test_header_section_too_large(case: str, pieces: int, make_proxy: MakeProxy) -> None:
    """A header section over the limit gets 431 and close, in one segment or in many (RFC 6585)."""
    proxy = make_proxy(max_header_size=8192)
    head = b"GET http://x.example/ HTTP/1.1\r\nHost: x.example\r\n" + LARGE[case] + b"\r\n"
    size = len(head) // pieces + 1
    with WireClient((proxy.host, proxy.port)) as client:
        for start in range(0, len(head), size):
            with suppress(OSError):  # the proxy may have heard enough
                client.send(head[start : start + size])
        assert client.answer().status == 431
        assert client.at_end()


def test_header_section_just_small_enough(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Up to the limit it passes."""
    door = Door("absolute", make_proxy(max_header_size=8192), make_origin())
    assert door.ask("/json", fields="X-Large: " + "x" * 7000 + "\r\n").status == 200


def test_target_too_long(make_proxy: MakeProxy) -> None:
    """A request line over the limit gets 414 or 431 (RFC 9110 §15.5.15)."""
    proxy = make_proxy(max_header_size=8192)
    with WireClient((proxy.host, proxy.port)) as client:
        target = b"http://x.example/" + b"x" * 9000
        answer = client.ask(b"GET %b HTTP/1.1\r\nHost: x.example\r\n\r\n" % target)
        assert answer.status in (414, 431)
        assert client.at_end()


@pytest.mark.parametrize("part", ["head", "chunk extension", "trailers"])
def test_answer_with_too_large_a_section(
    part: str, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """What an origin may not send without end either: head, chunk extensions, trailers."""
    large = b"x" * 1_000_000
    chunked = routes.head(b"Transfer-Encoding: chunked")
    scripts = {
        "head": routes.response(b"", b"X-Large: " + large),
        "chunk extension": chunked + b"1;a=" + large + b"\r\nx\r\n0\r\n\r\n",
        "trailers": chunked + b"1\r\nx\r\n0\r\nX-Large: " + large + b"\r\n\r\n",
    }
    origin = make_origin()
    origin.on("/large", scripts[part])
    door = Door("absolute", make_proxy(max_header_size=8192), origin)
    with door.open() as client:
        client.send(door.request("/large"))
        if part == "head":
            assert client.answer().status == 502
        else:
            assert client.broken()


@pytest.mark.parametrize("part", ["chunk extension", "trailers"])
def test_request_with_too_large_a_section(
    part: str, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """Chunk extensions and trailers of a request have the header section's limit."""
    large = b"x" * 1_000_000
    bodies = {
        "chunk extension": b"1;a=" + large + b"\r\nx\r\n0\r\n\r\n",
        "trailers": b"1\r\nx\r\n0\r\nX-Large: " + large + b"\r\n\r\n",
    }
    origin = make_origin()
    door = Door("absolute", make_proxy(max_header_size=8192), origin)
    with door.open() as client:
        request = door.request("/echo", "POST", "Transfer-Encoding: chunked\r\n", bodies[part])
        assert client.ask(request).status in (400, 431)
        assert client.at_end()
    origin.stop()
    assert not any(received.body for received in origin.received)


# ------------------------------------------------------------------ credentials

CREDENTIALS = "Proxy-Authorization: Basic " + base64.b64encode(b"user:secret").decode() + "\r\n"


WRONG = {
    "none": "",
    "another": CREDENTIALS.replace("Basic d", "Basic e"),
    "not base64": "Proxy-Authorization: Basic !\r\n",
    "another scheme": CREDENTIALS.replace("Basic", "Bearer"),
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_proxy_credentials_are_asked_for(
    fields: str, make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """Without the right credentials there is 407, for requests and tunnels (RFC 9110 §11.7.1)."""
    proxy = make_proxy(proxy_auth="user:secret")
    origin = make_origin()
    for line in (f"GET {origin.url('/json')}", f"CONNECT {origin.authority}"):
        with WireClient((proxy.host, proxy.port)) as client:
            answer = client.ask(f"{line} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode(), "GET")
            assert answer.status == 407
            assert answer.values("proxy-authenticate")[0].startswith(b"Basic ")
    assert origin.connections == 0


def test_proxy_credentials_stay_with_the_proxy(
    make_origin: MakeOrigin, make_proxy: MakeProxy
) -> None:
    """The right credentials open the door, and the origin never sees them."""
    door = Door("absolute", make_proxy(proxy_auth="user:secret"), make_origin())
    assert door.ask("/json", fields=CREDENTIALS).status == 200
    assert not door.origin.last.values("proxy-authorization")
