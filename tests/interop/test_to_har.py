"""HAR goes out as the specification has it, and comes back as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.to_har import write
from magneto_serge.messages import (
    Conversation,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
)

from .exchanges import conversations, interactions, there_and_back, without
from .har_schema import HAR

VALIDATOR = jsonschema.Draft202012Validator(HAR)
several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def exported(*held: Interaction) -> dict[str, Any]:
    """Return the HAR of these."""
    out = io.BytesIO()
    write(held, out, Remarks())
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@several
@given(held=st.lists(interactions(), max_size=3))
def test_there_and_back(held: list[Interaction], tmp_path: Path) -> None:
    """Nothing that HAR holds is lost or changed."""
    back, remarked = there_and_back("har", held, tmp_path)
    assert back == held
    assert not remarked


@several
@given(held=conversations)
def test_conversations_there_and_back(held: Conversation, tmp_path: Path) -> None:
    """With how they ended."""
    request = Request("GET", "https", "h.example", 443, "/")
    one = Interaction(
        request, Response(101, "Switching"), started=1e9, first_byte_ms=5.0, websocket=held,
        total_ms=5.0,
    )  # fmt: skip
    assert there_and_back("har", [one], tmp_path)[0] == [one]


@several
@given(held=st.lists(interactions(), max_size=2))
def test_the_schema_holds(held: list[Interaction]) -> None:
    """What goes beyond the specification begins with an underscore."""
    VALIDATOR.validate(exported(*held))


def test_what_readers_of_har_look_at() -> None:
    """Cookies and queries are taken apart, where a redirect leads is said."""
    request = Request("GET", "http", "h", 80, "/?a=1&b=x%20y&c", Headers.of(("Cookie", "k=v; l=w")))
    fields = (
        ("Set-Cookie", "s=1; Path=/; Domain=h; HttpOnly; Secure; Max-Age=9"),
        ("Location", "/there"),
    )
    har = exported(Interaction(request, Response(302, "Found", Headers.of(*fields))))
    VALIDATOR.validate(har)
    entry = har["log"]["entries"][0]
    assert entry["request"]["cookies"] == [
        {"name": "k", "value": "v"}, {"name": "l", "value": "w"},
    ]  # fmt: skip
    assert entry["request"]["queryString"][1:] == [
        {"name": "b", "value": "x y"}, {"name": "c", "value": ""},
    ]  # fmt: skip
    assert entry["response"]["cookies"] == [
        {"name": "s", "value": "1", "path": "/", "domain": "h", "httpOnly": True, "secure": True}
    ]
    assert entry["response"]["redirectURL"] == "/there"


def test_what_it_cannot_hold_is_remarked(tmp_path: Path) -> None:
    """Trailers, interim responses, pieces."""
    request = Request("GET", "http", "h", 80, "/")
    fields = Headers.of(("Transfer-Encoding", "chunked"))
    response = Response(200, "OK", fields, b"abc", trailers=Headers.of(("T", "1")))
    held = Interaction(
        request, response, started=1.0, first_byte_ms=0.0, total_ms=1.0,
        informational=(Response(103),), chunks=((1, 0.0), (2, 1.0)),
    )  # fmt: skip
    back, remarked = there_and_back("har", [held], tmp_path)
    assert remarked == {Remark.TRAILERS, Remark.INTERIM, Remark.PIECES}
    bare = Response(200, "OK", fields, b"abc")
    assert back == [without(held, response=bare, informational=(), chunks=())]


def test_an_end_without_a_code(tmp_path: Path) -> None:
    """It has none in the file either."""
    close = WebSocketClose(1005, "", "client", 1.0)
    request = Request("GET", "http", "h", 80, "/")
    held = Interaction(request, Response(101), first_byte_ms=0.0, websocket=Conversation((), close))
    assert there_and_back("har", [held], tmp_path)[0][0].websocket == Conversation((), close)
