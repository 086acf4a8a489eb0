"""Rewriting: what each way does to a message, and what it leaves alone."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from magneto_serge.messages import (
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.replay.rewrite import Rewriter
from magneto_serge.replay.rewrite_rules import rewriter

from .telling import asks


def rules(*texts: Any, **short: Any) -> Rewriter:
    """Compile rules."""
    found = rewriter(texts, **short)
    assert found is not None
    return found


def sent(request: Request, *texts: Any, **short: Any) -> Request:
    """Return the request as it goes to the server."""
    found = rules(*texts, **short).outgoing(request)
    assert found is not None
    return found.request


REQUEST = asks("/v1/users?q=1", fields=(("Host", "a.example"), ("X-A", "1")))


def answer(body: bytes = b"", *fields: tuple[str, str], status: int = 200) -> Response:
    """Return a response."""
    return Response(status, "OK", Headers.of(*fields), body)


def test_what_no_rule_is_about() -> None:
    """None says so, without a copy."""
    found = rules("to-server host=b.example set X-A: 2", "to-client status=500 status 200")
    assert found.outgoing(REQUEST) is None
    assert found.incoming(REQUEST, 200, "OK", Headers()) is None
    response = answer()
    assert found.response(REQUEST, response) is response
    said = Interaction(REQUEST, response)
    assert found.interaction(said) is said
    assert not found.for_cassette


def test_fields_to_the_server() -> None:
    """Set, add and remove, in order; the request that came stays as it was."""
    before = msgspec.structs.replace(REQUEST)
    changed = sent(REQUEST, "to-server set X-A: 2", "to-server add X-B: 3", "to-server remove X-A")
    assert changed.headers == Headers.of(("Host", "a.example"), ("X-B", "3"))
    assert before == REQUEST


@pytest.mark.parametrize(
    ("place", "scheme", "host", "port", "named"),
    [
        ("http://localhost:8080", "http", "localhost", 8080, b"localhost:8080"),
        ("https://b.example", "https", "b.example", 443, b"b.example"),
        ("b.example", "http", "b.example", 80, b"b.example"),
        ("[::1]:8080", "http", "::1", 8080, b"[::1]:8080"),
        ("localhost:8080 keep-host", "http", "localhost", 8080, None),
    ],
)
def test_mapping_a_host(place: str, scheme: str, host: str, port: int, named: bytes | None) -> None:
    """Scheme and port are kept unless they are said; Host follows unless it is to stay."""
    found = rules(f"to-server map {place}").outgoing(REQUEST)
    assert found is not None
    changed = found.request
    assert (changed.scheme, changed.host, changed.port) == (scheme, host, port)
    assert found.host == named


def test_the_short_forms() -> None:
    """`map_hosts` and `set_headers` are rules of their own, and come first."""
    found = rules(
        "to-server set X-A: last",
        map_hosts=["a.example=localhost:8080"],
        set_headers=["X-A: first", "to-client: X-C: 1", "to-client: Server:"],
    )
    outgoing = found.outgoing(REQUEST)
    assert outgoing is not None
    assert outgoing.request.authority == "localhost:8080"
    assert outgoing.request.headers["X-A"] == "last"
    assert found.response(REQUEST, answer(b"", ("Server", "x"))).headers == Headers.of(("X-C", "1"))


def test_a_host_field_of_ones_own() -> None:
    """A rule may say what stands in Host, also where the request is mapped."""
    found = rules("to-server map localhost:8080", "to-server set Host: c.example").outgoing(REQUEST)
    assert found is not None
    assert found.host == b"c.example"


def test_paths() -> None:
    """The path is substituted, the query stays; what would be no path is left, and reported."""
    assert sent(REQUEST, "to-server path /v1/ /v2/").target == "/v2/users?q=1"
    assert sent(REQUEST, "to-server path s|^/v(.)|/api/$1|").target == "/api/$1/users?q=1"
    assert sent(REQUEST, r"to-server path 's|^/v(.)|/api/\1|'").target == "/api/1/users?q=1"
    star = msgspec.structs.replace(REQUEST, target="*", method="OPTIONS")
    assert sent(star, "to-server path a b").target == "*"


def test_a_path_that_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """It is left as it is, and reported."""
    assert sent(REQUEST, "to-server path /v1/users ''").target == REQUEST.target
    assert "makes no path" in caplog.text


def test_criteria_see_the_request_as_it_came() -> None:
    """What an earlier rule has changed does not hide the request from a later one."""
    changed = sent(
        REQUEST, "to-server host=a.example map b.example", "to-server host=a.example set X-A: 2"
    )
    assert (changed.host, changed.headers["X-A"]) == ("b.example", "2")


def test_status() -> None:
    """Another code has its own phrase; the same one keeps the origin's."""
    changed = rules("to-client status=5xx status 200").response(REQUEST, answer(status=503))
    assert (changed.status, changed.reason) == (200, "OK")
    same = rules("to-client status 200").incoming(REQUEST, 200, "Fine", Headers())
    assert same is not None
    assert same.reason == "Fine"
    odd = rules("to-client status 299").response(REQUEST, answer())
    assert (odd.status, odd.reason) == (299, "")


