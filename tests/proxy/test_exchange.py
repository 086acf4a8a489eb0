"""A forwarded request and its response: what is relayed, when, and what becomes of connections."""

from __future__ import annotations

import base64

import pytest

from magneto_serge.proxy.dial import Origin, UpstreamProxy
from magneto_serge.replay.modes import Mode

from .stage import Stage
from .traffic import URL, answer, ask, chunked, read_answers

EXPECT = "Expect: 100-continue"


# --- the request ---------------------------------------------------------------------------------


def test_request_waits_for_its_connection() -> None:
    """What comes while a connection is being opened goes out with the head, in order."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 6", method="POST"))
    client.send(b"abc")
    client.send(b"def")
    origin = stage.answer_dial()
    assert origin.take().endswith(b"\r\n\r\nabcdef")


def test_little_is_kept_while_dialling() -> None:
    """A client that sends much before there is a connection is held until there is one."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 1000000", method="POST"))
    client.send(bytes(60_000))
    assert client.reading
    client.send(bytes(60_000))
    assert not client.reading
    origin = stage.answer_dial()
    assert client.reading
    assert len(origin.take()) > 120_000


def test_client_is_released_when_dialling_fails() -> None:
    """After a 502 the rest of the body is read and dropped, and the next request is heard."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 200000", method="POST") + bytes(120_000))
    assert not client.reading
    stage.fail_dial()
    assert client.reading
    client.send(bytes(80_000) + ask())
    stage.answer_dial().send(answer(b"hello"))
    first, second = read_answers(client.take(), ["POST", "GET"])
    assert (first.status, second.body) == (502, b"hello")


def test_body_streams_through() -> None:
    """Each piece of a request body goes out in the turn in which it came."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST"))
    origin = stage.answer_dial()
    origin.take()
    client.send(b"3\r\nabc\r\n")
    assert origin.take() == b"3\r\nabc\r\n"
    client.send(b"3\r\nd")
    assert origin.take() == b"1\r\nd\r\n"
    client.send(b"ef\r\n0\r\n\r\n")
    assert origin.take() == b"2\r\nef\r\n0\r\n\r\n"


def test_hop_by_hop_fields_stay_on_their_hop() -> None:
    """What Connection nominates, and what never leaves a hop, is taken off (RFC 9110 §7.6.1)."""
    stage = Stage()
    for name in ("a", "a", "a", "b"):  # heads are remembered: the fourth is another's, recalled
        client = stage.client()
        client.send(
            ask(
                f"http://{name}.test/",
                "Connection: X-Hop, close",
                "X-Hop: 1",
                "Keep-Alive: 5",
                "Proxy-Connection: keep-alive",
                "TE: trailers, gzip",
                "X-End: 2",
            )
        )
        assert stage.answer_dial().take() == (
            b"GET / HTTP/1.1\r\nHost: %b.test\r\nX-End: 2\r\n"
            b"Connection: TE\r\nTE: trailers\r\n\r\n" % name.encode()
        )


def test_nominated_fields_of_a_head_seen_before() -> None:
    """A head that is recalled by its bytes loses what Connection nominates like any other."""
    stage = Stage()
    for name in ("a", "a", "a", "b"):
        client = stage.client()
        client.send(ask(f"http://{name}.test/", "Connection: X-Seen", "X-Seen: 1"))
        origin = stage.answer_dial()
        assert b"X-Seen" not in origin.take()


def test_request_through_an_upstream_proxy() -> None:
    """Plain HTTP goes to a proxy in absolute-form, with the proxy's credentials."""
    stage = Stage()
    stage.dialer.proxy = UpstreamProxy("proxy.test", 3128, b"Proxy-Authorization: Basic eA==\r\n")
    client = stage.client()
    client.send(ask(f"{URL}:81/a?b"))
    assert stage.answer_dial().take() == (
        b"GET http://origin.test:81/a?b HTTP/1.1\r\nHost: origin.test:81\r\n"
        b"Proxy-Authorization: Basic eA==\r\n\r\n"
    )


