"""A client's connection: which requests it takes, in which order it answers, when it ends."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from magneto_serge.messages import FailureKind, FileBody
from magneto_serge.proxy.dial import Origin
from magneto_serge.replay.modes import Mode

from .stage import Stage
from .traffic import URL, answer, ask, chunked, read_answers, recorded

SECURE = Origin("https", "origin.test", 443)


# --- pipelining (RFC 9112 §9.3.2) --------------------------------------------------------------


def test_second_request_waits_for_the_first_answer() -> None:
    """Of two requests in one segment the second is not sent before the first is answered."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/1") + ask(f"{URL}/2"))
    assert stage.dials == 1
    origin = stage.answer_dial()
    assert origin.take().startswith(b"GET /1 ")
    assert not client.reading
    origin.send(answer(b"one"))
    assert origin.take().startswith(b"GET /2 ")
    assert client.reading
    origin.send(answer(b"two"))
    assert [each.body for each in read_answers(client.take(), ["GET", "GET"])] == [b"one", b"two"]


def test_what_comes_while_requests_wait_waits_behind_them() -> None:
    """A segment that had been on its way when reading stopped keeps its place in the order."""
    stage = Stage(Mode.HYBRID, [recorded(f"{URL}/{n}", b"%d" % n) for n in (2, 3, 4)])
    client = stage.client()
    client.send(ask(f"{URL}/slow") + ask(f"{URL}/2"))
    client.get_protocol().data_received(ask(f"{URL}/3") + ask(f"{URL}/4"))
    stage.answer_dial().send(answer(b"1"))
    answers = read_answers(client.take(), ["GET"] * 4)
    assert [each.body for each in answers] == [b"1", b"2", b"3", b"4"]
    assert client.reading


def test_pipelined_requests_may_have_bodies() -> None:
    """Bodies in the backlog go with their own request."""
    stage = Stage()
    client = stage.client()
    client.send(
        ask(f"{URL}/1", method="PUT", body=b"first") + ask(f"{URL}/2", method="PUT", body=b"second")
    )
    origin = stage.answer_dial()
    assert origin.take().endswith(b"\r\n\r\nfirst")
    origin.send(answer())
    assert origin.take().endswith(b"\r\n\r\nsecond")
    origin.send(answer())
    read_answers(client.take(), ["PUT", "PUT"])


def test_a_failure_lets_the_next_request_go_on() -> None:
    """A 502 for the first of two requests is followed by the second's own answer."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/1") + ask(f"{URL}/2"))
    stage.fail_dial()
    stage.answer_dial().send(answer(b"two"))
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (first.status, second.status, second.body) == (502, 200, b"two")


def test_malformed_request_waits_for_its_turn_too() -> None:
    """Bytes that are no request are answered with 400 after the answers that are due before."""
    stage = Stage()
    client = stage.client()
    client.send(ask() + b"GET nonsense\r\n\r\n")
    assert client.take() == b""
    stage.answer_dial().send(answer(b"first"))
    first, second = read_answers(client.take(), ["GET", "GET"])
    assert (first.status, second.status) == (200, 400)
    assert not client.open


def test_nothing_is_answered_after_the_connection_was_to_close() -> None:
    """Requests behind one with ``Connection: close`` are void (RFC 9112 §9.6)."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/")])
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: close") + ask())
    (only,) = read_answers(client.take(), ["GET"])
    assert only.headers["connection"] == "close"
    assert not client.open
    assert stage.stats["replayed"] == 1


def test_hundreds_of_large_recordings_can_be_pipelined(tmp_path: Path) -> None:
    """A long backlog of answers from side files is worked off without recursion."""
    (tmp_path / "body").write_bytes(b"large")
    body = FileBody(tmp_path / "body", 5, "")
    stage = Stage(Mode.HYBRID, [recorded(f"{URL}/big", body)])
    client = stage.client()
    client.send(ask(f"{URL}/slow") + ask(f"{URL}/big") * 400)
    stage.answer_dial().send(answer(b"1"))
    answers = read_answers(client.take(), ["GET"] * 401)
    assert {each.body for each in answers[1:]} == {b"large"}


def test_hundreds_of_refused_upgrades_can_be_pipelined() -> None:
    """Each offer of an upgrade interrupts the parser; going on is no recursion either."""
    stage = Stage(Mode.REPLAY, [recorded()])
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: Upgrade", "Upgrade: x") * 400)
    assert len(read_answers(client.take(), ["GET"] * 400)) == 400


# --- a client that does not read ----------------------------------------------------------------


