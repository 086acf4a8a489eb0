"""The placeholders that a cassette holds already."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)
from magneto_serge.replay.secrets.known import highest_number, highest_of
from magneto_serge.replay.secrets.placeholders import Look, placeholder

PLAIN = Request("GET", "http", "h", 80, "/")


@pytest.mark.parametrize("look", Look)
def test_every_form_counts(look: Look) -> None:
    """Numbers in JSON too."""
    assert highest_of(b'{"a":%s}' % placeholder(41, look)) == 41


def test_what_is_none_does_not_count() -> None:
    """Numbers that only begin so, and ordinary text."""
    assert highest_of(b'{"a":99990000011,"b":1.9999000001,"c":"REDACTED"}') == 0


def test_every_place_is_looked_at(tmp_path: Path) -> None:
    """Targets, fields, bodies in any coding, side files, failures, messages."""
    file = tmp_path / "body"
    file.write_bytes(b"x" * 3_000_000 + b"REDACTED-60" + b"x" * 100)
    encoded = Headers.of(("Content-Encoding", "gzip"))
    places = [
        Interaction(Request("GET", "http", "h", 80, "/REDACTED-10")),
        Interaction(PLAIN, Response(200, headers=Headers.of(("Set-Cookie", "a=REDACTED-20")))),
        Interaction(PLAIN, Response(200, trailers=Headers.of(("X-Token", "REDACTED-30")))),
        Interaction(PLAIN, Response(200, headers=encoded, body=gzip.compress(b"REDACTED-40"))),
        Interaction(PLAIN, failure=Failure(FailureKind.DNS, "REDACTED-50")),
        Interaction(PLAIN, Response(200, body=FileBody(file, 3_000_111, "0" * 64))),
        Interaction(
            PLAIN,
            Response(101),
            websocket=Conversation((WebSocketMessage("client", "text", b"REDACTED-70"),)),
        ),
    ]
    assert [highest_number([each]) for each in places] == [10, 20, 30, 40, 50, 60, 70]
    assert highest_number(places) == 70
    assert highest_number([]) == 0