def test_asterisk_through_an_upstream_proxy() -> None:
    """``OPTIONS *`` goes to a proxy as the empty path (RFC 9112 §3.2.4)."""
    stage = Stage()
    stage.dialer.proxy = UpstreamProxy("proxy.test", 3128, b"")
    client = stage.client()
    client.send(ask(URL, method="OPTIONS"))
    assert stage.answer_dial().take().startswith(b"OPTIONS http://origin.test HTTP/1.1\r\n")


def test_secure_request_through_an_upstream_proxy() -> None:
    """Inside a proxy's tunnel the request is in origin-form, without the proxy's credentials."""
    stage = Stage()
    stage.dialer.proxy = UpstreamProxy("proxy.test", 3128, b"Proxy-Authorization: Basic eA==\r\n")
    client = stage.client(Origin("https", "origin.test", 443))
    client.send(ask("/a"))
    assert stage.answer_dial().take() == b"GET /a HTTP/1.1\r\nHost: origin.test\r\n\r\n"


def test_userinfo_and_an_upstream_proxy() -> None:
    """Both kinds of credentials go out, each in its field, and never into another request."""
    stage = Stage()
    stage.dialer.proxy = UpstreamProxy("proxy.test", 3128, b"Proxy-Authorization: Basic eA==\r\n")
    wanted = b"Authorization: Basic " + base64.b64encode(b"u:p") + b"\r\n"
    origin = None
    for userinfo in ("", "u:p@", "", "u:p@", ""):
        client = stage.client()
        client.send(ask(f"http://{userinfo}origin.test/"))
        origin = origin or stage.answer_dial()
        head = origin.take()
        origin.send(answer())
        assert (b"\r\n" + wanted in head) is bool(userinfo)
        assert b"\r\nProxy-Authorization: Basic eA==\r\n" in head


# --- the response --------------------------------------------------------------------------------


def test_first_bytes_do_not_wait() -> None:
    """The head, and each piece of a body, reach the client in the turn in which they came."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert client.take().endswith(b"\r\n\r\n")
    origin.send(b"5\r\nhello\r\n")
    assert client.take() == b"5\r\nhello\r\n"
    origin.send(b"5\r\nworld\r\n0\r\nSum: 1\r\n\r\n")
    assert client.take() == b"5\r\nworld\r\n0\r\nSum: 1\r\n\r\n"


def test_interim_responses_pass() -> None:
    """103 and its like reach a client that knows them, before the final response."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert client.arrived == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    origin.send(b"HTTP/1.1 102 Processing\r\n\r\n" + answer(b"hello"))
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.interim, only.body) == ((103, 102), b"hello")


def test_interim_responses_are_not_for_old_clients() -> None:
    """An HTTP/1.0 client is not sent any (RFC 9110 §15.2)."""
    stage = Stage()
    client = stage.client()
    client.send(ask(version="HTTP/1.0"))
    stage.answer_dial().send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(b"hello"))
    (only,) = read_answers(client.take(), ["GET"])
    assert (only.interim, only.body) == ((), b"hello")