def test_client_that_does_not_read_gets_no_more_answers() -> None:
    """Pipelining without reading does not fill memory: requests wait while answers are unsent."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", bytes(60_000))])
    client = stage.client()
    client.choke()
    for _ in range(50):
        client.send(ask())
    assert not client.reading
    assert client.get_write_buffer_size() < 200_000
    client.drain()
    assert len(read_answers(client.take(), ["GET"] * 50)) == 50
    assert client.reading


def test_next_request_waits_until_the_answer_is_read() -> None:
    """While an answer is unsent the next request is not forwarded, whole as the answer may be."""
    stage = Stage()
    client = stage.client()
    client.choke()
    client.send(ask(f"{URL}/1") + ask(f"{URL}/2"))
    origin = stage.answer_dial()
    origin.send(answer(bytes(100_000)))
    assert origin.take().startswith(b"GET /1 ")
    client.drain()
    assert origin.take().startswith(b"GET /2 ")


# --- ends ----------------------------------------------------------------------------------------


def test_old_client_s_connection_is_closed_after_its_answer() -> None:
    """HTTP/1.0 without keep-alive: one answer, which says close, and the end."""
    stage = Stage()
    client = stage.client()
    client.send(ask(version="HTTP/1.0"))
    stage.answer_dial().send(answer(b"hello"))
    (only,) = read_answers(client.take(), ["GET"])
    assert only.headers["connection"] == "close"
    assert not client.open


def test_old_client_may_keep_its_connection() -> None:
    """HTTP/1.0 with keep-alive is told that it is granted, and keeps the connection."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: keep-alive", version="HTTP/1.0"))
    stage.answer_dial().send(answer(b"hello"))
    (only,) = read_answers(client.take(), ["GET"])
    assert only.headers["connection"] == "keep-alive"
    assert client.open


def test_new_client_is_not_told_what_goes_without_saying() -> None:
    """In HTTP/1.1 a kept connection needs no Connection field."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    stage.answer_dial().send(answer(b"hello", "Connection: close"))
    (only,) = read_answers(client.take(), ["GET"])
    assert "connection" not in only.headers
    assert client.open


def test_body_delimited_by_the_end_ends_both_connections() -> None:
    """A response without length is passed on as such, and the client's connection ends with it."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
    origin.send(b"lo")
    assert client.open
    origin.hang_up()
    (only,) = read_answers(client.take(), ["GET"], closed=True)
    assert (only.body, only.headers["connection"]) == (b"hello", "close")
    assert not client.open


def test_half_closed_client_gets_its_answer() -> None:
    """A client may end its half after its request; it is answered, and then closed."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    client.half_close()
    assert client.open
    stage.answer_dial().send(answer(b"hello"))
    (only,) = read_answers(client.take(), ["GET"])
    assert only.body == b"hello"
    assert not client.open


def test_half_closed_client_gets_all_its_answers() -> None:
    """Requests that had come before the half-close are all answered before the end."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/1") + ask(f"{URL}/2"))
    client.half_close()
    origin = stage.answer_dial()
    origin.send(answer(b"1"))
    assert client.open
    origin.send(answer(b"2"))
    assert len(read_answers(client.take(), ["GET", "GET"])) == 2
    assert not client.open


def test_half_close_inside_a_request_gives_it_up() -> None:
    """A request body that ends with its connection is incomplete: the origin must not wait."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 10", method="POST") + b"half")
    origin = stage.answer_dial()
    client.half_close()
    assert not client.open
    assert origin.aborted


def test_idle_client_that_half_closes_is_closed() -> None:
    """Nothing is under way: the end of one side is the end."""
    stage = Stage()
    client = stage.client()
    client.half_close()
    assert not client.open


def test_over_tls_there_is_no_half_close() -> None:
    """A transport without a half-close is closed when its peer ends."""
    stage = Stage()
    client = stage.client(SECURE, half_close=False)
    client.send(ask("/"))
    origin = stage.answer_dial()
    client.half_close()
    assert not client.open
    assert origin.aborted


# --- draining ------------------------------------------------------------------------------------


def test_draining_ends_an_idle_connection_at_once() -> None:
    """When the proxy stops, a connection without an exchange is closed."""
    stage = Stage()
    client = stage.client()
    client.get_protocol().close_when_idle()
    assert not client.open


def test_draining_lets_an_exchange_finish() -> None:
    """When the proxy stops, an answer under way is completed; it says close, and ends."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    client.get_protocol().close_when_idle()
    stage.answer_dial().send(answer(b"hello"))
    (only,) = read_answers(client.take(), ["GET"])
    assert only.headers["connection"] == "close"
    assert not client.open


