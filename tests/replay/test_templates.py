"""Templates: what they see of the request, what they may know, and what is said of mistakes."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

pytest.importorskip("jinja2")

from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.messages import (
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)
from magneto_serge.replay import templates as module
from magneto_serge.replay.templates import Templates, register_template_helper

from .telling import asks

NOON = 1_700_000_000.5  # 2023-11-14T22:13:20.500Z


def templates(seed: int | None = None, **environ: str) -> Templates:
    """Return what renders; ``USER_NAME`` is the one variable that may be seen."""
    return Templates(
        environ=environ,
        allowed=("USER_NAME", "UNSET"),
        seed=seed,
        clock=lambda: NOON,
        timer=time.perf_counter,
    )


def marked(body: str | bytes = "", *fields: tuple[str, str], started: float = 0.0) -> Interaction:
    """Return an interaction that is a template."""
    data = body.encode() if isinstance(body, str) else body
    response = Response(200, "OK", Headers.of(*fields), data)
    return Interaction(asks(), response, started=started, template=True)


def render(source: str, request: Request | None = None, seed: int | None = None, **env: str) -> str:
    """Render a body."""
    answer = templates(seed, **env).render(marked(source, started=7.0), 1, 1, request or asks())
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


@pytest.fixture(autouse=True)
def _leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_helpers", {})


REQUEST = asks(
    "/users/7?page=2&page=3&q=caf%C3%A9&empty=",
    json.dumps({"name": "Serge", "tags": ["a", "b"]}).encode(),
    "application/json",
    method="POST",
    url="https://api.example:443",
    fields=(("X-Request-Id", "42"), ("X-Twice", "first"), ("X-Twice", "second")),
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ request.method }} {{ request.host }} {{ request.path }}", "POST api.example /users/7"),
        ("{{ request.url }}", "https://api.example/users/7?page=2&page=3&q=caf%C3%A9&empty="),
        ("{{ request.headers['x-request-id'] }}", "42"),
        ("{{ request.headers.get('X-Twice') }}", "first"),
        ("{{ request.headers['X-No']|default('none') }}", "none"),
        ("{{ 'X-TWICE' in request.headers }}", "True"),
        ("{{ request.query.page }} {{ request.query.q }} {{ request.query['empty'] }}", "2 café "),
        ("{{ request.query.get('no', 'd') }}", "d"),
        ("{{ request.json.name }} {{ request.json.tags|join('+') }}", "Serge a+b"),
        ("{{ request.json|tojson }}", '{"name": "Serge", "tags": ["a", "b"]}'),
        ("{{ request.body }}", '{"name": "Serge", "tags": ["a", "b"]}'),
    ],
)
def test_the_request(source: str, text: str) -> None:
    """Method, URL, fields, query, JSON and body of the request that is answered."""
    assert render(source, REQUEST) == text


def test_a_request_that_claims_json_and_is_not() -> None:
    """It has a body and no JSON; binary bodies are no text."""
    request = asks("/", b"{oops", "application/json")
    assert render("{{ request.json is none }} {{ request.body }}", request) == "True {oops"
    assert render("[{{ request.body }}]", asks("/", b"\xff\x00")) == "[]"


def test_now() -> None:
    """The moment, in several forms, moved by a distance."""
    assert render("{{ now() }}") == "2023-11-14T22:13:20.500Z"
    assert render("{{ now('http') }}") == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert render("{{ now('unix') }} {{ now('unix_ms') }}") == "1700000000 1700000000500"
    assert render("{{ now('%Y-%m-%d') }}") == "2023-11-14"
    assert render("{{ now('%d', offset='-1d') }} {{ now('unix', '2h30m') }}") == "13 1700009000"
    assert render("{{ now('unix_ms', '+500ms') }}") == "1700000001000"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ now('soon') }}", "expected iso, http, unix, unix_ms, or as %Y-%m-%d"),
        ("{{ now('%Y' * 1000) }}", "expected iso"),
        ("{{ now(offset='yesterday') }}", "expected a distance such as -1d"),
        ("{{ now(offset='999999999w') }}", "OverflowError"),
        ("{{ env('HOME') }}", "template_env does not name it"),
        ("{{ env('UNSET') }}", "it is not set, and no default is given"),
        ("{{ request.nope }}", "nope"),
        ("{{ request.json.name }}", "None"),
        ("{{ request._request }}", "unsafe"),
    ],
)
def test_what_cannot_be_rendered(source: str, says: str) -> None:
    """The error names interaction, part and line, and what is wrong."""
    where = r"template of interaction 1, response\.body, line 2: "
    with pytest.raises(CassetteError, match=where) as caught:
        render("\n" + source)
    assert says in str(caught.value)


def test_env() -> None:
    """Of the environment a template sees the variables that the setting names, and no other."""
    assert render("{{ env('USER_NAME') }}", USER_NAME="serge", HOME="/home") == "serge"
    assert render("{{ env('UNSET', 'default') }}") == "default"
    with pytest.raises(CassetteError, match="template_env"):
        render("{{ env('HOME', 'x') }}", HOME="/home")


def test_uuid() -> None:
    """A UUID of version 4, another one each time."""
    first, second = render("{{ uuid() }} {{ uuid() }}").split()
    assert UUID(first).version == 4
    assert first != second


def test_a_seed_makes_it_deterministic() -> None:
    """Same seed, interaction and play: same answer. Each of them makes another one."""
    said = marked("{{ uuid() }} {{ now() }}", started=86_400.0)

    def answer(seed: int, number: int = 1, played: int = 1) -> Any:
        return templates(seed).render(said, number, played, asks()).body

    assert answer(1) == answer(1)
    assert answer(1).endswith(b" 1970-01-02T00:00:00.000Z")
    assert len({answer(1), answer(2), answer(1, 2), answer(1, 1, 2)}) == 4


def test_helpers() -> None:
    """Users' functions by name; one that wants chance gets the one that follows from the seed."""

    def fake_name(kind: str = "any", *, rng: Random) -> str:
        return f"{kind} {rng.choice(['Ada', 'Blaise', 'Grace'])} {rng.random()}"

    register_template_helper("shout", lambda text: text.upper() + "!")
    register_template_helper("fake_name", fake_name)
    register_template_helper("length", len)
    register_template_helper("number", int)
    assert render("{{ shout('hey') }} {{ length('abc') }} {{ number('3') }}") == "HEY! 3 3"
    assert render("{{ fake_name('x') }}", seed=1) == render("{{ fake_name('x') }}", seed=1)
    assert render("{{ fake_name('x') }}", seed=1) != render("{{ fake_name('x') }}", seed=2)