def test_chunks_are_not_for_old_clients() -> None:
    """An HTTP/1.0 client gets a chunked body without its chunks, delimited by the end."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Connection: keep-alive", version="HTTP/1.0"))
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"he", b"llo"))
    told = client.take()
    assert told == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
    assert not client.open


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_response_without_content(method: str, head: bytes) -> None:
    """It is complete with its head, whatever its fields say; both connections live on."""
    stage = Stage()
    client = stage.client()
    client.send(ask(method=method))
    origin = stage.answer_dial()
    origin.send(head)
    assert client.take() == head
    client.send(ask(f"{URL}/next"))
    assert origin.take().endswith(b"GET /next HTTP/1.1\r\nHost: origin.test\r\n\r\n")


@pytest.mark.parametrize(
    ("first", "method"),
    [
        (answer(b"hello") + b"HTTP/1.1 200 OK\r\n", "GET"),
        (answer(b"hello") + b"nonsense", "GET"),
        (answer() + answer(b"unasked"), "GET"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "HEAD"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\nbody", "GET"),
    ],
)
def test_origin_that_says_too_much_is_not_used_again(first: bytes, method: str) -> None:
    """Bytes after a response belong to nobody: the next request takes a fresh connection."""
    stage = Stage()
    client = stage.client()
    client.send(ask(method=method))
    origin = stage.answer_dial()
    origin.send(first)
    read_answers(client.take(), [method])
    client.send(ask())
    stage.answer_dial().send(answer(b"fresh"))
    assert read_answers(client.take(), ["GET"])[0].body == b"fresh"
    assert not origin.open


def test_connection_that_the_origin_closes_is_not_kept() -> None:
    """``Connection: close`` from the origin is honoured, and is no business of the client's."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(answer(b"", "Connection: close"))
    assert not origin.open
    assert client.open


# --- neither waits for the other -----------------------------------------------------------------


def test_response_may_begin_before_the_request_has_ended() -> None:
    """Both bodies flow at the same time."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Transfer-Encoding: chunked", method="POST"))
    origin = stage.answer_dial()
    origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in (b"1\r\na\r\n", b"1\r\nb\r\n"):
        origin.take(), client.take()
        client.send(piece)
        assert origin.take() == piece
        origin.send(piece)
        assert client.take() == piece
    client.send(b"0\r\n\r\n")
    origin.send(b"0\r\n\r\n")
    assert client.take() == b"0\r\n\r\n"
    client.send(ask())
    assert origin.take().endswith(b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")


def test_response_may_end_before_the_request_has() -> None:
    """An early answer is complete: the rest of the body is dropped, the client goes on."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 6", method="POST") + b"abc")
    origin = stage.answer_dial()
    origin.send(answer(b"no", status="401 Unauthorized"))
    assert read_answers(client.take(), ["POST"])[0].status == 401
    assert not origin.open
    client.send(b"def" + ask())
    stage.answer_dial().send(answer(b"yes"))
    assert read_answers(client.take(), ["GET"])[0].body == b"yes"


# --- 100-continue (RFC 9110 §10.1.1) -------------------------------------------------------------


def test_continue_comes_from_the_origin() -> None:
    """The expectation goes to the origin, and its 100 to the client."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 4", method="POST"))
    origin = stage.answer_dial()
    assert b"Expect: 100-continue\r\n" in origin.take()
    assert client.take() == b""
    origin.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"body")
    assert origin.take() == b"body"
    origin.send(answer(b"done"))
    assert read_answers(client.take(), ["POST"])[0].body == b"done"
    assert client.open


def test_refused_expectation_ends_the_connection() -> None:
    """After a final answer instead of 100, nobody knows if the body comes: the end."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 4", method="POST"))
    origin = stage.answer_dial()
    origin.send(answer(b"no", status="417 Expectation Failed"))
    assert read_answers(client.take(), ["POST"])[0].status == 417
    assert not client.open
    assert not origin.open


def test_failure_instead_of_continue_ends_the_connection() -> None:
    """So does a 502."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", EXPECT, "Content-Length: 4", method="POST"))
    stage.fail_dial()
    (only,) = read_answers(client.take(), ["POST"])
    assert (only.status, only.headers["connection"]) == (502, "close")
    assert not client.open


# --- backpressure --------------------------------------------------------------------------------


def test_slow_client_slows_the_origin() -> None:
    """While the client does not take the response, the origin is not read."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    client.choke()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(100_000))
    assert not origin.reading
    origin.send(bytes(100_000))
    assert client.get_write_buffer_size() < 110_000
    client.drain()
    assert origin.reading
    assert len(read_answers(client.take(), ["GET"])[0].body) == 200_000