def test_draining_waits_for_nobody_who_has_most_likely_left() -> None:
    """A client that closed its side in the middle of a stream is gone; what it saw is recorded."""
    stage = Stage(Mode.RECORD)
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    client.half_close()
    assert client.open
    client.get_protocol().close_when_idle()
    stage.loop.run()
    assert not client.open
    assert not origin.open
    (only,) = stage.sink.interactions
    assert only.failure is not None
    assert only.failure.kind is FailureKind.CLIENT_CLOSED


def test_draining_ends_after_a_large_recording() -> None:
    """When the proxy stops in the middle of a large replay, its end is the connection's."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/", bytes(200_000))])
    client = stage.client()
    client.choke()
    client.send(ask())
    client.get_protocol().close_when_idle()
    assert client.open
    client.drain()
    assert not client.open
    (only,) = read_answers(client.take(), ["GET"])
    assert len(only.body) == 200_000


def test_request_while_draining_is_answered_with_close() -> None:
    """A request that comes just before the end still has its answer, and then the end."""
    stage = Stage(Mode.REPLAY, [recorded(f"{URL}/")])
    client = stage.client()
    stage.server.draining = True
    client.send(ask())
    (only,) = read_answers(client.take(), ["GET"])
    assert only.headers["connection"] == "close"
    assert not client.open


# --- refusals ------------------------------------------------------------------------------------


def test_too_many_connections_are_turned_away() -> None:
    """Over the limit a connection gets 503 and is closed; others are not disturbed."""
    stage = Stage(max_connections=1)
    first, second = stage.client(), stage.client()
    (only,) = read_answers(second.take(), ["GET"])
    assert (only.status, only.kind) == (503, "too-many-connections")
    assert first.open
    assert not second.open
    first.hang_up()
    assert stage.client().open


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "given", ["", "Basic", "Basic !", "Bearer dTpw", "Basic " + base64.b64encode(b"u:q").decode()]
)
def test_wrong_credentials(method: str, given: str) -> None:
    """Without the proxy's credentials a request gets 407 with the challenge, and the end."""
    stage = Stage(proxy_auth="u:p")
    client = stage.client()
    client.send(
        ask(f"{URL}/", *([f"Proxy-Authorization: {given}"] if given else []), method=method)
    )
    (only,) = read_answers(client.take(), [method])
    assert (only.status, only.headers["proxy-authenticate"]) == (407, 'Basic realm="magneto"')
    assert not client.open
    assert stage.dials == 0


def test_right_credentials_stay_here() -> None:
    """With the proxy's credentials a request is forwarded, without them."""
    stage = Stage(proxy_auth="u:p")
    client = stage.client()
    client.send(ask(f"{URL}/", "Proxy-Authorization: basic " + base64.b64encode(b"u:p").decode()))
    assert b"uthorization" not in stage.answer_dial().take()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1.2.3", "[::]"]
)
def test_proxy_does_not_call_itself(host: str) -> None:
    """A request for our own address would come back for ever: it is refused."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"http://{host}:8888/", host=f"{host}:8888"))
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (400, "not-a-proxy-request")
    assert stage.dials == 0


def test_neighbour_on_this_machine_is_called() -> None:
    """Another port of this machine is an origin like any."""
    stage = Stage()
    client = stage.client()
    client.send(ask("http://127.0.0.1:8889/", host="127.0.0.1:8889"))
    assert stage.dials == 1


@pytest.mark.parametrize("target", ["/", "/path?query", "*"])
def test_request_for_no_origin_is_explained(target: str) -> None:
    """Whoever opens a proxy's address in a browser is told what it is, and how to use it."""
    stage = Stage()
    client = stage.client()
    method = "OPTIONS" if target == "*" else "GET"
    client.send(ask(target, method=method))
    (only,) = read_answers(client.take(), [method])
    assert (only.status, only.kind) == (400, "not-a-proxy-request")
    assert "http://127.0.0.1:8888" in str(only.problem["detail"])


