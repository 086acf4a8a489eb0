"""A body opened for its secrets, and put together again: everything that follows is true."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.codings import Coding, CodingName, decode, encode
from magneto_serge.messages import Headers
from magneto_serge.replay.secrets.bodies import Form, Nature, Opened, measured, pieces

TEXT = b'{"password":"x"}'
CODINGS: tuple[CodingName, ...] = ("gzip", "deflate", "br", "zstd")


def opened(body: bytes, *fields: tuple[str, str]) -> Opened:
    """Open a body below these fields."""
    return Opened(Form(Headers.of(*fields)), body)


@pytest.mark.parametrize("name", CODINGS)
def test_a_coding_is_undone_and_done_again(name: CodingName) -> None:
    """What is stored decodes as before."""
    body = opened(encode(TEXT, Coding(name)), ("Content-Encoding", name))
    assert body.content == TEXT
    assert body.coded
    assert decode(name, body.closed(b"other"), 100) == b"other"


def test_what_cannot_be_decoded_is_binary() -> None:
    """A lie, or a bomb."""
    body = opened(TEXT, ("Content-Encoding", "gzip"))
    assert body.nature is Nature.BINARY
    assert body.closed(body.content) == TEXT
    assert not body.coded


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32"])
def test_text_in_wide_characters_is_read_as_such(charset: str) -> None:
    """And written so again."""
    data = TEXT.decode().encode(charset)
    body = opened(data, ("Content-Type", f"application/json; charset={charset}"))
    assert body.content == TEXT
    assert body.closed(b"other") == b"other".decode().encode(charset)


def test_a_byte_order_mark_tells_without_a_charset() -> None:
    """RFC 2781 §3.3."""
    assert opened(TEXT.decode().encode("utf-16")).content == TEXT


@pytest.mark.parametrize(
    ("content_type", "nature"),
    [
        ("image/png", Nature.MEDIA),
        ("video/mp4", Nature.MEDIA),
        ("image/svg+xml", Nature.TEXT),
        ("application/octet-stream", Nature.BINARY),
        ("application/x-protobuf", Nature.BINARY),
        ("application/json", Nature.TEXT),
        ("application/unheard-of", Nature.TEXT),
        ("text/plain; charset=unknown-8bit", Nature.TEXT),
    ],
)
def test_what_a_body_is_by_its_type(content_type: str, nature: Nature) -> None:
    """What is not known to be binary is text; any charset that has ASCII in it is."""
    assert opened(TEXT, ("Content-Type", content_type)).nature is nature


def test_bytes_that_no_text_has_are_binary() -> None:
    """Whatever the type says."""
    assert opened(b"a\0b", ("Content-Type", "text/plain; charset=utf-16")).nature is Nature.BINARY
    assert opened(b"a\0b").nature is Nature.BINARY


SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=8)


@given(sizes=SIZES, data=st.data())
def test_pieces_add_up_to_the_new_length(sizes: list[int], data: st.DataObject) -> None:
    """However the replacements lie to their ends, and no piece is empty."""
    before = sum(sizes)
    edits, at = [], 0
    while at < before and data.draw(st.booleans()):
        start = data.draw(st.integers(at, before - 1))
        end = data.draw(st.integers(start + 1, before))
        edits.append((start, end, data.draw(st.integers(1, 60))))
        at = end
    after = before + sum(length - (end - start) for start, end, length in edits)
    chunks = [(size, float(number)) for number, size in enumerate(sizes)]
    made = pieces(chunks, edits, before, after)
    assert sum(size for size, _ in made) == after
    assert all(size > 0 for size, _ in made)
    scaled = pieces(chunks, (), before, after)
    assert sum(size for size, _ in scaled) == after


def test_a_piece_without_replacements_keeps_its_size() -> None:
    """Only the pieces in which something was replaced change."""
    chunks = [(10, 0.0), (10, 1.0), (10, 2.0)]
    assert pieces(chunks, [(12, 14, 5)], 30, 33) == ((10, 0.0), (13, 1.0), (10, 2.0))
    assert pieces(chunks, [(8, 12, 10)], 30, 36) == ((18, 0.0), (8, 1.0), (10, 2.0))
    assert pieces((), (), 3, 5) == ()


def test_length_and_digests_are_true_of_what_is_stored() -> None:
    """A digest of what was there before would be one of the secret."""
    body = b"new body"
    sha = b64encode(hashlib.sha256(body).digest()).decode()
    md5 = b64encode(hashlib.md5(body).digest()).decode()
    headers = Headers.of(
        ("Content-Length", "10"),
        ("Content-MD5", "b2xk"),
        ("Digest", "sha-256=b2xk"),
        ("Content-Digest", "sha-256=:b2xk:"),
        ("Repr-Digest", "unheard-of=:b2xk:"),
        ("X-Other", "b2xk"),
    )
    assert list(measured(headers, -2, body)) == [
        ("Content-Length", "8"),
        ("Content-MD5", md5),
        ("Digest", f"sha-256={sha}"),
        ("Content-Digest", f"sha-256=:{sha}:"),
        ("X-Other", "b2xk"),
    ]
    assert list(measured(headers, 5, None)) == [("Content-Length", "15"), ("X-Other", "b2xk")]


def test_a_length_that_is_none_stays() -> None:
    """It was wrong before."""
    headers = Headers.of(("Content-Length", "many"))
    assert measured(headers, 5, b"x") == headers
