"""A conversation as a script: what is said when, and what the client must say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Conversation, FileBody, WebSocketClose, WebSocketMessage
from magneto_serge.replay.conversation import (
    AWAITING,
    Mismatch,
    Play,
    Step,
    Wait,
    message_key,
    play,
)


def client(data: str, at_ms: float = 0.0) -> WebSocketMessage:
    """Return a text of the client."""
    return WebSocketMessage("client", "text", data.encode(), at_ms)


def server(data: str, at_ms: float = 0.0) -> WebSocketMessage:
    """Return a text of the server."""
    return WebSocketMessage("server", "text", data.encode(), at_ms)


def control(sender: str, kind: str, data: bytes = b"") -> WebSocketMessage:
    """Return a control frame."""
    return WebSocketMessage(sender, kind, data)


def run(
    *messages: WebSocketMessage,
    policy: str = "ordered",
    factor: float | None = None,
    close: WebSocketClose | None = None,
) -> Play:
    """Begin a run through a script."""
    return play(Conversation(messages, close), policy, factor, message_key())


def speaks(script: Play, now: float = 0.0) -> list[str]:
    """Return all that is to be said at a moment, and what it waits for."""
    said = []
    while True:
        step: Step = script.next(now)
        if isinstance(step, WebSocketMessage):
            assert isinstance(step.data, bytes)
            said.append(step.data.decode())
        elif isinstance(step, WebSocketClose):
            return [*said, f"close {step.code}"]
        elif isinstance(step, Wait):
            return [*said, f"wait {step.until:g}"]
        else:
            return said


QUESTIONS = (client("a", 10), server("A", 12), client("b", 20), server("B", 25), server("B2", 26))


def test_answers_follow_what_they_answered() -> None:
    """What the server said comes after the client's message that it followed, at once."""
    script = run(server("hello"), *QUESTIONS)
    assert speaks(script) == ["hello"]
    assert script.said(client("a"), 0) is None
    assert speaks(script) == ["A"]
    assert script.said(client("b"), 0) is None
    assert speaks(script) == ["B", "B2"]
    assert script.next(0) is AWAITING


def test_a_client_that_does_not_wait() -> None:
    """Messages sent ahead are taken in their order; the answers keep theirs."""
    script = run(*QUESTIONS)
    for text in "ab":
        assert script.said(client(text), 0) is None
    assert speaks(script) == ["A", "B", "B2"]


def test_a_mismatch_names_both_and_where() -> None:
    """What was said instead of what was expected, and the number of the message."""
    script = run(*QUESTIONS)
    script.said(client("a"), 0)
    assert script.said(client("x"), 0) == Mismatch(2, QUESTIONS[2], client("x"))


def test_one_message_too_many() -> None:
    """After the last recorded message nothing is expected."""
    script = run(client("a"))
    script.said(client("a"), 0)
    assert script.said(client("a"), 0) == Mismatch(2, None, client("a"))


def test_text_and_binary_are_apart() -> None:
    """The same bytes as another kind of message are another message."""
    got = WebSocketMessage("client", "binary", b"a")
    assert run(client("a")).said(got, 0) is not None