def test_a_status_that_had_no_body() -> None:
    """Where 204 or 304 said that there is no content, a length of 0 has to say it now."""
    found = rules("to-client status 200")
    changed = found.response(REQUEST, answer(b"", ("Content-Length", "9"), status=304))
    assert changed.headers == Headers.of(("Content-Length", "0"))
    head = asks(method="HEAD")
    assert found.response(head, answer(b"", status=204)).headers == Headers()


def test_bodies_to_the_client() -> None:
    """Text and regular expressions, in order, decoded where there is a content coding."""
    found = rules("to-client body foo bar", r"to-client body 's/b(.)r/<\1>/'")
    assert found.response(REQUEST, answer(b"a foo")).body == b"a <a>"
    coded = answer(gzip.compress(b"foo"), ("Content-Encoding", "gzip"), ("Content-Length", "9"))
    changed = found.response(REQUEST, coded)
    assert changed.body == b"<a>"
    assert changed.headers == Headers.of(("Content-Length", "3"))


def test_bodies_that_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Too large, or in a coding that cannot be undone: it is passed as it is, with a warning."""
    found = rules("to-client body foo bar")
    large = Response(200, body=FileBody(Path("x"), 9, ""))
    assert found.response(REQUEST, large) == large
    broken = answer(b"foo", ("Content-Encoding", "br"))
    assert found.response(REQUEST, broken) == broken
    first, second = (record.getMessage() for record in caplog.records)
    assert "too large to be rewritten" in first
    assert "'br' cannot be undone" in second


def test_bodies_to_the_server() -> None:
    """The proxy is told what is to be substituted once it has the whole body."""
    found = rules("to-server body a b").outgoing(REQUEST)
    assert found is not None
    assert [each.apply(b"aa") for each in found.body] == [b"bb"]


def test_into_the_cassette() -> None:
    """Response and request are changed in what is written, each by rules that say so."""
    found = rules(
        "to-cassette set X-B: 1",
        "to-cassette body s/[0-9]+/N/",
        "to-cassette request map https://api.example",
        "to-cassette request remove X-A",
        "to-cassette request path /v1 /v2",
        "to-cassette request body s/[0-9]+/M/",
        "to-cassette status=404 status 200",
    )
    assert found.for_cassette
    request = msgspec.structs.replace(REQUEST, body=b"id 7")
    response = answer(b"id 42", ("Content-Length", "5"), status=404)
    said = Interaction(request, response, chunks=((2, 1.0), (3, 50.0)))
    changed = found.interaction(said)
    assert changed.request.url == "https://api.example/v2/users?q=1"
    assert changed.request.headers == Headers.of(("Host", "a.example"))
    assert changed.request.body == b"id M"
    assert changed.response == Response(
        200, "OK", Headers.of(("Content-Length", "4"), ("X-B", "1")), b"id N"
    )
    assert changed.chunks == ()
    assert said.response == response


def test_chunks_stay_with_an_unchanged_body() -> None:
    """A field that changes is no reason to forget how a stream came."""
    said = Interaction(REQUEST, answer(b"abc"), chunks=((1, 1.0), (2, 50.0)))
    changed = rules("to-cassette set A: b", "to-cassette body x y").interaction(said)
    assert changed.chunks == said.chunks


def test_failures_in_the_cassette() -> None:
    """Where there is no response only the request can be changed."""
    failed = Interaction(REQUEST, None, Failure(FailureKind.DNS))
    changed = rules("to-cassette set A: b", "to-cassette request set A: b").interaction(failed)
    assert changed.response is None
    assert changed.request.headers["A"] == "b"


def test_ways_are_apart() -> None:
    """A rule of one way does nothing on another."""
    found = rules("to-client set A: b")
    assert found.outgoing(REQUEST) is None
    assert rules("to-server set A: b").incoming(REQUEST, 200, "", Headers()) is None