def test_other_origin_on_a_tunnel_is_misdirected() -> None:
    """Inside a tunnel an absolute-form target for another origin gets 421 (RFC 9110 §15.5.20)."""
    stage = Stage()
    client = stage.client(SECURE)
    client.send(ask("https://other.test/"))
    (only,) = read_answers(client.take(), ["GET"])
    assert only.status == 421
    assert not client.open


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (ask("ftp://origin.test/"), 400),
        (ask("http:///path"), 400),
        (ask("http://origin.test:0/"), 400),
        (ask("http://origin.test/#here"), 400),
        (ask(f"{URL}/", host=None), 400),
        (ask(f"{URL}/", "Host: twice.test"), 400),
        (ask(f"{URL}/", "Transfer-Encoding: gzip"), 501),
        (b"BREW http://pot.test/ HTTP/1.1\r\nHost: pot.test\r\n\r\n", 501),
        (ask(version="HTTP/2.0"), 505),
        (ask(f"{URL}/" + "x" * 70_000), 414),
        (ask(f"{URL}/", "X: " + "x" * 70_000), 431),
        (b"CONNECT origin.test HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400),
        (b"CONNECT origin.test:0 HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused(request_: bytes, status: int) -> None:
    """Each gets its status as a problem document, and a closed connection; nothing is dialled."""
    stage = Stage()
    client = stage.client()
    client.send(request_)
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.status, only.kind) == (status, "malformed-request")
    assert not client.open
    assert stage.dials == 0


def test_connect_to_an_origin_s_connection_is_refused() -> None:
    """CONNECT is for proxies: not inside a tunnel."""
    stage = Stage()
    client = stage.client(SECURE)
    client.send(b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n")
    (only,) = read_answers(client.take(), ["GET"])
    assert only.status == 400


def test_body_that_breaks_off_the_protocol_is_not_taken_for_whole() -> None:
    """A malformed chunk ends the exchange: the origin's connection breaks, the client gets 400."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
    origin = stage.answer_dial()
    client.send(b"nonsense\r\n")
    assert origin.aborted
    (only,) = read_answers(client.take(), ["POST"])
    assert only.status == 400
    assert not client.open


def test_malformed_body_after_the_answer_has_begun_ends_the_connection() -> None:
    """There can be no second answer to one request: it breaks off."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    client.take()
    client.send(b"nonsense\r\n")
    assert client.take() == b""
    assert client.aborted
    assert origin.aborted


def test_malformed_body_of_an_answered_request_ends_the_connection() -> None:
    """A request that has had its whole answer gets no second one, whatever its body turns into."""
    stage = Stage(Mode.REPLAY, [])
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
    read_answers(client.take(), ["POST"])
    client.send(b"nonsense\r\n")
    assert client.take() == b""
    assert not client.open


@pytest.mark.parametrize("size", [1, 10, 16])
def test_http2_without_being_asked(size: int) -> None:
    """A client that insists on HTTP/2 inside a tunnel is told HTTP_1_1_REQUIRED, or 4xx/505."""
    stage = Stage()
    client = stage.client(SECURE)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    client.send(preface[:size])
    client.send(preface[size:])
    told = client.take()
    assert told.endswith(b"use HTTP/1.1") or told.startswith((b"HTTP/1.1 4", b"HTTP/1.1 50"))
    assert not client.open


def test_http2_in_one_piece() -> None:
    """The preface in one segment is answered in HTTP/2: GOAWAY, HTTP_1_1_REQUIRED (RFC 9113)."""
    stage = Stage()
    client = stage.client(SECURE)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    told = client.take()
    assert told[:9] == b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    assert told[9 + 3] == 7
    assert told[9 + 9 + 4 :][:4] == b"\x00\x00\x00\x0d"
    assert int.from_bytes(told[9 : 9 + 3], "big") == len(told) - 18
    assert not client.open


# --- the counters --------------------------------------------------------------------------------


def test_counters_add_up() -> None:
    """Each request is replayed, forwarded or missed; failures are among the forwarded."""
    stage = Stage(Mode.HYBRID, [recorded(f"{URL}/known", b"known")])
    client = stage.client()
    client.send(ask(f"{URL}/known"))
    client.send(ask(f"{URL}/new"))
    stage.answer_dial().send(answer(b"new"))
    client.send(ask("http://gone.test/", host="gone.test"))
    stage.fail_dial(FailureKind.DNS)
    client.send(ask(f"{URL}/known"))
    stage.session.mode = Mode.REPLAY
    client.send(ask(f"{URL}/missing"))
    counts = stage.stats
    assert counts.pop("bytes_out") == len(client.take())
    assert counts.pop("bytes_in") == len(answer(b"new"))
    assert counts == {
        "requests": 5,
        "replayed": 2,
        "forwarded": 2,
        "recorded": 2,
        "failed": 1,
        "missed": 1,
    }


def test_chunks_and_trailers_pass_through() -> None:
    """A chunked exchange stays chunked both ways, trailers included."""
    stage = Stage()
    client = stage.client()
    body = chunked(b"hello", b"world", trailers=b"Sum: 10\r\n")
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST") + body)
    origin = stage.answer_dial()
    assert origin.take().endswith(b"\r\n\r\n" + body)
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    (only,) = read_answers(client.take(), ["POST"])
    assert (only.body, only.trailers) == (b"helloworld", {"sum": "10"})
