"""One interaction in full, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from magneto_serge.cli.transcript import as_value, iso_time, lines, shown_url
from magneto_serge.messages import (
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)

SECRET = "s3cr3t-0123456789-abcdefghij-value"


@pytest.fixture
def interaction() -> Interaction:
    """One with most of what there can be."""
    return Interaction(
        Request(
            "POST",
            "https",
            "a.example",
            443,
            f"/orders?api_key={SECRET}",
            Headers.of(("Authorization", f"Bearer {SECRET}"), ("Content-Type", "text/plain")),
            b"one\r\ntwo",
        ),
        Response(
            201,
            "Created",
            Headers.of(
                ("Content-Type", "application/json"), ("Set-Cookie", f"sid={SECRET}; Path=/")
            ),
            b'{"ok":true,"n":1.10}',
            trailers=Headers.of(("Checksum", "12")),
        ),
        informational=(Response(103, "Early Hints", Headers.of(("Link", "</x>"))),),
        started=1748736000.5,
        first_byte_ms=1.25,
        total_ms=120.0,
        chunks=((4, 2.0), (4, 102.0)),
        peer="192.0.2.1:443",
    )


def transcript(interaction: Interaction, *, reveal: bool = False) -> str:
    """Return all lines."""
    return "\n".join(line.text for line in lines(7, interaction, reveal=reveal))


def test_the_transcript_tells_the_whole_story(interaction: Interaction) -> None:
    """In the order in which it happened, secrets hidden."""
    assert transcript(interaction).splitlines() == [
        "#7  2025-06-01T00:00:00.500+00:00, first byte after 1.2 ms, 120 ms in all, "
        "from 192.0.2.1:443",
        "https://a.example/orders?api_key=s3cr****alue",
        "",
        "> POST /orders?api_key=s3cr****alue HTTP/1.1",
        "> Authorization: Bearer s3cr****alue",
        "> Content-Type: text/plain",
        "> [8 B]",
        "",
        "one",
        "two",
        "",
        "< HTTP/1.1 103 Early Hints",
        "< Link: </x>",
        "",
        "< HTTP/1.1 201 Created",
        "< Content-Type: application/json",
        "< Set-Cookie: sid=s3cr****alue; Path=/",
        "< [20 B]",
        "",
        "{",
        '  "ok": true,',
        '  "n": 1.10',
        "}",
        "",
        "< [trailers]",
        "< Checksum: 12",
        "The body arrived in 2 pieces over 100 ms.",
    ]


def test_a_template_is_said_to_be_one(interaction: Interaction) -> None:
    """Its answer is not what was recorded."""
    interaction.template = True
    assert transcript(interaction).splitlines()[0].endswith("from 192.0.2.1:443, a template")
    assert as_value(7, interaction, reveal=False)["template"] is True


def test_reveal_shows_every_secret(interaction: Interaction) -> None:
    """It was asked for."""
    text = transcript(interaction, reveal=True)
    assert text.count(SECRET) == 4
    assert "****" not in text


def test_a_failure_is_told_with_its_kind() -> None:
    """There is no response then."""
    failed = Interaction(
        Request("GET", "http", "a.example", 80, "/"),
        failure=Failure(FailureKind.REFUSED, "Connection refused"),
    )
    text = transcript(failed)
    assert text.splitlines()[0] == "#7  at an unknown time, 0.0 ms in all"
    assert text.splitlines()[-1] == "failed (refused): Connection refused"


def test_what_was_recorded_cannot_talk_to_the_terminal(interaction: Interaction) -> None:
    """Escape sequences in URL, fields, reason and body come out as text."""
    evil = "\x1b[2J\x9b"
    request = msgspec.structs.replace(
        interaction.request, target=f"/{evil}", headers=Headers.of(("X", evil)), body=b"\x1b[2J"
    )
    response = Response(200, evil, Headers.of(("X", evil)), evil.encode())
    text = transcript(Interaction(request, response))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert r"X: \x1b[2J\x9b" in text
    assert "\x1b" not in shown_url(request, reveal=True)


def test_the_value_for_programs_is_json(interaction: Interaction) -> None:
    """JSON bodies are values in it, and numbers keep their digits."""
    encoded = msgspec.json.encode(as_value(7, interaction, reveal=False))
    assert b'"n": 1.10' in encoded
    value = json.loads(encoded)
    assert value["number"] == 7
    assert value["started"] == "2025-06-01T00:00:00.500+00:00"
    assert value["request"]["url"] == "https://a.example/orders?api_key=s3cr****alue"
    assert value["request"]["body"] == {"size": 8, "kind": "text", "text": "one\r\ntwo"}
    assert value["response"]["body"]["json"] == {"ok": True, "n": 1.10}
    assert value["response"]["headers"][0] == ["Content-Type", "application/json"]
    assert value["informational"][0]["status"] == 103
    assert value["chunks"] == [[4, 2.0], [4, 102.0]]
    assert SECRET not in encoded.decode()
    assert SECRET in msgspec.json.encode(as_value(7, interaction, reveal=True)).decode()


def test_bodies_of_other_kinds_have_their_own_member(interaction: Interaction) -> None:
    """Base64 for binary, a path for what is in a file, nothing for nothing."""
    binary = Response(200, body=b"\x00\x01")
    value = json.loads(
        msgspec.json.encode(as_value(1, Interaction(interaction.request, binary), reveal=False))
    )
    assert value["response"]["body"] == {"size": 2, "kind": "binary", "base64": "AAE="}
    large = Response(200, body=FileBody(Path("x"), 9, "ab"))
    value = as_value(1, Interaction(interaction.request, large), reveal=False)
    assert value["response"]["body"] == {
        "size": 9,
        "kind": "file",
        "file": "x",
        "sha256": "ab",
    }
    empty = as_value(1, Interaction(interaction.request, Response(204)), reveal=False)
    assert empty["response"]["body"] == {"size": 0, "kind": "empty"}


def test_a_failure_in_the_value_has_kind_and_detail(interaction: Interaction) -> None:
    """And the response is null."""
    failed = Interaction(interaction.request, failure=Failure(FailureKind.DNS, "no such host"))
    value = json.loads(msgspec.json.encode(as_value(1, failed, reveal=False)))
    assert value["response"] is None
    assert value["failure"] == {"kind": "dns", "detail": "no such host"}


def test_an_unknown_time_is_none() -> None:
    """Not 1970."""
    assert iso_time(0.0) is None
