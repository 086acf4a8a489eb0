"""The rules: what `match_on` and the settings beside it make of a request."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.config import Settings
from magneto_serge.config_matching import MatchRoute
from magneto_serge.config_values import convert
from magneto_serge.errors import ConfigError
from magneto_serge.messages import Headers, Request
from magneto_serge.replay.matchers import register_matcher
from magneto_serge.replay.matching import content_key, head_text
from magneto_serge.replay.projections import CONTENT_PARTS, HEAD_PARTS, PRESETS
from magneto_serge.replay.rules import DEFAULT_RULES, Rules, compile_rules

from .telling import asks

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def rules(**settings: Any) -> Rules:
    """Compile rules from settings as a file has them."""
    given = {name: convert(name, value, name) for name, value in settings.items()}
    return compile_rules(Settings(**given))  # type: ignore[arg-type]  # as converted


def key(compiled: Rules, request: Request) -> tuple[Hashable, Hashable]:
    """Return both parts of a request's key."""
    return compiled.head(request), compiled.content(request)


def match(one: Request, other: Request, **settings: Any) -> bool:
    """Tell whether two requests match."""
    compiled = rules(**settings)
    return key(compiled, one) == key(compiled, other)


def test_the_default_costs_nothing() -> None:
    """Its functions are those of `matching`, and an index of a cassette knows its keys."""
    assert rules() is DEFAULT_RULES
    assert (DEFAULT_RULES.head, DEFAULT_RULES.content) == (head_text, content_key)
    assert DEFAULT_RULES.indexed
    assert rules(match_on=PRESETS["default"]).indexed
    assert rules(match_credentials="ignore").indexed
    assert not rules(ignore_query=["a"]).indexed


PAIRS = [
    # the part in which they differ, and both requests
    ("method", asks(), asks(method="POST")),
    ("scheme", asks(url="http://a.example:80"), asks(url="https://a.example:80")),
    ("host", asks(), asks(url="http://b.example:80")),
    ("port", asks(), asks(url="http://a.example:81")),
    ("path", asks("/a"), asks("/b")),
    ("query", asks("/?a=1"), asks("/?a=2")),
    ("headers", asks(), asks(fields=(("X-A", "1"),))),
    ("headers:x-a", asks(fields=(("X-A", "1"),)), asks(fields=(("x-a", "2"),))),
    ("body", asks("/", b"1"), asks("/", b"2")),
    ("json", asks("/", b'{"a":1}'), asks("/", b'{"a":2}')),
    ("form", asks("/", b"a=1"), asks("/", b"a=2")),
    ("multipart", asks("/", b"a"), asks("/", b"b")),
    ("graphql", asks("/", b'{"query":"{a}"}'), asks("/", b'{"query":"{b}"}')),
    ("raw_body", asks("/", b'{"a":1}', JSON), asks("/", b'{"a": 1}', JSON)),
]


