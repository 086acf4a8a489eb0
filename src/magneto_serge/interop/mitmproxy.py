"""mitmproxy: flow files of every version, read one flow at a time.

A flow has ``type``, ``version``, ``request``, ``response``, ``error``, ``websocket``,
``client_conn`` and ``server_conn``; messages have their exact bytes, still content-encoded. Names
changed over the years: before 0.14 a response had ``code``, ``msg`` and ``content``, versions were
lists of numbers, keys bytes; from version 5 to 10 a WebSocket was a flow of its own around its
``handshake_flow``.
TCP, UDP and DNS flows are not HTTP and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from magneto_serge.errors import CassetteError
from magneto_serge.messages import (
    Conversation,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)

from .converting import converted
from .failing import failure_of
from .har_websocket import KINDS
from .normal import request_of, response_of
from .remarks import Remark, Remarks
from .source import Source
from .tnetstring import TornError, load_all
from .values import (
    RawFields,
    UnusableError,
    epoch,
    fields,
    integer,
    mapping,
    number,
    sequence,
    text,
)


def recognises(source: Source) -> bool:
    """Tell whether the file begins as flows do."""
    return source.is_binary and source.begins[:1].isdigit()


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions as they are read; what a torn file has before its end counts.

    Raises CassetteError where the file cannot be read, or has nothing whole.
    """
    reader = _Reader(source.remarks)
    whole = 0
    try:
        with source.path.open("rb") as file:
            for interaction in converted(load_all(file), reader.interaction, source.remarks):
                whole += 1
                yield interaction
    except TornError as error:
        if not whole:
            raise CassetteError(f"it is damaged: {error}.") from error
        source.remarks.add(Remark.TORN, str(error))
    except OSError as error:
        raise CassetteError(f"cannot be read: {error.strerror}.") from error


class _Reader:
    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def interaction(self, item: Any) -> Interaction | None:
        flow = mapping(item, "the flow")
        kind = text(flow.get("type")) or "http"
        if kind == "websocket":
            return self._older_websocket(flow)
        if kind != "http":
            self._remarks.add(Remark.NOT_HTTP, f"a {kind} flow")
            return None
        return self._http(flow)

    def _http(self, flow: dict[str, Any]) -> Interaction | None:
        asked = mapping(flow.get("request"), "request")
        request = self._request(asked)
        if request is None:
            return None
        started = epoch(asked.get("timestamp_start"))
        interaction = Interaction(request, started=started, peer=_peer(flow))
        told, error = flow.get("response"), flow.get("error")
        if told is not None:
            self._answer(interaction, mapping(told, "response"))
        if error is not None:
            failed = mapping(error, "error")
            interaction.failure = failure_of(text(failed.get("msg")))
            interaction.total_ms = _since(started, failed.get("timestamp"))
        if interaction.response is None and interaction.failure is None:
            self._remarks.add(Remark.NO_ANSWER)
            interaction.failure = failure_of("no response was recorded")
        if flow.get("websocket") is not None:
            interaction.websocket = _conversation(
                mapping(flow["websocket"], "websocket"), _opened(interaction)
            )
        return interaction

    def _request(self, asked: dict[str, Any]) -> Request | None:
        content = asked.get("content", asked.get("body"))
        if content is None and _announces(asked):
            self._remarks.add(Remark.BODY_MISSING)
        return request_of(
            text(asked.get("method")),
            _url(asked),
            _fields(asked.get("headers")),
            _content(content),
            self._remarks,
            version=_version(asked),
            trailers=_fields(asked.get("trailers")),
            asterisk=text(asked.get("path")) == "*",
        )

    def _answer(self, interaction: Interaction, told: dict[str, Any]) -> None:
        interaction.response = self._response(told, interaction.request)
        started = interaction.started
        interaction.first_byte_ms = _since(started, told.get("timestamp_start"))
        ended = _since(started, told.get("timestamp_end"))
        interaction.total_ms = max(ended, interaction.first_byte_ms)

    def _response(self, told: dict[str, Any], request: Request) -> Response:
        content = told.get("content", told.get("body"))
        if content is None:
            self._remarks.add(Remark.BODY_MISSING)
        return response_of(
            integer(told.get("status_code", told.get("code")), 0),
            _latin1(told.get("reason", told.get("msg"))),
            _fields(told.get("headers")),
            _content(content),
            self._remarks,
            method=request.method,
            version=_version(told),
            trailers=_fields(told.get("trailers")),
        )

    def _older_websocket(self, flow: dict[str, Any]) -> Interaction | None:
        handshake = flow.get("handshake_flow")
        if handshake is None:
            raise UnusableError("a WebSocket without its handshake")
        interaction = self._http(mapping(handshake, "handshake_flow"))
        if interaction is not None:
            interaction.websocket = _conversation(flow, _opened(interaction))
        return interaction


def _opened(interaction: Interaction) -> float:
    return interaction.started + (interaction.first_byte_ms or 0.0) / 1000


def _conversation(held: dict[str, Any], opened: float) -> Conversation:
    """Return a conversation; a message is ``[opcode, from_client, content, time, ...]``."""
    messages = []
    for item in sequence(held.get("messages"), "messages"):
        parts = [*sequence(item, "a message"), None, None, None, None][:4]
        opcode = integer(parts[0], 1)
        if opcode in KINDS:
            data = parts[2] if isinstance(parts[2], bytes) else text(parts[2]).encode()
            sender = "client" if parts[1] else "server"
            messages.append(WebSocketMessage(sender, KINDS[opcode], data, _since(opened, parts[3])))
    code = integer(held.get("close_code"), 0)
    by_client = held.get("closed_by_client", text(held.get("close_sender")) == "client")
    ended = _since(opened, held.get("timestamp_end", held.get("ended")))
    close = WebSocketClose(
        code, text(held.get("close_reason")), "client" if by_client else "server", ended
    )
    return Conversation(tuple(messages), close if code else None)


def _since(started: float, value: Any) -> float:
    """Return ms, to the microsecond, between two times; 0.0 where one is not known."""
    return max(0.0, round((number(value, started) - started) * 1000, 3))


def _fields(value: Any) -> RawFields:
    return fields(value) if isinstance(value, list) else []


def _announces(asked: dict[str, Any]) -> bool:
    return any(
        text(name).lower() == "content-length" and text(value) != "0"
        for name, value in _fields(asked.get("headers"))
    )


def _content(value: Any) -> bytes:
    return value if isinstance(value, bytes) else text(value).encode()


def _latin1(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else text(value)


def _version(message: dict[str, Any]) -> str:
    value = message.get("http_version", message.get("httpversion"))
    if isinstance(value, list):
        return "HTTP/" + ".".join(map(text, value))
    return text(value)


def _url(asked: dict[str, Any]) -> str:
    host, path = text(asked.get("host")), text(asked.get("path"))
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    path = "/" if path == "*" else path
    if "://" in path.partition("?")[0]:  # before 0.18, absolute-form
        return path
    return f"{text(asked.get('scheme')) or 'http'}://{host}:{text(asked.get('port'))}{path}"


def _peer(flow: dict[str, Any]) -> str:
    """Return the address of the origin, which has had three names."""
    server = flow.get("server_conn")
    held = server if isinstance(server, dict) else {}
    found = held.get("peername") or held.get("ip_address") or held.get("peer_address")
    if isinstance(found, dict):
        found = found.get("address")
    if not isinstance(found, list) or len(found) < 2:
        return ""
    host = text(found[0])
    return f"[{host}]:{text(found[1])}" if ":" in host else f"{host}:{text(found[1])}"
