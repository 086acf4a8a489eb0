"""Properties of the relay for any traffic: cut anywhere, mutated, interleaved in any order."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.messages import Failure, FailureKind, FileBody, Interaction
from magneto_serge.proxy.dial import Origin
from magneto_serge.replay.modes import Mode

from .mock_transport import MockTransport
from .stage import Stage
from .traffic import URL, ask, chunked, read_answers, recorded

CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(autouse=True, scope="module")
def silent_log() -> Iterator[None]:
    """Keep thousands of refusals out of the captured log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut ``data`` at the places given (modulo its length)."""
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(at)]


PLACES = st.lists(st.integers(0, 10_000), max_size=12)


# --- replay: one answer per request, in order ----------------------------------------------------

TAPE = [
    recorded(f"{URL}/small", b"small"),
    recorded(f"{URL}/empty"),
    recorded(f"{URL}/large", bytes(80_000)),
    recorded(f"{URL}/chunked", b"chunked", CHUNKED, trailers=["Sum: 1"]),
    recorded(f"{URL}/none", status=204),
    recorded(f"{URL}/head", method="HEAD"),
    recorded(f"{URL}/failed", responded=False, failure=Failure(FailureKind.DNS, "gone")),
]
BODIES = {b"the body": b"matched", b"another body": b"other"}


def tape(limit: int) -> list[Interaction]:
    """Return the recordings as they are made and compared with this memory limit."""
    return TAPE + [
        recorded(
            f"{URL}/body",
            returned,
            method="POST",
            sent=sent
            if len(sent) <= limit
            else FileBody(Path("/nowhere"), len(sent), hashlib.sha256(sent).hexdigest()),
        )
        for sent, returned in BODIES.items()
    ]


# Each with the status and content of its answer.
REQUESTS: list[tuple[bytes, str, int, bytes | None]] = [
    (ask(f"{URL}/small"), "GET", 200, b"small"),
    (ask(f"{URL}/small", "Connection: Upgrade", "Upgrade: x"), "GET", 200, b"small"),
    (ask(f"{URL}/small", "Connection: Upgrade", "Upgrade: h2c"), "GET", 200, b"small"),
    (ask(f"{URL}/small", "Connection: keep-alive", version="HTTP/1.0"), "GET", 200, b"small"),
    (ask(f"{URL}/empty"), "GET", 200, b""),
    (ask(f"{URL}/large"), "GET", 200, bytes(80_000)),
    (ask(f"{URL}/chunked"), "GET", 200, b"chunked"),
    (ask(f"{URL}/none"), "GET", 204, b""),
    (ask(f"{URL}/head", method="HEAD"), "HEAD", 200, b""),
    (ask(f"{URL}/failed"), "GET", 502, None),
    (ask(f"{URL}/missing"), "GET", 502, None),
    (ask(f"{URL}/missing", method="HEAD"), "HEAD", 502, b""),
    (ask(f"{URL}/missing", method="POST", body=b"x" * 300), "POST", 502, None),
    (ask(f"{URL}/body", method="POST", body=b"the body"), "POST", 200, b"matched"),
    (
        ask(f"{URL}/body", CHUNKED, method="POST") + chunked(b"another", b" body"),
        "POST",
        200,
        b"other",
    ),
    (
        ask(f"{URL}/body", CHUNKED, "Connection: Upgrade", "Upgrade: x", method="POST")
        + chunked(b"the ", b"body", trailers=b"Sum: 1\r\n"),
        "POST",
        200,
        b"matched",
    ),
]


def feed(stage: Stage, client: MockTransport, pieces: list[bytes], choked: list[bool]) -> None:
    """Send the pieces, the client reading or not between them, and reading at the end."""
    for number, piece in enumerate(pieces):
        if choked and choked[number % len(choked)]:
            client.choke()
        else:
            client.drain()
        client.send(piece)
        assert client.get_write_buffer_size() < 500_000
    while client.get_write_buffer_size():
        client.drain()


@given(
    picks=st.lists(st.integers(0, len(REQUESTS) - 1), min_size=1, max_size=8),
    places=PLACES,
    choked=st.lists(st.booleans(), max_size=4),
    limit=st.sampled_from([0, 5, 100, 10**6]),
)
@settings(max_examples=120)
def test_every_request_gets_one_answer_in_order(
    picks: list[int], places: list[int], choked: list[bool], limit: int
) -> None:
    """However the bytes are cut and however slowly the client reads."""
    stage = Stage(Mode.REPLAY, tape(limit), memory_limit=limit)
    client = stage.client()
    chosen = [REQUESTS[pick] for pick in picks]
    feed(stage, client, cut(b"".join(each[0] for each in chosen), places), choked)
    answers = read_answers(client.take(), [each[1] for each in chosen])
    for answer, (_, _, status, body) in zip(answers, chosen, strict=True):
        assert answer.status == status
        assert body is None or answer.body == body
    assert client.open
    assert client.reading
    counts = stage.stats
    assert counts["requests"] == len(chosen)
    assert counts.get("replayed", 0) + counts.get("missed", 0) == len(chosen)


@given(
    picks=st.lists(st.integers(0, len(REQUESTS) - 1), min_size=1, max_size=4),
    places=PLACES,
    changes=st.lists(
        st.tuples(
            st.integers(0, 10_000),
            st.sampled_from(["replace", "insert", "delete", "double"]),
            st.binary(min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
    in_tunnel=st.booleans(),
    eof=st.booleans(),
)
@settings(max_examples=150)
def test_no_bytes_break_the_proxy(
    picks: list[int],
    places: list[int],
    changes: list[tuple[int, str, bytes]],
    in_tunnel: bool,
    eof: bool,
) -> None:
    """Mutated traffic is answered, refused or waited for; nothing is raised or left behind."""
    data = bytearray(b"".join(REQUESTS[pick][0] for pick in picks))
    for place, change, piece in changes:
        at = place % (len(data) + 1)
        if change == "replace":
            data[at : at + len(piece)] = piece
        elif change == "insert":
            data[at:at] = piece
        elif change == "delete":
            del data[at : at + len(piece)]
        else:
            data[at:at] = data[at : at + 40]
    stage = Stage(Mode.REPLAY, tape(100), memory_limit=100)
    client = stage.client(Origin("http", "origin.test", 80) if in_tunnel else None)
    feed(stage, client, cut(bytes(data), places), [])
    if eof:
        client.half_close()
    stage.pass_time(400)
    assert not client.open
    assert stage.server._connections == set()
    assert stage.dials == 0


@given(data=st.binary(max_size=300), places=PLACES, in_tunnel=st.booleans())
@settings(max_examples=80)
def test_noise_breaks_nothing_either(data: bytes, places: list[int], in_tunnel: bool) -> None:
    """Neither do bytes that never were HTTP."""
    stage = Stage(Mode.REPLAY, tape(10**6))
    client = stage.client(Origin("https", "origin.test", 443) if in_tunnel else None)
    feed(stage, client, cut(data, places), [])
    stage.pass_time(400)
    assert not client.open
    assert stage.server._connections == set()


# --- forwarding: whatever happens when -----------------------------------------------------------


class Traffic:
    """Some exchanges with one client, played in the order that a list of numbers says."""

    def __init__(self, bodies: list[tuple[bytes, bytes, str]], places: list[int]) -> None:
        self.stage = Stage(Mode.RECORD, memory_limit=50)
        self.client = self.stage.client()
        self.origins: list[MockTransport] = []
        requests: list[bytes] = []
        self.answers: list[bytes] = []
        for number, (sent, returned, framing) in enumerate(bodies):
            url = f"{URL}/{number}"
            if framing == "length":
                requests.append(ask(url, method="PUT", body=sent))
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(returned)
                self.answers.append(head + returned)
            else:
                requests.append(
                    ask(url, CHUNKED, method="PUT") + chunked(*([sent] if sent else []))
                )
                head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                self.answers.append(head + chunked(*([returned] if returned else [])))
        self.segments = cut(b"".join(requests), places)
        self.expected = list(self.answers)
        self.outgoing = b""
        self.received = b""

    def step(self, choice: int) -> None:
        """Have one thing happen, of those that can."""
        possible = [self.client.choke, self.client.drain]
        if self.segments:
            possible += [self._ask] * 3
        if self.stage.dials:
            possible += [self._connect] * 2
        if self.origins:
            possible += [self._answer] * 3
            possible += [self.origins[-1].choke, self.origins[-1].drain]
        possible[choice % len(possible)]()

    def _ask(self) -> None:
        self.client.send(self.segments.pop(0))

    def _connect(self) -> None:
        self.origins.append(self.stage.answer_dial())

    def _answer(self) -> None:
        """Send a part of an answer, once its request has begun to arrive."""
        origin = self.origins[-1]
        self.received += origin.take()
        asked = self.received.count(b" HTTP/1.1\r\n")
        answered = len(self.expected) - len(self.answers)
        if not self.outgoing and self.answers and asked > answered and not self.segments:
            self.outgoing = self.answers.pop(0)
        part, self.outgoing = self.outgoing[:30], self.outgoing[30:]
        if part:
            origin.send(part)

    def finish(self) -> None:
        """Let everything happen that is still to come."""
        self.client.drain()
        for _ in range(2000):
            if self.segments:
                self._ask()
            if self.stage.dials:
                self._connect()
            if self.origins:
                self.origins[-1].drain()
                self._answer()
            self.client.drain()
            if not (self.segments or self.answers or self.outgoing):
                return
        raise AssertionError("the exchanges do not come to an end")


@given(
    bodies=st.lists(
        st.tuples(
            st.binary(max_size=120),
            st.binary(max_size=120),
            st.sampled_from(["length", "chunked"]),
        ),
        min_size=1,
        max_size=4,
    ),
    places=PLACES,
    choices=st.lists(st.integers(0, 1000), max_size=60),
)
@settings(max_examples=80)
def test_relay_delivers_everything_once(
    bodies: list[tuple[bytes, bytes, str]], places: list[int], choices: list[int]
) -> None:
    """In whatever order things happen: each body arrives whole, is recorded whole, in order."""
    traffic = Traffic(bodies, places)
    for choice in choices:
        traffic.step(choice)
    traffic.finish()
    answers = read_answers(traffic.client.take(), ["PUT"] * len(bodies))
    assert [each.body for each in answers] == [returned for _, returned, _ in bodies]
    sink = traffic.stage.sink
    large = iter(sink.bodies)
    for (sent, returned, _), kept in zip(bodies, sink.interactions, strict=True):
        for body, whole in ((kept.request.body, sent), (kept.response.body, returned)):
            assert (body if isinstance(body, bytes) else next(large).data) == whole
    assert traffic.client.reading
    assert traffic.client.open
    assert all(origin.reading for origin in traffic.origins)