@pytest.mark.parametrize(("part", "one", "other"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_each_matcher_sees_its_part(part: str, one: Request, other: Request) -> None:
    """Alone it tells such requests apart; without it nothing does."""
    assert not match(one, other, match_on=[part])
    assert match(one, one, match_on=[part])
    others = {"headers", *CONTENT_PARTS} if part in CONTENT_PARTS else {"headers", part}
    rest = [each for each in (*HEAD_PARTS, *CONTENT_PARTS) if each not in others]
    assert match(one, other, match_on=rest)


@pytest.mark.parametrize(
    ("preset", "differing"),
    [
        ("strict", {"method", "scheme", "host", "port", "path", "query", "headers", "body"}),
        ("default", {"method", "scheme", "host", "port", "path", "query", "body"}),
        ("lenient", {"method", "host", "path", "query"}),
        ("path-only", {"path"}),
    ],
)
def test_presets(preset: str, differing: set[str]) -> None:
    """Each as the documentation has it."""
    parts = {"method", "scheme", "host", "port", "path", "query", "headers", "body"}
    pairs = [pair for pair in PAIRS if pair[0] in parts]
    told = {part for part, one, other in pairs if not match(one, other, match_on=[preset])}
    assert told == differing


def test_a_preset_with_more_beside_it() -> None:
    """A preset can be extended, but not by another."""
    one, other = asks(fields=(("A", "1"),)), asks(fields=(("A", "2"),))
    assert match(one, other, match_on=["default"])
    assert not match(one, other, match_on=["default", "headers:a"])
    with pytest.raises(ConfigError, match="lenient and strict are both presets"):
        rules(match_on=["lenient", "strict"])


def test_a_head_request_stands_apart_under_every_rule() -> None:
    """What answers another method has content, which must not follow a HEAD."""
    assert not match(asks(), asks(method="HEAD"), match_on=["path"])
    assert match(asks(), asks(method="DELETE"), match_on=["path"])


@pytest.mark.parametrize(
    ("settings", "one", "other", "matches"),
    [
        ({"ignore_query": ["ts"]}, asks("/?ts=1&a=1"), asks("/?a=1&ts=2"), True),
        ({"ignore_query": ["ts"]}, asks("/?ts=1"), asks("/"), True),
        ({"ignore_query": ["ts"]}, asks("/?ts=1&a=1"), asks("/?a=2&ts=1"), False),
        ({"ignore_query": ["t*"]}, asks("/?t=1&tx=2"), asks("/?ty=3"), True),
        ({"ignore_query": ["a+b"]}, asks("/?a%2Bb=1"), asks("/"), True),
        ({"url_patterns": ["/users/{id}"]}, asks("/users/1"), asks("/users/2"), True),
        ({"url_patterns": ["/users/{id}"]}, asks("/users/1?a=1"), asks("/users/2?a=2"), False),
        ({"url_patterns": ["/users/{id}"]}, asks("/users/1/x"), asks("/users/2/x"), False),
        (
            {"url_patterns": ["http://{tenant}.example/users/*"]},
            asks("/users/1"),
            asks("/users/2/x", url="http://b.example:80"),
            True,
        ),
        (
            {"url_patterns": ["http://a.example:81/{id}"]},
            asks("/1", url="http://a.example:81"),
            asks("/2", url="http://a.example:81"),
            True,
        ),
        ({"ignore_url": [r"/v\d+"]}, asks("/v1/users"), asks("/v2/users"), True),
        ({"ignore_url": [r"/v\d+"]}, asks("/v1/users"), asks("/v2/groups"), False),
        ({"ignore_url": [r":\d+"]}, asks(), asks(url="http://a.example:8080"), True),
        ({"ignore_url": ["[a-z]+[.]example"]}, asks(), asks(url="http://b.example:80"), True),
        ({"ignore_body": [r"nonce=\d+"]}, asks("/", b"a nonce=1"), asks("/", b"a nonce=22"), True),
        (
            {"ignore_body": [r"\d"]},
            asks("/", b'{"a":1,"b":2}', JSON),
            asks("/", b"{}", JSON),
            False,
        ),
        (
            {"ignore_json_paths": ["$.ts"]},
            asks("/", b'{"ts":1,"a":[1]}', JSON),
            asks("/", b'{ "a": [1] }', JSON),
            True,
        ),
        (
            {"ignore_json_paths": ["$.ts"]},
            asks("/", b'{"ts":1,"a":1}', JSON),
            asks("/", b'{"ts":1,"a":2}', JSON),
            False,
        ),
        ({"ignore_json_paths": ["$.ts"]}, asks("/", b"{ts", JSON), asks("/", b"{tx", JSON), False),
        (
            {"ignore_json_paths": ["$.ts"]},
            asks("/", b"b=1&a=2", FORM),
            asks("/", b"a=2&b=1", FORM),
            True,
        ),
        (
            {"match_on": ["graphql"], "ignore_json_paths": ["$.variables.ts"]},
            asks("/", b'{"query":"{a}","variables":{"ts":1}}', JSON),
            asks("/", b'{"query":"{ a }","variables":{"ts":2}}', JSON),
            True,
        ),
        (
            {"match_on": ["strict"], "ignore_headers": ["X-*"]},
            asks(fields=(("x-a", "1"), ("Accept", "*/*"))),
            asks(fields=(("Accept", "*/*"),)),
            True,
        ),
        (
            {"match_on": ["headers:x-a"], "ignore_headers": ["x-a"]},
            asks(fields=(("x-a", "1"),)),
            asks(),
            True,
        ),
    ],
)
def test_what_is_left_out(
    settings: dict[str, Any], one: Request, other: Request, matches: bool
) -> None:
    """What is ignored makes no difference, and all else still does."""
    assert match(one, other, **settings) is matches


def test_fields_are_compared_as_their_values() -> None:
    """Case and order of names, and how a list is cut into lines, mean nothing."""
    one = asks(fields=(("Accept", "a"), ("X", "1"), ("accept", "b")))
    other = asks(fields=(("x", " 1"), ("ACCEPT", "a, b")))
    assert match(one, other, match_on=["headers"])
    assert match(one, other, match_on=["headers:accept"])
    hop = asks(fields=(("Connection", "x"), ("Content-Length", "3"), ("Host", "h")))
    assert match(hop, asks(), match_on=["headers"])


def test_json_claimed_or_not() -> None:
    """`json` compares by value whatever the type says, and by bytes what is no JSON."""
    one, other = asks("/", b'{"a":1,"b":2}'), asks("/", b'{"b":2, "a":1}')
    assert match(one, other, match_on=["json"])
    assert not match(one, other, match_on=["body"])
    assert not match(asks("/", b"{", JSON), asks("/", b"{ ", JSON), match_on=["json"])


def test_a_boundary_is_no_content() -> None:
    """`multipart` compares the parts."""
    bodies = [
        b"--%b\r\nContent-Type: a/b\r\n\r\nx\r\n--%b--" % (each, each) for each in (b"1", b"2")
    ]
    one, other = (
        asks("/", body, f"multipart/form-data; boundary={number}")
        for number, body in enumerate(bodies, 1)
    )
    assert match(one, other, match_on=["multipart"])


# --- routes


def test_a_route_matches_otherwise() -> None:
    """What it selects; all else as before. The first that selects counts."""
    routes = [
        {"host": "a.example", "path": "/search*", "ignore_query": ["ts"]},
        {"host": "a.example", "method": ["POST", "PUT"], "match_on": "path"},
    ]
    assert match(asks("/search?ts=1"), asks("/search?ts=2"), routes=routes)
    assert not match(asks("/other?ts=1"), asks("/other?ts=2"), routes=routes)
    here, there = asks("/x?1", method="POST"), asks("/x?2", b"y", method="PUT")
    assert match(here, there, routes=routes)
    assert not match(here, asks("/x?1"), routes=routes)
    elsewhere = "http://b.example:80"
    one, other = (asks(f"/search?ts={n}", url=elsewhere) for n in (1, 2))
    assert not match(one, other, routes=routes)


def test_requests_of_different_routes_never_match() -> None:
    """They are compared by other rules, of which no one is right for both."""
    routes = [{"host": "a.example", "match_on": "path"}]
    assert not match(asks("/x"), asks("/x", url="http://b.example:80"), routes=routes)


def test_a_route_as_a_line() -> None:
    """The same words, as they stand on a command line."""
    line = "host=a.example path=/search* ignore_query=ts,nonce ignore-json-paths='$.a b'"
    (route,) = convert("routes", line, "x", textual=True)  # type: ignore[misc]  # routes
    assert route == MatchRoute(
        {"host": "a.example", "path": "/search*"},
        {"ignore_query": ("ts", "nonce"), "ignore_json_paths": ("$.a b",)},
    )


def test_credentials_by_route() -> None:
    """Whether their presence is compared can differ."""
    compiled = rules(routes=[{"path": "/public", "match_credentials": "ignore"}])
    assert not compiled.of(asks("/public")).credentials
    assert compiled.of(asks("/private")).credentials


# --- the user's own


def test_a_key_of_the_users_own() -> None:
    """It takes part beside the others, and may look at the body."""
    register_matcher("first-letter", lambda request: bytes(request.body[:1]))  # type: ignore[index]
    compiled = rules(match_on=["path", "first-letter"])
    assert key(compiled, asks("/", b"ab")) == key(compiled, asks("/", b"ac", method="PUT"))
    assert key(compiled, asks("/", b"ab")) != key(compiled, asks("/", b"bb"))
    assert compiled.of(asks()).reads_content


# --- mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"match_on": ["methd"]}, r"match_on: there is no matcher 'methd'; did you mean method\?"),
        ({"match_on": ["headers:"]}, r"match_on: 'headers:': expected headers:NAME"),
        ({"match_on": ["headers:a\x00"]}, r"match_on: "),
        ({"ignore_json_paths": ["$["]}, r"ignore_json_paths: '\$\['"),
        ({"url_patterns": ["users"]}, r"url_patterns: 'users'"),
        ({"ignore_url": ["("]}, r"ignore_url: '\('"),
        ({"ignore_body": ["(?=x)"]}, r"ignore_body: '\(\?=x\)'"),
        (
            {"routes": [{"path": "/x", "match_on": ["nix"]}]},
            r"routes, path=/x: match_on: there is no matcher 'nix'",
        ),
    ],
)
def test_mistakes_are_errors_at_the_start(settings: dict[str, Any], message: str) -> None:
    """The setting, the value, and what is accepted."""
    with pytest.raises(ConfigError, match=message):
        rules(**settings)