@pytest.mark.parametrize("name", ["env", "request", "_x", "a b", "", "range"])
def test_names_that_a_helper_cannot_have(name: str) -> None:
    """What is taken, and what is no name."""
    with pytest.raises(ConfigError, match="cannot be called"):
        register_template_helper(name, len)


def test_a_helper_is_a_function() -> None:
    """Anything else is refused when it is registered."""
    with pytest.raises(ConfigError, match="'x' is no function: 3"):
        register_template_helper("x", 3)  # type: ignore[arg-type]


def test_field_values() -> None:
    """Values are templates, names and the others are left as they are, byte for byte."""
    said = marked("", ("X-Id", "{{ request.headers['x-request-id'] }}"), ("ETag", '"1"'))
    assert said.response is not None
    said.response.headers = Headers((*said.response.headers.raw, (b"X-Raw", b"\xff")))
    answer = templates().render(said, 1, 1, REQUEST)
    assert answer.headers.raw == ((b"X-Id", b"42"), (b"ETag", b'"1"'), (b"X-Raw", b"\xff"))


def test_a_field_value_cannot_begin_another_field_line() -> None:
    """What comes from a request has no line ends in a head."""
    said = marked("", ("X-Q", "{{ request.query.q }}"))
    with pytest.raises(CassetteError, match="control characters"):
        templates().render(said, 1, 1, asks("/?q=a%0d%0aSet-Cookie:%20b"))


