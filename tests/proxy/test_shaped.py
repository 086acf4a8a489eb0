"""Answers that a user's functions and templates have a say in, on a stage without a network."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from magneto_serge.messages import Failure, FailureKind, Headers, Request, Response
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.rewrite_rules import rewriter
from magneto_serge.replay.shaping import Shaping

from .stage import Stage
from .traffic import URL, ask, read_answers, recorded


def stage_with(hooks: Hooks, *recordings: Any, **shaping: Any) -> Stage:
    """Return a stage that replays ``recordings`` as ``hooks`` and the rest of ``shaping`` say."""
    stage = Stage(Mode.REPLAY, recordings)
    stage.session.shaping = Shaping(hooks, **shaping)
    return stage


def shouting(request: Request, response: Response) -> Response:
    """A before_replay hook."""
    assert isinstance(response.body, bytes)
    return msgspec.structs.replace(response, body=response.body.upper())


async def shouting_later(request: Request, response: Response) -> Response:
    """The same, as a task."""
    return shouting(request, response)


@pytest.mark.parametrize("hook", [shouting, shouting_later])
def test_pipelined_requests_are_answered_in_order(hook: Any) -> None:
    """While a hook is asked, what comes next waits for its turn."""
    hooks = Hooks()
    hooks.before_replay(hook)
    stage = stage_with(hooks, recorded(f"{URL}/a", b"one"), recorded(f"{URL}/b", b"two"))
    client = stage.client()
    client.send(ask(f"{URL}/a") + ask(f"{URL}/b") + ask(f"{URL}/a"))
    stage.loop.run()
    answers = read_answers(client.take(), ["GET"] * 3)
    assert [answer.body for answer in answers] == [b"ONE", b"TWO", b"ONE"]
    assert stage.stats["replayed"] == 3


def test_only_what_is_changed_is_encoded_anew() -> None:
    """A hook that returns the recording as it is costs no encoding, and keeps none from others."""
    hooks = Hooks()
    hooks.before_replay(lambda request, response: response)
    stage = stage_with(hooks, recorded(f"{URL}/a", b"one"))
    client = stage.client()
    client.send(ask(f"{URL}/a"))
    assert read_answers(client.take(), ["GET"])[0].body == b"one"


@pytest.mark.parametrize("waits", [False, True])
def test_bodies_of_what_is_asked(waits: bool) -> None:
    """A body is read before the hook is asked, and the connection is free afterwards."""
    hooks, seen = Hooks(), []

    def answer(request: Request) -> Response:
        seen.append(request.body)
        return Response(200, body=b"made up")

    async def answer_later(request: Request) -> Response:
        return answer(request)

    hooks.on_miss(answer_later if waits else answer)
    stage = stage_with(hooks, recorded(f"{URL}/a", b"one"))
    client = stage.client()
    request = ask(f"{URL}/new", method="POST", body=b"hello")
    client.send(request[:-3])
    stage.loop.run()
    assert client.take() == b""
    client.send(request[-3:])
    stage.loop.run()
    [answered] = read_answers(client.take(), ["POST"])
    assert answered.body == b"made up"
    assert answered.headers["content-length"] == "7"
    assert seen == [b"hello"]
    client.send(ask(f"{URL}/a"))
    stage.loop.run()
    assert read_answers(client.take(), ["GET"])[0].body == b"one"
    assert not stage.misses


def test_a_miss_that_nobody_answers() -> None:
    """It is refused, and counted, as ever."""
    hooks = Hooks()
    hooks.on_miss(lambda request: None)
    stage = stage_with(hooks)
    client = stage.client()
    client.send(ask(f"{URL}/new"))
    assert read_answers(client.take(), ["GET"])[0].kind == "replay-miss"
    assert len(stage.misses) == len(stage.session.misses) == 1


def test_recorded_failures_are_not_shaped() -> None:
    """There is no response that a hook could change."""
    hooks = Hooks()
    hooks.before_replay(shouting)
    failed = recorded(f"{URL}/a", failure=Failure(FailureKind.DNS, "no such host"), responded=False)
    stage = stage_with(hooks, failed)
    client = stage.client()
    client.send(ask(f"{URL}/a"))
    assert read_answers(client.take(), ["GET"])[0].kind == "dns"


def test_pieces_of_another_body_are_not_its_own() -> None:
    """Where a stream's body is changed, its recorded pieces no longer count."""
    hooks = Hooks()
    hooks.before_replay(lambda request, response: Response(200, body=b"shorter"))
    stream = recorded(
        f"{URL}/a", b"a longer body", "Transfer-Encoding: chunked", chunks=((6, 1.0), (7, 90.0))
    )
    stage = stage_with(hooks, stream)
    client = stage.client()
    client.send(ask(f"{URL}/a"))
    assert read_answers(client.take(), ["GET"])[0].body == b"shorter"