bodies = st.sampled_from([b"", b"x", b'{"a":1}', b'{"a": 1}', b"a=1&b=2", b"b=2&a=1", b"\xff\x00"])
types = st.sampled_from(
    ["", JSON, FORM, "multipart/form-data; boundary=x", "text/plain; charset=x"]
)
targets = st.sampled_from(["/", "/a?b=1&a=2", "/a?a=2&b=1", "*", "/%FF?é=\udc80", "/a/../b"])


@given(
    st.lists(
        st.sampled_from([*HEAD_PARTS, *CONTENT_PARTS, "headers:accept"]), min_size=1, max_size=4
    ),
    targets,
    bodies,
    types,
    st.booleans(),
)
def test_no_request_is_too_odd(
    parts: list[str], target: str, body: bytes, content_type: str, ignoring: bool
) -> None:
    """Whatever a request holds, it has a key, which is its own."""
    request = asks(target, body, content_type)
    ignored = {"ignore_query": ["a"], "ignore_url": ["x+"], "ignore_body": ["x+"]}
    compiled = rules(match_on=parts, **(ignored if ignoring else {}))
    assert key(compiled, request) == key(compiled, asks(target, body, content_type))
    hash(key(compiled, request))


@pytest.mark.parametrize("preset", ["strict", "default", "lenient", "path-only"])
def test_a_websocket_stands_apart(preset: str) -> None:
    """Whatever is compared, a request that opens a WebSocket is not one that does not."""
    rules = compile_rules(Settings(match_on=(preset,)))
    opening, plain = (Request("GET", scheme, "a.example", 80, "/") for scheme in ("ws", "http"))
    assert rules.head(opening) != rules.head(plain)


def test_the_key_of_a_handshake_is_never_compared() -> None:
    """It is new for each connection (RFC 6455 §4.1)."""
    rules = compile_rules(Settings(match_on=("strict",)))
    one, two = (
        Request("GET", "ws", "h", 80, "/", Headers.of(("Sec-WebSocket-Key", key))) for key in "ab"
    )
    assert rules.head(one) == rules.head(two)
