"""What looks like a secret in a recorded interaction, and where."""

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
from magneto_serge.replay.secrets.bodies import Form
from magneto_serge.replay.secrets.finder import Finder
from magneto_serge.replay.secrets.report import contents, findings

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


def places(interaction: Interaction) -> list[tuple[str, str]]:
    """Return where something was found, and what."""
    return [(each.place, each.kind) for each in findings(Finder(), interaction)]


def test_every_place_has_its_name() -> None:
    """Requests, responses, interim ones, failures and messages."""
    body = b'{"password":"hunter2"}'
    headers = Headers.of(("Authorization", "Bearer x"))
    interaction = Interaction(
        Request("POST", "http", "h", 80, "/?api_key=x", headers, body),
        Response(200, TOKEN, Headers(), body, trailers=Headers.of(("X-Api-Key", "x"))),
        Failure(FailureKind.TLS, "at http://u:secret1@proxy"),
        (Response(103, headers=Headers.of(("Set-Cookie", "a=b"))),),
        websocket=Conversation(
            (
                WebSocketMessage("client", "text", body),
                WebSocketMessage("server", "binary", b"\0" + TOKEN.encode()),
            )
        ),
    )
    assert places(interaction) == [
        ("request URL", "item"),
        ("request header Authorization", "credentials"),
        ("request body", "member"),
        ("interim response header Set-Cookie", "cookie"),
        ("response trailer X-Api-Key", "field"),
        ("response body", "member"),
        ("response reason", "GitHub token"),
        ("failure", "userinfo"),
        ("message 1", "member"),
        ("message 2", "GitHub token"),
    ]


def test_placeholders_and_masks_of_other_tools_are_none() -> None:
    """What somebody has masked before is masked."""
    for value in ("REDACTED-1", "<TOKEN>", "****", "[FILTERED]", "DUMMY_KEY", "{{ token }}", "xxx"):
        body = f'{{"password":"{value}"}}'.encode()
        assert places(Interaction(Request("POST", "http", "h", 80, "/", body=body))) == []


def test_the_same_in_the_same_place_is_told_once() -> None:
    """However often it occurs."""
    body = b'{"password":"x"}' * 10
    assert len(places(Interaction(Request("POST", "http", "h", 80, "/", body=body)))) == 1


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_side_file_is_read_piece_by_piece(tmp_path: Path, coding: str) -> None:
    """A secret is found wherever the pieces end, and told once."""
    text = b"a" * (1024 * 1024 - 15) + b'{"password":"hunter2"}' + b"b" * 2_000_000
    data = gzip.compress(text, 0) if coding else text
    file = tmp_path / "body"
    file.write_bytes(data)
    headers = Headers.of(("Content-Encoding", coding)) if coding else Headers()
    response = Response(200, headers=headers, body=FileBody(file, len(data), "0" * 64))
    interaction = Interaction(Request("GET", "http", "h", 80, "/"), response)
    assert places(interaction) == [("response body", "member")]


def test_a_torn_side_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """What cannot be decoded ends it."""
    data = gzip.compress(b"abc" * 100_000)
    file = tmp_path / "body"
    file.write_bytes(data[:200] + b"\xff" * 100)
    form = Form(Headers.of(("Content-Encoding", "gzip")))
    assert b"abc" * 10 in b"".join(contents(FileBody(file, 300, ""), form))
