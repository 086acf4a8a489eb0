"""Heads and chunks as bytes: what is taken off, what is put on, and that nothing else changes."""

from __future__ import annotations

import pytest

from magneto_serge.wire.events import Framing
from magneto_serge.wire.serialize import (
    CONTINUE,
    LAST_CHUNK,
    chunk,
    last_chunk,
    request_head,
    response_head,
    upgrade_head,
)

HOST = (b"Host", b"a.example")


def lines_of(head: bytes) -> list[bytes]:
    """Return the lines of a head, which must end with an empty one."""
    assert head.endswith(b"\r\n\r\n")
    assert b"\r\n\r\n" not in head[:-4]
    return head[:-4].split(b"\r\n")


def request_lines(
    *fields: tuple[bytes, bytes], host: bytes = b"a.example", **edits: object
) -> list[bytes]:
    """Return the field lines of a request that came in with ``fields``."""
    head = request_head("GET", "/p?q", fields, host=host, **edits)  # type: ignore[arg-type]  # rows of tests
    start, *lines = lines_of(head)
    assert start == b"GET /p?q HTTP/1.1"
    return lines


def response_lines(*fields: tuple[bytes, bytes], **edits: object) -> list[bytes]:
    """Return the field lines of a response that came in with ``fields``."""
    head = response_head(200, b"OK", fields, **edits)  # type: ignore[arg-type]  # rows of tests
    start, *lines = lines_of(head)
    assert start == b"HTTP/1.1 200 OK"
    return lines


# --- requests


def test_field_lines_go_out_as_they_came() -> None:
    """Order, case, repeats and bytes of field lines are kept."""
    fields = [
        (b"x-B", b"2"),
        HOST,
        (b"X-A", b""),
        (b"X-b", b"1"),
        (b"x-B", b"2"),
        (b"X-Latin", b"caf\xe9"),
    ]
    assert request_lines(*fields) == [b"%b: %b" % field for field in fields]


def test_host_is_replaced_in_its_place() -> None:
    """Host keeps its place and the case of its name, and gets the origin's value."""
    lines = request_lines((b"A", b"1"), (b"hOST", b"proxy:8888"), (b"B", b"2"), host=b"[::1]:81")
    assert lines == [b"A: 1", b"hOST: [::1]:81", b"B: 2"]


def test_a_missing_host_goes_first() -> None:
    """A request without Host (HTTP/1.0) gets one, as the first field (RFC 9110 §7.2)."""
    assert request_lines((b"A", b"1")) == [b"Host: a.example", b"A: 1"]


@pytest.mark.parametrize(
    "name",
    [
        b"Connection",
        b"Proxy-Connection",
        b"Keep-Alive",
        b"TE",
        b"Upgrade",
        b"Proxy-Authorization",
        b"HTTP2-Settings",
        b"pRoXy-AuThOrIzAtIoN",
    ],
)
def test_hop_by_hop_fields_are_taken_off(name: bytes) -> None:
    """What belongs to the client's hop does not reach the origin (RFC 9110 §7.6.1)."""
    assert request_lines(HOST, (name, b"x"), (b"A", b"1")) == [b"Host: a.example", b"A: 1"]
    assert response_lines((name, b"x"), (b"A", b"1")) == [b"A: 1"]


def test_nominated_fields_are_taken_off() -> None:
    """What Connection nominates goes with it, in any case."""
    fields = [HOST, (b"X-HOP", b"1"), (b"x-hop", b"2"), (b"X-Hope", b"3")]
    nominated = frozenset({b"x-hop"})
    assert request_lines(*fields, nominated=nominated) == [b"Host: a.example", b"X-Hope: 3"]
    assert response_lines(*fields[1:], nominated=nominated) == [b"X-Hope: 3"]


@pytest.mark.parametrize("value", [b"trailers", b"Trailers", b"gzip, trailers;q=1"])
def test_te_trailers_is_put_on_again(value: bytes) -> None:
    """We pass trailers on, so we may say so for ourselves (RFC 9110 §10.1.4); nothing else."""
    lines = request_lines(HOST, (b"TE", value), (b"A", b"1"))
    assert lines == [b"Host: a.example", b"A: 1", b"Connection: TE", b"TE: trailers"]


def test_an_upgrade_is_offered_onwards() -> None:
    """An upgrade is offered with our own Connection field (RFC 9110 §7.8)."""
    lines = request_lines(
        HOST, (b"Upgrade", b"foo"), (b"Connection", b"upgrade, x"), upgrade=b"foo"
    )
    assert lines == [b"Host: a.example", b"Connection: Upgrade", b"Upgrade: foo"]


def test_expect_is_passed_on_or_taken_off() -> None:
    """Expect stays unless the content has been read already."""
    fields = [HOST, (b"EXPECT", b"100-continue")]
    assert request_lines(*fields) == [b"Host: a.example", b"EXPECT: 100-continue"]
    assert request_lines(*fields, expect_continue=False) == [b"Host: a.example"]


