"""A recorded request goes out as it was, and what comes back is an exchange, failed or not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.messages import (
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
)
from magneto_serge.proxy.dial import DialError, Origin, UpstreamProxy
from magneto_serge.proxy.resend import Resend
from magneto_serge.proxy.tee import forget
from magneto_serge.proxy.upstream import UpstreamConnection

from .mock_transport import MockTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Turns:
    """The running loop, as the mock transport wants one: turns come by themselves."""

    def call_soon(self, callback: Callable[..., None]) -> None:
        """Call in a later turn."""
        asyncio.get_running_loop().call_soon(callback)

    def run(self) -> None:
        """Leave it to the loop."""


class Wires:
    """A pool whose connections end in the test's hands."""

    def __init__(self, proxy: UpstreamProxy | None = None) -> None:
        self.proxy = proxy
        self.idle: list[UpstreamConnection] = []
        self.wires: list[MockTransport] = []
        self.dialled = 0
        self.refuses = False

    def take(self, origin: Origin, *, repeatable: bool) -> UpstreamConnection | None:
        """Hand out an idle connection."""
        return self.idle.pop() if self.idle else None

    def give_back(self, connection: UpstreamConnection) -> None:
        """Take it back."""
        self.idle.append(connection)

    async def dial(self, origin: Origin) -> UpstreamConnection:
        """Make another one."""
        if self.refuses:
            raise DialError(FailureKind.REFUSED, "nobody there")
        self.dialled += 1
        connection = UpstreamConnection(origin, self.proxy, 65_536)
        wire = MockTransport(Turns(), connection)  # type: ignore[arg-type]  # all that it needs
        connection.connection_made(wire)
        self.wires.append(wire)
        return connection


def request(
    method: str = "GET",
    *fields: tuple[str, str],
    body: Any = b"",
    trailers: tuple[tuple[str, str], ...] = (),
) -> Request:
    """Return a recorded request."""
    return Request(
        method,
        "http",
        "origin.test",
        80,
        "/x?y=1",
        Headers.of(*fields),
        body,
        trailers=Headers.of(*trailers),
    )


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def converse(
    asked: Request,
    play: Callable[[Wires], Awaitable[None]],
    wires: Wires | None = None,
    *,
    seconds: float = 60.0,
    limit: int = 1000,
) -> Interaction:
    """Send a request while ``play`` is the service; return the exchange."""

    async def run() -> Interaction:
        pool = wires or Wires()
        task = asyncio.create_task(Resend(pool, asked, limit).run(seconds))  # type: ignore[arg-type]
        await settled()
        await play(pool)
        return await task

    return asyncio.run(run())


def answering(*pieces: bytes) -> Callable[[Wires], Awaitable[None]]:
    """Return a service that sends these pieces on the newest connection."""

    async def play(wires: Wires) -> None:
        for piece in pieces:
            wires.wires[-1].send(piece)
            await settled()

    return play


def sent(asked: Request, **options: Any) -> bytes:
    """Return the bytes that go out for a request."""
    wires = options.pop("wires", None) or Wires()
    converse(asked, answering(OK), wires, **options)
    return wires.wires[0].take()


def test_field_lines_go_out_as_they_were() -> None:
    """Order, case and repeats; Host is the service's, in its place."""
    asked = request("GET", ("accept", "a"), ("HOST", "else"), ("X-B", "1"), ("x-b", "2"))
    assert sent(asked) == (
        b"GET /x?y=1 HTTP/1.1\r\naccept: a\r\nHOST: origin.test\r\nX-B: 1\r\nx-b: 2\r\n\r\n"
    )


def test_what_belonged_to_the_clients_hop_is_left_out() -> None:
    """And nobody is asked to continue: the body is at hand."""
    asked = request(
        "POST",
        ("Host", "x"),
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Expect", "100-continue"),
        ("Content-Length", "4"),
        body=b"body",
    )
    assert sent(asked) == (
        b"POST /x?y=1 HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 4\r\n\r\nbody"
    )


