"""Which recordings are nearest, also among very many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Request
from magneto_serge.replay.nearest import FEW, UNRELATED, Neighbours, distance

from .telling import asks

MANY = FEW + 500


def near(asked: Request, requests: list[Request], most: int = 3) -> list[str]:
    """Return the targets of the nearest."""
    return [requests[at].target for at in Neighbours(requests).nearest(asked, most)]


def test_a_nearer_path_comes_first() -> None:
    """Among other paths, the one with more segments in common is nearer."""
    others = [asks("/x/y/z/1"), asks("/users/2"), asks("/users/1/posts")]
    assert near(asks("/users/1"), others) == ["/users/2", "/users/1/posts", "/x/y/z/1"]


def test_equally_near_requests_keep_their_order() -> None:
    """Of requests that differ as much, the first comes first."""
    others = [asks(f"/users/1?page={number}") for number in (3, 4, 5)]
    assert Neighbours(others).nearest(asks("/users/1"), 3) == [0, 1, 2]


def test_what_differs_less_is_nearer() -> None:
    """One item of a query beats two, and a body with one other letter beats quite another."""
    one, two = asks("/?a=1&b=2&c=4"), asks("/?a=1&b=5&c=6")
    asked = asks("/?a=1&b=2&c=3")
    assert distance(asked, one) < distance(asked, two)
    asked = asks("/", b'{"name":"abc","n":1}')
    one, two = asks("/", b'{"name":"abd","n":1}'), asks("/", b"something else")
    assert (
        distance(asked, one) < distance(asked, two) < distance(asked, asks("/?", b"", method="PUT"))
    )


def test_the_order_of_the_parts() -> None:
    """Body, query, method, origin, path; another host is unrelated."""
    asked = asks("/a/b?x=1", b"1")
    others = [
        asks("/a/b?x=1", b"2"),
        asks("/a/b?x=2", b"2"),
        asks("/a/b?x=1", b"1", method="PUT"),
        asks("/a/c?x=1", b"1"),
    ]
    distances = [distance(asked, other) for other in others]
    assert distances == sorted(distances)
    assert distances[-1] < UNRELATED <= distance(asked, asks("/a/b?x=1", b"1", url="http://b:80"))


def test_where_hosts_are_not_compared_they_are_no_distance() -> None:
    """Rules without `host` find what was recorded elsewhere."""
    others = [asks("/b", url="http://b.example:80")] * MANY
    assert Neighbours(others).nearest(asks("/a"), 1) == []
    assert Neighbours(others, hosts=False).nearest(asks("/a"), 1) == [0]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (asks("/users/7/posts?page=9"), "/users/7/posts?page=1&q=7"),
        (asks("/users/7/posts?page=1&q=8"), "/users/7/posts?page=1&q=7"),
        (asks("/users/x/posts?page=1&q=7"), "/users/7/posts?page=1&q=7"),
        (asks("/users/7/comments"), "/users/7/posts?page=1&q=7"),
        (asks("/v2/7/posts?page=1&q=7"), "/users/7/posts?page=1&q=7"),
    ],
)
def test_among_very_many_the_right_one_is_found(asked: Request, wanted: str) -> None:
    """Also where it stands at the end, whatever differs."""
    many = [asks(f"/things/{number}/{number % 7}?page={number % 3}") for number in range(MANY)]
    assert near(asked, [*many, asks(wanted)], 1) == [wanted]


def test_among_very_many_bodies_the_right_one_is_found() -> None:
    """Of one target: what differs in one place shares its beginning or its end."""
    bodies = [b'{"a":%d,"b":"same","c":%d}' % (number, number) for number in range(MANY)]
    many = [asks("/graphql", body, method="POST") for body in bodies]
    for asked, wanted in (
        (b'{"a":1400,"b":"same","c":9}', 1400),
        (b'{"a":9,"b":"same","c":1400}', 1400),
    ):
        found = Neighbours(many).nearest(asks("/graphql", asked, method="POST"), 3)
        assert wanted in found
    assert len(Neighbours(many).nearest(asks("/graphql", b"zzz", method="POST"), 3)) == 3


targets = st.sampled_from(["/", "/a", "/a/b", "/a/b?x=1", "/a/b?x=2&y=1", "/c?x", "*", "/é"])


@given(st.lists(targets, max_size=6), targets, st.integers(0, 5))
def test_whatever_is_near_is_not_lost_among_many(
    recorded: list[str], target: str, seed: int
) -> None:
    """Where something is near, something is found, however much else there is."""
    requests = [asks(each) for each in recorded]
    alone = Neighbours(requests).nearest(asks(target), 1)
    other = [asks(f"/zzz/{number}/y/x/w/v", url="http://z:1") for number in range(FEW + seed)]
    among = Neighbours([*requests, *other]).nearest(asks(target), 1)
    assert len(among) == len(alone)
    assert all(at < len(requests) for at in among)
