"""An interaction without what changes with every recording, so that a diff shows what matters.

With ``stable``, times, durations and the origin's address are left out, and the fields below say
the same each time. What an API means to say stays: ``ETag``, ``Last-Modified``, cookies, rate
limits. Responses stay as fresh as they were: ``Expires`` keeps its distance from ``Date``.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TypeVar

import msgspec

from magneto_serge.messages import Headers, Interaction, Request, Response

from .json_shapes import EPOCH

_Message = TypeVar("_Message", Request, Response)

_DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
# Numbers of one exchange, and how long it took: they differ whenever anybody looks.
_ZERO = frozenset(
    b"age cf-ray server-timing traceparent x-amz-cf-id x-amz-id-2 x-amz-request-id"
    b" x-amzn-requestid x-amzn-trace-id x-correlation-id x-github-request-id x-request-id"
    b" sec-websocket-accept sec-websocket-key x-response-time x-runtime x-timer x-trace-id".split()
)


def stable(interaction: Interaction) -> Interaction:
    """Return ``interaction`` as it would be, however often it is recorded."""
    response = interaction.response
    # Where both sides talked at once the pieces are needed to do it again; their moments are not.
    chunks = tuple((size, 0.0) for size, _ in interaction.chunks if interaction.uploaded)
    return Interaction(
        _stable(interaction.request),
        None if response is None else _stable(response),
        interaction.failure,
        tuple(map(_stable, interaction.informational)),
        template=interaction.template,
        chunks=chunks,
        websocket=interaction.websocket,
        uploaded=interaction.uploaded,
    )


def _stable(message: _Message) -> _Message:
    fields = message.headers.raw
    date = next((value for name, value in fields if name.lower() == b"date"), b"")
    changed = Headers((name, _value(name.lower(), value, date)) for name, value in fields)
    return msgspec.structs.replace(message, headers=changed)


def _value(name: bytes, value: bytes, date: bytes) -> bytes:
    if name in _ZERO:
        return b"0"
    if name == b"date":
        return _DATE
    return _expires(value, date) if name == b"expires" else value


def _moment(value: bytes) -> datetime:
    return parsedate_to_datetime(value.decode("latin-1"))


def _expires(value: bytes, date: bytes) -> bytes:
    try:
        lifetime = _moment(value) - _moment(date)
        return format_datetime(EPOCH + lifetime, usegmt=True).encode()
    except (ValueError, TypeError, OverflowError):
        return value  # RFC 9111 §5.3: such as "0", which is no date and always in the past
