"""A session's decisions, as scripts: in this mode, with this cassette, these requests, then what.

`decide` is for a complete request, `foresee` for its head alone: it must never promise what the
content could change.
"""

from __future__ import annotations

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
    Mode.HYBRID: ("first", "forward and keep", "forward and keep"),
    Mode.PASSTHROUGH: ("forward", "forward", "forward"),
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
    """What was masked when it was recorded is masked for look-up too."""
    playing = session(Mode.REPLAY, tape((asks(REDACTED), "found")))
    assert script(playing, asks(SECRET), asks("/a?q=1&api_key=other")) == ["found", "found"]
    assert outcome(playing.foresee(asks(SECRET))) == "read on"
    assert script(playing, asks("/a?api_key=s3cret&q=2")) == ["refuse"]


def test_a_recording_with_its_secrets_matches_them() -> None:
    """A cassette that was recorded without redaction replays, each secret its own answers."""
    said = [(asks("/a?api_key=one"), "one"), (asks("/a?api_key=two"), "two")]
    for redacted in (True, False):
        playing = session(Mode.REPLAY, tape(*said), redacted=redacted)
        assert script(playing, asks("/a?api_key=two"), asks("/a?api_key=one")) == ["two", "one"]
        assert outcome(playing.foresee(asks("/a?api_key=two"))) == "read on"
        assert script(playing, asks("/a?api_key=three")) == ["refuse"]


def test_without_redaction_secrets_are_told_apart() -> None:
    """Where nothing is masked, another secret is another request."""
    playing = session(Mode.REPLAY, tape((asks(REDACTED), "found")), redacted=False)
    assert script(playing, asks(SECRET)) == ["refuse"]


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
    live = session(Mode.HYBRID, tape((asks(REDACTED), "found")))
    live.foresee(request)
    decision = live.decide(request)
    assert isinstance(decision, Recording)
    assert request == Request("GET", "http", "a.example", 80, SECRET)


def test_a_damaged_recording_is_refused() -> None:
    """What cannot be read is refused with the reason, in every mode that replays."""

    class Damaged(Shelves):
        def knows_head(self, request: Request) -> bool:
            raise CassetteError("x.msgpack: byte 9: the checksum is wrong.")

        def play(self, request: Request) -> Recording | None:
            raise CassetteError("x.msgpack: byte 9: the checksum is wrong.")

    for mode in (Mode.REPLAY, Mode.HYBRID, Mode.AUTO):
        playing = session(mode, Damaged())
        assert [outcome(playing.foresee(asks())), *script(playing, asks())] == ["refuse"] * 2
        assert "byte 9: the checksum is wrong" in playing.misses[0].reason
