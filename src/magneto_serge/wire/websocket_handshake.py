"""The opening handshake of a WebSocket (RFC 6455 §4), where a proxy has a say in it.

Relayed, it is an HTTP request like any other. What has to be understood: that it is one, and which
extensions its answer settles. Replayed, we are the server: the answer is the recorded one, with the
key's own ``Sec-WebSocket-Accept``, a subprotocol only if this client offers it, and compression
only if it was recorded and this client offers it (RFC 7692 §5).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from magneto_serge.messages import FieldLine, Headers, Response
from magneto_serge.wire.events import RequestReceived
from magneto_serge.wire.serialize import upgrade_head
from magneto_serge.wire.websocket_messages import Compression

SCHEMES = {"http": "ws", "https": "wss"}
_DEFLATE = "permessage-deflate"
_ANSWERED_ANEW = frozenset(
    (
        b"connection",
        b"upgrade",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"content-length",
        b"transfer-encoding",
    )
)


def is_handshake(head: RequestReceived) -> bool:
    """Tell whether a request that offers an upgrade opens a WebSocket (RFC 6455 §4.2.1)."""
    offered = (token.strip(b" \t").lower() for token in head.upgrade.split(b","))
    return head.method == "GET" and b"websocket" in offered


class Extensions(NamedTuple):
    """What a handshake has settled: ``compression``, and the names of ``unknown`` extensions."""

    compression: Compression | None = None
    unknown: tuple[str, ...] = ()


def extensions_of(fields: Iterable[FieldLine]) -> Extensions:
    """Return what the fields of a 101 say; what cannot be parsed is unknown."""
    values = [value for name, value in fields if name.lower() == b"sec-websocket-extensions"]
    if not values:
        return Extensions()
    text = b", ".join(values).decode("latin-1")
    settled = _parsed(text)
    if settled is None:
        return Extensions(unknown=(text,))
    unknown = tuple(name for name, _ in settled if name != _DEFLATE)
    accepted = [dict(parameters) for name, parameters in settled if name == _DEFLATE]
    if len(accepted) != 1:
        return Extensions(unknown=unknown + (_DEFLATE,) * len(accepted[1:]))
    windows = [accepted[0].get(f"{side}_max_window_bits") or "15" for side in ("server", "client")]
    if not all(each.isdecimal() and 8 <= int(each) <= 15 for each in windows):
        return Extensions(unknown=(*unknown, text))
    takeovers = [f"{side}_no_context_takeover" in accepted[0] for side in ("server", "client")]
    return Extensions(Compression(*takeovers, *map(int, windows)), unknown)


def _parsed(text: str) -> list[tuple[str, list[tuple[str, str | None]]]] | None:
    from websockets.exceptions import InvalidHeader
    from websockets.headers import parse_extension

    try:
        parsed = parse_extension(text)
    except InvalidHeader:
        return None
    return [(str(name), [(str(key), value) for key, value in given]) for name, given in parsed]


class Answer(NamedTuple):
    """The ``head`` of a 101, and the compression that it settles."""

    head: bytes
    compression: Compression | None


def answer(asked: Headers, recorded: Response) -> Answer | None:
    """Return a recorded 101 for a client that sent ``asked``; None where that is no handshake.

    RFC 6455 §4.2.1: it needs a key of 16 bytes and version 13.
    """
    from websockets.utils import accept_key

    key = asked.get("sec-websocket-key") or ""
    if asked.get("sec-websocket-version") != "13" or not _is_key(key):
        return None
    fields = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")]
    fields.append((b"Sec-WebSocket-Accept", accept_key(key).encode()))
    protocol = recorded.headers.get("sec-websocket-protocol")
    if protocol is not None and protocol in _offered_protocols(asked):
        fields.append((b"Sec-WebSocket-Protocol", protocol.encode()))
    extensions, compression = _negotiate(asked, extensions_of(recorded.headers.raw).compression)
    if extensions:
        fields.append((b"Sec-WebSocket-Extensions", extensions.encode()))
    fields += (line for line in recorded.headers.raw if line[0].lower() not in _ANSWERED_ANEW)
    reason = recorded.reason or "Switching Protocols"
    return Answer(upgrade_head(101, reason.encode("latin-1"), fields), compression)


def _is_key(key: str) -> bool:
    from base64 import b64decode

    try:
        return len(b64decode(key.encode(), validate=True)) == 16
    except ValueError:
        return False


def _offered_protocols(asked: Headers) -> list[str]:
    values = asked.get_all("sec-websocket-protocol")
    return [each.strip() for value in values for each in value.split(",")]


def _negotiate(asked: Headers, recorded: Compression | None) -> tuple[str, Compression | None]:
    """Return the value of our Sec-WebSocket-Extensions, and what it means."""
    offers = asked.get_all("sec-websocket-extensions")
    if recorded is None or not offers:
        return "", None
    from websockets.exceptions import NegotiationError
    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
    from websockets.headers import build_extension

    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=recorded.server_no_context_takeover,
        client_no_context_takeover=recorded.client_no_context_takeover,
        server_max_window_bits=max(recorded.server_max_window_bits, 9),  # zlib makes no 8
    )
    for name, offered in _parsed(", ".join(offers)) or ():
        if name != _DEFLATE:
            continue
        try:
            accepted, _ = factory.process_request_params(offered, [])
        except NegotiationError:
            continue
        value = build_extension([(_DEFLATE, accepted)])  # type: ignore[list-item]  # its own pairs
        return value, extensions_of([(b"sec-websocket-extensions", value.encode())]).compression
    return "", None
