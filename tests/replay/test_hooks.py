"""Hooks: the order in which they are called, what they may return, and that they break nothing."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Headers, Interaction, Request, Response, WebSocketMessage
from magneto_serge.replay import hooks as module
from magneto_serge.replay.hooks import EVERYWHERE, Hooks, any_waits, registering

from .telling import asks, told

REQUEST = asks()


def response(body: bytes = b"") -> Response:
    """Return a response."""
    return Response(200, "OK", body=body)


def appending(letter: bytes) -> Callable[[Request, Response], Response]:
    """Return a before_replay hook that adds a letter to the body."""

    def hook(request: Request, response: Response) -> Response:
        assert isinstance(response.body, bytes)
        response.body += letter
        return response

    return hook


def raising(*_: object) -> Any:
    """Fail, on the line that the report must name."""
    raise ValueError("no such thing")  # the line


LINE = raising.__code__.co_firstlineno + 2


@pytest.fixture(autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    yield
    for hook in EVERYWHERE.every:
        EVERYWHERE.remove(hook.function)


def test_nothing_registered_is_nothing() -> None:
    """Without hooks there is nothing to call, and one look tells."""
    assert not Hooks()
    assert Hooks().at_replay == ()


def test_each_gets_what_the_one_before_it_returned() -> None:
    """Process, proxy, session: in this order, and each in the order of registration."""
    proxy = Hooks(EVERYWHERE)
    session = Hooks(proxy)
    session.before_replay(appending(b"e"))
    proxy.before_replay(appending(b"c"))
    proxy.before_replay(appending(b"d"))
    module.before_replay(appending(b"b"))
    assert session.replay(REQUEST, response(b"a")).body == b"abcde"
    assert proxy.replay(REQUEST, response(b"a")).body == b"abcd"


def test_a_hook_counts_from_its_registration_on() -> None:
    """Those below learn of it at once, and of its removal; those that are gone are not kept."""
    calls: list[int] = []
    proxy = Hooks()
    session = Hooks(proxy, changed=lambda: calls.append(1))
    hook = proxy.before_replay(appending(b"b"))
    assert session.at_replay
    proxy.remove(hook)
    assert not session
    assert len(calls) == 3
    del session
    gc.collect()
    proxy.before_replay(hook)
    assert len(calls) == 3


def test_once_however_it_came() -> None:
    """A function that is registered in two places is called once."""
    hook = appending(b"b")
    proxy, script = Hooks(), Hooks()
    proxy.before_replay(hook)
    script.before_replay(hook)
    assert Hooks(proxy, script).replay(REQUEST, response(b"a")).body == b"ab"


def test_decorators_return_the_function() -> None:
    """A decorated function is still itself, and can be decorated as something else too."""

    @module.on_miss
    @module.before_record
    def hook(_: object) -> None:
        return None

    assert hook(3) is None
    assert [each.kind for each in EVERYWHERE.every] == ["before_record", "on_miss"]


def test_none_drops_a_recording() -> None:
    """After None nothing else is asked."""
    hooks = Hooks()
    hooks.before_record(lambda _: None)
    hooks.before_record(raising)
    assert hooks.record(told(REQUEST)) is None


def test_the_first_answer_to_a_miss_counts() -> None:
    """None hands the question on; the first response is the answer."""
    hooks = Hooks()
    hooks.on_miss(lambda request: None)
    assert hooks.miss(REQUEST) is None
    hooks.on_miss(lambda request: response(request.target.encode()))
    hooks.on_miss(raising)
    assert hooks.miss(REQUEST) == response(b"/")


def test_messages() -> None:
    """A message is changed, or dropped."""
    hooks = Hooks()
    hooks.on_message(lambda request, said: None if said.data == b"ping" else said)
    hooks.on_message(lambda request, said: msgspec.structs.replace(said, data=b"<" + said.data))
    assert hooks.message(REQUEST, WebSocketMessage("client", "text", b"ping")) is None
    assert hooks.message(REQUEST, WebSocketMessage("client", "text", b"a")) == WebSocketMessage(
        "client", "text", b"<a"
    )


def test_an_exception_is_reported_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    """The report has the hook, the file, the line and the exception; the original is used."""
    hooks = Hooks()
    for kind in module.KINDS:
        hooks.add(kind, raising)
    said, message = told(REQUEST, "x"), WebSocketMessage("client", "text", b"a")
    with caplog.at_level(logging.ERROR, "magneto_serge"):
        assert hooks.record(said) == said
        assert hooks.replay(REQUEST, response(b"a")) == response(b"a")
        assert hooks.miss(REQUEST) is None
        assert hooks.message(REQUEST, message) is message
    assert [record.getMessage() for record in caplog.records] == [
        f"The {kind} hook 'raising' failed at {__file__}:{LINE}: ValueError: no such thing."
        " The original is used"
        for kind in module.KINDS
    ]


def test_the_place_is_in_the_hooks_own_file(caplog: pytest.LogCaptureFixture) -> None:
    """What fails in a library below is reported where the hook called it."""
    hooks = Hooks()
    hooks.before_record(lambda said: msgspec.json.decode(b"{"))
    hooks.before_record(functools.partial(re.compile, "("))  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR, "magneto_serge"):
        hooks.record(told(REQUEST))
    first, second = (record.getMessage() for record in caplog.records)
    assert f"{__file__}:" in first
    assert "DecodeError" in first
    assert "re" in second


def test_a_hook_that_fails_half_way_has_changed_nothing() -> None:
    """A hook gets a copy: what it changed before it failed is gone."""

    def recording(said: Interaction) -> Interaction:
        said.request.target = "/changed"
        assert said.response is not None
        said.response.status = 500
        raise RuntimeError

    def replaying(_: Request, answer: Response) -> Response:
        answer.headers = Headers.of(("X", "y"))
        raise RuntimeError

    hooks = Hooks()
    hooks.before_record(recording)
    hooks.before_replay(replaying)
    assert hooks.record(told(asks(), "x")) == told(asks(), "x")
    assert hooks.replay(REQUEST, response()) == response()


@pytest.mark.parametrize("wrong", [3, "text", response])
def test_what_a_hook_must_not_return(wrong: object, caplog: pytest.LogCaptureFixture) -> None:
    """Anything else than it should return is reported, and the original is used."""
    hooks = Hooks()
    for kind in module.KINDS[:3]:
        hooks.add(kind, lambda *_: wrong)
    with caplog.at_level(logging.ERROR, "magneto_serge"):
        assert hooks.record(told(REQUEST)) == told(REQUEST)
        assert hooks.replay(REQUEST, response()) == response()
        assert hooks.miss(REQUEST) is None
    messages = [record.getMessage() for record in caplog.records]
    assert f"{__file__}:" in messages[0]
    assert f"returned {type(wrong).__name__}, not a Interaction or None" in messages[0]
    assert f"returned {type(wrong).__name__}, not a Response." in messages[1]


def test_forgetting_to_return(caplog: pytest.LogCaptureFixture) -> None:
    """A before_replay hook without a return is a mistake, not an empty answer."""
    hooks = Hooks()
    hooks.before_replay(lambda request, answer: None)
    assert hooks.replay(REQUEST, response(b"a")) == response(b"a")
    assert "returned NoneType" in caplog.text


async def waiting(*arguments: Any) -> Any:
    """Return the last argument, later."""
    await asyncio.sleep(0)
    return arguments[-1]


async def failing(*_: object) -> Any:
    """Fail, later."""
    await asyncio.sleep(0)
    raise ValueError("late")


class Callable_:
    """An object that is called as a coroutine function."""

    async def __call__(self, *arguments: Any) -> Any:
        """Return the last argument."""
        return arguments[-1]


@pytest.mark.parametrize("function", [waiting, functools.partial(waiting, 1), Callable_()])
def test_what_waits(function: Any) -> None:
    """Coroutine functions are told apart from plain ones, in any dress."""
    hooks = Hooks()
    hooks.before_replay(appending(b"b"))
    assert not any_waits(hooks.at_replay)
    hooks.before_replay(function)
    assert any_waits(hooks.at_replay)
    assert asyncio.run(hooks.replay_async(REQUEST, response(b"a"))).body == b"ab"


def test_plain_and_async_hooks_together(caplog: pytest.LogCaptureFixture) -> None:
    """They keep their order, and a failure of one is as harmless as ever."""

    async def answering(request: Request) -> Response:
        await asyncio.sleep(0)
        return response(b"from afar")

    hooks = Hooks()
    for hook in (waiting, failing):
        hooks.before_record(hook)
    hooks.before_record(lambda said: None if said.request.method == "PUT" else said)
    hooks.on_miss(failing)
    hooks.on_miss(lambda request: None)
    hooks.on_miss(answering)

    async def main() -> None:
        said = told(REQUEST, "x")
        assert await hooks.record_async(said) == said
        assert await hooks.record_async(told(asks(method="PUT"))) is None
        assert await hooks.miss_async(REQUEST) == response(b"from afar")
        hooks.remove(answering)
        assert await hooks.miss_async(REQUEST) is None

    asyncio.run(main())
    assert "ValueError: late" in caplog.text


def test_a_coroutine_from_a_plain_function(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody awaits it: it is reported, and leaves no warning of its own."""
    hooks = Hooks()
    hooks.before_replay(lambda request, answer: waiting(answer))
    assert hooks.replay(REQUEST, response(b"a")) == response(b"a")
    assert "returned coroutine" in caplog.text


