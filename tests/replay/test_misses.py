"""A refusal, explained: the nearest recordings first, and the fields in which they differ."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from magneto_serge.messages import FileBody, Request
from magneto_serge.replay.matching import body_key, head_key
from magneto_serge.replay.misses import Difference, Miss, differences, find_miss, masked_url
from magneto_serge.replay.shelves import Shelves

from .telling import asks, tape

JSON = "application/json"
ASKED = asks("/users/1?page=2", b'{"a":1}', JSON, method="POST")


def miss(*recorded: Request, asked: Request = ASKED, name: str | None = "tape") -> Miss:
    """Return the miss of a request on a tape with these recordings."""
    return find_miss(asked, tape(*((request, "") for request in recorded)), name)


def fields(asked: Request, recorded: Request) -> list[str]:
    """Return the names of the fields that differ."""
    return [difference.field for difference in differences(asked, recorded)]


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


def test_a_nearer_path_comes_first() -> None:
    """Among other paths, the one with more segments in common is nearer."""
    others = [asks("/x/y/z/1"), asks("/users/2"), asks("/users/1/posts")]
    assert [near.number for near in miss(*others, asked=asks("/users/1")).nearest] == [2, 3, 1]


def test_equally_near_recordings_keep_their_order() -> None:
    """Of recordings that differ as much, the first recorded comes first."""
    others = [asks("/users/1?page=3"), asks("/users/1?page=4"), asks("/users/1?page=5")]
    assert [near.number for near in miss(*others, asked=asks("/users/1")).nearest] == [1, 2, 3]


def test_at_most_three_are_shown() -> None:
    """A screen has room for three."""
    others = [asks(f"/users/1?page={number}") for number in range(20)]
    assert len(miss(*others).nearest) == 3


def test_what_has_nothing_in_common_is_not_shown() -> None:
    """A recording of another host is no help."""
    assert miss(asks("/users/1?page=2", url="http://b.example:80")).nearest == ()
    assert miss(asks("/x/y/z/1/2/3", method="DELETE")).nearest == ()


# --- what differs


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        (asks("/users/1?page=2", b'{"a":1}', JSON), ["method"]),
        (asks("/users/2?page=2", b'{"a":1}', JSON, method="POST"), ["path"]),
        (asks("/users/1?page=3", b'{"a":1}', JSON, method="POST"), ["query page"]),
        (asks("/users/1?page=2&x=", b'{"a":1}', JSON, method="POST"), ["query x"]),
        (asks("/users/1", b'{"a":1}', JSON, method="POST"), ["query page"]),
        (asks("/users/1?page=2&page=2", b'{"a":1}', JSON, method="POST"), ["query page"]),
        (asks("/users/1?page=%32", b'{"a":1}', JSON, method="POST"), ["query"]),
        (asks("/users/1?page=2", b'{"a":2}', JSON, method="POST"), ["body"]),
        (asks("/users/1?page=2", b'{"a":1}', "text/plain", method="POST"), ["body"]),
        (asks("/users/1?page=2", b"", method="POST"), ["body"]),
        (asks("/users/1?page=2", b'{ "a": 1 }', JSON, method="POST"), []),
    ],
)
def test_the_fields_that_differ(recorded: Request, found: list[str]) -> None:
    """Exactly the parts of the match key that differ are named."""
    assert fields(ASKED, recorded) == found


def test_scheme_host_and_port_come_apart() -> None:
    """Each part of the origin is a field of its own, in the order of the key."""
    elsewhere = asks("/users/1?page=2", b'{"a":1}', JSON, url="https://b.example:443")
    assert fields(ASKED, elsewhere) == ["method", "scheme", "host", "port"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/?q=a%20b", "/?q=a+b"),
        ("/?q=%7E", "/?q=~"),
        ("/?q", "/?q="),
        ("/?a=1&&b=2", "/?a=1&b=2"),
        ("/?a=1&b=2", "/?a=1;b=2"),
        ("/a", "/a/"),
    ],
)
def test_every_difference_has_a_name(one: str, other: str) -> None:
    """Two requests that do not match never look alike in an explanation."""
    assert head_key(asks(one)) != head_key(asks(other))
    assert differences(asks(one), asks(other))


def test_equal_requests_do_not_differ() -> None:
    """Where the keys are equal, nothing is named: order in a query is no difference."""
    one, other = asks("/?a=1&b=2", b"x"), asks("/?b=2&a=1", b"x")
    assert head_key(one) == head_key(other)
    assert body_key(one.headers, one.body) == body_key(other.headers, other.body)
    assert differences(one, other) == ()


def test_values_are_shown_side_by_side() -> None:
    """A difference holds what was asked and what was recorded, as a person writes it."""
    recorded = asks("/users/1?page=3&page=4", b'{"a":2}', JSON, method="POST")
    assert differences(ASKED, recorded) == (
        Difference("query page", "'2'", "'3', '4'"),
        Difference("body", "'{\"a\":1}'", "'{\"a\":2}'"),
    )


def test_something_beside_nothing() -> None:
    """What is missing on one side is called nothing, and no body."""
    (query, body) = differences(ASKED, asks("/users/1", method="POST"))
    assert (query.asked, query.recorded) == ("'2'", "nothing")
    assert (body.asked, body.recorded) == ("'{\"a\":1}'", "no body")


# --- bounded, and without secrets


def test_previews_of_bodies_are_short() -> None:
    """A body is shown by its beginning, however long it is."""
    (body,) = differences(asks("/", b"x" * 1_000_000), asks("/", "é".encode() * 1000))
    assert len(body.asked) < 200
    assert len(body.recorded) < 200
    assert body.asked.endswith("…'")


def test_binary_bodies_are_counted() -> None:
    """Bytes that are no text are told by their number."""
    (body,) = differences(asks("/", b"\xff\x00" * 10), asks("/", b"text"))
    assert body.asked == "20 bytes of binary data"


def test_bodies_on_disk_are_told_by_size_and_digest() -> None:
    """A body that is not in memory is not read to be shown."""
    on_disk = FileBody(Path("no-such-file"), 5_000_000, "abcdef" * 10)
    (body,) = differences(asks("/", on_disk), asks("/", b"small"))
    assert body.asked == "5000000 bytes, sha256 abcdefabcdef…"


def test_secrets_in_queries_are_masked() -> None:
    """An explanation may be printed, logged and pasted: it holds no credentials."""
    recorded = asks("/users?api_key=recorded-secret&page=1")
    asked = asks("/users?api_key=asked-secret&page=2")
    story = miss(recorded, asked=asked).explain()
    assert "secret" not in story
    assert "api_key=REDACTED" in story
    assert "api_key" not in [difference.field for difference in differences(asked, recorded)]


def test_a_large_cassette_is_searched_in_bounds() -> None:
    """Of a huge cassette the first 20,000 recordings are looked at, and the miss comes soon."""
    cassette = Shelves()
    for recording in tape(*((asks(f"/{number}"), "") for number in range(100))).recordings * 250:
        cassette.recordings.append(recording)
    assert find_miss(asks("/x"), cassette, "tape").nearest


# --- the whole story


def test_the_story_of_a_miss() -> None:
    """What was asked, why it was refused, what came near, and what to do: one line each."""
    recorded = asks("/users/1?page=3", b'{"a":1}', JSON, method="POST")
    assert miss(recorded, asks("/", url="http://b.example:80")).explain().splitlines() == [
        "POST http://a.example/users/1?page=2",
        "  No recording in cassette 'tape' (2 interactions) matches.",
        "  nearest: #1 POST http://a.example/users/1?page=3",
        "    query page: asked '2', recorded '3'",
        "  To add it: `magneto hybrid tape`; to record everything again: `magneto record tape`.",
    ]


@pytest.mark.parametrize(("cassette", "name"), [(None, None), (None, "tape"), (Shelves(), None)])
def test_the_story_without_a_cassette(cassette: Shelves | None, name: str | None) -> None:
    """Where no cassette is in use, the story says how to name one."""
    story = find_miss(ASKED, cassette, name)
    assert story.nearest == ()
    assert "No cassette is in use" in story.reason
    assert "magneto record NAME" in story.remedy


def test_the_request_comes_along() -> None:
    """A program that looks at misses gets the request, without its body: misses are kept."""
    assert ASKED.body
    assert miss().request == msgspec.structs.replace(ASKED, body=b"")


@pytest.mark.parametrize(
    ("request_", "url"),
    [
        (asks("/p?q"), "http://a.example/p?q"),
        (asks("/", url="https://a.example:443"), "https://a.example/"),
        (asks("/", url="http://a.example:8080"), "http://a.example:8080/"),
        (asks("/", url="http://::1:8080"), "http://[::1]:8080/"),
        (asks("/?password=x"), "http://a.example/?password=REDACTED"),
    ],
)
def test_urls_in_misses(request_: Request, url: str) -> None:
    """A URL is what a person would type, its secrets masked."""
    assert masked_url(request_) == url
