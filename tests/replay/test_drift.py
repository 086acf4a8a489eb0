"""What counts as drift, and what does not."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.interactions import interactions

from magneto_serge.config import Settings
from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.replay.body_comparison import BodyRules
from magneto_serge.replay.drift import (
    DEFAULT_HEADERS,
    DriftRules,
    Outcome,
    differences,
    judge,
    rules_of,
)
from magneto_serge.replay.secrets.rules import SecretRules

RULES = DriftRules()
SHAPE = DriftRules(bodies=BodyRules(shape_only=True))
REQUEST = Request("GET", "https", "a.example", 443, "/x")


def answer(
    body: bytes = b"",
    *fields: tuple[str, str],
    status: int = 200,
    failure: FailureKind | None = None,
    host: str = "a.example",
    trailers: tuple[tuple[str, str], ...] = (),
) -> Interaction:
    """Return an exchange with this answer."""
    return Interaction(
        msgspec.structs.replace(REQUEST, host=host),
        Response(status, "", Headers.of(*fields), body, "HTTP/1.1", Headers.of(*trailers)),
        None if failure is None else Failure(failure, "as it happens"),
    )


def silence(kind: FailureKind) -> Interaction:
    """Return an exchange that failed before an answer."""
    return Interaction(REQUEST, None, Failure(kind, f"at {id(kind)}"))


def found(one: Interaction, other: Interaction, rules: DriftRules = RULES) -> list[Any]:
    """Return the differences; JSON as its bytes."""
    return [
        tuple(bytes(each) if isinstance(each, msgspec.Raw) else each for each in difference)
        for difference in differences(one, other, rules)
    ]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([RULES, SHAPE, DriftRules(headers=("*",))]), interactions())
def test_nothing_drifts_from_itself(rules: DriftRules, interaction: Interaction) -> None:
    """Whatever it is."""
    assert judge(interaction, 1, interaction, rules).outcome is Outcome.SAME


def test_status_fields_and_body_are_compared() -> None:
    """In this order, fields by name."""
    one = answer(b'{"a": 1}', ("Content-Type", "application/json"), ("Allow", "GET"))
    other = answer(b'{"a": 2}', ("content-type", "text/json"), ("allow", "PUT"), status=404)
    assert found(one, other) == [
        ("response.status", "200", "404"),
        ("response.headers.allow", "GET", "PUT"),
        ("response.headers.content-type", "application/json", "text/json"),
        ("response.body.a", b"1", b"2"),
    ]


def test_what_changes_with_every_answer_is_not_compared_unasked() -> None:
    """Date and the like; a name or a pattern asks for it."""
    one, other = answer(b"", ("Date", "1"), ("X-A", "1")), answer(b"", ("Date", "2"))
    assert found(one, other) == []
    assert [field for field, *_ in found(one, other, DriftRules(headers=("date", "x-*")))] == [
        "response.headers.date",
        "response.headers.x-a",
    ]


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("Content-Type", "application/json; charset=utf-8", 'Application/JSON;Charset="UTF-8"'),
        ("Content-Type", "multipart/mixed; boundary=a", "multipart/mixed; boundary=b"),
        ("Content-Type", "a/b; x=1; y=2", "a/b; y=2; x=1"),
        ("Location", "https://a.example/y", "/y"),
    ],
)
def test_fields_that_mean_the_same_are_the_same(name: str, was: str, now: str) -> None:
    """However they are written."""
    assert found(answer(b"", (name, was)), answer(b"", (name, now))) == []


def test_another_address_of_the_service_is_no_drift() -> None:
    """A Location that leads back to it is compared without it."""
    here = answer(b"", ("Location", "https://a.example/y"))
    there = answer(b"", ("Location", "https://b.example/y"), host="b.example")
    assert found(here, there) == []
    elsewhere = answer(b"", ("Location", "https://c.example/y"), host="b.example")
    assert [field for field, *_ in found(here, elsewhere)] == ["response.headers.location"]


def test_of_the_shape_only_fields_are_there_or_not() -> None:
    """A content type is what a shape is of."""
    one = answer(b"", ("Location", "/a"), ("Content-Type", "text/a; x=1"))
    assert found(one, answer(b"", ("Location", "/b"), ("Content-Type", "TEXT/a")), SHAPE) == []
    assert [field for field, *_ in found(one, answer(b"", ("Content-Type", "a/b")), SHAPE)] == [
        "response.headers.content-type",
        "response.headers.location",
    ]


def test_another_coding_is_no_drift() -> None:
    """What it says is what counts."""
    one = answer(b'{"a":1}', ("Content-Type", "application/json"))
    other = answer(
        gzip.compress(b'{"a": 1}'),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    )
    assert found(one, other) == []


def test_failures_compare_by_their_kind() -> None:
    """Whatever the words; an answer cut short is not compared as if it were whole."""
    kinds = FailureKind
    assert judge(silence(kinds.TIMEOUT), 1, silence(kinds.TIMEOUT), RULES).outcome is Outcome.SAME
    assert found(answer(b"abc", failure=kinds.TRUNCATED), answer(b"abcdef")) == [
        ("failure", "truncated", None)
    ]
    assert found(silence(kinds.RESET), answer(b"x")) == [
        ("response", None, "200"),
        ("failure", "reset", None),
    ]


def test_a_service_that_is_not_reached_has_not_drifted() -> None:
    """It has said nothing."""
    verdict = judge(answer(), 3, silence(FailureKind.REFUSED), RULES)
    assert (verdict.outcome, verdict.number, verdict.drifted) == (Outcome.UNREACHABLE, 3, False)
    assert verdict.reason.startswith("refused: at")
    broken = judge(answer(), 3, silence(FailureKind.BAD_RESPONSE), RULES)
    assert broken.outcome is Outcome.CHANGED


def test_what_the_client_did_not_wait_for_is_compared_as_far_as_its_head() -> None:
    """On either side."""
    gone = answer(b"ab", failure=FailureKind.CLIENT_CLOSED)
    assert found(gone, answer(b"abcdef")) == found(answer(b"abcdef"), gone) == []
    assert [field for field, *_ in found(gone, answer(b"", status=500))] == ["response.status"]
    assert found(gone, answer(b"abc", failure=FailureKind.TIMEOUT)) == []


def test_trailers_are_fields_too() -> None:
    """Where they are asked for."""
    one, other = (answer(trailers=(("grpc-status", code),)) for code in ("0", "5"))
    rules = DriftRules(headers=("grpc-*",))
    assert found(one, other) == []
    assert found(one, other, rules) == [("response.trailers.grpc-status", "0", "5")]
    shape = DriftRules(headers=("grpc-*",), bodies=BodyRules(shape_only=True))
    assert found(one, other, shape) == []


def test_a_request_that_was_never_recorded_is_new() -> None:
    """And that is drift."""
    verdict = judge(None, 0, answer(), RULES)
    assert (verdict.outcome, verdict.drifted) == (Outcome.NEW, True)


def test_secrets_are_taken_out_of_both_sides() -> None:
    """What was redacted is held against what was not."""

    def neutral(one: Interaction, other: Interaction) -> tuple[Interaction, Interaction]:
        return answer(b"neutral"), answer(b"neutral")

    rules = DriftRules(neutral=neutral)
    assert judge(answer(b"REDACTED"), 1, answer(b"s3cret"), rules).outcome is Outcome.SAME


def test_of_a_template_the_status_alone_is_compared() -> None:
    """What it says is made anew for each request."""
    template = answer(b"{{ now() }}", ("Content-Type", "text/x"))
    template.template = True
    assert found(template, answer(b"today")) == []
    assert [field for field, *_ in found(template, answer(status=500))] == ["response.status"]


def test_what_the_server_said_over_a_websocket_is_compared() -> None:
    """Message by message; what the client said, pings and times are not."""

    def talk(*texts: bytes, code: int = 1000) -> Interaction:
        messages = [
            WebSocketMessage("client", "text", texts[0]),
            WebSocketMessage("server", "ping", texts[0]),
            *(WebSocketMessage("server", "text", text) for text in texts),
            WebSocketMessage("server", "binary", texts[-1]),
        ]
        opened = answer(status=101)
        opened.websocket = Conversation(messages, WebSocketClose(code))
        return opened

    one = talk(b'{"n": 1}', b"bye")
    assert found(one, talk(b'{"n":1}', b"bye")) == []
    assert found(one, talk(b'{"n": 2}', b"bye", code=1001)) == [
        ("websocket[0].n", b"1", b"2"),
        ("websocket.close", "1000", "1001"),
    ]
    assert found(one, talk(b'{"n": 2}', b"by"), SHAPE) == []
    assert [field for field, *_ in found(one, talk(b'{"n": 1}', b"by"))] == [
        "websocket[1]",
        "websocket[2].binary",
    ]


def test_a_finding_explains_itself() -> None:
    """On a few lines, without secrets."""
    one = answer(b'{"token": "s3cret-s3cret-s3cret-s3cret", "a": 1}')
    other = answer(b'{"token": "t0ken-t0ken-t0ken-t0ken-t0", "b": "' + b"x" * 200 + b'"}')
    text = judge(one, 7, other, RULES).explain()
    assert text.startswith("#7 GET https://a.example/x: changed\n")
    assert "  response.body.a: recorded 1, now nothing\n" in text
    assert "s3cret-s3" not in text
    assert text.endswith("…")
    assert judge(None, 0, other, RULES).explain() == (
        "GET https://a.example/x: new\n  No recording matches this request."
    )


def test_settings_become_rules() -> None:
    """`default` stands for the fields that a client acts upon."""
    settings = Settings(
        verify_headers=("default", "ETag"),
        verify_shape_only=True,
        ignore_json_paths=("$.at",),
    )
    rules = rules_of(settings, SecretRules())
    assert rules.headers == (*DEFAULT_HEADERS, "etag")
    assert rules.bodies.shape_only
    assert rules.bodies.without is not None
    assert rules.bodies.without({"at": 1, "b": 2}) == {"b": 2}
    plain = rules_of(Settings(verify_headers=("date",)), SecretRules())
    assert (plain.headers, plain.bodies.without) == (("date",), None)
