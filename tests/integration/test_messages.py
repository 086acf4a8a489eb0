"""What goes through unchanged, recorded and replayed, by every way in (RFC 9110, RFC 9112).

Each test says the same thing to the proxy twice, first with the origin there, then without it, and
compares every byte that a client could tell apart.
"""

from __future__ import annotations

import hashlib
import json

import pytest

from . import routes
from .conftest import MakeOrigin, MakeProxy, open_door
from .doors import Door, Take
from .wire_client import Answer, WireClient


@pytest.fixture
def plain_door(make_origin: MakeOrigin, make_proxy: MakeProxy) -> Door:
    """The plainest way to an origin; without redaction, so that every byte is as it was."""
    return open_door("absolute", make_origin, make_proxy, redact=False)


def play_twice(door: Door, take: Take, *calls: tuple[str, str, str, bytes]) -> list[Answer]:
    """Make the calls recording, then replaying, and return the answers, which are the same."""

    def play() -> list[Answer]:
        return [door.ask(path, method, fields, body) for path, method, fields, body in calls]

    recorded = play()
    take.replay()
    replayed = play()
    assert [answer.seen for answer in replayed] == [answer.seen for answer in recorded]
    assert not door.proxy.misses
    return replayed


@pytest.mark.parametrize(
    "path",
    [
        "/json",
        "/gzip",
        "/empty",
        "/404",
        "/chunked",
        "/chunk-extensions",
        "/cookies",
        "/utf8",
        "/latin1",
        "/odd",
        "/early-hints",
        "/http10-keep",
    ],
)
def test_answer_passes_as_the_origin_gave_it(path: str, plain_door: Door, plain_take: Take) -> None:
    """Status, reason, field lines, body and trailers are the origin's, and again on replay."""
    with WireClient((plain_door.origin.host, plain_door.origin.port)) as client:
        direct = client.ask(f"GET {path} HTTP/1.1\r\nHost: o\r\n\r\n".encode())
    (answer,) = play_twice(plain_door, plain_take, (path, "GET", "", b""))
    assert answer.seen == direct.seen


def test_every_way_in_gives_the_same(door: Door, take: Take) -> None:
    """Absolute-form, a tunnel, TLS in a tunnel and reverse mode record and replay alike."""
    calls = [
        ("/json", "GET", "", b""),
        ("/chunked", "GET", "", b""),
        ("/cookies", "GET", "", b""),
        ("/latin1", "GET", "", b""),
        ("/head", "HEAD", "", b""),
        ("/204", "GET", "", b""),
        ("/echo", "POST", "Content-Length: 4\r\n", b"body"),
    ]
    answers = play_twice(door, take, *calls)
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 200, 204, 200]


def test_five_megabytes_of_binary(door: Door, take: Take) -> None:
    """A large body arrives whole, is recorded beside the cassette or in it, and replays."""
    (answer,) = play_twice(door, take, ("/binary", "GET", "", b""))
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(routes.BINARY).digest()


def test_head_keeps_the_framing_fields_of_the_get(door: Door, take: Take) -> None:
    """HEAD has no content whatever its Content-Length says (RFC 9110 §9.3.2)."""
    sized, chunked = play_twice(
        door, take, ("/head", "HEAD", "", b""), ("/head-chunked", "HEAD", "", b"")
    )
    assert sized.values("content-length") == [b"54321"]
    assert chunked.values("content-length") == []


def test_statuses_without_content(door: Door, take: Take) -> None:
    """204 has no content and 304 none in spite of its Content-Length (RFC 9110 §15.4.5)."""
    nothing, unchanged = play_twice(door, take, ("/204", "GET", "", b""), ("/304", "GET", "", b""))
    assert (nothing.status, nothing.body) == (204, b"")
    assert nothing.values("content-length") == []
    assert unchanged.values("content-length") == [b"12345"]


def test_connection_lives_on_after_answers_without_content(door: Door, take: Take) -> None:
    """After HEAD, 204 and 304 the next answer on the connection is understood."""
    for phase in ("record", "replay"):
        with door.open() as client:
            assert client.ask(door.request("/head", "HEAD"), "HEAD").status == 200, phase
            assert client.ask(door.request("/204")).status == 204
            assert client.ask(door.request("/304")).status == 304
            assert client.ask(door.request("/json")).body == b'{"ok": true}'
        if phase == "record":
            take.replay()


@pytest.mark.parametrize("path", ["/until-close", "/http10"])
def test_body_delimited_by_close(path: str, door: Door, take: Take) -> None:
    """A body that ends with its connection ends where the client can tell (RFC 9112 §6.3)."""

    def play() -> Answer:
        with door.open() as client:
            return client.ask(door.request(path))

    recorded = play()
    take.replay()
    replayed = play()
    assert recorded.body == replayed.body
    assert recorded.body in (b"until the end", b"old but gold")
    assert recorded.status == replayed.status == 200


