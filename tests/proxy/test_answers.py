"""Our own responses, and recordings as bytes: every framing for every kind of client."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Failure, FailureKind, FileBody, Interaction, Response
from magneto_serge.proxy import answers
from magneto_serge.replay.misses import Difference, Miss, Nearest

from .traffic import Answer, field_lines, read_answers, recorded

CHUNKED = "Transfer-Encoding: chunked"


def whole(encoded: answers.Encoded) -> bytes:
    """Return everything that is written for a recording without a side file."""
    assert encoded.file is None
    return b"".join((encoded.head, *encoded.pieces, encoded.tail))


def replayed(
    interaction: Interaction, version: str = "HTTP/1.1", *, keep_alive: bool = True
) -> tuple[Answer, answers.Encoded]:
    """Return a recording as a client reads it, and how it was encoded."""
    encoded = answers.encode(interaction, version=version, keep_alive=keep_alive)
    method = interaction.request.method
    (answer,) = read_answers(whole(encoded), [method], closed=encoded.close)
    return answer, encoded


# --- problem details (RFC 9457) ------------------------------------------------------------------


@pytest.mark.parametrize("close", [True, False])
def test_problem_is_a_whole_response(close: bool) -> None:
    """It has its length, its type, and says whether the connection ends with it."""
    said = answers.problem(
        503, "busy", "Too busy", "Come again", close=close, fields=b"X: y\r\n", more=[1]
    )
    (answer,) = read_answers(said, ["GET"])
    assert (answer.status, answer.headers["x"]) == (503, "y")
    assert answer.headers["connection"] == ("close" if close else "keep-alive")
    assert answer.kind == "busy"
    assert {**answer.problem, "type": ""} == {
        "type": "",
        "title": "Too busy",
        "status": 503,
        "detail": "Come again",
        "more": [1],
    }


def test_problem_for_head_is_a_head() -> None:
    """Its length is that of what GET would have got (RFC 9110 §9.3.2)."""
    said = answers.problem(502, "x", "X", "x", close=False, head_only=True)
    full = answers.problem(502, "x", "X", "x", close=False)
    assert full.startswith(said)
    assert said.endswith(b"\r\n\r\n")


def test_problem_with_an_unknown_status() -> None:
    """A status without a registered phrase has none."""
    assert answers.problem(599, "x", "X", "x", close=False).startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize("kind", list(FailureKind))
def test_each_failure_has_its_answer(kind: FailureKind) -> None:
    """Each kind has a title of its own, its detail, and 502 but for a timeout."""
    said = answers.failure_answer(Failure(kind, "what happened"), close=False, head_only=False)
    (answer,) = read_answers(said, ["GET"])
    assert answer.status == (504 if kind is FailureKind.TIMEOUT else 502)
    assert (answer.kind, answer.problem["detail"]) == (kind, "what happened")
    assert answer.problem["title"]


def test_miss_explains_itself() -> None:
    """The document names the request, the nearest recordings, what differs, and the remedy."""
    near = Nearest(3, "GET", "http://a/", (Difference("path", "/b", "/a"),))
    miss = Miss("GET", "http://a/b", "Nothing matches.", "Record it.", (near,))
    (answer,) = read_answers(answers.miss_answer(miss, close=False, head_only=False), ["GET"])
    problem = answer.problem
    assert (answer.status, answer.kind, problem["url"]) == (502, "replay-miss", "http://a/b")
    assert problem["remedy"] == "Record it."
    assert problem["nearest"] == [msgspec.json.decode(msgspec.json.encode(near))]


# --- framing of a replay -------------------------------------------------------------------------


def test_chunks_are_replayed_as_they_came() -> None:
    """A chunked body goes out in the pieces in which it was recorded, with its trailers."""
    interaction = recorded(
        "http://a/", b"onetwothree", CHUNKED, chunks=((3, 1), (3, 30), (5, 60)), trailers=["T: 1"]
    )
    answer, encoded = replayed(interaction)
    assert whole(encoded).endswith(
        b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nT: 1\r\n\r\n"
    )
    assert (answer.body, answer.trailers) == (b"onetwothree", {"t": "1"})
    assert not encoded.close


@pytest.mark.parametrize("chunks", [(), ((11, 5.0),), ((3, 1.0), (3, 30.0)), ((99, 1.0), (1, 2.0))])
def test_chunks_that_do_not_add_up_are_one(chunks: tuple[tuple[int, float], ...]) -> None:
    """Where times were not kept, or the body was edited since, it is one chunk."""
    _, encoded = replayed(recorded("http://a/", b"onetwothree", CHUNKED, chunks=chunks))
    assert whole(encoded).endswith(b"\r\n\r\nb\r\nonetwothree\r\n0\r\n\r\n")


def test_empty_pieces_are_no_chunks() -> None:
    """A piece of no bytes would end the body."""
    chunks = ((3, 1.0), (0, 30.0), (3, 60.0))
    answer, _ = replayed(recorded("http://a/", b"onetwo", CHUNKED, chunks=chunks))
    assert answer.body == b"onetwo"


def test_empty_chunked_body_has_its_last_chunk() -> None:
    """A chunked response without content is still chunked."""
    _, encoded = replayed(recorded("http://a/", b"", CHUNKED))
    assert whole(encoded).endswith(b"\r\n\r\n0\r\n\r\n")


def test_length_is_made_true() -> None:
    """A Content-Length follows a body that was edited in the cassette, in its place and case."""
    interaction = recorded("http://a/", b"edited", "content-length: 3", "X: y", until_close=True)
    _, encoded = replayed(interaction)
    assert whole(encoded) == b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nX: y\r\n\r\nedited"


def test_body_until_the_end_is_one_again() -> None:
    """Neither a length nor chunks: the body ends with the connection."""
    answer, encoded = replayed(recorded("http://a/", b"hello", until_close=True))
    assert (answer.body, encoded.close) == (b"hello", True)
    assert whole(encoded) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 304)]
)
@pytest.mark.parametrize("field", ["Content-Length: 10", CHUNKED, "X: y"])
def test_framing_of_what_has_no_content_is_kept(method: str, status: int, field: str) -> None:
    """To HEAD, in 204 and 304, framing fields describe another response (RFC 9110 §8.6)."""
    interaction = recorded("http://a/", b"", field, method=method, status=status, until_close=True)
    encoded = answers.encode(interaction, version="HTTP/1.1", keep_alive=True)
    assert whole(encoded) == b"HTTP/1.1 %d OK\r\n%b\r\n\r\n" % (status, field.encode())
    assert not encoded.close


def test_old_client_gets_no_chunks() -> None:
    """A chunked recording is delimited by the end for an HTTP/1.0 client, and has no trailers."""
    interaction = recorded("http://a/", b"hello", CHUNKED, trailers=["T: 1"])
    _, encoded = replayed(interaction, "HTTP/1.0")
    assert whole(encoded) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
    assert encoded.close


@pytest.mark.parametrize(
    ("version", "keep_alive", "said"),
    [
        ("HTTP/1.1", True, b""),
        ("HTTP/1.1", False, b"Connection: close\r\n"),
        ("HTTP/1.0", True, b"Connection: keep-alive\r\n"),
        ("HTTP/1.0", False, b"Connection: close\r\n"),
    ],
)
def test_connection_is_between_us_and_the_client(
    version: str, keep_alive: bool, said: bytes
) -> None:
    """What the origin had said about its connection, and for it alone, is not replayed."""
    interaction = recorded(
        "http://a/", b"x", "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5"
    )
    encoded = answers.encode(interaction, version=version, keep_alive=keep_alive)
    assert whole(encoded) == b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + said + b"\r\nx"
    assert encoded.close is not keep_alive


def test_interim_responses_come_first() -> None:
    """103 is replayed before the response, but not to an HTTP/1.0 client."""
    early = Response(103, "Early Hints", field_lines("Link: </a>"))
    interaction = recorded("http://a/", b"x", informational=(early,))
    answer, encoded = replayed(interaction)
    assert answer.interim == (103,)
    assert encoded.head.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200")
    assert replayed(interaction, "HTTP/1.0")[0].interim == ()


def test_interim_responses_come_before_a_failure_too() -> None:
    """A failure after a 103 is one again."""
    early = Response(103, "Early Hints")
    failure = Failure(FailureKind.RESET, "gone")
    interaction = recorded("http://a/", informational=(early,), responded=False, failure=failure)
    answer, _ = replayed(interaction)
    assert (answer.interim, answer.status, answer.kind) == ((103,), 502, "reset")


def test_field_lines_are_replayed_as_they_were() -> None:
    """Order, case, repeats and bytes of the fields are the recording's."""
    fields = ("Set-Cookie: a", "X-b: é", "set-cookie: b", "X-empty: ")
    _, encoded = replayed(recorded("http://a/", b"", *fields, status=418, reason="Théière"))
    assert whole(encoded) == (
        b"HTTP/1.1 418 Th\xe9i\xe8re\r\nSet-Cookie: a\r\nX-b: \xc3\xa9\r\nset-cookie: b\r\n"
        b"X-empty: \r\nContent-Length: 0\r\n\r\n"
    )


