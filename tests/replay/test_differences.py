"""In which fields two requests differ: exactly those that take part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.config import Settings
from magneto_serge.messages import FileBody, Request
from magneto_serge.replay import differences as module
from magneto_serge.replay.differences import Difference
from magneto_serge.replay.matchers import register_matcher
from magneto_serge.replay.matching import body_key, head_key
from magneto_serge.replay.projections import CONTENT_PARTS, HEAD_PARTS
from magneto_serge.replay.rules import compile_rules

from .telling import asks

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ASKED = asks("/users/1?page=2", b'{"a":1}', JSON, method="POST")


def differences(asked: Request, recorded: Request, **settings: Any) -> tuple[Difference, ...]:
    """Return the differences under these settings of matching."""
    rules = compile_rules(Settings(**settings))
    return module.differences(asked, recorded, rules.of(asked))


def fields(asked: Request, recorded: Request, **settings: Any) -> list[str]:
    """Return the names of the fields that differ."""
    return [difference.field for difference in differences(asked, recorded, **settings)]


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        (asks("/users/1?page=2", b'{"a":1}', JSON), ["method"]),
        (asks("/users/2?page=2", b'{"a":1}', JSON, method="POST"), ["path segment 2"]),
        (asks("/users?page=2", b'{"a":1}', JSON, method="POST"), ["path"]),
        (asks("/users/1?page=3", b'{"a":1}', JSON, method="POST"), ["query page"]),
        (asks("/users/1?page=2&x=", b'{"a":1}', JSON, method="POST"), ["query x"]),
        (asks("/users/1", b'{"a":1}', JSON, method="POST"), ["query page"]),
        (asks("/users/1?page=2&page=2", b'{"a":1}', JSON, method="POST"), ["query page"]),
        (asks("/users/1?page=%32", b'{"a":1}', JSON, method="POST"), ["query"]),
        (asks("/users/1?page=2", b'{"a":2}', JSON, method="POST"), ["body $.a"]),
        (asks("/users/1?page=2", b'{"b":[1]}', JSON, method="POST"), ["body $.a", "body $.b"]),
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
    recorded = asks("/users/1?page=3&page=4", b'{"a":"2"}', JSON, method="POST")
    assert differences(ASKED, recorded) == (
        Difference("query page", "'2'", "'3', '4'"),
        Difference("body $.a", "1", '"2"'),
    )


def test_something_beside_nothing() -> None:
    """What is missing on one side is called nothing, and no body."""
    (query, body) = differences(ASKED, asks("/users/1", method="POST"))
    assert (query.asked, query.recorded) == ("'2'", "nothing")
    assert (body.asked, body.recorded) == ("'{\"a\":1}'", "no body")


def test_fields_that_take_part() -> None:
    """Only those, by their names in lower case."""
    asked = asks(fields=(("Accept", "a"), ("X-B", "1"), ("Host", "h")))
    recorded = asks(fields=(("accept", "b"),))
    assert fields(asked, recorded) == []
    assert fields(asked, recorded, match_on=("headers:accept",)) == ["header accept"]
    assert fields(asked, recorded, match_on=("strict",)) == ["header accept", "header x-b"]
    ignoring = {"match_on": ("strict",), "ignore_headers": ("x-*",)}
    (found,) = differences(asked, recorded, **ignoring)
    assert (found.asked, found.recorded) == ("'a'", "'b'")


def test_what_is_ignored_is_not_named() -> None:
    """Neither items of the query nor members of JSON."""
    asked, recorded = (
        asks("/?ts=1&a=1", b'{"ts":1,"a":1}', JSON),
        asks("/?ts=2&a=2", b'{"a":2}', JSON),
    )
    assert fields(asked, recorded) == ["query ts", "query a", "body $.ts", "body $.a"]
    ignoring = {"ignore_query": ("ts",), "ignore_json_paths": ("$.ts",)}
    assert fields(asked, recorded, **ignoring) == ["query a", "body $.a"]


def test_forms_differ_by_item() -> None:
    """As queries do."""
    found = differences(asks("/", b"a=1&b=2&c=3", FORM), asks("/", b"a=1&b=4", FORM))
    assert [(each.field, each.asked, each.recorded) for each in found] == [
        ("form b", "'2'", "'4'"),
        ("form c", "'3'", "nothing"),
    ]


def test_texts_differ_by_line() -> None:
    """A short diff, the recording first."""
    one = asks("/", b"a\nb\nc\nd\n")
    (found,) = differences(one, asks("/", b"a\nx\nc\nd\n"))
    assert found.diff == ("--- recorded", "+++ asked", "@@ -1,3 +1,3 @@", " a", "-x", "+b", " c")
    long = (
        "\n".join(map(str, range(1000))).encode(),
        "\n".join(map(str, range(500, 900))).encode(),
    )
    (found,) = differences(asks("/", long[0]), asks("/", long[1]))
    assert len(found.diff) == 13
    assert found.diff[-1].startswith("… and ")
    lines = b"x\n" * 5000
    (found,) = differences(asks("/", lines), asks("/", lines + b"y"))
    assert found.diff == ()


def test_a_matcher_of_the_users_own() -> None:
    """By its name, with both keys."""
    register_matcher("verb", lambda request: request.method.lower())
    found = differences(asks(), asks(method="PUT"), match_on=("path", "verb"))
    assert found == (Difference("matcher verb", "'get'", "'put'"),)


def test_heads_stand_apart() -> None:
    """The method is named, even where it takes no part."""
    assert fields(asks(method="HEAD"), asks(), match_on=("path",)) == ["method"]


# --- bounded


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


def test_secrets_are_masked_by_their_names() -> None:
    """What nothing knew when it was recorded may have the name of a secret."""
    asked = asks("/?api_key=asked-secret", b"password=asked-secret", FORM)
    recorded = asks("/?api_key=recorded-secret", b"password=recorded-secret", FORM)
    found = differences(asked, recorded)
    assert [each.field for each in found] == ["query api_key", "form password"]
    assert "secret" not in repr([(each.asked, each.recorded) for each in found])


requests = st.builds(
    asks,
    st.sampled_from(["/", "/a", "/a/b?x=1", "/a/b?x=%31", "/a/c?y=2&x=1"]),
    st.sampled_from([b"", b"x", b"\xff", b"a\nb", b'{"a":1}', b'{"a":[1,{"b":2}]}', b"a=1&b=2"]),
    st.sampled_from(["", JSON, FORM, "text/plain"]),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    fields=st.sampled_from([(), (("X-A", "1"),)]),
)
parts = st.lists(
    st.sampled_from([*HEAD_PARTS, *CONTENT_PARTS, "headers:x-a"]), min_size=1, max_size=4
)


@given(requests, requests, parts)
def test_requests_differ_where_their_keys_do(one: Request, other: Request, on: list[str]) -> None:
    """There is a difference if, and only if, the keys are different."""
    rules = compile_rules(Settings(match_on=tuple(on)))
    equal = rules.head(one) == rules.head(other) and rules.content(one) == rules.content(other)
    assert (differences(one, other, match_on=tuple(on)) == ()) is equal
