"""A cassette as flows of mitmproxy (format 21), one after the other.

Bodies, fields and trailers are the exact bytes; times, failures and WebSocket messages are kept.
What mitmproxy wants to know of connections that there never were is what its own reader of HAR
files puts there: an address, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO
from uuid import NAMESPACE_URL, uuid5

from magneto_serge.messages import Conversation, Interaction, Request, Response

from .failing import spelt
from .har_websocket import KINDS
from .outgoing import body_bytes, numbered, remark_losses
from .remarks import Remark, Remarks
from .tnetstring import dump

VERSION = 21
_OPCODES = {kind: opcode for opcode, kind in KINDS.items()}
_LOST = (Remark.PIECES, Remark.INTERIM, Remark.FRAMES)


def write(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write the flows; raises OSError."""
    for number, interaction in enumerate(numbered(interactions, remarks), 1):
        remark_losses(interaction, _LOST, remarks)
        out.write(dump(_flow(interaction, number)))


def _flow(interaction: Interaction, number: int) -> dict[str, Any]:
    started, failure = interaction.started, interaction.failure
    ended = started + interaction.total_ms / 1000
    error = None if failure is None else {"msg": spelt(failure), "timestamp": ended}
    return {
        "type": "http",
        "version": VERSION,
        "id": str(uuid5(NAMESPACE_URL, f"{number} {started} {interaction.request.url}")),
        "request": _request(interaction.request, started),
        "response": None if interaction.response is None else _response(interaction),
        "error": error,
        "websocket": _websocket(interaction),
        "client_conn": _client(interaction, number),
        "server_conn": _server(interaction, number),
        "timestamp_created": started,
        "intercepted": False,
        "is_replay": None,
        "marked": "",
        "metadata": {},
        "comment": "",
        "backup": None,
    }


def _message_base(message: Request | Response, first: float, last: float) -> dict[str, Any]:
    return {
        "http_version": message.version.encode(),
        "headers": [list(line) for line in message.headers.raw],
        "content": body_bytes(message.body),
        "trailers": [list(line) for line in message.trailers.raw] or None,
        "timestamp_start": first,
        "timestamp_end": last,
    }


def _request(request: Request, started: float) -> dict[str, Any]:
    return {
        **_message_base(request, started, started),
        "host": request.host,
        "port": request.port,
        "method": request.method.encode("utf-8", "surrogateescape"),
        "scheme": request.scheme.encode(),
        "authority": b"",
        "path": request.target.encode("utf-8", "surrogateescape"),
    }


def _response(interaction: Interaction) -> dict[str, Any]:
    response = interaction.response
    assert response is not None  # noqa: S101 - the caller has looked
    first = interaction.started + (interaction.first_byte_ms or 0.0) / 1000
    last = interaction.started + interaction.total_ms / 1000
    return {
        **_message_base(response, first, last),
        "status_code": response.status,
        "reason": response.reason.encode("latin-1"),
    }


def _websocket(interaction: Interaction) -> dict[str, Any] | None:
    held: Conversation | None = interaction.websocket
    if held is None:
        return None
    opened = interaction.started + (interaction.first_byte_ms or 0.0) / 1000
    close = held.close
    messages = [
        [
            _OPCODES[each.kind],
            each.sender == "client",
            body_bytes(each.data),
            opened + each.at_ms / 1000,
            False,
            False,
        ]
        for each in held.messages
    ]
    return {
        "messages": messages,
        "closed_by_client": None if close is None else close.by == "client",
        "close_code": None if close is None else close.code,
        "close_reason": None if close is None else close.reason,
        "timestamp_end": None if close is None else opened + close.at_ms / 1000,
    }


def _connection(interaction: Interaction, identity: str) -> dict[str, Any]:
    tls = interaction.request.scheme == "https"
    return {
        "id": str(uuid5(NAMESPACE_URL, identity)),
        "tls": tls,
        "tls_version": None,
        "certificate_list": [],
        "alpn": None,
        "alpn_offers": [],
        "cipher": None,
        "cipher_list": [],
        "sni": interaction.request.host if tls else None,
        "error": None,
        "timestamp_start": interaction.started,
        "timestamp_end": interaction.started + interaction.total_ms / 1000,
        "timestamp_tls_setup": interaction.started if tls else None,
        "transport_protocol": "tcp",
    }


def _client(interaction: Interaction, number: int) -> dict[str, Any]:
    return {
        **_connection(interaction, f"client {number}"),
        "peername": ["127.0.0.1", 0],
        "sockname": ["127.0.0.1", 0],
        "mitmcert": None,
        "proxy_mode": "regular",
    }


def _server(interaction: Interaction, number: int) -> dict[str, Any]:
    address, _, port = interaction.peer.rpartition(":")
    peer = [address.strip("[]"), int(port)] if address else None
    return {
        **_connection(interaction, f"server {number}"),
        "address": [interaction.request.host, interaction.request.port],
        "peername": peer,
        "sockname": None,
        "timestamp_tcp_setup": interaction.started,
        "via": None,
    }
