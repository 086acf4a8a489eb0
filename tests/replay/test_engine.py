"""A session's decisions, as scripts: in this mode, with this cassette, these requests, then what.

`decide` is for a complete request, `foresee` for its head alone: it must never promise what the
content could change.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Request
from magneto_serge.replay.engine import MISSES_KEPT, Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shelves import Recording, Shelves

from .telling import asks, outcome, script, session, tape, told

A, B, UNKNOWN = asks("/a"), asks("/b", b"content", "text/plain"), asks("/unknown")


def recorded() -> Shelves:
    """Return a cassette with two answers for /a and one for a POST-like /b."""
    return tape((A, "first"), (A, "second"), (B, "b"))


# --- each mode, with a match, without one, and without a cassette

MODES = {
    #          mode: (a match, no match, no cassette)
    Mode.AUTO: ("first", "refuse", "forward and keep"),
    Mode.RECORD: ("forward and keep", "forward and keep", "forward and keep"),
    Mode.REPLAY: ("first", "refuse", "refuse"),
    Mode.STRICT: ("first", "refuse", "refuse"),
    Mode.HYBRID: ("first", "forward and keep", "forward and keep"),
    Mode.PASSTHROUGH: ("forward", "forward", "forward"),
    Mode.VERIFY: ("forward and keep", "forward and keep", "forward and keep"),
}


@pytest.mark.parametrize("mode", MODES)
def test_what_each_mode_does(mode: Mode) -> None:
    """The table of modes in the documentation, cell by cell."""
    with_cassette, without = session(mode, recorded()), session(mode)
    decisions = (*script(with_cassette, A, UNKNOWN), *script(without, A))
    assert decisions == MODES[mode]


def test_the_table_has_every_mode() -> None:
    """No mode is left out above."""
    assert set(MODES) == set(Mode)


@pytest.mark.parametrize("mode", MODES)
def test_the_head_alone_decides_where_content_cannot_matter(mode: Mode) -> None:
    """Without a recording of the same head the decision is known before the content comes."""
    assert outcome(session(mode, recorded()).foresee(UNKNOWN)) == MODES[mode][1]
    assert outcome(session(mode).foresee(B)) == MODES[mode][2]


@pytest.mark.parametrize("mode", MODES)
def test_the_head_alone_does_not_decide_a_match(mode: Mode) -> None:
    """Where a recording has the same head, the content must be read, if it is replayed at all."""
    expected = "read on" if MODES[mode][0] == "first" else MODES[mode][0]
    assert outcome(session(mode, recorded()).foresee(asks("/b"))) == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cassette", [True, False])
def test_foreseen_is_decided(mode: Mode, cassette: bool) -> None:
    """What was foreseen from a head is what the complete request would have got."""
    for request in (A, B, UNKNOWN):
        foreseen = outcome(session(mode, recorded() if cassette else None).foresee(request))
        decided = outcome(session(mode, recorded() if cassette else None).decide(request))
        assert foreseen in ("read on", decided)


# --- replaying


def test_equal_requests_replay_in_order() -> None:
    """Recordings of one request play in recorded order, and the last repeats."""
    assert script(session(Mode.REPLAY, recorded()), A, A, A) == ["first", "second", "second"]


def test_a_match_needs_the_content() -> None:
    """The same head with other content is no match."""
    playing = session(Mode.REPLAY, recorded())
    assert script(playing, B, asks("/b", b"other"), asks("/b")) == ["b", "refuse", "refuse"]


def test_fields_do_not_matter() -> None:
    """Header fields are not part of the default key: another User-Agent replays as well."""
    playing = session(Mode.REPLAY, recorded())
    assert script(playing, asks("/a", fields=(("User-Agent", "other"),))) == ["first"]


def test_foreseeing_plays_nothing() -> None:
    """Looking at a head moves no cursor."""
    playing = session(Mode.REPLAY, recorded())
    playing.foresee(A)
    assert script(playing, A) == ["first"]


# --- recording


def test_hybrid_never_replays_what_it_recorded_itself() -> None:
    """What a session keeps is not played in that session: the world is asked again."""
    sink_and_cassette = session(Mode.HYBRID, recorded())
    assert script(sink_and_cassette, UNKNOWN) == ["forward and keep"]
    assert sink_and_cassette.sink is not None
    sink_and_cassette.sink.record(told(UNKNOWN, "new"))
    assert script(sink_and_cassette, UNKNOWN, UNKNOWN) == ["forward and keep"] * 2


def test_nothing_is_recorded_without_a_recorder() -> None:
    """A mode that keeps has somewhere to keep it, or refuses: nothing is lost in silence."""
    for mode in (Mode.RECORD, Mode.AUTO, Mode.HYBRID):
        assert script(session(mode, sink=None), A) == ["refuse"]
    assert script(session(Mode.PASSTHROUGH, sink=None), A) == ["forward"]


def test_hybrid_without_a_recorder_still_replays() -> None:
    """What matches needs no recorder."""
    playing = session(Mode.HYBRID, recorded(), sink=None)
    assert script(playing, A, UNKNOWN) == ["first", "refuse"]


# --- sessions without a cassette's name


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.PASSTHROUGH])
def test_a_session_without_a_name_refuses(mode: Mode) -> None:
    """Between two recordings nothing gets through, and the refusal says what to do."""
    idle = Session(None, mode)
    decision = idle.decide(A)
    assert isinstance(decision, Miss)
    assert "No cassette is in use" in decision.reason
    assert "magneto record" in decision.remedy


def test_a_session_without_a_name_passes_through() -> None:
    """Passthrough needs no cassette."""
    assert script(Session(None, Mode.PASSTHROUGH), A) == ["forward"]


# --- switching modes


def test_a_mode_switches_with_the_next_request() -> None:
    """Setting the mode takes effect at once, in every direction."""
    live = session(Mode.REPLAY, recorded())
    said = script(live, A, UNKNOWN)
    live.mode = Mode.PASSTHROUGH
    said += script(live, A, UNKNOWN)
    live.mode = Mode.HYBRID
    said += script(live, A, UNKNOWN)
    live.mode = Mode.RECORD
    said += script(live, A)
    live.mode = Mode.AUTO
    said += script(live, A, UNKNOWN)
    assert said == [
        *("first", "refuse"),
        *("forward", "forward"),
        *("second", "forward and keep"),
        *("forward and keep",),
        *("second", "refuse"),
    ]
    assert live.mode is Mode.AUTO


def test_auto_is_resolved_by_the_cassette_in_hand() -> None:
    """Auto records without a cassette and replays with one, whenever it is set."""
    live = session(Mode.AUTO)
    assert script(live, A) == ["forward and keep"]
    live.cassette = recorded()
    live.mode = Mode.AUTO
    assert script(live, A) == ["first"]


# --- hosts that are left alone


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", ["tape", None])
def test_ignored_hosts_are_forwarded_in_every_mode(mode: Mode, name: str | None) -> None:
    """What the user has named as not part of the recording passes, and is never kept."""
    live = session(mode, recorded(), name, ignore_hosts=("a.example",))
    assert script(live, A, UNKNOWN) == ["forward", "forward"]
    assert outcome(live.foresee(B)) == "forward"
    assert not live.misses


@pytest.mark.parametrize(
    ("pattern", "url", "ignored"),
    [
        ("a.example", "http://a.example:80", True),
        ("A.Example", "http://a.example:80", True),
        ("a.example", "https://a.example:443", True),
        ("a.example", "http://www.a.example:80", False),
        ("*.example", "http://www.a.example:80", True),
        ("*.example", "http://example:80", False),
        ("a.example:81", "http://a.example:81", True),
        ("a.example:81", "http://a.example:80", False),
        ("*:81", "http://b.example:81", True),
        ("*", "http://b.example:81", True),
        ("127.0.0.*", "http://127.0.0.9:80", True),
        ("::1", "http://::1:80", True),
        ("[::1]", "http://::1:80", True),
        ("[::1]:81", "http://::1:81", True),
        ("[::1]:81", "http://::1:80", False),
        ("[FE80::1]", "http://fe80::1:80", True),
        ("[ab].example", "http://b.example:80", True),
        ("[ab].example", "http://c.example:80", False),
        ("", "http://a.example:80", False),
    ],
)
def test_how_hosts_are_named(pattern: str, url: str, ignored: bool) -> None:
    """A host, host:port, a shell pattern of either, or an IPv6 literal with its brackets."""
    live = session(Mode.REPLAY, recorded(), ignore_hosts=("other", pattern))
    request = asks("/", url=url)
    assert live.ignores(request.host, request.port) is ignored


# --- secrets in the query


SECRET, REDACTED = "/a?api_key=s3cret&q=1", "/a?api_key=REDACTED&q=1"


def test_a_redacted_recording_matches_any_secret() -> None:
    """What was masked when it was recorded matches whatever stands there now."""
    playing = session(Mode.REPLAY, tape((asks(REDACTED), "found"), redact=True))
    assert script(playing, asks(SECRET), asks("/a?q=1&api_key=other")) == ["found", "found"]
    assert outcome(playing.foresee(asks(SECRET))) == "read on"
    assert script(playing, asks("/a?api_key=s3cret&q=2")) == ["refuse"]


def test_a_recording_with_its_secrets_matches_them() -> None:
    """A cassette that was recorded without redaction replays, each secret its own answers."""
    said = [(asks("/a?api_key=one"), "one"), (asks("/a?api_key=two"), "two")]
    for redact in (True, False):
        playing = session(Mode.REPLAY, tape(*said, redact=redact))
        assert script(playing, asks("/a?api_key=two"), asks("/a?api_key=one")) == ["two", "one"]
        assert outcome(playing.foresee(asks("/a?api_key=two"))) == "read on"


def test_without_redaction_secrets_are_told_apart() -> None:
    """Where nothing is masked, another secret is another request."""
    playing = session(Mode.REPLAY, tape((asks(REDACTED), "found")))
    assert script(playing, asks(SECRET)) == ["refuse"]


BEARER = [(("Authorization", f"Bearer REDACTED-{number}"),) for number in (1, 2)]


def test_the_recordings_of_two_users_stay_apart() -> None:
    """A secret keeps to the placeholder that it met first, whoever asks in between."""
    said = [(asks("/a", fields=BEARER[user]), f"user {user}") for user in (0, 1)]
    playing = session(Mode.REPLAY, tape(*said, redact=True))
    ann, bob = (asks("/a", fields=(("Authorization", f"Bearer {who}"),)) for who in ("ann", "bob"))
    assert script(playing, ann, bob, ann, bob) == ["user 0", "user 1", "user 0", "user 1"]


def test_a_client_that_echoes_a_placeholder_gets_its_own() -> None:
    """What replay itself has given to a client stands for itself."""
    said = [(asks("/a", fields=BEARER[user]), f"user {user}") for user in (0, 1)]
    playing = session(Mode.REPLAY, tape(*said, redact=True))
    assert script(playing, asks("/a", fields=BEARER[1])) == ["user 1"]


def test_tokens_that_rotate_replay_in_order() -> None:
    """A new secret for each request takes the recordings one after the other."""
    said = [(asks("/a", fields=BEARER[0]), "1"), (asks("/a", fields=BEARER[0]), "2")]
    playing = session(Mode.REPLAY, tape(*said, redact=True))
    new = [asks("/a", fields=(("Authorization", f"Bearer new{number}"),)) for number in range(3)]
    assert script(playing, *new) == ["1", "2", "2"]


def test_without_credentials_nothing_is_replayed_that_was_recorded_with_them() -> None:
    """Unless asked: whoever forgot to log in must not be let in by a recording."""
    said = (asks("/a", fields=BEARER[0]), "secret")
    playing = session(Mode.REPLAY, tape(said, redact=True))
    assert script(playing, asks("/a")) == ["refuse"]
    assert "credentials" in playing.misses[0].reason
    assert 'match_credentials = "ignore"' in playing.misses[0].remedy
    lenient = session(Mode.REPLAY, tape(said, redact=True, match_credentials="ignore"))
    assert script(lenient, asks("/a")) == ["secret"]


def test_credentials_do_not_hurt_where_none_were_recorded() -> None:
    """What anybody may have is replayed for somebody too."""
    playing = session(Mode.REPLAY, tape((asks("/a"), "public"), redact=True))
    assert script(playing, asks("/a", fields=BEARER[0])) == ["public"]


# --- once, and everything


def test_strict_plays_each_recording_once() -> None:
    """In recorded order; what comes on top is refused, and the reason says why."""
    playing = session(Mode.STRICT, recorded())
    assert script(playing, A, A, A) == ["first", "second", "refuse"]
    assert "played already: strict mode plays each once" in playing.misses[0].reason
    assert playing.plays_once


def test_a_mode_that_is_switched_repeats_as_it_says() -> None:
    """Strict is of the mode, not of the cassette."""
    playing = session(Mode.STRICT, recorded())
    assert script(playing, A, A, A) == ["first", "second", "refuse"]
    playing.mode = Mode.REPLAY
    assert script(playing, A) == ["second"]


@pytest.mark.parametrize(
    ("repeats", "played"),
    [
        ("last", ["first", "second", "second", "second"]),
        ("cycle", ["first", "second", "first", "second"]),
        ("refuse", ["first", "second", "refuse", "refuse"]),
    ],
)
def test_what_comes_after_the_last(repeats: str, played: list[str]) -> None:
    """`repeats = last | cycle | refuse`."""
    playing = session(Mode.REPLAY, recorded(), repeats=repeats)
    assert script(playing, A, A, A, A) == played


def test_plays_are_counted_and_forgotten() -> None:
    """In recorded order; rewinding starts over."""
    playing = session(Mode.REPLAY, recorded())
    script(playing, A, A, A)
    assert playing.play_counts == [1, 2, 0]
    assert not playing.all_played
    script(playing, B)
    assert playing.all_played
    assert playing.unplayed() is None
    playing.rewind()
    assert playing.play_counts == [0, 0, 0]
    assert script(playing, A) == ["first"]


def test_what_was_not_played_is_told() -> None:
    """Which recordings, in one line each."""
    playing = session(Mode.REPLAY, recorded())
    script(playing, A)
    unplayed = playing.unplayed()
    assert unplayed is not None
    assert unplayed.explain().splitlines() == [
        "2 of 3 recordings of 'tape' were not played:",
        "  #2 GET http://a.example/a",
        "  #3 GET http://a.example/b",
    ]
    assert session(Mode.RECORD, recorded()).unplayed() is None
    assert session(Mode.REPLAY).unplayed() is None
    assert session(Mode.REPLAY).all_played


def test_this_machine_can_be_left_alone() -> None:
    """`ignore_localhost` forwards what goes to loopback, by name or address."""
    live = session(Mode.REPLAY, recorded(), ignore_localhost=True)
    urls = ("http://localhost:1", "http://app.localhost:1", "http://127.0.0.9:1", "http://::1:1")
    assert script(live, *(asks(url=url) for url in urls)) == ["forward"] * 4
    urls = ("http://127.example:1", "http://localhost.example:1")
    assert script(live, *(asks(url=url) for url in urls)) == ["refuse"] * 2


def test_a_body_that_takes_no_part_is_not_waited_for() -> None:
    """Where only the head is compared, it decides."""
    playing = session(Mode.REPLAY, tape((B, "b"), match_on=("path",)))
    assert outcome(playing.foresee(asks("/b", b"", method="POST"))) == "b"


# --- expectations


EXPECT = (("Expect", "100-continue"),)


def test_a_refused_expectation_replays_from_its_head() -> None:
    """A client that was refused without 100 (Continue) sent no content, and sends none now."""
    cassette = tape((asks("/up", method="PUT", fields=EXPECT), "too large"))
    playing = session(Mode.REPLAY, cassette)
    assert outcome(playing.foresee(asks("/up", method="PUT", fields=EXPECT))) == "too large"


def test_an_expectation_that_was_met_waits_for_its_content() -> None:
    """Where content was recorded, the client is told to continue."""
    cassette = tape((asks("/up", b"content", method="PUT", fields=EXPECT), "taken"))
    playing = session(Mode.REPLAY, cassette)
    request = asks("/up", method="PUT", fields=EXPECT)
    assert outcome(playing.foresee(request)) == "read on"
    request.body = b"content"
    assert script(playing, request) == ["taken"]


def test_no_expectation_no_answer_from_the_head() -> None:
    """A client that does not wait sends its content: it is part of what is matched."""
    cassette = tape((asks("/up", method="PUT", fields=EXPECT), "too large"))
    assert outcome(session(Mode.REPLAY, cassette).foresee(asks("/up", method="PUT"))) == "read on"


# --- misses


def test_a_refusal_is_kept() -> None:
    """Every refusal is a Miss, returned and kept in order."""
    playing = session(Mode.REPLAY, recorded())
    missed = [playing.decide(asks(f"/{number}")) for number in range(3)]
    assert list(playing.misses) == missed
    assert [miss.url for miss in playing.misses] == [f"http://a.example/{n}" for n in range(3)]


def test_a_foreseen_refusal_is_kept_once() -> None:
    """A refusal from the head alone counts as one, like any other."""
    playing = session(Mode.REPLAY, recorded())
    playing.foresee(UNKNOWN)
    assert len(playing.misses) == 1


def test_misses_are_bounded() -> None:
    """A client that never matches does not fill the memory; the last ones are kept."""
    playing = session(Mode.REPLAY, Shelves())
    for number in range(MISSES_KEPT + 5):
        playing.decide(asks(f"/{number}"))
    assert len(playing.misses) == MISSES_KEPT
    assert playing.misses[-1].url.endswith(f"/{MISSES_KEPT + 4}")


def test_no_miss_where_something_is_played_or_forwarded() -> None:
    """Only refusals are misses."""
    live = session(Mode.HYBRID, recorded())
    script(live, A, B, UNKNOWN)
    assert not live.misses


def test_a_decision_does_not_change_the_request() -> None:
    """The request in hand is forwarded as it came, secrets and all."""
    request = asks(SECRET)
    live = session(Mode.HYBRID, tape((asks(REDACTED), "found"), redact=True))
    live.foresee(request)
    decision = live.decide(request)
    assert isinstance(decision, Recording)
    assert request == Request("GET", "http", "a.example", 80, SECRET)


def test_a_damaged_recording_is_refused() -> None:
    """What cannot be read is refused with the reason, in every mode that replays."""

    class Damaged:
        def find(self, digest: bytes) -> Iterator[int]:
            raise CassetteError("x.msgpack: byte 9: the checksum is wrong.")

    damaged = recorded().recordings[0].interaction
    for mode in (Mode.REPLAY, Mode.HYBRID, Mode.AUTO):
        playing = session(mode, Shelves([damaged], Damaged()))
        assert [outcome(playing.foresee(asks())), *script(playing, asks())] == ["refuse"] * 2
        assert "byte 9: the checksum is wrong" in playing.misses[0].reason


def test_what_is_compared_is_matched_as_replay_would() -> None:
    """In the same order, and counted as played; without a cassette there is nothing."""
    verifying = session(Mode.VERIFY, recorded())
    assert verifying.unplayed() is not None
    matched, replayed = verifying.match(A), session(Mode.REPLAY, recorded()).decide(A)
    assert matched is not None
    assert matched.number == replayed.number  # type: ignore[union-attr]  # it is a recording
    assert verifying.match(UNKNOWN) is None
    assert sum(verifying.play_counts) == 1
    assert session(Mode.VERIFY).match(A) is None