def test_what_cannot_be_a_hook() -> None:
    """Something that cannot be called, and an async hook for messages, are mistakes at once."""
    with pytest.raises(ConfigError, match="before_record: 3 is not a function"):
        Hooks().before_record(3)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match="has to be a plain function"):
        Hooks().on_message(waiting)


def test_while_a_script_is_loaded() -> None:
    """The decorators of the package then register for the script alone."""
    script = Hooks()
    with registering(script):
        module.before_record(lambda said: None)
        module.on_message(lambda request, said: None)
    assert len(script.every) == 2
    assert not EVERYWHERE


def test_any_thread_may_register() -> None:
    """Sessions begin and end in threads of their own while hooks come and go."""
    top, failures = Hooks(), []

    def work() -> None:
        try:
            for _ in range(200):
                below = Hooks(top)
                hook = top.before_replay(appending(b"x"))
                assert below.at_replay
                top.remove(hook)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not top


def test_methods_can_be_hooks() -> None:
    """A bound method cannot be marked, and need not be."""

    class Keeper:
        def __init__(self) -> None:
            self.seen: list[Interaction] = []

        def keep(self, said: Interaction) -> Interaction:
            self.seen.append(said)
            return said

    keeper, hooks = Keeper(), Hooks()
    hooks.before_record(keeper.keep)
    hooks.record(told(REQUEST))
    assert len(keeper.seen) == 1
    hooks.remove(keeper.keep)
    assert not hooks