def test_informational_responses_come_first(plain_door: Door, plain_take: Take) -> None:
    """103 Early Hints are passed on, every one, and replayed (RFC 8297)."""
    (answer,) = play_twice(plain_door, plain_take, ("/early-hints", "GET", "", b""))
    assert [early.status for early in answer.informational] == [103, 103]
    assert answer.informational[1].values("link") == [b"</more.js>; rel=preload"]


def test_request_reaches_the_origin_as_sent(door: Door, take: Take) -> None:
    """Order, case and repeats of field lines are the client's; nothing is added."""
    fields = "x-b: 2\r\nX-A: 1\r\nx-B:  3 \r\nX-Empty:\r\nCookie: a=1\r\nX-L: é\r\n"
    door.ask("/echo", "POST", fields + "Content-Length: 2\r\n", b"hi")
    received = door.origin.last
    assert received.target == "/echo"
    assert received.headers == [
        (b"Host", door.authority.encode()),
        (b"x-b", b"2"),
        (b"X-A", b"1"),
        (b"x-B", b"3"),
        (b"X-Empty", b""),
        (b"Cookie", b"a=1"),
        (b"X-L", "é".encode()),
        (b"Content-Length", b"2"),
    ]
    assert received.body == b"hi"
    take.replay()


def test_no_via_and_no_forwarded_fields(door: Door) -> None:
    """A recording proxy leaves no trace in either message."""
    answer = door.ask("/echo")
    names = {name.lower() for name, _ in [*door.origin.last.headers, *answer.headers]}
    assert not {b"via", b"forwarded", b"date", b"server", b"age"} & names
    assert not [name for name in names if name.startswith(b"x-forwarded")]


def test_fields_about_the_connection_stay_with_it(door: Door) -> None:
    """Connection, what it names, Keep-Alive and Proxy-Connection stay (RFC 9110 §7.6.1)."""
    door.origin.on(
        "/hop",
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: theirs\r\nKeep-Alive: timeout=5\r\n"
        b"X-End: kept\r\nContent-Length: 0\r\n\r\n",
    )
    answer = door.ask(
        "/hop",
        fields="Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 3\r\n"
        "Proxy-Connection: keep-alive\r\nX-End: kept\r\n",
    )
    assert [name for name, _ in door.origin.last.headers] == [b"Host", b"X-End"]
    assert answer.end_to_end == [(b"X-End", b"kept"), (b"Content-Length", b"0")]
    assert not answer.values("x-hop")


def test_chunked_request_with_trailers(door: Door, take: Take) -> None:
    """Chunks, their extensions and trailers of a request are understood; data and trailers pass."""
    body = b'3;a="b;c"\r\none\r\n5\r\n, two\r\n0;end\r\nX-Sum: 8\r\nX-Tail: yes\r\n\r\n'
    fields = "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"
    (answer,) = play_twice(door, take, ("/echo", "POST", fields, body))
    assert door.origin.last.body == b"one, two"
    assert door.origin.last.trailers == [(b"X-Sum", b"8"), (b"X-Tail", b"yes")]
    assert json.loads(answer.body)["trailers"] == [["X-Sum", "8"], ["X-Tail", "yes"]]


def test_chunked_request_of_nothing(door: Door, take: Take) -> None:
    """A chunked body may be empty, and is still a body."""
    fields = "Transfer-Encoding: chunked\r\n"
    play_twice(door, take, ("/echo", "POST", fields, b"0\r\n\r\n"))
    assert door.origin.last.raw_body == b"0\r\n\r\n"


def test_equal_requests_replay_in_recorded_order(plain_door: Door, plain_take: Take) -> None:
    """The same request got 1, 2, 3; it gets them again in this order, then 3 for ever."""
    for number in b"1", b"2", b"3":
        plain_door.origin.on("/count", routes.response(number))
        assert plain_door.ask("/count").body == number
    plain_take.replay()
    assert [plain_door.ask("/count").body for _ in range(5)] == [b"1", b"2", b"3", b"3", b"3"]


def test_body_decides_which_recording_replays(plain_door: Door, plain_take: Take) -> None:
    """Another body is another request; JSON's key order is not."""
    json_type = "Content-Type: application/json\r\n"
    for body in (b'{"a": 1, "b": 2}', b'{"a": 2, "b": 1}'):
        with plain_door.open() as client:
            client.ask(plain_door.sized("/echo", "POST", body, json_type))
    plain_take.replay()
    with plain_door.open() as client:
        answer = client.ask(plain_door.sized("/echo", "POST", b'{"b":1,"a":2}', json_type))
        assert json.loads(answer.body)["body"] == "eyJhIjogMiwgImIiOiAxfQ=="
        missed = client.ask(plain_door.sized("/echo", "POST", b'{"a": 9}', json_type))
    assert missed.status == 502
    assert len(plain_door.proxy.misses) == 1