@pytest.mark.parametrize(
    ("recorded", "got", "alike"),
    [
        ('{"a": 1, "b": [1, 2]}', '{"b":[1,2],"a":1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ("[1]", "[1 ]", True),
        ("plain", "plain ", False),
        ('{"a": ', '{"a":', False),
    ],
)
def test_json_compares_by_value(recorded: str, got: str, alike: bool) -> None:
    """Order of members and spacing make no difference; text that is no JSON is compared exactly."""
    assert (run(client(recorded)).said(client(got), 0) is None) is alike


def test_what_is_ignored_in_json() -> None:
    """A part that changes with each run is left out of the comparison."""

    def without(value: dict[str, object]) -> dict[str, object]:
        value.pop("id", None)
        return value

    script = play(
        Conversation((client('{"id": 1, "op": "x"}'),)), "ordered", None, message_key(without)
    )
    assert script.said(client('{"op": "x", "id": 7}'), 0) is None


def test_large_messages_compare_by_digest(tmp_path: object) -> None:
    """A message in a side file is compared by its SHA-256."""
    from pathlib import Path

    def large(digest: str) -> WebSocketMessage:
        return WebSocketMessage("client", "binary", FileBody(Path("x"), 5, digest))

    assert run(large("aa")).said(large("aa"), 0) is None
    assert run(large("aa")).said(large("bb"), 0) is not None


def test_any_order_brings_what_followed() -> None:
    """Whichever message comes, its own answers follow; the same message counts as often as it was
    recorded."""
    script = run(*QUESTIONS, policy="any-order", close=WebSocketClose(1000, by="server"))
    assert script.said(client("b"), 0) is None
    assert speaks(script) == ["B", "B2"]
    assert script.said(client("b"), 0) == Mismatch(2, QUESTIONS[0], client("b"))
    assert script.said(client("a"), 0) is None
    assert speaks(script) == ["A", "close 1000"]
    assert script.said(client("a"), 0) == Mismatch(4, None, client("a"))


def test_lenient_counts() -> None:
    """The n-th message stands for the n-th, whatever it says; more than recorded do not matter."""
    script = run(*QUESTIONS, policy="lenient")
    assert script.said(client("?"), 0) is None
    assert speaks(script) == ["A"]
    assert script.said(client("!"), 0) is None
    assert speaks(script) == ["B", "B2"]
    assert script.said(client("more"), 0) is None


def test_timed_listens_to_nobody() -> None:
    """Only the clock counts, and it does even where everything else is at once."""
    script = run(*QUESTIONS, policy="timed", close=WebSocketClose(1000, by="server", at_ms=30))
    assert script.said(client("x"), 0) is None
    assert speaks(script, 0) == ["wait 12"]
    assert speaks(script, 25) == ["A", "B", "wait 26"]
    assert speaks(script, 29) == ["B2", "wait 30"]
    assert speaks(script, 30) == ["close 1000"]


def test_recorded_gaps() -> None:
    """With recorded timing an answer takes as long as it took, from the message it followed."""
    script = run(*QUESTIONS, factor=1.0)
    assert speaks(script, 0) == []
    script.said(client("a"), 100)
    assert speaks(script, 100) == ["wait 102"]
    assert speaks(script, 102) == ["A"]
    script.said(client("b"), 1000)
    assert speaks(script, 1005) == ["B", "wait 1006"]


def test_scaled_gaps() -> None:
    """A factor scales the gaps."""
    script = run(server("tick", 100), server("tock", 200), factor=0.5)
    assert speaks(script, 0) == ["wait 50"]
    assert speaks(script, 99) == ["tick", "wait 100"]


def test_order_is_kept_by_a_hasty_client() -> None:
    """An answer that is due earlier than one before it waits for its turn."""
    script = run(
        client("a", 0), server("slow", 100), client("b", 110), server("quick", 111), factor=1.0
    )
    script.said(client("a"), 0)
    script.said(client("b"), 1)
    assert speaks(script, 50) == ["wait 100"]
    assert speaks(script, 100) == ["slow", "quick"]


@pytest.mark.parametrize("policy", ["ordered", "any-order", "lenient"])
def test_the_servers_close(policy: str) -> None:
    """A close of the server comes when all else has been said, and waits for its time."""
    close = WebSocketClose(1006, by="server", at_ms=35)
    script = run(*QUESTIONS, policy=policy, close=close, factor=1.0)
    script.said(client("a"), 10)
    assert speaks(script, 20) == ["A"]
    script.said(client("b"), 20)
    assert speaks(script, 26) == ["B", "B2", "wait 35"]
    assert speaks(script, 35) == ["close 1006"]


@pytest.mark.parametrize("policy", ["ordered", "any-order", "lenient", "timed"])
@pytest.mark.parametrize("close", [None, WebSocketClose(1000, by="client")])
def test_the_clients_close_is_its_own(policy: str, close: WebSocketClose | None) -> None:
    """Where the client closed, or nobody did, the script ends in waiting."""
    assert speaks(run(server("x"), policy=policy, close=close)) == ["x"]


def test_pings_and_pongs() -> None:
    """The client's are no part of the script, nor is what only answered one; the server's are."""
    script = run(
        control("client", "ping", b"1"),
        control("server", "pong", b"1"),
        control("server", "pong", b"heartbeat"),
        control("server", "ping", b"there?"),
        control("client", "pong", b"there?"),
        server("x"),
    )
    assert speaks(script) == ["heartbeat", "there?", "x"]


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.integers(0, 5))))
def test_who_says_what_was_recorded_hears_what_was_recorded(lines: list[tuple[str, int]]) -> None:
    """A client that repeats its part gets the server's part, under every policy that listens."""
    messages = tuple(WebSocketMessage(who, "text", b"%d" % what) for who, what in lines)
    for policy in ("ordered", "any-order", "lenient"):
        script = run(*messages, policy=policy)
        heard = speaks(script)
        for message in messages:
            if message.sender == "client":
                assert script.said(message, 0) is None
                heard += speaks(script)
        assert sorted(heard) == sorted(str(what) for who, what in lines if who == "server")
        if policy != "any-order":
            assert heard == [str(what) for who, what in lines if who == "server"]
