"""An origin that speaks like LLM APIs: OpenAI's completions and responses, Anthropic's messages.

``install`` puts their paths on an origin. What is answered follows from the request's JSON: a
stream where ``stream`` is true, a tool call where tools are offered, and once for each conversation
with `HURRY` in it a 429. Events leave one by one, `PACE` apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from . import routes
from .exchange import Exchange
from .origin import Origin

WORDS = ("Quand", " tu", " veux", ",", " Serge", " !")
PACE = 0.03  # seconds between two events
HURRY = "hurry, please"


def install(origin: Origin) -> Origin:
    """Put the APIs on an origin."""
    for path, answer, stream in (
        ("/v1/chat/completions", _completion, _completion_events),
        ("/v1/responses", _response, _response_events),
        ("/v1/messages", _message, _message_events),
    ):
        origin.on(path, _api(answer, stream))
    return origin


def _api(
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    stream: Callable[[dict[str, Any]], Iterable[bytes]],
) -> Callable[[Exchange], None]:
    refused: set[str] = set()

    def serve(exchange: Exchange) -> None:
        asked = json.loads(exchange.request.body)
        said = json.dumps(asked.get("messages", asked.get("input")))
        if HURRY in said and said not in refused:
            refused.add(said)
            exchange.send(_too_many())
        elif asked.get("stream"):
            exchange.send(
                routes.head(
                    b"Content-Type: text/event-stream; charset=utf-8",
                    b"Transfer-Encoding: chunked",
                )
            )
            for number, event in enumerate(stream(asked)):
                if number:
                    take_time(exchange)
                exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
            exchange.send(b"0\r\n\r\n")
        else:
            body = json.dumps(answer(asked)).encode()
            exchange.send(routes.response(body, b"Content-Type: application/json"))

    return serve


def take_time(exchange: Exchange) -> None:
    """Let `PACE` pass, or the end of the origin come."""
    with exchange.origin.changed:
        exchange.origin.changed.wait_for(lambda: exchange.origin.stopped, PACE)


def _too_many() -> bytes:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    return routes.response(
        json.dumps(error).encode(),
        b"Content-Type: application/json",
        b"retry-after-ms: 5",
        b"retry-after: 1",
        status=b"429 Too Many Requests",
    )


def _event(data: object, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


# ------------------------------------------------------------------ OpenAI, chat completions

_CALL = {"name": "weather", "arguments": '{"city": "Paris"}'}


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS)}
    if asked.get("tools"):
        call = {"id": "call_1", "type": "function", "function": _CALL}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    reason = "tool_calls" if asked.get("tools") else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 6, "total_tokens": 7},
    }


def _completion_events(asked: dict[str, Any]) -> Iterable[bytes]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
        return _event({**head, "model": asked["model"], "choices": [choice]})

    if asked.get("tools"):
        call = {"index": 0, "id": "call_1", "type": "function"}
        yield chunk({"tool_calls": [{**call, "function": {"name": "weather", "arguments": ""}}]})
        for part in ('{"city":', ' "Paris"}'):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        yield chunk({}, "tool_calls")
    else:
        for word in WORDS:
            yield chunk({"content": word})
        yield chunk({}, "stop")
    yield _event("[DONE]")


# ------------------------------------------------------------------ OpenAI, responses


def _response(asked: dict[str, Any], *, status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": "".join(WORDS), "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    output = [{**message, "content": [part]}] if status == "completed" else []
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": asked["model"],
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _response_events(asked: dict[str, Any]) -> Iterable[bytes]:
    def event(name: str, number: int, **members: object) -> bytes:
        return _event({"type": name, "sequence_number": number, **members}, name)

    yield event("response.created", 0, response=_response(asked, status="in_progress"))
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    for number, word in enumerate(WORDS, 1):
        yield event("response.output_text.delta", number, **place, delta=word, logprobs=[])
    yield event("response.completed", len(WORDS) + 1, response=_response(asked))


# ------------------------------------------------------------------ Anthropic, messages

_TOOL = {"type": "tool_use", "id": "toolu_1", "name": "weather"}


def _message(asked: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": "".join(WORDS)}
    if asked.get("tools"):
        content = {**_TOOL, "input": {"city": "Paris"}}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [content],
        "stop_reason": "tool_use" if asked.get("tools") else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 6},
    }


def _message_events(asked: dict[str, Any]) -> Iterable[bytes]:
    def event(name: str, **members: object) -> bytes:
        return _event({"type": name, **members}, name)

    yield event("message_start", message={**_message(asked), "content": [], "stop_reason": None})
    if asked.get("tools"):
        yield event("content_block_start", index=0, content_block={**_TOOL, "input": {}})
        for part in ('{"city":', ' "Paris"}'):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield event("content_block_delta", index=0, delta=delta)
    else:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for word in WORDS:
            delta = {"type": "text_delta", "text": word}
            yield event("content_block_delta", index=0, delta=delta)
    yield event("content_block_stop", index=0)
    reason = "tool_use" if asked.get("tools") else "end_turn"
    stop = {"stop_reason": reason, "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": 6})
    yield event("message_stop")