# --- cuts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FailureKind.TRUNCATED, FailureKind.RESET, FailureKind.TIMEOUT])
def test_cut_promises_what_was_promised(kind: FailureKind) -> None:
    """A body that broke off keeps the length that was promised, and ends the connection."""
    interaction = recorded(
        "http://a/", b"half", "Content-Length: 10", until_close=True, failure=Failure(kind)
    )
    encoded = answers.encode(interaction, version="HTTP/1.1", keep_alive=True)
    assert whole(encoded).endswith(b"Content-Length: 10\r\nConnection: close\r\n\r\nhalf")
    assert (encoded.cut, encoded.close) == (kind, True)


def test_cut_chunks_have_no_end() -> None:
    """A chunked body that broke off has no last chunk."""
    failure = Failure(FailureKind.TRUNCATED)
    interaction = recorded("http://a/", b"half", CHUNKED, failure=failure)
    encoded = answers.encode(interaction, version="HTTP/1.1", keep_alive=True)
    assert whole(encoded).endswith(b"\r\n\r\n4\r\nhalf\r\n")


def test_failure_without_a_response() -> None:
    """Whatever an interaction without a response says, it is an answer: 502 at the least."""
    answer, encoded = replayed(recorded("http://a/", responded=False))
    assert (answer.status, encoded.cut, encoded.close) == (502, None, False)
    head = recorded("http://a/", method="HEAD", responded=False)
    assert replayed(head)[0].body == b""


