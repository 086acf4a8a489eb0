"""Which recordings are nearest, also among very many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import FileBody, Request
from magneto_serge.replay import nearest
from magneto_serge.replay.nearest import FEW, UNRELATED, Neighbours, distance
from magneto_serge.replay.secrets.bindings import Seen
from magneto_serge.replay.shelf import Recording

from .telling import asks, told

MANY = FEW + 500


def recorded_as(requests: Iterable[Request]) -> list[Recording]:
    """Return recordings of these requests."""
    return [Recording(told(each, ""), number) for number, each in enumerate(requests, 1)]


def neighbours(requests: Iterable[Request]) -> Neighbours:
    """Return the neighbourhood that recordings of these requests are."""
    return Neighbours(recorded_as(requests))


def near(asked: Request, requests: list[Request], most: int = 3) -> list[str]:
    """Return the targets of the nearest."""
    return [requests[at].target for at in neighbours(requests).nearest(asked, most)]


def test_a_nearer_path_comes_first() -> None:
    """Among other paths, the one with more segments in common is nearer."""
    others = [asks("/x/y/z/1"), asks("/users/2"), asks("/users/1/posts")]
    assert near(asks("/users/1"), others) == ["/users/2", "/users/1/posts", "/x/y/z/1"]


def test_equally_near_requests_keep_their_order() -> None:
    """Of requests that differ as much, the first comes first."""
    others = [asks(f"/users/1?page={number}") for number in (3, 4, 5)]
    assert neighbours(others).nearest(asks("/users/1"), 3) == [0, 1, 2]


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
    assert neighbours(others).nearest(asks("/a"), 1) == []
    assert neighbours(others).nearest(asks("/a"), 1, hosts=False) == [0]


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
        found = neighbours(many).nearest(asks("/graphql", asked, method="POST"), 3)
        assert wanted in found
    assert len(neighbours(many).nearest(asks("/graphql", b"zzz", method="POST"), 3)) == 3


targets = st.sampled_from(["/", "/a", "/a/b", "/a/b?x=1", "/a/b?x=2&y=1", "/c?x", "*", "/é"])


@given(st.lists(targets, max_size=6), targets, st.integers(0, 5))
def test_whatever_is_near_is_not_lost_among_many(
    recorded: list[str], target: str, seed: int
) -> None:
    """Where something is near, something is found, however much else there is."""
    requests = [asks(each) for each in recorded]
    alone = neighbours(requests).nearest(asks(target), 1)
    other = [asks(f"/zzz/{number}/y/x/w/v", url="http://z:1") for number in range(FEW + seed)]
    among = neighbours([*requests, *other]).nearest(asks(target), 1)
    assert len(among) == len(alone)
    assert all(at < len(requests) for at in among)


def test_recordings_may_be_added_after_a_miss() -> None:
    """What was added since is found by the next one, whichever block it is in."""
    recordings = recorded_as(asks(f"/things/{number}?page=1") for number in range(MANY))
    among = Neighbours(recordings)
    for count in (1, 600):
        assert among.nearest(asks("/users/1?page=2"), 1) != [len(recordings)]
        recordings += recorded_as([asks("/users/1?page=1")])
        assert among.nearest(asks("/users/1?page=2"), 1) == [len(recordings) - 1]
        recordings[-1:] = recorded_as(asks(f"/other/{number}") for number in range(count))


def test_a_line_feed_in_a_target_moves_no_other() -> None:
    """A file can say what no wire does: the recordings after such a one keep their places."""
    many = [asks(f"/things/{number}\n\n/x") for number in range(MANY)]
    assert neighbours([*many, asks("/users/1?a")]).nearest(asks("/users/1?b"), 1) == [MANY]


def test_requests_are_near_as_they_are_compared() -> None:
    """What is compared without its secrets is found by what remains."""
    recordings = recorded_as(asks(f"/things/{number}") for number in range(MANY))
    seen = Seen(asks("/users/REDACTED?a"))
    recordings.append(Recording(told(asks("/people/1"), ""), MANY + 1, seen))
    assert Neighbours(recordings).nearest(asks("/users/REDACTED?b"), 1) == [MANY]


def test_bodies_in_files_are_passed_over() -> None:
    """Among very many bodies of one target, some are in files; the others are found as ever."""
    many = [asks("/", str(number).encode()) for number in range(MANY)]
    for at in range(0, MANY, 7):
        many[at].body = FileBody(Path("nowhere"), 9, "")
    assert neighbours(many).nearest(asks("/", b"1402-"), 1) == [1402]


def straightforward(
    asked: Request, requests: list[Request], most: int, *, hosts: bool, few: int, bodies: int
) -> list[int]:
    """Return the nearest by looking at each request, one kind of candidates after the other."""
    every = range(len(requests))
    candidates = set(every)
    if len(requests) > few:
        lines = [each.host + each.target if hosts else each.target for each in requests]
        target = asked.host + asked.target if hosts else asked.target
        path, mark, _ = target.partition("?")

        def first(kind: list[int]) -> set[int]:
            return set(kind[:few])

        candidates = first([at for at in every if lines[at] == target])
        if len(candidates) >= few:
            return ranked(asked, requests, like_body(asked, requests, bodies), most, hosts=hosts)
        if mark:
            half = (len(path) + len(target)) // 2
            candidates |= first([at for at in every if lines[at].startswith(target[: half + 1])])
            candidates |= first([at for at in every if lines[at].endswith(target[half:])])
        candidates |= first([at for at in every if lines[at].startswith(path + "?")])
        candidates |= first([at for at in every if lines[at] == path])
        folder, slash, _ = path.rpartition("/")
        while slash and len(candidates) < most:
            candidates |= first([at for at in every if lines[at].startswith(folder + "/")])
            folder, slash, _ = folder.rpartition("/")
        own = asked.target.partition("?")[0]
        end = own[own.find("/", 1) :]
        if len(candidates) < few and len(end) > 1 and end != own:
            candidates |= first([at for at in every if end in lines[at]])
    return ranked(
        asked, requests, candidates or set(range(min(few, len(every)))), most, hosts=hosts
    )


def like_body(asked: Request, requests: list[Request], few: int) -> set[int]:
    """Return those of the same target whose bodies share a half with what was asked."""
    every, body = range(len(requests)), asked.body
    halves: list[int] = []
    if isinstance(body, bytes) and body:
        first, second = body[: len(body) // 2], body[len(body) // 2 :]
        held = [each.body if isinstance(each.body, bytes) else b"" for each in requests]
        halves = [at for at in every if held[at].startswith(first)][:few]
        halves += [at for at in every if held[at].endswith(second)][:few]
    same = [at for at in every if requests[at].target == asked.target]
    return {at for at in halves if at in same} or set(same[:few])


def ranked(
    asked: Request, requests: list[Request], candidates: set[int], most: int, *, hosts: bool
) -> list[int]:
    """Return the nearest of the candidates by computing every distance."""
    every = sorted((distance(asked, requests[at], hosts=hosts), at) for at in candidates)
    return [at for how_far, at in every if how_far < UNRELATED][:most]


said = st.builds(
    asks,
    targets | st.text("/ab?=&", max_size=12).map("/".__add__),
    st.sampled_from([b"", b"1", b"ab", b'{"a":1}', b'{"a":2}', b'{"b":1}', b'{"b":12}']),
    method=st.sampled_from(["GET", "POST"]),
    url=st.sampled_from(["http://a:80", "http://a:81", "https://a:443", "http://b:80"]),
)


@given(st.lists(said, max_size=40), said, st.integers(1, 4), st.booleans())
def test_the_nearest_are_those_of_an_exhaustive_ranking(
    requests: list[Request], asked: Request, most: int, hosts: bool
) -> None:
    """Which are found, and their order, is as if every distance were computed and sorted."""
    every = set(range(len(requests)))
    found = neighbours(requests).nearest(asked, most, hosts=hosts)
    assert found == ranked(asked, requests, every, most, hosts=hosts)


@given(
    st.lists(said, max_size=40),
    said,
    st.integers(1, 4),
    st.booleans(),
    st.integers(1, 8),
    st.integers(1, 9),
    st.sampled_from([0, 9, 1000]),
)
def test_candidates_are_those_that_a_look_at_each_finds(
    requests: list[Request],
    asked: Request,
    most: int,
    hosts: bool,
    few: int,
    block: int,
    looked_through: int,
) -> None:
    """However the texts are made and searched, the answer is that of plain loops; also later."""
    among = neighbours(requests)
    with (
        patch.object(nearest, "FEW", few),
        patch.object(nearest, "_FEW_BODIES", 2),
        patch.object(nearest, "_BLOCK", block),
        patch.object(nearest, "_LOOKED_THROUGH", looked_through),
    ):
        for _ in range(2):
            found = among.nearest(asked, most, hosts=hosts)
            assert found == straightforward(asked, requests, most, hosts=hosts, few=few, bodies=2)


@given(said, said, st.floats(0, 60), st.booleans())
def test_a_distance_is_exact_or_enough(
    asked: Request, recorded: Request, enough: float, hosts: bool
) -> None:
    """A distance is computed no further than to see that it is too great."""
    exact = distance(asked, recorded, hosts=hosts)
    found = distance(asked, recorded, hosts=hosts, enough=enough)
    assert found == exact or enough <= found <= exact


@given(st.binary(max_size=6), st.binary(max_size=3), st.binary(max_size=6))
def test_bodies_are_alike_as_far_as_either_end_is_the_same(
    begin: bytes, middle: bytes, end: bytes
) -> None:
    """Bytes are counted from either end until the first that differ, of both in no byte twice."""
    one, other = begin + b"+" + middle + b"-" + end, begin + b"-" + b"+" + end
    same = (len(begin) + len(end)) / len(one)
    assert distance(asks("/", one), asks("/", other)) == pytest.approx(1 + 2 * (1 - same))
