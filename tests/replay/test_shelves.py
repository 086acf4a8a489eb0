"""The shelves: equal requests play in recorded order, and the last one repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.config import Settings
from magneto_serge.errors import CassetteError
from magneto_serge.messages import Interaction, Request
from magneto_serge.replay.matchers import register_matcher
from magneto_serge.replay.matching import body_key, head_digest, head_key, key_digest
from magneto_serge.replay.rules import compile_rules
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.shelves import Recording, Shelves

from .telling import asks, outcome, tape, told

JSON = "application/json"


def plays(cassette: Shelves, request: Request) -> str:
    """Play a request and return its answer; "nothing" where there is none."""
    recording = cassette.play(request)
    return "nothing" if recording is None else outcome(recording)


def test_equal_requests_play_in_recorded_order() -> None:
    """A request that was recorded several times gets its answers in that order."""
    cassette = tape((asks("/a"), "1"), (asks("/b"), "other"), (asks("/a"), "2"), (asks("/a"), "3"))
    assert [plays(cassette, asks("/a")) for _ in range(3)] == ["1", "2", "3"]


def test_the_last_one_repeats() -> None:
    """After the last recording of a request, that one repeats (`repeats = last`)."""
    cassette = tape((asks("/a"), "1"), (asks("/a"), "2"))
    assert [plays(cassette, asks("/a")) for _ in range(4)] == ["1", "2", "2", "2"]


def test_each_request_has_its_own_cursor() -> None:
    """Playing one request does not move another's."""
    cassette = tape((asks("/a"), "a1"), (asks("/b"), "b1"), (asks("/a"), "a2"), (asks("/b"), "b2"))
    asked = [asks("/a"), asks("/a"), asks("/b"), asks("/a"), asks("/b")]
    assert [plays(cassette, request) for request in asked] == ["a1", "a2", "b1", "a2", "b2"]


def test_rewinding_starts_over() -> None:
    """Rewinding forgets what was played, of every request."""
    cassette = tape((asks("/a"), "1"), (asks("/a"), "2"), (asks("/b"), "b"))
    before = [plays(cassette, asks("/a")), plays(cassette, asks("/a")), plays(cassette, asks("/b"))]
    cassette.rewind()
    assert [recording.played for recording in cassette.recordings] == [0, 0, 0]
    after = [plays(cassette, asks("/a")), plays(cassette, asks("/a")), plays(cassette, asks("/b"))]
    assert before == after == ["1", "2", "b"]


def test_plays_are_counted() -> None:
    """A recording knows how often it was played."""
    cassette = tape((asks("/a"), "1"), (asks("/a"), "2"), (asks("/b"), "b"))
    for _ in range(3):
        plays(cassette, asks("/a"))
    assert [recording.played for recording in cassette.recordings] == [1, 2, 0]


def test_recordings_are_numbered_from_one() -> None:
    """Numbers follow the recorded order over all requests, as `magneto show NAME N` counts."""
    cassette = tape((asks("/a"), "1"), (asks("/b"), "2"), (asks("/a"), "3"))
    assert [recording.number for recording in cassette.recordings] == [1, 2, 3]
    assert len(cassette) == 3


def test_what_is_added_later_plays_later() -> None:
    """An interaction that is added goes behind its equals, even where the last was repeating."""
    cassette = tape((asks("/a"), "1"))
    assert [plays(cassette, asks("/a")) for _ in range(2)] == ["1", "1"]
    cassette.add(told(asks("/a"), "2"))
    assert len(cassette) == 2
    cassette.rewind()
    assert [plays(cassette, asks("/a")) for _ in range(3)] == ["1", "2", "2"]


def test_an_empty_cassette() -> None:
    """A cassette may hold nothing; nothing matches in it."""
    cassette = Shelves()
    assert len(cassette) == 0
    assert plays(cassette, asks("/a")) == "nothing"
    assert not cassette.knows_head(asks("/a"))
    cassette.rewind()


def test_the_content_tells_requests_apart() -> None:
    """Requests with equal heads play by their content, compared as its type says."""
    cassette = tape(
        (asks("/a", b'{"x":1,"y":2}', JSON), "one"),
        (asks("/a", b'{"x":2}', JSON), "two"),
        (asks("/a"), "none"),
    )
    assert plays(cassette, asks("/a", b'{"y": 2, "x": 1}', JSON)) == "one"
    assert plays(cassette, asks("/a", b'{"x":2}', JSON)) == "two"
    assert plays(cassette, asks("/a")) == "none"
    assert plays(cassette, asks("/a", b'{"x":3}', JSON)) == "nothing"


def test_the_head_alone_tells_whether_content_matters() -> None:
    """`knows_head` finds recordings by the head, whatever content the request has."""
    cassette = tape((asks("/a", b"1"), "one"), (asks("/a", b"2"), "two"), (asks("/b"), "b"))
    assert cassette.knows_head(asks("/a", b"3"))
    assert cassette.knows_head(asks("/a"))
    assert not cassette.knows_head(asks("/c"))