def test_a_content_coded_body() -> None:
    """It is rendered decoded, and goes out so."""
    body = gzip.compress(b"{{ request.method }}")
    said = marked(body, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    answer = templates().render(said, 1, 1, asks())
    assert answer.body == b"GET"
    assert answer.headers.raw == ((b"Vary", b"Accept-Encoding"),)


def test_a_template_without_blanks_is_as_recorded() -> None:
    """Nothing is decoded, and nothing can be wrong."""
    body = gzip.compress(b"plain")
    said = marked(body, ("Content-Encoding", "gzip"))
    assert templates().render(said, 1, 1, asks()) == said.response


def test_mistakes_show_when_the_cassette_is_opened() -> None:
    """The error has the file, the interaction, the part and the line."""
    plain = Interaction(asks(), Response(200, body=b"{{ broken"))
    cases = {
        "response.body, line 2: unexpected end of template": marked("a\n{{ b"),
        "response.headers, X-A, line 1: ": marked("", ("X-A", "{% if %}")),
        "response.body: it is not text": marked(b"\xff\xfe{{"),
        "response.body: it is too large": Interaction(
            asks(), Response(200, body=FileBody(Path("x"), 9, "")), template=True
        ),
        "a template has a response": Interaction(asks(), template=True),
    }
    templates().check([plain, marked("{{ fine }}")], "tape.json")
    for says, broken in cases.items():
        with pytest.raises(CassetteError, match=re.escape("tape.json: interaction 2")) as caught:
            templates().check([plain, broken], "tape.json")
        assert says in str(caught.value)


def test_without_a_response() -> None:
    """A failure that is marked as a template is an error when it is played, too."""
    with pytest.raises(CassetteError, match="without a response"):
        templates().render(Interaction(asks(), template=True), 3, 1, asks())


def test_many_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some stay compiled; the others are compiled again."""
    monkeypatch.setattr(module, "_COMPILED", 2)
    renderer = templates()
    saids = [marked(f"{number} {{{{ request.method }}}}") for number in range(5)]
    renderer.check(saids, "tape")
    for number, said in enumerate(saids, 1):
        answer = renderer.render(said, number, 1, asks())
        assert answer.body == f"{number - 1} GET".encode()


def test_what_is_recorded_stays_as_it_is() -> None:
    """Rendering changes nothing of the recording."""
    said = marked("{{ uuid() }}", ("X", "{{ uuid() }}"))
    before = msgspec.structs.replace(said)
    assert templates().render(said, 1, 1, asks()) is not said.response
    assert said == before


def test_jinja_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "magneto_serge.replay.sandbox", None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'magneto-serge[templates]'")):
        templates()


def said(source: str, kind: str = "text") -> WebSocketMessage:
    """Return a message of the server."""
    return WebSocketMessage("server", kind, source.encode(), 5.0, (3, 4))


def test_messages_of_a_websocket() -> None:
    """A text with blanks is rendered for what the client has said last; anything else stays."""
    talk, request = marked(started=10.0), Request("GET", "ws", "h.test", 80, "/chat?room=7")
    source = said('{"id": {{ message.json.id }}, "room": "{{ request.query.room }}"}')
    rendering = templates()
    told = rendering.message(source, talk, (1, 0), request, b'{"id": 3}')
    assert told.data == b'{"id": 3, "room": "7"}'
    assert told.fragments == ()
    again = rendering.message(source, talk, (1, 1), request, b'{"id": 4}')
    assert again.data == b'{"id": 4, "room": "7"}'
    for other in (said("plain"), said("{{ 1 }}", "binary")):
        assert rendering.message(other, talk, (1, 0), request, b"") is other
    echo = said("{{ message.text }}!")
    assert rendering.message(echo, talk, (1, 0), request, b"hi").data == b"hi!"


def test_messages_with_a_seed() -> None:
    """With a seed a message is the same in each run, and its moment the recorded one."""
    talk, request = marked(started=10.0), Request("GET", "ws", "h.test", 80, "/")
    one, two = (
        templates(seed=1).message(
            said("{{ uuid() }} {{ now('unix_ms') }}"), talk, (1, 0), request, b""
        )
        for _ in range(2)
    )
    assert one.data == two.data
    assert isinstance(one.data, bytes)
    assert one.data.endswith(b" 10005")


def test_mistakes_in_messages() -> None:
    """A mistake is located: the interaction, and which message of the server."""
    talk, request = marked(), Request("GET", "ws", "h.test", 80, "/")
    with pytest.raises(CassetteError, match=r"interaction 2, messages, the server's 3\., line 1"):
        templates().message(said("{{ nonsense( }}"), talk, (2, 2), request, b"")
    with pytest.raises(CassetteError, match="interaction 2, messages"):
        templates().message(said("{{ message.json.id }}"), talk, (2, 0), request, b"no json")
