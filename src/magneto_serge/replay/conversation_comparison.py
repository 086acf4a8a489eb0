"""What differs between two WebSocket conversations: what was said, side by side, and the end.

Messages are compared in their order, those of each side by themselves: JSON by its value, other
text as text, binary by its digest. When something was said makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from magneto_serge.messages import Body, Conversation, FileBody, Interaction, WebSocketMessage
from magneto_serge.replay.body_comparison import BodyRules
from magneto_serge.replay.json_comparison import Difference, json_differences

_COMPARED = ("text", "binary")
BOTH = {"client": "websocket.client", "server": "websocket.server"}


def conversation_differences(
    was: Conversation | None,
    now: Conversation | None,
    rules: BodyRules,
    *,
    senders: Mapping[str, str] = BOTH,
) -> Iterator[Difference]:
    """Yield where they differ; ``senders`` are those that are compared, and what to call them."""
    if was is None or now is None:
        return
    for sender, name in senders.items():
        found = json_differences(
            name,
            _said(was, sender),
            _said(now, sender),
            reveal=rules.reveal,
            without=rules.without,
            shape_only=rules.shape_only,
        )
        yield from found or ()
    one, other = (None if each.close is None else str(each.close.code) for each in (was, now))
    if one != other:
        yield Difference("websocket.close", one, other)


def beginning_of(was: Interaction, now: Interaction) -> tuple[Interaction, Interaction]:
    """Return both with as much of their conversations as is known of the one of ``now``.

    That is as many messages of each side, and nothing of how they ended.
    """
    one, other = was.websocket, now.websocket
    if one is None or other is None:
        return was, now
    counts = {"client": 0, "server": 0}
    for message in other.messages:
        counts[message.sender] += message.kind in _COMPARED
    begun = Conversation(tuple(_first(one, counts))), Conversation(other.messages)
    replace = msgspec.structs.replace
    return replace(was, websocket=begun[0]), replace(now, websocket=begun[1])


def _first(conversation: Conversation, counts: dict[str, int]) -> Iterator[WebSocketMessage]:
    left = dict(counts)
    for message in conversation.messages:
        if not any(left.values()):
            return
        if message.kind in _COMPARED and left[message.sender]:
            left[message.sender] -= 1
            yield message


def _said(conversation: Conversation, sender: str) -> bytes:
    said: list[object] = []
    for message in conversation.messages:
        if message.sender != sender or message.kind not in _COMPARED:
            continue
        data = message.data
        if not isinstance(data, bytes) or message.kind == "binary":
            said.append({"binary": _digest(data)})
        elif data[:1] in (b"{", b"[") and (raw := _json(data)) is not None:
            said.append(raw)
        else:
            said.append(data.decode(errors="replace"))
    return msgspec.json.encode(said)


def _json(data: bytes) -> Raw | None:
    try:
        return Raw(msgspec.json.format(data, indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _digest(data: Body) -> str:
    if isinstance(data, FileBody):
        return data.sha256
    import hashlib

    return hashlib.sha256(data).hexdigest()
