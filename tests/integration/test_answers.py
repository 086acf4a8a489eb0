"""What an origin may not say, and what it may say though it is strange.

An answer that two readers could understand differently is not passed on: the client gets a 502
that says so, or, where the head had gone out already, the end of its connection. The connection to
such an origin is not used again. Sequences that are odd but clear keep their meaning.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from . import faults, routes
from .conftest import MakeOrigin, MakeProxy
from .doors import Door, Take
from .exchange import Exchange, leave_body
from .wire_client import Answer, WireClient

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

BAD_HEADS = {
    "CL and TE": OK + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "two CL that differ": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a list as CL": OK + b"Content-Length: 5, 6\r\n\r\nhello",
    "negative CL": OK + b"Content-Length: -5\r\n\r\nhello",
    "CL with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "CL in hexadecimal": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "empty CL": OK + b"Content-Length:\r\n\r\nhello",
    "unknown TE": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE twice": OK + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n",
    "space before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "obs-fold": OK + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "bare LF": OK + b"X-A: 1\nX-B: 2\r\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + b"X-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n",
    "NUL": OK + b"X-A: 1\x00\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "empty name": OK + b": 1\r\nContent-Length: 0\r\n\r\n",
    "no version": b"200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two digits of status": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "words for a status": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>\r\n",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x0a",
}


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_ambiguous_answers_are_not_passed_on(pieces: str, plain_door: Door) -> None:
    """Each row is a 502 that says bad-response, and its origin connection is not used again."""
    wrong: dict[str, object] = {}
    for name, head in BAD_HEADS.items():
        script = [head] if pieces == "whole" else [bytes([byte]) for byte in head]
        plain_door.origin.on("/bad", *script, faults.stay_silent)
        with plain_door.open() as client:
            client.socket.settimeout(2)
            try:
                answer = client.ask(plain_door.request("/bad"))
                kind = answer.problem["type"].rpartition("/")[2]
                if (answer.status, kind) != (502, "bad-response"):
                    wrong[name] = answer
            except (OSError, EOFError, AssertionError) as error:
                wrong[name] = error
    assert wrong == {}


BAD_CHUNKS = {
    "no size": b"\r\nhello\r\n",
    "negative": b"-5\r\nhello\r\n",
    "0x": b"0x5\r\nhello\r\n",
    "space after": b"5 \r\nhello\r\n",
    "LF only": b"5\nhello\r\n",
    "too long": b"5\r\nhelloX\r\n",
    "huge": b"10000000000000005\r\nhello\r\n",
    "bare LF in trailers": b"0\r\nX-A: 1\nX-B: 2\r\n\r\n",
    "obs-fold in trailers": b"0\r\nX-A: 1\r\n 2\r\n\r\n",
}


def test_malformed_chunks_end_the_answer(plain_door: Door) -> None:
    """After the head a malformed chunk ends the connection, and never looks like the end."""
    wrong: dict[str, object] = {}
    for name, chunk in BAD_CHUNKS.items():
        head = routes.head(b"Transfer-Encoding: chunked")
        gate = plain_door.origin.gate()
        plain_door.origin.on("/bad", head, gate, b"2\r\nok\r\n" + chunk, faults.stay_silent)
        with plain_door.open() as client:
            client.socket.settimeout(2)
            assert client.send(plain_door.request("/bad")).head().status == 200
            gate.open()
            try:
                rest = client.stream.to_end()
            except ConnectionResetError:
                continue
            except OSError as error:
                wrong[name] = error
                continue
            if b"0\r\n" in rest.replace(b"2\r\nok\r\n", b"").replace(b"5\r\nhello\r\n", b""):
                wrong[name] = rest
    assert wrong == {}


@pytest.mark.parametrize(
    "extra",
    [b"more", routes.response(b"second"), b"\r\n", b"HTTP/1.1 408 Request Timeout\r\n\r\n"],
)
def test_bytes_beyond_the_answer_are_nobodys(extra: bytes, plain_door: Door) -> None:
    """What an origin sends after its answer never becomes the answer to the next request."""
    plain_door.origin.on("/extra", routes.response(b"first") + extra)
    with plain_door.open() as client:
        for _ in range(3):
            assert client.ask(plain_door.request("/extra")).body == b"first"
            assert client.ask(plain_door.request("/json")).body == b'{"ok": true}'


def test_bytes_on_an_idle_connection_are_nobodys(plain_door: Door) -> None:
    """An origin that speaks unasked loses its connection, not the next request its answer."""
    origin = plain_door.origin
    gate, closed = origin.gate(), []

    def until_closed(exchange: Exchange) -> None:
        with suppress(OSError):
            exchange.stream.to_end()
        with origin.changed:
            closed.append(True)
            origin.changed.notify_all()

    stray = routes.response(b"stray")
    origin.on("/later", routes.response(b"first"), gate, stray, until_closed, faults.close)
    with plain_door.open() as client:
        assert client.ask(plain_door.request("/later")).body == b"first"
        gate.open()
        origin.wait_for(lambda: closed)
        assert client.ask(plain_door.request("/json")).body == b'{"ok": true}'


def test_content_after_head_is_not_the_next_answer(plain_door: Door) -> None:
    """An origin that sends content after HEAD does not confuse the request behind it."""
    plain_door.origin.on("/wrong", routes.response(b"HTTP/1.1 200 OK\r\n\r\n"))
    with plain_door.open() as client:
        assert client.ask(plain_door.request("/wrong", "HEAD"), "HEAD").status == 200
        assert client.ask(plain_door.request("/json")).body == b'{"ok": true}'


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_content_where_there_is_none_is_not_the_next_answer(
    status: bytes, plain_door: Door
) -> None:
    """204 and 304 end with their head; what comes after it is dropped (RFC 9112 §6.3, rule 1)."""
    plain_door.origin.on("/none", routes.response(b"ghost", status=status))
    with plain_door.open() as client:
        answer = client.ask(plain_door.request("/none"))
        assert (answer.status, answer.body) == (int(status[:3]), b"")
        assert client.ask(plain_door.request("/json")).body == b'{"ok": true}'


# ------------------------------------------------------------------ strange but clear


def twice(door: Door, take: Take, request: bytes) -> Answer:
    """Ask recording and replaying; the answers are the same."""
    with door.open() as client:
        recorded = client.ask(request)
    take.replay()
    with door.open() as client:
        replayed = client.ask(request)
    assert replayed.seen == recorded.seen
    return replayed


@pytest.mark.parametrize("status", [b"205 Reset Content", b"299 ", b"599 Odd", b"999 Beyond"])
def test_unusual_status(status: bytes, plain_door: Door, plain_take: Take) -> None:
    """A status that nobody knows passes by its number (RFC 9110 §15)."""
    plain_door.origin.on("/status", routes.response(b"", status=status))
    answer = twice(plain_door, plain_take, plain_door.request("/status"))
    assert b"%d %b" % (answer.status, answer.reason) == status


def test_interim_answers_of_all_kinds(plain_door: Door, plain_take: Take) -> None:
    """Any 1xx may come before the answer, also one that nobody knows (RFC 9110 §15.2)."""
    interim = [b"102 Processing", b"103 Early Hints", b"199 Odd"]
    heads = [routes.head(b"X-N: %d" % n, status=status) for n, status in enumerate(interim)]
    plain_door.origin.on("/many", *heads, routes.response(b"at last"))
    answer = twice(plain_door, plain_take, plain_door.request("/many"))
    assert [early.status for early in answer.informational] == [102, 103, 199]
    assert answer.body == b"at last"


def test_answer_without_any_field(plain_door: Door, plain_take: Take) -> None:
    """A status line, an empty line, content until the end: that is a whole answer."""
    plain_door.origin.on("/bare", b"HTTP/1.1 200 OK\r\n\r\n", b"bare", faults.close)
    assert twice(plain_door, plain_take, plain_door.request("/bare")).body == b"bare"


def test_failed_request_does_not_hold_the_one_behind_it(plain_door: Door) -> None:
    """In a pipeline a 502 is an answer in its place."""
    with plain_door.open() as client:
        client.send(
            plain_door.request("/reset")
            + plain_door.request("/json")
            + plain_door.request("/malformed")
            + plain_door.request("/empty")
        )
        assert [client.answer().status for _ in range(4)] == [502, 200, 502, 200]


def test_early_answer_leaves_the_connection_in_step(plain_door: Door) -> None:
    """The rest of a body whose answer has come is read and dropped; then the next request."""
    plain_door.origin.on(
        "/401", leave_body, routes.response(b"no", status=b"401 Unauthorized"), faults.linger
    )
    body = b"x" * 300_000
    request = plain_door.sized("/401", "POST", body)
    with plain_door.open() as client:
        client.send(request[: -len(body) + 1000])
        assert client.answer().status == 401
        client.send(body[1000:] + plain_door.request("/json"))
        assert client.answer().body == b'{"ok": true}'


def test_websocket_handshake_is_tunnelled(plain_door: Door) -> None:
    """A WebSocket opens and echoes through the proxy (RFC 6455 §4.2.2)."""

    def accept(exchange: Exchange) -> None:
        fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\n" + fields)
        exchange.send(b"\x81\x05hello")
        exchange.send(exchange.stream.exactly(11))

    plain_door.origin.on("/ws", accept)
    fields = (
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    )
    with plain_door.open() as client:
        answer = client.ask(plain_door.request("/ws", fields=fields))
        assert answer.status == 101
        assert answer.values("sec-websocket-accept") == [b"x"]
        assert plain_door.origin.last.values("sec-websocket-version") == [b"13"]
        assert client.stream.exactly(7) == b"\x81\x05hello"
        frame = b"\x81\x85\x00\x00\x00\x00world"
        assert client.send(frame).stream.exactly(11) == frame


# ------------------------------------------------------------------ stopping


def accepts(address: tuple[str, int]) -> bool:
    """Whether anybody listens there."""
    try:
        WireClient(address).close()
    except OSError:
        return False
    return True


def test_stop_lets_the_answer_under_way_end(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Stopping accepts nobody new, ends what is under way, and the cassette has it."""
    origin, proxy = make_origin(), make_proxy()
    gate = origin.gate()
    origin.on("/slow", routes.head(b"Content-Length: 6"), b"one", gate, b"two")
    proxy.start_recording("last")
    door = Door("absolute", proxy, origin)
    address = (proxy.host, proxy.port)
    with door.open() as client:
        client.send(door.request("/slow")).head()
        stopping = threading.Thread(target=proxy.stop)
        stopping.start()
        while accepts(address):
            pass  # the thread has not got there yet
        gate.open()
        assert client.stream.exactly(6) == b"onetwo"
        stopping.join()
    again = make_proxy()
    again.replay("last")
    origin.stop()
    assert Door("absolute", again, origin).ask("/slow").body == b"onetwo"


def test_stop_does_not_wait_for_ever(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """An answer that does not end is cut after the shutdown timeout."""
    origin, proxy = make_origin(), make_proxy(shutdown_timeout=0.1)
    origin.on("/endless", routes.head(b"Content-Length: 6"), b"one", faults.stay_silent)
    door = Door("absolute", proxy, origin)
    with door.open() as client:
        client.send(door.request("/endless")).head()
        proxy.stop()
        assert client.broken() or client.at_end()
