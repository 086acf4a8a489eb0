"""Large bodies are redacted while they stream, whatever the pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.messages import Headers
from magneto_serge.replay.secrets.redactor import Redactor
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.secrets.stream import BLOCK, MARGIN

SECRET = b"tok3n-a1B2c3D4e5F6"
MEMBER = b'{"access_token":"%s"}' % SECRET


def redacted(data: bytes, step: int, *fields: tuple[str, str]) -> tuple[bytes, bool]:
    """Return what comes out of a body in pieces of ``step`` bytes, and whether it changed."""
    stream = Redactor(SecretRules()).stream(Headers.of(*fields).raw)
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    made = b"".join(stream.feed(piece) for piece in pieces)
    return made + stream.finish(), stream.changed


@settings(max_examples=15, deadline=None)
@given(
    at=st.integers(0, 2 * BLOCK),
    step=st.sampled_from([10_007, MARGIN - 1, MARGIN, BLOCK, BLOCK + 3, 4 * BLOCK]),
)
def test_a_secret_is_replaced_wherever_the_pieces_end(at: int, step: int) -> None:
    """At any place, and where it comes again later without its name."""
    data = b"." * at + MEMBER + b"." * (BLOCK - at % 1000) + SECRET + b"." * MARGIN
    made, changed = redacted(data, step)
    assert made == data.replace(SECRET, b"REDACTED-1")
    assert changed


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + MARGIN, 3 * BLOCK + 1])
def test_what_has_no_secret_comes_out_as_it_went_in(size: int) -> None:
    """To the byte, whatever its size."""
    data = (b'{"id":1,"name":"x"},' * (size // 20 + 1))[:size]
    assert redacted(data, 65_536) == (data, False)


def test_the_longest_secret_is_seen_whole() -> None:
    """Up to the margin, name and all."""
    long = b"a1B2c3D4" * ((MARGIN - 100) // 8)
    for at in (0, BLOCK - MARGIN - 50, BLOCK - 20, BLOCK):
        data = b" " * at + b'{"password":"%s"}' % long + b" " * BLOCK
        made, _ = redacted(data, 50_000)
        assert made == data.replace(long, b"REDACTED-1")


def test_a_binary_body_keeps_its_length() -> None:
    """It may count its own bytes; names say nothing there."""
    token = b"ghp_" + b"a1B2c3D4e5" * 4
    data = b"\0\1\2" + MEMBER + token + b"\0" * BLOCK
    made, changed = redacted(data, 100_000)
    assert changed
    assert len(made) == len(data)
    assert made.startswith(b"\0\1\2" + MEMBER + b"ghp_REDACTED-1---")
    media = redacted(data, 100_000, ("Content-Type", "video/mp4"))
    assert media == (data, False)


def test_a_second_time_gives_the_same_and_counts_once() -> None:
    """Numbers stay; what the first has counted is taken back."""
    redactor = Redactor(SecretRules())
    first = redactor.stream(())
    one = first.feed(MEMBER) + first.finish()
    second = first.again()
    assert second.feed(MEMBER) + second.finish() == one
    assert redactor.counts.total() == 1
    assert second.coding is None
    assert redactor.stream(((b"Content-Encoding", b"gzip"),)).coding == "gzip"


def test_a_private_key_that_never_ends_is_not_held_for_ever() -> None:
    """What looks like a secret of any length goes on its way."""
    data = b"-----BEGIN PRIVATE KEY-----\n" + b"abcdefgh" * BLOCK
    made, _ = redacted(data, 65_536)
    assert made.startswith(b"-----BEGIN PRIVATE KEY-----\nUkVEQUNURUQtMQ==")