def test_slow_origin_slows_the_client() -> None:
    """While the origin does not take the request, the client is not read."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 200000", method="POST"))
    origin = stage.answer_dial()
    origin.choke()
    client.send(bytes(100_000))
    assert not client.reading
    client.send(bytes(100_000))
    assert origin.get_write_buffer_size() < 110_000
    origin.drain()
    assert client.reading
    assert len(origin.take()) > 200_000


def test_origin_that_is_full_from_the_start() -> None:
    """What was kept while dialling can be more than the origin takes: the client stays held."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 500000", method="POST") + bytes(200_000))
    origin = stage.answer_dial(choked=True)
    assert not client.reading
    origin.drain()
    assert client.reading


def test_early_answer_releases_a_client_that_was_held() -> None:
    """When the origin has answered, the client is read on, and the rest of its body dropped."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"{URL}/", "Content-Length: 200000", method="POST"))
    origin = stage.answer_dial()
    origin.choke()
    client.send(bytes(100_000))
    assert not client.reading
    origin.send(answer(b"no", status="413 Too Large"))
    assert client.reading
    client.send(bytes(100_000) + ask())
    assert stage.dials == 1


def test_pooled_connection_reads() -> None:
    """A connection goes back to the pool reading, though its client was slow to the end."""
    stage = Stage()
    client, other = stage.client(), stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    client.choke()
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(100_000))
    origin.send(bytes(100_000))
    client.drain()
    assert origin.reading
    origin.take()
    other.send(ask(f"{URL}/other"))
    assert origin.take().startswith(b"GET /other ")


@pytest.mark.parametrize("mode", [Mode.PASSTHROUGH, Mode.RECORD])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("closing", ["", "Connection: close", "Connection: keep-alive"])
@pytest.mark.parametrize("own", ["X-Own: 1", "Connection: close", "Connection: X-Hop"])
def test_an_answer_in_one_read(mode: Mode, version: str, closing: str, own: str) -> None:
    """An answer in one read is relayed and recorded as one in several; connections fare alike."""
    whole = answer(b"hello", "X-Hop: 2", own)
    outcomes = []
    for cut in (len(whole), 10, len(whole) - 5, len(whole) - 2, len(whole), len(whole)):
        stage = Stage(mode)
        client = stage.client()
        client.send(ask(f"{URL}/", *filter(None, [closing]), version=version))
        origin = stage.answer_dial()
        origin.send(whole[:cut])
        if whole[cut:]:
            origin.send(whole[cut:])
        outcomes.append(
            (
                client.take(),
                client.open,
                origin.open,
                stage.stats,
                [(kept.response, kept.failure, kept.chunks) for kept in stage.sink.interactions],
            )
        )
    assert outcomes == outcomes[:1] * len(outcomes)
    assert outcomes[0][0].endswith(b"\r\n\r\nhello")


def test_bytes_beyond_an_answer_in_one_read() -> None:
    """The answer goes to the client, and the connection with more bytes on it to nobody."""
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    origin.send(answer(b"hello") + b"HTTP/1.1 200")
    assert read_answers(client.take(), ["GET"])[0].body == b"hello"
    assert not origin.open
    client.send(ask())
    assert stage.dials == 1


@pytest.mark.parametrize("size", [32_767, 32_768, 200_000])
@pytest.mark.parametrize("framed", ["length", "chunks"])
@pytest.mark.parametrize("cut", [0, 1000])
def test_large_pieces_pass_as_small_ones(size: int, framed: str, cut: int) -> None:
    """However large a read is, and whether it holds the head, its bytes pass in order."""
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    whole = (
        answer(body)
        if framed == "length"
        else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body)
    )
    stage = Stage()
    client = stage.client()
    client.send(ask())
    origin = stage.answer_dial()
    for piece in filter(None, (whole[:cut], whole[cut:])):
        origin.send(piece)
    arrived = client.take()
    assert read_answers(arrived, ["GET"])[0].body == body
    assert stage.stats["bytes_out"] == len(arrived)