@pytest.mark.parametrize(
    ("fields", "body", "expected"),
    [
        ([("Content-Length", "99")], b"four", b"Content-Length: 4\r\n\r\nfour"),
        ([], b"four", b"Content-Length: 4\r\n\r\nfour"),
        ([("content-length", "0")], b"", b"content-length: 0\r\n\r\n"),
        ([("Content-Length", "4"), ("Content-Length", "4")], b"four", b"Length: 4\r\n\r\nfour"),
        (
            [("Transfer-Encoding", "gzip, chunked"), ("Content-Length", "4")],
            b"four",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
        ),
    ],
)
def test_the_framing_is_true(fields: list[tuple[str, str]], body: bytes, expected: bytes) -> None:
    """Of the body that there is, which may have been changed since."""
    data = sent(request("POST", ("Host", "x"), *fields, body=body))
    assert data.endswith(expected)
    assert data.lower().count(b"content-length") <= 1


def test_trailers_go_out_after_the_last_chunk() -> None:
    """Where the request was chunked."""
    asked = request("POST", ("Transfer-Encoding", "chunked"), body=b"x", trailers=(("T", "1"),))
    assert sent(asked).endswith(b"1\r\nx\r\n0\r\nT: 1\r\n\r\n")


def test_a_side_file_goes_out_in_pieces_and_waits_for_room(tmp_path: Path) -> None:
    """It need not fit into memory."""
    content = bytes(range(256)) * 4096
    file = tmp_path / "body"
    file.write_bytes(content)
    body = FileBody(file, len(content), hashlib.sha256(content).hexdigest())
    asked = request("POST", body=body)
    wires = Wires()

    async def run() -> tuple[Interaction, int]:
        pool: Any = wires
        connection = await wires.dial(Origin("http", "origin.test", 80))
        wires.wires[0].choke()
        wires.idle.append(connection)
        task = asyncio.create_task(Resend(pool, request(body=body), 1000).run(60))
        await settled()
        waiting = wires.wires[0].get_write_buffer_size()
        wires.wires[0].drain()
        await settled()
        wires.wires[0].send(OK)
        return await task, waiting

    exchange, waiting = asyncio.run(run())
    assert waiting < len(content)
    assert exchange.failure is None
    assert wires.wires[0].take().endswith(b"\r\n\r\n" + content)
    assert sent(asked).endswith(content)


def test_an_upstream_proxy_gets_the_absolute_form() -> None:
    """RFC 9112 §3.2.2, with its own credentials."""
    proxy = UpstreamProxy("proxy.test", 3128, b"Proxy-Authorization: Basic eA==\r\n")
    data = sent(request("GET", ("Host", "x")), wires=Wires(proxy))
    assert data.startswith(b"GET http://origin.test/x?y=1 HTTP/1.1\r\n")
    assert data.endswith(b"Proxy-Authorization: Basic eA==\r\n\r\n")


def test_the_answer_is_taken_up_as_a_recording_would_be() -> None:
    """Interim responses, field lines, trailers, the peer, and the time that it took."""
    asked = request()
    exchange = converse(
        asked,
        answering(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            b"HTTP/1.1 200 Fine\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"1\r\nc\r\n0\r\nT: 2\r\n\r\n",
        ),
    )
    response = exchange.response
    assert response is not None
    assert (response.status, response.reason, response.body) == (200, "Fine", b"abc")
    assert response.trailers == Headers.of(("T", "2"))
    assert [each.status for each in exchange.informational] == [103]
    assert (exchange.request, exchange.peer) == (asked, "192.0.2.1:80")
    assert exchange.failure is None
    assert exchange.total_ms >= 0


def test_a_large_answer_is_kept_in_a_file_until_it_is_forgotten() -> None:
    """Memory is bounded by settings, not by services."""
    content = b"x" * 5000
    exchange = converse(
        request(),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", content[:9], content[9:]),
    )
    assert exchange.response is not None
    body = exchange.response.body
    assert isinstance(body, FileBody)
    assert (body.path.read_bytes(), body.sha256) == (content, hashlib.sha256(content).hexdigest())
    forget(body)
    assert not body.path.exists()


