"""The shelves: equal requests play in recorded order, and the last one repeats."""

from __future__ import annotations

from magneto_serge.messages import Request
from magneto_serge.replay.cassette import Cassette, Recording

from .telling import asks, outcome, tape, told

JSON = "application/json"


def plays(cassette: Cassette, request: Request) -> str:
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
    cassette = Cassette()
    assert len(cassette) == 0
    assert plays(cassette, asks("/a")) == "nothing"
    assert not cassette.bodies_of(asks("/a"))
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
    """`bodies_of` finds recordings by the head, whatever content the request has."""
    cassette = tape((asks("/a", b"1"), "one"), (asks("/a", b"2"), "two"), (asks("/b"), "b"))
    found = cassette.bodies_of(asks("/a", b"3"))
    assert found is not None
    assert len(found) == 2
    assert cassette.bodies_of(asks("/c")) is None


def test_looking_does_not_play() -> None:
    """`bodies_of` moves no cursor and counts no play."""
    cassette = tape((asks("/a"), "1"), (asks("/a"), "2"))
    cassette.bodies_of(asks("/a"))
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