def test_looking_does_not_play() -> None:
    """`knows_head` and `without_body` move no cursor and count no play."""
    cassette = tape((asks("/a"), "1"), (asks("/a"), "2"))
    cassette.knows_head(asks("/a"))
    shelf = cassette.without_body(asks("/a"))
    assert shelf is not None
    assert shelf.first() is cassette.recordings[0]
    assert plays(cassette, asks("/a")) == "1"


def test_a_recording_keeps_what_the_proxy_made_of_it() -> None:
    """The bytes to send are made once and stay with their recording."""
    cassette = tape((asks("/a"), "1"))
    first = cassette.play(asks("/a"))
    assert isinstance(first, Recording)
    assert first.encoded is None
    first.encoded = b"ready"
    again = cassette.play(asks("/a"))
    assert again is not None
    assert again.encoded == b"ready"


def test_a_large_cassette_is_looked_up_at_once() -> None:
    """Each of many requests is found, in any order."""
    cassette = tape(*((asks(f"/{number}"), str(number)) for number in range(3000)))
    assert all(plays(cassette, asks(f"/{number}")) == str(number) for number in range(2999, -1, -1))


class Stored(Sequence[Interaction]):
    """Interactions that count how often each is decoded; those in ``broken`` cannot be."""

    def __init__(self, *interactions: Interaction, broken: tuple[int, ...] = ()) -> None:
        self.interactions = interactions
        self.decoded: list[int] = []
        self.broken = broken

    def __len__(self) -> int:
        return len(self.interactions)

    def __getitem__(self, number: Any) -> Any:
        if number in self.broken:
            raise CassetteError(f"interaction {number + 1} is damaged")
        self.decoded.append(number)
        return self.interactions[number]


class Found:
    """An index that finds what has the digest, and what ``collide`` says has it too."""

    def __init__(self, stored: Stored, collide: tuple[int, ...] = ()) -> None:
        self.entries = []
        for number, each in enumerate(stored.interactions):
            head = head_key(each.request)
            key = key_digest(head, body_key(each.request.headers, each.request.body))
            self.entries.append((number, head_digest(head) + key))
        self.collide = collide

    def find(self, digest: bytes) -> Iterator[int]:
        """Yield the numbers of what begins so."""
        for number, known in self.entries:
            if known.startswith(digest) or number in self.collide:
                yield number


def test_an_interaction_is_decoded_when_it_is_first_played() -> None:
    """With an index, nothing is decoded before its turn, and nothing twice."""
    stored = Stored(told(asks("/a"), "1"), told(asks("/b"), "b"), told(asks("/a"), "2"))
    cassette = Shelves(stored, Found(stored))
    assert len(cassette) == 3
    assert cassette.knows_head(asks("/a"))
    assert stored.decoded == []
    assert plays(cassette, asks("/a")) == "1"
    assert stored.decoded == [0]
    assert [plays(cassette, asks("/a")) for _ in range(3)] == ["2", "2", "2"]
    assert stored.decoded == [0, 2]
    cassette.rewind()
    assert [plays(cassette, asks("/a")) for _ in range(3)] == ["1", "2", "2"]
    assert stored.decoded == [0, 2]


def test_numbers_are_the_same_with_an_index() -> None:
    """A recording found through an index has its number in recorded order, from 1."""
    stored = Stored(told(asks("/a"), "1"), told(asks("/b"), "b"))
    recording = Shelves(stored, Found(stored)).play(asks("/b"))
    assert recording is not None
    assert recording.number == 2


def test_equal_digests_are_not_equal_keys() -> None:
    """What only has the same digest is never played, wherever it stands among the equals."""
    stored = Stored(*(told(asks(path), path) for path in ("/x", "/a", "/x", "/a", "/x")))
    cassette = Shelves(stored, Found(stored, collide=(0, 2, 4)))
    assert [plays(cassette, asks("/a")) for _ in range(4)] == ["/a"] * 4
    assert plays(cassette, asks("/never")) == "nothing"


def test_a_lone_surrogate_was_never_recorded() -> None:
    """A request that cannot be digested matches nothing, and is no error."""
    stored = Stored(told(asks("/a"), "1"))
    cassette = Shelves(stored, Found(stored))
    assert plays(cassette, asks("/\ud800")) == "nothing"
    assert not cassette.knows_head(asks("/\ud800"))


def test_near_ones_come_from_the_index_first() -> None:
    """For a miss, those with the same head come first, and what is damaged is passed over."""
    said = [told(asks(f"/{number}"), "") for number in range(5)]
    stored = Stored(*said, told(asks("/a", b"1"), "a"), broken=(1,))
    cassette = Shelves(stored, Found(stored))
    assert [each.number for each in cassette.near(asks("/a", b"2"), 9)] == [6, 1, 3, 4, 5]