def test_extra_lines_go_last() -> None:
    """Lines for an upstream proxy stand behind everything."""
    extra = b"Proxy-Authorization: Basic eA==\r\n"
    lines = request_lines(HOST, (b"Proxy-Authorization", b"for us"), extra=extra)
    assert lines == [b"Host: a.example", b"Proxy-Authorization: Basic eA=="]


def test_the_framing_of_a_request_stays() -> None:
    """Content goes on as it came: the framing fields are the client's own."""
    for line in ((b"CONTENT-length", b"005"), (b"transfer-ENCODING", b"Chunked")):
        assert request_lines(HOST, line)[1] == b"%b: %b" % line


# --- responses


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (b"Not Found", b"HTTP/1.1 404 Not Found"),
        (b"", b"HTTP/1.1 404 "),
        (b"caf\xe9", b"HTTP/1.1 404 caf\xe9"),
    ],
)
def test_status_lines(reason: bytes, line: bytes) -> None:
    """The reason phrase goes out as it came; the space before it stands alone (RFC 9112 §4)."""
    assert lines_of(response_head(404, reason, ())) == [line]


def test_the_framing_of_a_response_stays_unless_told() -> None:
    """Without a framing of our own, the origin's field goes out byte for byte."""
    for line in ((b"content-Length", b"005"), (b"TRANSFER-encoding", b"Chunked")):
        assert response_lines((b"A", b"1"), line, (b"B", b"2"))[1] == b"%b: %b" % line


@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        (Framing.LENGTH, [b"A: 1", b"Content-Length: 7", b"B: 2"]),
        (Framing.CHUNKED, [b"A: 1", b"Transfer-Encoding: chunked", b"B: 2"]),
        (Framing.CLOSE, [b"A: 1", b"B: 2"]),
        (Framing.NONE, [b"A: 1", b"B: 2"]),
    ],
)
def test_a_framing_is_replaced_in_its_place(framing: Framing, expected: list[bytes]) -> None:
    """Our framing stands where the origin's stood; framings without a field leave no line."""
    fields = [(b"A", b"1"), (b"transfer-encoding", b"chunked"), (b"B", b"2")]
    assert response_lines(*fields, framing=framing, length=7) == expected


def test_a_replaced_length_keeps_the_name_of_the_origins() -> None:
    """The name of the field stays as the origin wrote it where it is the same field."""
    fields = [(b"CONTENT-length", b"5"), (b"A", b"1")]
    assert response_lines(*fields, framing=Framing.LENGTH, length=7) == [
        b"CONTENT-length: 7",
        b"A: 1",
    ]


def test_a_missing_framing_goes_last() -> None:
    """A response that was delimited by close gets its framing behind its fields."""
    assert response_lines((b"A", b"1"), framing=Framing.LENGTH, length=0) == [
        b"A: 1",
        b"Content-Length: 0",
    ]


def test_one_framing_goes_out() -> None:
    """Of several framing fields one line is left, in the place of the first."""
    fields = [(b"Transfer-Encoding", b"chunked"), (b"A", b"1"), (b"Content-Length", b"5")]
    assert response_lines(*fields, framing=Framing.LENGTH, length=7) == [
        b"Content-Length: 7",
        b"A: 1",
    ]


def test_our_own_connection_field_goes_last() -> None:
    """The origin's Connection is dropped and ours put behind everything."""
    lines = response_lines((b"Connection", b"keep-alive"), (b"A", b"1"), connection=b"close")
    assert lines == [b"A: 1", b"Connection: close"]


def test_a_switch_keeps_its_fields() -> None:
    """A 101 goes out with the Connection and Upgrade that the origin sent (RFC 9110 §15.2.2)."""
    fields = [(b"upgrade", b"foo"), (b"Connection", b"Upgrade"), (b"X-A", b"1")]
    assert lines_of(upgrade_head(101, b"Switching Protocols", fields)) == [
        b"HTTP/1.1 101 Switching Protocols",
        b"upgrade: foo",
        b"Connection: Upgrade",
        b"X-A: 1",
    ]


def test_the_interim_response_of_our_own() -> None:
    """100 Continue has no fields."""
    assert lines_of(CONTINUE) == [b"HTTP/1.1 100 Continue"]


# --- chunks


@pytest.mark.parametrize(
    ("data", "size"), [(b"x", b"1"), (b"x" * 15, b"f"), (b"x" * 255, b"ff"), (b"\r\n", b"2")]
)
def test_chunks(data: bytes, size: bytes) -> None:
    """A chunk is its size in hexadecimal, and its bytes (RFC 9112 §7.1)."""
    assert chunk(data) == size + b"\r\n" + data + b"\r\n"


def test_the_last_chunk() -> None:
    """The last chunk carries the trailer section, line by line; it may be empty."""
    assert last_chunk(()) == LAST_CHUNK == b"0\r\n\r\n"
    trailers = [(b"X-t", b"1"), (b"x-T", b""), (b"X-t", b"1")]
    assert last_chunk(trailers) == b"0\r\nX-t: 1\r\nx-T: \r\nX-t: 1\r\n\r\n"
