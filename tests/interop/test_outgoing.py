"""What exporters share."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.codings import Coding, encode
from magneto_serge.interop.outgoing import (
    answered,
    as_text,
    body_bytes,
    content_of,
    grouped,
    numbered,
    remark_losses,
    whole_text,
)
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.messages import (
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)

REQUEST = Request("GET", "http", "h", 80, "/")


def test_bodies_come_from_their_files(tmp_path: Path) -> None:
    """Wherever they are kept."""
    (tmp_path / "body").write_bytes(b"text")
    assert body_bytes(FileBody(tmp_path / "body", 4, "")) == body_bytes(b"text") == b"text"


def test_content_is_decoded() -> None:
    """And it is remarked where that loses bytes."""
    headers, remarks = Headers.of(("Content-Encoding", "gzip")), Remarks()
    ours = encode(b"text", Coding("gzip"))
    assert content_of(Response(200, "", headers, ours), remarks) == b"text"
    assert not remarks
    theirs = encode(b"text", Coding("gzip", level=9, mtime=7))
    assert content_of(Response(200, "", headers, theirs), remarks) == b"text"
    assert remarks.counts == {Remark.CODED_BYTES: 1}
    assert content_of(Response(200, "", headers, b"torn"), remarks) == b"torn"


def test_fields_by_name() -> None:
    """Values in order; a name that comes back later is remarked."""
    remarks = Remarks()
    assert grouped(Headers.of(("A", "1"), ("A", "2"), ("a", "3")), remarks) == {
        "A": ["1", "2"],
        "a": ["3"],
    }
    assert not remarks
    grouped(Headers.of(("A", "1"), ("B", "2"), ("A", "3")), remarks)
    assert remarks.counts == {Remark.FIELD_ORDER: 1}


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"a\r\n\tb", "a\r\n\tb"), ("é".encode(), "é"), (b"\xff", None), (b"a\0", None), (b"", "")],
)
def test_text(content: bytes, text: str | None) -> None:
    """UTF-8 without control characters."""
    assert whole_text(content) == text


def test_field_text_is_reversible() -> None:
    """One character for each byte."""
    assert as_text(bytes(range(256))).encode("latin-1") == bytes(range(256))


def test_only_answers() -> None:
    """The others are remarked, with their numbers."""
    held = [
        Interaction(REQUEST, Response(200)),
        Interaction(REQUEST, failure=Failure(FailureKind.DNS)),
        Interaction(REQUEST, Response(101)),
        Interaction(REQUEST, Response(200), Failure(FailureKind.RESET)),
    ]
    remarks = Remarks()
    assert list(answered(held, remarks)) == [held[0], held[3]]
    assert remarks.first == {
        Remark.FAILURE: "interaction 2",
        Remark.CONVERSATION: "interaction 3",
        Remark.BROKEN_OFF: "interaction 4",
    }


def test_losses_are_told_where_there_are_some() -> None:
    """And only of the kinds asked for."""
    full = Interaction(
        Request("OPTIONS", "http", "h", 80, "*", Headers.of(("A", "1"), ("Host", "h"))),
        Response(200, "Fine", trailers=Headers.of(("T", "1")), version="HTTP/1.0"),
        started=1.0,
        chunks=((1, 0.0), (2, 1.0)),
        informational=(Response(103),),
        peer="192.0.2.1:80",
    )
    kinds = [
        Remark.TIMES, Remark.PIECES, Remark.INTERIM, Remark.PEER, Remark.TRAILERS, Remark.VERSION,
        Remark.TARGET, Remark.FIELDS, Remark.REASON,
    ]  # fmt: skip
    remarks = Remarks()
    remark_losses(full, [*kinds, Remark.FRAMES], remarks)
    assert set(remarks.counts) == set(kinds)
    remarks = Remarks()
    remark_losses(Interaction(REQUEST, Response(200, "OK")), kinds, remarks)
    assert not remarks


def test_numbers() -> None:
    """A remark has the number of its interaction."""
    remarks = Remarks()
    for each in numbered([Interaction(REQUEST)] * 2, remarks):
        remarks.add(Remark.TIMES, each.request.method)
    assert remarks.first == {Remark.TIMES: "interaction 1: GET"}