def kinds(exchange: Interaction) -> tuple[FailureKind | None, bool]:
    """Return how an exchange failed, and whether there was a response."""
    failure: Failure | None = exchange.failure
    return failure.kind if failure else None, exchange.response is not None


def test_every_failure_is_an_outcome() -> None:
    """Nothing is raised."""

    async def hang_up(wires: Wires) -> None:
        wires.wires[-1].hang_up()

    async def reset(wires: Wires) -> None:
        wires.wires[-1].hang_up(ConnectionResetError())

    async def cut(wires: Wires) -> None:
        await answering(OK[:-1])(wires)
        wires.wires[-1].hang_up()

    async def close_delimited(wires: Wires) -> None:
        await answering(b"HTTP/1.1 200 OK\r\n\r\nall")(wires)
        wires.wires[-1].hang_up()

    kind = FailureKind
    for play, expected in (
        (hang_up, (kind.RESET, False)),
        (reset, (kind.RESET, False)),
        (cut, (kind.TRUNCATED, True)),
        (answering(b"HTTP/1.1 2x\r\n\r\n"), (kind.BAD_RESPONSE, False)),
        (answering(b"HTTP/1.1 101 Up\r\nUpgrade: x\r\n\r\n"), (kind.BAD_RESPONSE, False)),
        (close_delimited, (None, True)),
    ):
        assert kinds(converse(request(), play)) == expected, play


def test_a_service_that_is_not_there_is_an_outcome_too() -> None:
    """As is one that takes too long."""
    wires = Wires()
    wires.refuses = True
    assert kinds(converse(request(), answering(), wires)) == (FailureKind.REFUSED, False)
    late = converse(request(), answering(), seconds=0.001)
    assert kinds(late) == (FailureKind.TIMEOUT, False)


def test_a_connection_that_closed_at_once_is_no_connection() -> None:
    """Nothing can be sent on it."""

    class Closing(Wires):
        async def dial(self, origin: Origin) -> UpstreamConnection:
            connection = await super().dial(origin)
            self.wires[-1].close()
            return connection

    assert kinds(converse(request(), answering(), Closing())) == (FailureKind.RESET, False)


def test_a_connection_is_used_again() -> None:
    """Where both sides agree on that."""
    wires = Wires()
    converse(request(), answering(OK), wires)
    assert len(wires.idle) == 1
    other = Wires()
    converse(request(), answering(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")), other)
    assert (other.idle, other.wires[0].closing) == ([], True)


def test_an_idle_connection_that_was_gone_is_replaced() -> None:
    """For what is safe to repeat, which alone takes one."""

    async def run(method: str) -> tuple[Interaction, int]:
        wires = Wires()
        pool: Any = wires
        first = asyncio.create_task(Resend(pool, request(), 1000).run(60))
        await settled()
        wires.wires[0].send(OK)
        await first
        second = asyncio.create_task(Resend(pool, request(method), 1000).run(60))
        await settled()
        if method == "GET":
            wires.wires[0].hang_up()
            await settled()
        wires.wires[-1].send(OK)
        return await second, wires.dialled

    for method in ("GET", "POST"):
        exchange, dialled = asyncio.run(run(method))
        assert (exchange.failure, dialled) == (None, 2), method


def test_an_answer_before_the_end_of_the_request_is_the_answer(tmp_path: Path) -> None:
    """A service may refuse a body that it has not read; the connection is then done for."""
    file = tmp_path / "body"
    file.write_bytes(b"x" * 1_000_000)
    wires = Wires()

    async def run() -> Interaction:
        pool: Any = wires
        wires.idle.append(await wires.dial(Origin("http", "origin.test", 80)))
        wires.wires[0].choke()
        asked = request(body=FileBody(file, 1_000_000, "0" * 64))
        task = asyncio.create_task(Resend(pool, asked, 1000).run(60))
        await settled()
        wires.wires[0].send(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        return await task

    exchange = asyncio.run(run())
    assert exchange.response is not None
    assert exchange.response.status == 413
    assert wires.idle == []