def test_near_ones_are_bounded() -> None:
    """Of a huge cassette that has to be decoded, some hundreds are looked at for a miss."""
    stored = Stored(*[told(asks("/a", str(number).encode()), "") for number in range(3000)])
    assert len(Shelves(stored, Found(stored)).near(asks("/a", b"x"))) == 3
    assert len(stored.decoded) <= 400


def test_near_ones_are_found_by_their_path_in_an_index() -> None:
    """Far from the beginning too: digests begin with those of folder and path."""
    said = [told(asks(f"/x/{number}"), "") for number in range(2000)]
    stored = Stored(*said, told(asks("/users/7?page=1"), "near"), told(asks("/users/8"), "near"))
    cassette = Shelves(stored, Found(stored))
    assert [each.number for each in cassette.near(asks("/users/7?page=2"), 2)] == [2001, 2002]


def test_other_rules_index_in_memory() -> None:
    """With rules that the index does not know, keys are computed once, when first needed."""
    stored = Stored(*(told(asks(f"/a?ts={number}"), str(number)) for number in range(3)))
    rules = compile_rules(Settings(ignore_query=("ts",)))
    cassette = Shelves(stored, Found(stored), rules=rules)
    assert stored.decoded == []
    assert cassette.knows_head(asks("/a?ts=9"))
    assert [plays(cassette, asks("/a?ts=9")) for _ in range(4)] == ["0", "1", "2", "2"]
    assert stored.decoded == [0, 1, 2, 0, 1, 2]
    assert cassette.play_counts == [1, 1, 2]
    assert plays(cassette, asks("/b")) == "nothing"
    assert len(stored.decoded) == 6


def test_damage_is_told_under_other_rules_too() -> None:
    """Where one key cannot be computed, nobody knows what would match."""
    stored = Stored(told(asks("/a"), "1"), told(asks("/b"), "2"), broken=(1,))
    rules = compile_rules(Settings(match_on=("path",)))
    cassette = Shelves(stored, None, rules=rules, lazy=True)
    for _ in range(2):
        with pytest.raises(CassetteError, match="interaction 2 is damaged"):
            cassette.play(asks("/a"))


def test_what_is_added_comes_behind_what_is_stored() -> None:
    """Also before any of that was looked up."""
    stored = Stored(told(asks("/a"), "1"))
    cassette = Shelves(stored, Found(stored))
    cassette.add(told(asks("/a"), "2"))
    cassette.add(told(asks("/b"), "b"))
    assert [plays(cassette, asks("/a")) for _ in range(3)] == ["1", "2", "2"]
    assert plays(cassette, asks("/b")) == "b"
    assert cassette.play_counts == [1, 2, 1]
    assert [cassette.at(number).number for number in (1, 2, 3)] == [1, 2, 3]


def test_secrets_recorded_as_they_are_are_found_by_an_index() -> None:
    """Their digests are of the secrets, and so is the first look."""
    stored = Stored(told(asks("/a?api_key=one"), "one"))
    cassette = Shelves(stored, Found(stored), secrets=SecretRules())
    assert plays(cassette, asks("/a?api_key=one")) == "one"


def test_a_predicate_chooses_among_equals() -> None:
    """It is asked for each recording with an equal key, and only for those."""
    asked: list[str] = []

    def same_tenant(mine: Request, theirs: Request) -> bool:
        asked.append(theirs.target)
        return mine.headers.get("x-tenant") == theirs.headers.get("x-tenant")

    register_matcher("same-tenant", predicate=same_tenant)
    said = [
        (asks("/a", fields=(("X-Tenant", "ann"),)), "ann"),
        (asks("/b", fields=(("X-Tenant", "bob"),)), "other"),
        (asks("/a", fields=(("X-Tenant", "bob"),)), "bob"),
    ]
    cassette = tape(*said, match_on=("default", "same-tenant"))
    assert plays(cassette, asks("/a", fields=(("X-Tenant", "bob"),))) == "bob"
    assert plays(cassette, asks("/a", fields=(("X-Tenant", "eve"),))) == "nothing"
    assert set(asked) == {"/a"}


@given(
    st.lists(st.sampled_from(["/a", "/b", "/c"]), max_size=12),
    st.lists(st.sampled_from(["/a", "/b", "/c", "/d"]), max_size=20),
)
def test_an_index_changes_nothing_that_is_played(taken: list[str], asked: list[str]) -> None:
    """With an index and without, the same requests get the same recordings."""
    stored = Stored(*(told(asks(path), f"{path} {n}") for n, path in enumerate(taken)))
    eager, lazy = Shelves(stored.interactions), Shelves(stored, Found(stored))
    for path in asked:
        assert plays(eager, asks(path)) == plays(lazy, asks(path))
