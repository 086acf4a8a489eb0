"""What a hook returns: what can be used, what cannot, and what is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from magneto_serge.messages import FileBody, Headers, Interaction, Response, WebSocketMessage
from magneto_serge.replay.returned import changed_by, unusable

from .telling import asks


@pytest.mark.parametrize(
    "value",
    [
        Response(200),
        Response(599, "Whatever é", Headers.of(("A", "b")), b"x", trailers=Headers.of(("C", ""))),
        Response(200, body=FileBody(Path("x"), 3, "")),
        Response(200, body=memoryview(b"x")),  # type: ignore[arg-type]
        Interaction(asks()),
        Interaction(asks(), Response(101)),
        WebSocketMessage("client", "text", b""),
    ],
)
def test_what_can_be_used(value: object) -> None:
    """Whatever can be sent and written."""
    assert unusable(value) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Response("200"), "status '200'"),  # type: ignore[arg-type]
        (Response(99), "status 99"),
        (Response(True), None),  # an int, for what it is worth, and less than 100
        (Response(1000), "status 1000"),
        (Response(200, body="text"), "body is a str, not bytes"),  # type: ignore[arg-type]
        (Response(200, body=None), "body is a NoneType"),  # type: ignore[arg-type]
        (Response(200, headers={"a": "b"}), "fields that are no"),  # type: ignore[arg-type]
        (Response(200, headers=Headers([(b"A", b"b\r\nC: d")])), "fields that are no"),
        (Response(200, headers=Headers([(b"A\n", b"b")])), "fields that are no"),
        (Response(200, headers=Headers([(b"", b"b")])), "fields that are no"),
        (Response(200, headers=Headers([("A", "b")])), "fields that"),  # type: ignore[list-item]
        (Response(200, trailers=Headers([(b"A", b"\0")])), "fields that are no"),
        (Response(200, reason="no\r\nA: b"), "reason"),
        (Response(200, reason=None), "reason None"),  # type: ignore[arg-type]
        (Interaction(3), "request is a int"),  # type: ignore[arg-type]
        (Interaction(asks(), 3), None),  # type: ignore[arg-type]
        (Interaction(asks(), Response(0)), "status 0"),
    ],
)
def test_what_cannot(value: Any, says: str | None) -> None:
    """It is said what is wrong with it."""
    found = unusable(value)
    assert found is not None
    assert says is None or says in found


def test_what_is_as_it_was() -> None:
    """An untouched copy is the original, so that what was made of that can be kept."""
    before = Response(200, "OK", Headers.of(("A", "b")), b"x")
    assert changed_by(before, msgspec.structs.replace(before)) is before
    for name, value in {
        "status": 201,
        "reason": "Fine",
        "headers": Headers.of(("A", "c")),
        "body": b"y",
        "trailers": Headers.of(("T", "u")),
    }.items():
        after = msgspec.structs.replace(before, **{name: value})
        assert changed_by(before, after) is after
