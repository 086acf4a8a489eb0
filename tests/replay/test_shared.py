"""A play cursor of several processes is the play cursor of one."""

from __future__ import annotations

import mmap
import sys
from array import array
from copy import copy
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.config import Settings
from magneto_serge.messages import Interaction, Request
from magneto_serge.replay.matchers import register_matcher
from magneto_serge.replay.plays import Plays
from magneto_serge.replay.rules import DEFAULT_RULES, compile_rules
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.shared import SharedShelves
from magneto_serge.replay.shelf import Repeats
from magneto_serge.replay.shelves import Shelves

from .telling import asks, outcome, told
from .test_plays import ended, forked
from .test_shelves import Found, Stored

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="memfd_create"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def parted(processes: int, *arguments: Any, **options: Any) -> list[SharedShelves]:
    """Return the shelves of so many processes; here they take turns in one."""
    plays = Plays(processes)
    found = []
    for number in range(processes):
        own = copy(plays) if number else plays
        if number == 0:
            found.append(SharedShelves(plays, *arguments, **options))
            plays.open(len(found[0]))
            plays.become(0)
        else:
            own.become(number)
            found.append(SharedShelves(own, *arguments, **options))
    return found


def of(*said: tuple[Request, str]) -> list[Interaction]:
    """Return interactions."""
    return [told(request, answer) for request, answer in said]


def played(cassette: Shelves, request: Request) -> str:
    """Play a request and return its answer."""
    recording = cassette.play(request)
    return "nothing" if recording is None else outcome(recording)


@pytest.mark.parametrize(
    ("repeats", "answers"),
    [
        ("last", "1 2 3 3 3 3 3 3"),
        ("cycle", "1 2 3 1 2 3 1 2"),
        ("refuse", "1 2 3 nothing nothing nothing nothing nothing"),
    ],
)
def test_a_sequence_is_one_for_all(repeats: Repeats, answers: str) -> None:
    """Whichever process is asked: the next recording is the next of all."""
    one, two = parted(2, of(*((asks("/a"), str(number)) for number in (1, 2, 3))))
    one.repeats = two.repeats = repeats
    asked = [one, two, two, one, one, one, two, two]
    assert [played(each, asks("/a")) for each in asked] == answers.split()
    assert one.play_counts == two.play_counts
    assert sum(one.play_counts) == len(answers.split()) - answers.count("nothing")


def test_a_process_that_was_idle_for_many_rounds_finds_its_place() -> None:
    """A cycle that others went through is not gone through again."""
    one, two = parted(2, of(*((asks("/a"), str(number)) for number in (1, 2, 3))))
    one.repeats = two.repeats = "cycle"
    for _ in range(3 * 50 + 1):
        one.play(asks("/a"))
    assert [played(two, asks("/a")) for _ in range(3)] == ["2", "3", "1"]


def test_one_of_a_kind_is_refused_the_second_time_whoever_is_asked() -> None:
    """With `repeats = refuse`, a recording that another process played is gone."""
    one, two = parted(2, of((asks("/a"), "1")))
    one.repeats = two.repeats = "refuse"
    assert [played(each, asks("/a")) for each in (two, one, two)] == ["1", "nothing", "nothing"]


def test_a_miss_says_how_often_all_have_played() -> None:
    """What a recording says of itself is true of the whole."""
    one, two = parted(2, of((asks("/a"), "1")))
    one.play(asks("/a"))
    recording = two.play(asks("/a"))
    assert recording is not None
    assert recording.played == 2


def test_starting_over_reaches_everybody() -> None:
    """One process starts over: sequences begin anew, and bindings are forgotten, in all."""
    said = [(asks("/a?api_key={{REDACTED:api_key}}"), "1"), (asks("/b"), "1"), (asks("/b"), "2")]
    one, two = parted(2, of(*said), secrets=SecretRules())
    for each in (one, two):
        each.play(asks("/b"))
    assert played(one, asks("/a?api_key=first")) == "1"
    one.rewind()
    assert two.play_counts == [0, 0, 0]
    assert [played(each, asks("/b")) for each in (two, one)] == ["1", "2"]
    assert played(two, asks("/a?api_key=second")) == "1"
    assert one.play_counts == [1, 1, 1]


