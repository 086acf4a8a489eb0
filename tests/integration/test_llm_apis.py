"""What people will try first: the openai and anthropic clients, recorded, and replayed alone.

The clients are real, the origin speaks like the services (`llm_origin`). Each is told of the proxy
and of the trust in it as any program is, by the environment.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import pairwise
from typing import Any

import anthropic
import openai
import pytest

from magneto_serge import MagnetoProxy

from . import llm_origin
from .conftest import MakeOrigin, MakeProxy
from .doors import Take
from .llm_origin import HURRY, WORDS
from .origin import Origin

TEXT = "".join(WORDS)
MODEL = "shadok-1"
ASKED: Any = [{"role": "user", "content": "When?"}]
IN_A_HURRY: Any = [{"role": "user", "content": HURRY}]
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
TOOLS: Any = [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]


@pytest.fixture
def service(request: pytest.FixtureRequest, make_origin: MakeOrigin) -> Origin:
    """The services; with TLS where a test asks for it."""
    return llm_origin.install(make_origin(tls=getattr(request, "param", False), name="localhost"))


@pytest.fixture
def through(service: Origin, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch) -> Take:
    """A cassette that is being recorded, and the environment of a program that goes through it."""
    proxy = make_proxy(latency="recorded")
    for name, value in proxy.env({}).items():
        monkeypatch.setenv(name, value)
    take = Take(proxy, service)
    take.record()
    return take


def gpt(service: Origin, **options: Any) -> openai.OpenAI:
    """Return the openai client, as anybody makes it."""
    return openai.OpenAI(api_key="sk-none", base_url=service.url("/v1"), **options)


def claude(service: Origin, **options: Any) -> anthropic.Anthropic:
    """Return the anthropic client, as anybody makes it."""
    return anthropic.Anthropic(api_key="sk-ant-none", base_url=service.url(""), **options)


def replay(through: Take, service: Origin) -> None:
    """Replay when everything is recorded: a client hangs up with the last event, not at the end."""
    through.settle(len(service.received))
    through.replay()


# ------------------------------------------------------------------ what is said


def chat(service: Origin) -> list[object]:
    """Ask for completions: in one piece, streamed, and with a tool, both ways."""
    with gpt(service) as client:
        create = client.chat.completions.create
        whole = create(model=MODEL, messages=ASKED)
        stream = create(model=MODEL, messages=ASKED, stream=True)
        words = [chunk.choices[0].delta.content for chunk in stream]
        call = create(model=MODEL, messages=ASKED, tools=CHAT_TOOLS)
        pieces = create(model=MODEL, messages=ASKED, tools=CHAT_TOOLS, stream=True)
        deltas = [chunk.choices[0].delta.tool_calls for chunk in pieces]
        parts = [each[0].function.arguments for each in deltas if each and each[0].function]
    assert whole.choices[0].message.content == TEXT
    assert words == [*WORDS, None]
    calls = call.choices[0].message.tool_calls
    assert calls
    assert json.loads("".join(part or "" for part in parts)) == {"city": "Paris"}
    return [whole, words, call, parts]


def responses(service: Origin) -> list[object]:
    """Ask for responses: in one piece and streamed."""
    with gpt(service) as client:
        whole = client.responses.create(model=MODEL, input="When?")
        stream = client.responses.create(model=MODEL, input="When?", stream=True)
        events = list(stream)
    assert whole.output_text == TEXT
    deltas = [each.delta for each in events if each.type == "response.output_text.delta"]
    assert deltas == list(WORDS)
    assert events[-1].type == "response.completed"
    return [whole, events]


def messages(service: Origin) -> list[object]:
    """Ask for messages: in one piece, streamed, and with a tool, both ways."""
    ask: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": ASKED}
    with claude(service) as client:
        whole = client.messages.create(**ask)
        with client.messages.stream(**ask) as stream:
            words = list(stream.text_stream)
        call = client.messages.create(**ask, tools=TOOLS)
        with client.messages.stream(**ask, tools=TOOLS) as tooled:
            streamed = tooled.get_final_message()
    assert whole.content[0].type == "text"
    assert whole.content[0].text == TEXT
    assert words == list(WORDS)
    for message in (call, streamed):
        assert message.content[0].type == "tool_use"
        assert message.content[0].input == {"city": "Paris"}
    return [whole, words, call, streamed.content]


def in_parallel(service: Origin) -> list[object]:
    """Ask both services with their asynchronous clients, at the same time."""

    async def words_of(stream: Any) -> list[object]:
        return [chunk.choices[0].delta.content async for chunk in await stream]

    async def texts_of(client: anthropic.AsyncAnthropic) -> list[object]:
        async with client.messages.stream(model=MODEL, max_tokens=100, messages=ASKED) as stream:
            return [text async for text in stream.text_stream]

    async def ask() -> list[object]:
        async with (
            openai.AsyncOpenAI(api_key="sk-none", base_url=service.url("/v1")) as one,
            anthropic.AsyncAnthropic(api_key="sk-none", base_url=service.url("")) as other,
        ):
            create = one.chat.completions.create
            return list(
                await asyncio.gather(
                    words_of(create(model=MODEL, messages=ASKED, stream=True)),
                    texts_of(other),
                    create(model=MODEL, messages=ASKED),
                )
            )

    found = asyncio.run(ask())
    assert found[:2] == [[*WORDS, None], list(WORDS)]
    return found


def too_many(service: Origin) -> list[object]:
    """Be refused with 429: once with patience, once without."""
    with gpt(service, max_retries=0) as client, claude(service, max_retries=2) as other:
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model=MODEL, messages=IN_A_HURRY)
        again = other.messages.create(model=MODEL, max_tokens=100, messages=IN_A_HURRY)
    assert refused.value.response.headers["retry-after"] == "1"
    return [refused.value.body, again]


@pytest.mark.parametrize("talk", [chat, responses, messages, in_parallel, too_many])
def test_client_replays_alone(talk: Any, through: Take, service: Origin) -> None:
    """A program gets the same from the cassette as from the service, which is gone."""
    said = talk(service)
    asked = len(service.received)
    replay(through, service)
    assert talk(service) == said
    assert len(service.received) == asked
    assert through.proxy.misses == []


@pytest.mark.parametrize("service", [True], indirect=True)
def test_client_replays_alone_with_tls(through: Take, service: Origin) -> None:
    """The same, for services as they really are: the proxy is in the middle, and is trusted."""
    said = in_parallel(service)
    replay(through, service)
    assert in_parallel(service) == said


def test_cassette_of_a_stream_is_readable(through: Take, service: Origin) -> None:
    """The events stand in the cassette as lines, the key stands nowhere."""
    with gpt(service) as client:
        list(client.chat.completions.create(model=MODEL, messages=ASKED, stream=True))
    replay(through, service)
    assert through.path is not None
    text = through.path.read_text()
    (only,) = json.loads(text)["interactions"]
    lines = only["response"]["body"]["lines"]
    assert all(line.startswith("data: ") and line.endswith("\n") for line in lines[::2])
    assert set(lines[1::2]) == {"\n"}
    assert len(only["chunks"]) == len(WORDS) + 2
    assert "sk-none" not in text


# ------------------------------------------------------------------ when it is said


def moments(stream: Iterable[object]) -> list[float]:
    """Return when each thing came, in seconds since the first."""
    found = [time.monotonic() for _ in stream]
    return [each - found[0] for each in found]


def ask_in_time(service: Origin) -> list[float]:
    """Return when the tokens of a stream come."""
    with gpt(service) as client:
        return moments(client.chat.completions.create(model=MODEL, messages=ASKED, stream=True))


def ask_claude_in_time(service: Origin) -> list[float]:
    """The same, of the other service."""
    with (
        claude(service) as client,
        client.messages.stream(model=MODEL, max_tokens=100, messages=ASKED) as stream,
    ):
        return moments(stream.text_stream)


async def moments_of(stream: AsyncIterator[object]) -> list[float]:
    """Return when each thing came, in seconds since the first."""
    found = [time.monotonic() async for _ in stream]
    return [each - found[0] for each in found]


def ask_in_time_async(service: Origin) -> list[float]:
    """The same, with the asynchronous client."""

    async def ask() -> list[float]:
        async with openai.AsyncOpenAI(api_key="sk-none", base_url=service.url("/v1")) as client:
            create = client.chat.completions.create
            return await moments_of(await create(model=MODEL, messages=ASKED, stream=True))

    return asyncio.run(ask())


def ask_claude_in_time_async(service: Origin) -> list[float]:
    """The same, of the other service, with its asynchronous client."""

    async def ask() -> list[float]:
        async with (
            anthropic.AsyncAnthropic(api_key="sk-none", base_url=service.url("")) as client,
            client.messages.stream(model=MODEL, max_tokens=100, messages=ASKED) as stream,
        ):
            return await moments_of(stream.text_stream)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "ask", [ask_in_time, ask_in_time_async, ask_claude_in_time, ask_claude_in_time_async]
)
def test_tokens_arrive_one_by_one(
    ask: Callable[[Origin], list[float]], through: Take, service: Origin
) -> None:
    """In recorded time a stream takes as long again, and its tokens come spread over it."""
    live = ask(service)
    replay(through, service)
    began = time.monotonic()
    replayed = ask(service)
    assert time.monotonic() - began >= 0.9 * (len(WORDS) - 1) * llm_origin.PACE
    assert len(replayed) == len(live)
    gaps = [later - earlier for earlier, later in pairwise(replayed)]
    assert sum(gap > llm_origin.PACE / 3 for gap in gaps) >= len(gaps) / 4


def test_time_may_be_scaled_or_left_out(
    through: Take, service: Origin, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same cassette replays at another pace, or at once."""
    live = ask_in_time(service)
    replay(through, service)
    through.proxy.stop()

    def with_latency(latency: str) -> float:
        proxy: MagnetoProxy = make_proxy(latency=latency)
        for name, value in proxy.env({}).items():
            monkeypatch.setenv(name, value)
        proxy.replay(through.name)
        found = ask_in_time(service)[-1]
        proxy.stop()
        return found

    slow, at_once = with_latency("scale:200"), with_latency("none")
    assert slow > 1.5 * live[-1]
    assert at_once < live[-1] / 2