# --- large bodies --------------------------------------------------------------------------------


def test_small_recording_is_one_write() -> None:
    """Up to 64 kB head and body are joined; above that the body is not copied."""
    small = answers.encode(recorded(body=bytes(60_000)), version="HTTP/1.1", keep_alive=True)
    large = answers.encode(recorded(body=bytes(70_000)), version="HTTP/1.1", keep_alive=True)
    assert (small.pieces, small.tail) == ((), b"")
    assert sum(map(len, large.pieces)) == 70_000


@pytest.mark.parametrize(
    ("fields", "until_close", "before", "after"),
    [
        ((), False, b"Content-Length: 256\r\n\r\n", b""),
        ((CHUNKED,), False, b"\r\n\r\n100\r\n", b"\r\n0\r\n\r\n"),
        ((), True, b"Connection: close\r\n\r\n", b""),
    ],
)
def test_side_file_is_framed_by_its_size(
    fields: tuple[str, ...], until_close: bool, before: bytes, after: bytes
) -> None:
    """A body in a side file is not opened to be encoded."""
    body = FileBody(Path("/nowhere"), 256, "")
    interaction = recorded("http://a/", body, *fields, until_close=until_close)
    encoded = answers.encode(interaction, version="HTTP/1.1", keep_alive=True)
    assert encoded.file is body
    assert encoded.head.endswith(before)
    assert encoded.tail == after


def test_empty_side_file_is_no_chunk() -> None:
    """A side file of no bytes must not look like the last chunk."""
    body = FileBody(Path("/nowhere"), 0, "")
    encoded = answers.encode(
        recorded("http://a/", body, CHUNKED), version="HTTP/1.1", keep_alive=True
    )
    assert whole(encoded).endswith(b"\r\n\r\n0\r\n\r\n")


@given(
    body=st.binary(max_size=200),
    cuts=st.lists(st.integers(1, 50), max_size=8),
    chunked=st.booleans(),
    until_close=st.booleans(),
    version=st.sampled_from(["HTTP/1.1", "HTTP/1.0"]),
    keep_alive=st.booleans(),
)
def test_every_body_comes_back(
    body: bytes, cuts: list[int], chunked: bool, until_close: bool, version: str, keep_alive: bool
) -> None:
    """Whatever the framing, the client and the pieces: an independent reader gets the body."""
    sizes = [*cuts, len(body) - sum(cuts)] if sum(cuts) < len(body) else []
    chunks = tuple((size, 30.0 * n) for n, size in enumerate(sizes))
    fields = (CHUNKED,) if chunked else ()
    interaction = recorded("http://a/", body, *fields, chunks=chunks, until_close=until_close)
    answer, encoded = replayed(interaction, version, keep_alive=keep_alive)
    assert answer.body == body
    assert encoded.close or keep_alive
