"""The sink of mode verify: everything is judged, in order, and nothing holds the traffic up."""

from __future__ import annotations

import threading

import pytest

from magneto_serge import verifier
from magneto_serge.errors import CassetteError
from magneto_serge.messages import (
    Conversation,
    FileBody,
    Frame,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.replay import drift
from magneto_serge.replay.drift import DriftRules, Outcome, Verdict
from magneto_serge.replay.shelves import Recording
from magneto_serge.verifier import Verifier

REQUEST = Request("GET", "http", "a.test", 80, "/x")


def answer(body: bytes = b"") -> Interaction:
    """Return an exchange with this answer."""
    return Interaction(REQUEST, Response(200, body=body))


@pytest.fixture
def recordings() -> list[Recording]:
    """What there is to be matched, in order."""
    return [Recording(answer(b"one"), 1), Recording(answer(b"two"), 2)]


@pytest.fixture
def verify(recordings: list[Recording]) -> Verifier:
    """A verifier of these recordings."""

    def match(_: Request) -> Recording | None:
        return recordings.pop(0) if recordings else None

    return Verifier(match, DriftRules())


def outcomes(verify: Verifier) -> list[tuple[Outcome, int]]:
    """Return what was found, once all is judged."""
    verify.settle()
    return [(verdict.outcome, verdict.number) for verdict in verify.verdicts.kept]


def test_each_exchange_is_held_against_the_next_recording(verify: Verifier) -> None:
    """As replay would play them; what has none is new."""
    for body in (b"one", b"2", b"three"):
        verify.record(answer(body))
    assert outcomes(verify) == [(Outcome.SAME, 1), (Outcome.CHANGED, 2), (Outcome.NEW, 0)]
    verify.close()
    verify.close()
    assert not any(thread.name == "verifier" for thread in threading.enumerate())


def test_without_traffic_there_is_no_thread(verify: Verifier) -> None:
    """And nothing to wait for."""
    verify.settle()
    verify.close()
    assert verify.verdicts.kept == []


def test_what_is_not_the_same_is_told_at_once(recordings: list[Recording]) -> None:
    """While whoever caused it is still looking."""
    told: list[Verdict] = []
    verify = Verifier(lambda _: recordings.pop(0), DriftRules(), told.append)
    verify.record(answer(b"one"))
    verify.record(answer(b"2"))
    verify.close()
    assert [each.number for each in told] == [2]


def test_a_damaged_cassette_is_a_finding() -> None:
    """Nothing is raised into the traffic."""

    def match(_: Request) -> Recording:
        raise CassetteError("x.json: byte 7: torn.")

    verify = Verifier(match, DriftRules())
    verify.record(answer())
    verify.settle()
    assert "byte 7: torn" in verify.verdicts.drifts[0].reason
    verify.close()


def test_what_cannot_be_compared_is_a_finding(
    verify: Verifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours is logged, and hides no drift."""

    def broken(*_: object) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr(drift, "differences", broken)
    verify.record(answer())
    assert outcomes(verify) == [(Outcome.CHANGED, 1)]
    assert "of ours" in caplog.text
    verify.close()


def test_what_would_not_be_recorded_is_not_compared(verify: Verifier) -> None:
    """And what a user changes before recording is changed before comparing."""

    def prepare(interaction: Interaction) -> Interaction | None:
        assert interaction.response is not None
        return None if interaction.response.body == b"never" else answer(b"one")

    verify.prepare = prepare
    verify.record(answer(b"uno"))
    verify.record(answer(b"never"))
    assert outcomes(verify) == [(Outcome.SAME, 1)]
    verify.close()


def test_what_nobody_asked_for_is_a_finding(verify: Verifier) -> None:
    """One that cannot be read too."""

    def request(number: int) -> Request:
        if number == 3:
            raise CassetteError("torn")
        return REQUEST

    verify.record(answer(b"one"))
    verify.add_unplayed([1, 0, 0], request)
    assert outcomes(verify) == [(Outcome.SAME, 1), (Outcome.UNPLAYED, 2), (Outcome.UNPLAYED, 3)]
    assert [each.url for each in verify.verdicts.kept[1:]] == ["http://a.test/x", "torn"]
    verify.close()


def test_each_exchange_is_taken_off_the_count_of_what_was_recorded() -> None:
    """It was not."""
    taken: list[int] = []
    verify = Verifier(lambda _: None, DriftRules(), taken=lambda: taken.append(1))
    verify.record(answer())
    verify.close()
    assert taken == [1]


def test_a_large_body_is_gone_when_it_is_compared(verify: Verifier) -> None:
    """Nothing is kept."""
    sink = verify.open_body()
    sink.write(b"large")
    body = sink.close()
    assert isinstance(body, FileBody)
    verify.record(Interaction(REQUEST, Response(200, body=body)))
    assert outcomes(verify) == [(Outcome.CHANGED, 1)]
    assert not body.path.exists()
    verify.close()


def test_nothing_is_taken_after_the_end(verify: Verifier) -> None:
    """An exchange that ends when its session is over is nobody's."""
    verify.close()
    verify.record(answer())
    verify.settle()
    assert verify.verdicts.kept == []
    assert not any(thread.name == "verifier" for thread in threading.enumerate())


def test_traffic_waits_while_too_much_is_to_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And is told when it may go on."""
    monkeypatch.setattr(verifier, "CONGESTED", 3000)
    monkeypatch.setattr(verifier, "DRAINED", 2000)
    begun, going = threading.Event(), threading.Event()

    def slow(_: Verdict) -> None:
        begun.set()
        assert going.wait(10)

    verify = Verifier(lambda _: None, DriftRules(), slow)
    drained = threading.Event()
    verify.when_drained(drained.set)
    assert drained.is_set()
    drained.clear()
    for _ in range(4):
        verify.record(answer())
    assert begun.wait(10)
    assert verify.congested
    verify.when_drained(drained.set)
    assert not drained.is_set()
    going.set()
    assert drained.wait(10)
    verify.settle()
    assert not verify.congested
    verify.close()


def talk(*said: bytes) -> Interaction:
    """Return a WebSocket's handshake, with what its server said."""
    request = Request("GET", "ws", "a.test", 80, "/x")
    messages = tuple(WebSocketMessage("server", "text", each) for each in said)
    close = WebSocketClose(1000) if said else None
    return Interaction(request, Response(101), websocket=Conversation(messages, close))


def test_conversations_are_held_against_what_was_next_when_they_began() -> None:
    """Whichever of them ends first, as replay would have played them."""
    recordings = [Recording(talk(b"one"), 1), Recording(talk(b"two"), 2)]
    verify = Verifier(lambda _: recordings.pop(0), DriftRules())
    first, second = verify.open_conversation(talk()), verify.open_conversation(talk())
    for conversation, line in ((second, b"two"), (first, b"one")):
        conversation.said(WebSocketMessage("server", "text", line))
        conversation.heard("server", 1.0, [Frame(0x88, b"", b"\x03\xe8")], 4)
        conversation.ended("server", 1.0, abnormal=True)
    assert outcomes(verify) == [(Outcome.SAME, 2), (Outcome.SAME, 1)]
    verify.close()


def test_a_conversation_that_has_not_ended_is_compared_as_far_as_it_went() -> None:
    """It is not passed over in silence; that it goes on where the other had ended is a finding."""
    recordings = [Recording(talk(b"one"), 1)]
    verify = Verifier(lambda _: recordings.pop(0), DriftRules())
    verify.open_conversation(talk()).said(WebSocketMessage("server", "text", b"two"))
    verify.close()
    (verdict,) = verify.verdicts.kept
    found = [each.field for each in verdict.differences]
    assert found == ["websocket[0]", "websocket.close"]


def test_of_an_endless_conversation_the_beginning_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is in memory meanwhile, which has an end; what the recording says further is no drift."""
    monkeypatch.setattr(verifier, "CONVERSATION", 500)
    recordings = [Recording(talk(*[b"%d" % number for number in range(9)]), 1)]
    verify = Verifier(lambda _: recordings.pop(0), DriftRules())
    conversation = verify.open_conversation(talk())
    for number in range(7):
        conversation.said(WebSocketMessage("server", "text", b"%d" % number))
    conversation.ended("server", 1.0, abnormal=True)
    assert outcomes(verify) == [(Outcome.SAME, 1)]
    verify.close()


def test_a_conversation_whose_recording_is_damaged_is_a_finding() -> None:
    """It is said when it is over, and the traffic is not disturbed."""

    def match(_: Request) -> Recording:
        raise CassetteError("x.json: byte 7: torn.")

    verify = Verifier(match, DriftRules())
    verify.open_conversation(talk()).ended("client", 1.0, abnormal=True)
    assert outcomes(verify) == [(Outcome.NEW, 0)]
    verify.close()