def test_a_secret_that_met_a_placeholder_elsewhere_is_known() -> None:
    """Two users' recordings stay apart, whichever process each of them speaks to."""
    names = ("{{REDACTED:api_key}}", "{{REDACTED:api_key:2}}")
    said = [(asks(f"/a?api_key={name}"), f"{name} {n}") for n in (1, 2) for name in names]
    one, two = parted(2, of(*said), secrets=SecretRules())
    alone = Shelves(of(*said), secrets=SecretRules())
    asked = [(one, "ann"), (two, "bob"), (two, "ann"), (one, "bob"), (one, "ann"), (two, "bob")]
    for shelves, key in asked:
        request = asks(f"/a?api_key={key}")
        assert played(shelves, request) == played(alone, request)
    assert one.play_counts == alone.play_counts


def test_a_line_that_was_cut_off_is_passed_over() -> None:
    """Killed while it told a binding, a process takes nothing but that one with it."""
    said = [(asks("/a?api_key={{REDACTED:api_key}}"), "1")]
    one, two = parted(2, of(*said), secrets=SecretRules())
    one.plays.tell(b'["sec')
    assert played(one, asks("/a?api_key=first")) == "1"
    assert played(two, asks("/a?api_key=first")) == "1"
    assert two.placeholder_for("first") == "{{REDACTED:api_key}}"


def test_a_predicate_chooses_from_what_nobody_has_played() -> None:
    """Among recordings that a user's predicate lets through, each is played once."""
    register_matcher("same-kind", predicate=lambda mine, theirs: mine.method == theirs.method)
    rules = compile_rules(Settings(match_on=("path", "same-kind")))
    said = [
        (asks("/a", method=method), f"{method}{n}") for n in (1, 2) for method in ("GET", "PUT")
    ]
    one, two = parted(2, of(*said), rules=rules)
    one.repeats = two.repeats = "refuse"
    answers = [played(each, asks("/a", method="PUT")) for each in (one, two, one)]
    assert answers == ["PUT1", "PUT2", "nothing"]


def credentials(token: str) -> tuple[tuple[str, str]]:
    """Return the field that lets its sender in."""
    return (("Authorization", f"Bearer {token}"),)


ASKED = [
    *(asks(target) for target in ("/a", "/b", "/a?api_key=1", "/a?api_key=2", "/c")),
    *(asks("/a", fields=credentials(name)) for name in ("me", "him")),
]
SHOWN = ("{{REDACTED:authorization}}", "{{REDACTED:authorization:2}}")
KEPT = [
    *(asks(target) for target in ("/a", "/b", "/a?api_key={{REDACTED:api_key}}")),
    *(asks("/a", fields=credentials(name)) for name in SHOWN),
]


@given(
    st.lists(st.sampled_from(KEPT), max_size=12),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ASKED), st.booleans()), max_size=30),
    st.sampled_from(["last", "cycle", "refuse"]),
    st.booleans(),
)
def test_several_processes_play_what_one_would(
    taken: list[Request], asked: list[tuple[int, Request, bool]], repeats: Repeats, indexed: bool
) -> None:
    """However requests are spread, and the mode is switched, each gets what one process gives."""
    stored = Stored(*(told(request, f"{n}") for n, request in enumerate(taken)))
    arguments = (stored, Found(stored)) if indexed else (stored.interactions,)
    options: dict[str, Any] = {"rules": DEFAULT_RULES, "secrets": SecretRules()}
    alone, many = Shelves(*arguments, **options), parted(3, *arguments, **options)
    for who, request, strict in asked:
        for each in (alone, *many):
            each.repeats = "refuse" if strict else repeats
        assert played(many[who], request) == played(alone, request)
    assert many[0].play_counts == alone.play_counts


LONG = 10_000


def test_two_processes_play_every_recording_of_a_sequence_once() -> None:
    """At once, as fast as they can, 10,000 equal requests: none is lost and none played twice."""
    plays = Plays(2)
    cassette = SharedShelves(plays, of(*((asks("/a"), "x") for _ in range(LONG))))
    cassette.repeats = "refuse"
    plays.open(LONG)
    mine = [mmap.mmap(-1, 4 * LONG) for _ in range(2)]

    def work(process: int) -> None:
        plays.become(process)
        numbers = array("I")
        while (recording := cassette.play(asks("/a"))) is not None:
            numbers.append(recording.number)
        mine[process].write(numbers.tobytes())

    children = [forked(partial(work, process)) for process in range(2)]
    assert [ended(child) for child in children] == [0, 0]
    heard = [[n for n in memoryview(each).cast("I") if n] for each in mine]
    assert sorted(heard[0] + heard[1]) == list(range(1, LONG + 1))
    assert all(numbers == sorted(numbers) for numbers in heard)
    assert cassette.play_counts == [1] * LONG
