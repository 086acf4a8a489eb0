"""Properties of exchanges with an origin that says anything at all, cut anywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.replay.modes import Mode

from .stage import Stage
from .test_client_random import PLACES, cut
from .traffic import URL, answer, ask, chunked, read_answers

SAID = [
    answer(b"hello world"),
    answer(b"", "Connection: close"),
    answer(b"old", version="HTTP/1.0"),
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello", b"world"),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"hints"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"continued"),
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
]
ASKED = [
    ("GET", ask(f"{URL}/a")),
    ("HEAD", ask(f"{URL}/a", method="HEAD")),
    ("GET", ask(f"{URL}/a", version="HTTP/1.0")),
    ("PUT", ask(f"{URL}/a", method="PUT", body=b"content")),
    ("POST", ask(f"{URL}/a", "Expect: 100-continue", "Content-Length: 5", method="POST")),
]


@pytest.fixture(autouse=True, scope="module")
def silent_log() -> Iterator[None]:
    """Keep thousands of failures out of the captured log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@given(
    asked=st.sampled_from(ASKED),
    said=st.lists(st.sampled_from(SAID), min_size=1, max_size=2),
    changes=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 5), st.binary(max_size=3)), max_size=3
    ),
    places=PLACES,
    end=st.sampled_from(["stay", "close", "reset", "client"]),
)
@settings(max_examples=150)
def test_no_answer_breaks_the_proxy(
    asked: tuple[str, bytes],
    said: list[bytes],
    changes: list[tuple[int, int, bytes]],
    places: list[int],
    end: str,
) -> None:
    """The client has an answer or an end, the cassette one interaction, the books are empty."""
    method, request = asked
    data = bytearray(b"".join(said))
    for place, removed, added in changes:
        at = place % (len(data) + 1)
        data[at : at + removed] = added
    stage = Stage(Mode.RECORD, memory_limit=5)
    client = stage.client()
    client.send(request)
    origin = stage.answer_dial()
    for piece in cut(bytes(data), places):
        origin.send(piece)
    if end == "client":
        client.hang_up()
    elif end != "stay":
        origin.hang_up(None if end == "close" else ConnectionResetError())
    stage.pass_time(400)
    assert len(stage.sink.interactions) <= 1
    assert stage.dials == 0
    assert not client.open
    assert not origin.open
    assert stage.server._connections == set()
    assert stage.server.pool._all == set()
    assert all(body.closed or body.discarded for body in stage.sink.bodies)
    if end == "client":
        return
    # Whatever is not recorded as broken off reached the client as a whole response.
    if not stage.sink.interactions:
        assert client.aborted
        assert method == "POST"  # its body was due
    elif stage.sink.interactions[0].failure is None or stage.sink.interactions[0].response is None:
        read_answers(client.take(), [method], closed=True)
