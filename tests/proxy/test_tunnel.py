"""Bytes both ways: delivered in order, held back by the slower side, ended together."""

from __future__ import annotations

import asyncio

import pytest

from magneto_serge.proxy.tunnel import IDLE_SECONDS, join

from .mock_transport import MockTransport
from .stage import Stage


def joined(
    stage: Stage, *, half_close: bool = True, to_upstream: bytes = b"", to_client: bytes = b""
) -> tuple[MockTransport, MockTransport]:
    """Return both ends of a tunnel."""
    client = MockTransport(stage.loop, asyncio.Protocol(), half_close=half_close)
    upstream = MockTransport(stage.loop, asyncio.Protocol())
    join(stage.server, client, upstream, to_upstream=to_upstream, to_client=to_client)
    return client, upstream


def test_what_was_read_before_comes_first() -> None:
    """Bytes that had arrived on either side before the tunnel stood are delivered first."""
    client, upstream = joined(Stage(), to_upstream=b"early ", to_client=b"hello ")
    client.send(b"later")
    upstream.send(b"world")
    assert (upstream.take(), client.take()) == (b"early later", b"hello world")


def test_slow_side_holds_the_other() -> None:
    """Each side is read only as fast as the other takes it."""
    for flip in (False, True):
        one, other = joined(Stage())
        if flip:
            one, other = other, one
        other.choke()
        one.send(bytes(100_000))
        assert not one.reading
        one.send(b"more")
        assert other.get_write_buffer_size() == 100_000
        other.drain()
        assert one.reading
        assert other.take().endswith(b"more")


def test_half_close_is_passed_on() -> None:
    """The end of one direction is the end of that direction, and no more."""
    client, upstream = joined(Stage())
    client.half_close()
    assert upstream.ended
    assert client.open
    upstream.send(b"answer")
    assert client.take() == b"answer"
    upstream.half_close()
    assert client.ended


def test_half_close_over_tls_is_the_end() -> None:
    """TLS cannot end one direction alone."""
    client, upstream = joined(Stage(), half_close=False)
    client.half_close()
    assert not client.open
    assert not upstream.open


def test_half_close_towards_tls_is_the_end() -> None:
    """Nor can it be told of one."""
    client, upstream = joined(Stage(), half_close=False)
    upstream.half_close()
    assert not client.open
    assert not upstream.open


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_end_of_one_side_is_the_end_of_both(flip: bool, error: Exception | None) -> None:
    """What the other side has still to get is sent first."""
    stage = Stage()
    one, other = joined(stage)
    if flip:
        one, other = other, one
    other.choke()
    one.send(b"last words")
    one.hang_up(error)
    other.drain()
    assert other.take() == b"last words"
    assert not other.open
    assert stage.server._connections == set()


def test_silent_tunnel_is_closed() -> None:
    """After an hour in which neither side said anything."""
    stage = Stage()
    client, upstream = joined(stage)
    for side in (client, upstream):
        stage.pass_time(IDLE_SECONDS - 10)
        side.send(b"x")
    stage.pass_time(IDLE_SECONDS - 10)
    assert client.open
    stage.pass_time(20)
    assert not client.open
    assert not upstream.open


def test_tunnel_is_in_the_books() -> None:
    """It counts as one connection, has no end to wait for, and ends when the proxy does."""
    stage = Stage()
    client, upstream = joined(stage)
    (side,) = stage.server._connections
    assert not side.busy
    side.close_when_idle()
    stage.loop.run()
    assert not client.open
    assert not upstream.open
    assert stage.server._connections == set()


def test_upstream_that_is_gone_already() -> None:
    """A tunnel to a connection that was lost meanwhile ends at once."""
    stage = Stage()
    client = MockTransport(stage.loop, asyncio.Protocol())
    upstream = MockTransport(stage.loop, asyncio.Protocol())
    upstream.hang_up()
    join(stage.server, client, upstream, to_upstream=b"x", to_client=b"y")
    stage.loop.run()
    assert not client.open
    assert client.take() == b"y"
