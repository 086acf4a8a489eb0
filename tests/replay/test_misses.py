"""A refusal, explained: the nearest recordings first, and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.config import Settings
from magneto_serge.config_values import convert
from magneto_serge.errors import CassetteError
from magneto_serge.messages import Request
from magneto_serge.replay.matchers import register_matcher
from magneto_serge.replay.misses import Miss, find_miss, masked_url, unreadable
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.remedies import options_for
from magneto_serge.replay.rules import compile_rules
from magneto_serge.replay.shelves import Shelves

from .telling import asks, script, session, tape

JSON = "application/json"
ASKED = asks("/users/1?page=2", b'{"a":1}', JSON, method="POST")


def miss(
    *recorded: Request, asked: Request = ASKED, name: str | None = "tape", **settings: Any
) -> Miss:
    """Return the miss of a request on a tape with these recordings."""
    said = ((request, "") for request in recorded)
    return find_miss(asked, tape(*said, redact=True, **settings), name)


# --- which are nearest


def test_the_nearest_come_first() -> None:
    """Another body beats another query, that another method, path, port, and these another host."""
    others = [
        asks("/users/1?page=2", b'{"a":1}', JSON, method="POST", url="http://b.example:80"),
        asks("/groups/1?page=2", b'{"a":1}', JSON, method="POST"),
        asks("/users/1?page=2", b'{"a":1}', JSON, method="GET"),
        asks("/users/1?page=3", b'{"a":1}', JSON, method="POST"),
        asks("/users/1?page=2", b'{"a":2}', JSON, method="POST"),
    ]
    assert [near.number for near in miss(*others).nearest] == [5, 4, 3]


def test_at_most_three_are_shown() -> None:
    """A screen has room for three."""
    others = [asks(f"/users/1?page={number}") for number in range(20)]
    assert len(miss(*others).nearest) == 3


def test_what_has_nothing_in_common_is_not_shown() -> None:
    """A recording of another host is no help."""
    assert miss(asks("/users/1?page=2", url="http://b.example:80")).nearest == ()
    assert miss(asks("/x/y/z/1/2/3", method="DELETE")).nearest == ()


def test_it_is_said_whether_a_recording_was_played() -> None:
    """A request that came once too often, or with another parameter, shows by that."""
    playing = session(Mode.REPLAY, tape((asks("/a?x=1"), "a")))
    script(playing, asks("/a?x=2"), asks("/a?x=1"), asks("/a?x=2"), asks("/a?x=1"), asks("/a?x=2"))
    assert [each.nearest[0].played for each in playing.misses] == [0, 1, 2]
    stories = [each.explain().splitlines()[2] for each in playing.misses]
    url = "  nearest: #1 GET http://a.example/a?x=1"
    played = ("not played yet", "played once", "played 2 times")
    assert stories == [f"{url} ({each})" for each in played]


# --- without secrets


def test_no_story_holds_a_secret() -> None:
    """Wherever it stands: an explanation may be printed, logged and pasted."""
    token = "ghp_" + "a1B2" * 9
    fields = (("Authorization", "Bearer sekret-1"), ("X-Api-Key", "sekret-2"))
    asked = asks(
        f"/users/{token}?api_key=sekret-3&page=1",
        f'{{"password":"sekret-4","note":"{token}"}}'.encode(),
        JSON,
        fields=fields,
    )
    recorded = asks("/users/x?api_key=sekret-5&page=2", b'{"password":"sekret-6"}', JSON)
    for redact in (True, False):
        cassette = tape((recorded, ""), redact=redact, match_on=("strict",))
        found = find_miss(asked, cassette, "tape")
        assert found.nearest
        told = found.explain() + repr(found)
        assert "sekret" not in told
        assert token not in told


def test_secrets_alone_are_no_field() -> None:
    """Where they are compared (`redact = off`) and nothing else differs, that is what is said."""
    cassette = tape((asks("/a?api_key=one"), ""))
    (near,) = find_miss(asks("/a?api_key=two"), cassette, "tape").nearest
    assert [each.field for each in near.differences] == ["a secret"]


def test_the_request_comes_along() -> None:
    """A program that looks at misses gets the request, without its body: misses are kept."""
    assert ASKED.body
    request = miss().request
    assert request is not None
    assert (request.method, request.target, request.body) == ("POST", "/users/1?page=2", b"")
    assert request.headers == ASKED.headers


@pytest.mark.parametrize(
    ("request_", "url"),
    [
        (asks("/p?q"), "http://a.example/p?q"),
        (asks("/", url="https://a.example:443"), "https://a.example/"),
        (asks("/", url="http://a.example:8080"), "http://a.example:8080/"),
        (asks("/", url="http://::1:8080"), "http://[::1]:8080/"),
        (asks("/?password=x"), "http://a.example/?password=****"),
    ],
)
def test_urls_in_misses(request_: Request, url: str) -> None:
    """A URL is what a person would type, its secrets masked."""
    assert masked_url(request_) == url


# --- what to do

PAIRS = [
    (asks("/a?ts=1&q=1"), asks("/a?ts=2&q=1"), 'ignore_query = ["ts"]  (--ignore-query ts)'),
    (asks("/a"), asks("/a?ts=2&u=1"), 'ignore_query = ["ts", "u"]'),
    (asks("/a?x[]=1"), asks("/a?x[]=2"), 'ignore_query = ["x[[]]"]'),
    (asks("/a?q=%7E"), asks("/a?q=~"), 'match_on = ["method", "scheme", "host", "port", "path"'),
    (asks("/users/1"), asks("/users/2"), 'url_patterns = ["/users/{id}"]'),
    (asks("/u/1/p/2"), asks("/u/3/p/4"), 'url_patterns = ["/u/{id}/p/{id2}"]'),
    (
        asks("/", b'{"at":1,"x":1}', JSON),
        asks("/", b'{"at":2,"x":1}', JSON),
        "ignore_json_paths = [\"$.at\"]  (--ignore-json-path '$.at')",
    ),
    (
        asks("/", b'{"a-b":[{"c d":1}]}', JSON),
        asks("/", b'{"a-b":[{"c d":2}]}', JSON),
        r'ignore_json_paths = ["$[\"a-b\"][0][\"c d\"]"]',
    ),
    (
        asks(url="http://a.example:1"),
        asks(url="http://a.example:2"),
        "--match-on method,scheme,host,path,query,body",
    ),
    (asks("/", b"one"), asks("/", b"two"), "--match-on method,scheme,host,port,path,query)"),
]


@pytest.mark.parametrize(("asked", "recorded", "remedy"), PAIRS)
def test_the_option_that_would_make_it_match(
    asked: Request, recorded: Request, remedy: str
) -> None:
    """As it stands in a file, and as a flag."""
    (near,) = miss(recorded, asked=asked).nearest
    assert remedy in near.remedy
    assert f"to match it: {near.remedy}" in miss(recorded, asked=asked).explain()


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        (asks("/a"), asks("/a", method="POST")),
        (asks("/a"), asks("/b/c/d")),
        (asks("/a?a=1&b=1&c=1&d=1&e=1&f=1"), asks("/a")),
    ],
)
def test_what_is_another_request_has_no_option(asked: Request, recorded: Request) -> None:
    """Another method or path, or too many differences: it is to be recorded."""
    found = miss(recorded, asked=asked)
    assert [near.remedy for near in found.nearest] == [""]
    assert "magneto hybrid tape" in found.remedy


def test_options_add_to_what_is_set() -> None:
    """They are given whole, to be put in the place of the old ones."""
    asked, recorded = asks("/a?ts=1&u=1&v=1"), asks("/a?ts=2&u=2&v=1")
    (near,) = miss(recorded, asked=asked, ignore_query=("ts",)).nearest
    assert near.remedy == ('ignore_query = ["ts", "u"]  (--ignore-query ts --ignore-query u)')


targets = st.sampled_from(
    ["/a", "/a?x=1", "/a?x=2&y=1", "/a?y=1", "/b", "/a/b/c", "/a/x/c", "/a?x[]=*"]
)
bodies = st.sampled_from([b"", b"text", b"a\nb", b'{"a":1}', b'{"a":2,"b":[1]}', b'{"b":[1,2]}'])
types = st.sampled_from(["", JSON, "application/x-www-form-urlencoded"])
urls = st.sampled_from(["http://a.example:80", "http://a.example:81", "https://a.example:80"])
requests = st.builds(asks, targets, bodies, types, url=urls)


@given(requests, requests)
def test_with_the_option_it_does_match(asked: Request, recorded: Request) -> None:
    """Exactly those settings make the keys of both requests equal."""
    (near,) = miss(recorded, asked=asked).nearest or (None,)
    comparison = compile_rules(Settings()).of(asked)
    options = {}
    if near is not None:
        options = options_for(near.differences, asked.target.partition("?")[0], comparison)
    if options:
        changed = {name: convert(name, value, name) for name, value in options.items()}
        rules = compile_rules(Settings(**changed))  # type: ignore[arg-type]  # as converted
        assert rules.head(asked) == rules.head(recorded)
        assert rules.content(asked) == rules.content(recorded)


# --- the whole story


def test_the_story_of_a_miss() -> None:
    """What was asked, why it was refused, what came near, and what to do: one line each."""
    recorded = asks("/users/1?page=3", b'{"a":1}', JSON, method="POST")
    assert miss(recorded, asks("/", url="http://b.example:80")).explain().splitlines() == [
        "POST http://a.example/users/1?page=2",
        "  No recording in cassette 'tape' (2 interactions) matches.",
        "  nearest: #1 POST http://a.example/users/1?page=3 (not played yet)",
        "    query page: asked '2', recorded '3'",
        '    to match it: ignore_query = ["page"]  (--ignore-query page)',
        "  To add it: `magneto hybrid tape`; to record everything again: `magneto record tape`.",
    ]


@pytest.mark.parametrize(("cassette", "name"), [(None, None), (None, "tape"), (Shelves(), None)])
def test_the_story_without_a_cassette(cassette: Shelves | None, name: str | None) -> None:
    """Where no cassette is in use, the story says how to name one."""
    story = find_miss(ASKED, cassette, name)
    assert story.nearest == ()
    assert "No cassette is in use" in story.reason
    assert "magneto record NAME" in story.remedy


def test_the_story_of_what_was_played_already() -> None:
    """Where recordings are equal, it is said why they are not played, and how they would be."""
    cassette = tape((asks("/a"), "a"))
    cassette.repeats = "refuse"
    cassette.play(asks("/a"))
    found = find_miss(asks("/a"), cassette, "tape")
    assert found.reason == 'It is recorded, but it was played already: repeats = "refuse".'
    assert 'repeats = "last" (--repeats last)' in found.remedy
    assert [(near.number, near.played) for near in found.nearest] == [(1, 1)]


def test_the_story_of_another_users_recording() -> None:
    """A secret that stands for something else is not let in."""
    fields = [(("Authorization", f"Bearer REDACTED-{number}"),) for number in (1, 2)]
    said = [(asks("/a", fields=fields[0]), "1"), (asks("/b", fields=fields[1]), "2")]
    playing = session(Mode.REPLAY, tape(*said, redact=True))
    ann, bob = ((("Authorization", f"Bearer {who}"),) for who in ("ann", "bob"))
    asked = [asks("/a", fields=ann), asks("/b", fields=bob), asks("/b", fields=ann)]
    assert script(playing, *asked) == ["1", "2", "refuse"]
    assert "recorded with other credentials" in playing.misses[0].reason


def test_the_story_of_a_predicate() -> None:
    """It is named."""
    register_matcher("never", predicate=lambda one, other: False)
    found = miss(ASKED, match_on=("default", "never"))
    assert found.reason == "It is recorded, but the matcher 'never' says that it does not match."


def test_the_story_of_damage() -> None:
    """What cannot be read is no miss of the user's."""
    found = unreadable(ASKED, CassetteError("x.msgpack: byte 9 is wrong."))
    assert found.reason == "The cassette is damaged. x.msgpack: byte 9 is wrong."
    assert "nothing that the cassette holds for this request can be replayed" in found.remedy