def test_rules_for_the_client() -> None:
    """A replayed response goes the same way as a forwarded one."""
    rules = rewriter(["to-client set X-A: b", "to-client body one two"])
    stage = stage_with(Hooks(), recorded(f"{URL}/a", b"one"), rewriter=rules)
    client = stage.client()
    client.send(ask(f"{URL}/a"))
    [answer] = read_answers(client.take(), ["GET"])
    assert (answer.headers["x-a"], answer.body) == ("b", b"two")


def test_a_hook_that_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled, and the answer is the recording."""
    hooks = Hooks()

    @hooks.before_replay
    async def wait(request: Request, response: Response) -> Response:
        await stage.loop.pending()
        return response

    stage = stage_with(hooks, recorded(f"{URL}/a", b"one"), recorded(f"{URL}/b", b"two"))
    client = stage.client()
    client.send(ask(f"{URL}/a"))
    stage.pass_time(29)
    assert client.take() == b""
    stage.pass_time(2)
    assert read_answers(client.take(), ["GET"])[0].body == b"one"
    assert "more than 30 s" in caplog.text
    client.send(ask(f"{URL}/b"))
    stage.pass_time(31)
    assert read_answers(client.take(), ["GET"])[0].body == b"two"


def test_a_client_that_has_left() -> None:
    """A task that still waits for a hook ends with its connection."""
    hooks, ended = Hooks(), []

    @hooks.before_replay
    async def wait(request: Request, response: Response) -> Response:
        try:
            await stage.loop.pending()
        finally:
            ended.append(True)
        return response

    stage = stage_with(hooks, recorded(f"{URL}/a", b"one"))
    client = stage.client()
    client.send(ask(f"{URL}/a"))
    stage.loop.run()
    assert not ended
    client.hang_up()
    stage.loop.run()
    assert ended == [True]


def test_filters_decide_before_the_exchange() -> None:
    """What cannot be kept is forwarded without a tape."""
    from magneto_serge.replay.filters import record_filter

    stage = Stage(Mode.RECORD)
    stage.session.shaping = Shaping(Hooks(), record_filter(["path=/kept"]))
    client = stage.client()
    client.send(ask(f"{URL}/kept"))
    origin = stage.answer_dial()
    for path in ("", "/other"):
        if path:
            client.send(ask(URL + path))
        origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert read_answers(client.take(), ["GET"])[0].body == b"ok"
    assert [each.request.target for each in stage.sink.interactions] == ["/kept"]
    assert stage.stats["recorded"] == 1


def test_headers_of_a_made_up_answer() -> None:
    """One that says where it ends is sent as it is."""
    hooks = Hooks()
    hooks.on_miss(
        lambda request: Response(200, headers=Headers.of(("Content-Length", "2")), body=b"ok")
    )
    stage = stage_with(hooks)
    client = stage.client()
    client.send(ask(f"{URL}/new"))
    assert client.take() == b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"
