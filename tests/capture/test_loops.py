"""uvloop's loops, led."""

from __future__ import annotations

import asyncio

import pytest

from magneto_serge.capture import loops

uvloop = pytest.importorskip("uvloop")


def test_put_back() -> None:
    """Nothing of ours is left in uvloop."""
    before = (uvloop.Loop.create_connection, uvloop.Loop.getaddrinfo)
    loops.install()
    assert uvloop.Loop.create_connection is not before[0]
    loops.uninstall()
    assert (uvloop.Loop.create_connection, uvloop.Loop.getaddrinfo) == before


def test_code_without_a_session() -> None:
    """Where no session is open, a name is looked up as before."""

    async def main() -> list[object]:
        return list(await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80))

    loops.install()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(main())[0][4] == ("127.0.0.1", 80)  # type: ignore[index]  # a tuple
    finally:
        loops.uninstall()
