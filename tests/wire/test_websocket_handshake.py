"""The opening handshake: what it settles, and how a recorded one is answered again."""

from __future__ import annotations

import pytest

from magneto_serge.messages import Headers, Response
from magneto_serge.wire.events import Framing, RequestReceived
from magneto_serge.wire.websocket_handshake import Extensions, answer, extensions_of, is_handshake
from magneto_serge.wire.websocket_messages import Compression

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def asked(*fields: tuple[str, str], key: str = KEY, version: str = "13") -> Headers:
    """Return the fields of a client's request."""
    return Headers.of(("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", version), *fields)


def recorded(*fields: tuple[str, str]) -> Response:
    """Return a recorded 101."""
    return Response(
        101,
        "Switching Protocols",
        Headers.of(
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", "of another key"),
            *fields,
        ),
    )


@pytest.mark.parametrize(
    ("method", "upgrade", "is_one"),
    [
        ("GET", b"websocket", True),
        ("GET", b"h2c, WebSocket", True),
        ("GET", b"", False),
        ("GET", b"websockets", False),
        ("POST", b"websocket", False),
    ],
)
def test_which_requests_open_a_websocket(method: str, upgrade: bytes, is_one: bool) -> None:
    """A GET that offers ``websocket``, in whatever case (RFC 6455 §4.2.1)."""
    head = RequestReceived(method, "/", "HTTP/1.1", (), Framing.NONE, upgrade=upgrade)
    assert is_handshake(head) is is_one


@pytest.mark.parametrize(
    ("value", "settled"),
    [
        (None, Extensions()),
        ("permessage-deflate", Extensions(Compression())),
        (
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
            Extensions(Compression(True, False, 15, 10)),
        ),
        ("x-webkit-deflate-frame", Extensions(unknown=("x-webkit-deflate-frame",))),
        ("permessage-deflate, mux; x=1", Extensions(Compression(), ("mux",))),
        (
            "permessage-deflate; server_max_window_bits=99",
            Extensions(unknown=("permessage-deflate; server_max_window_bits=99",)),
        ),
        ("permessage-deflate, permessage-deflate", Extensions(unknown=("permessage-deflate",))),
        ("not ; an = (header)", Extensions(unknown=("not ; an = (header)",))),
    ],
)
def test_what_a_101_settles(value: str | None, settled: Extensions) -> None:
    """Compression is understood with its parameters; what is not understood is named."""
    fields = [] if value is None else [(b"Sec-WebSocket-Extensions", value.encode())]
    assert extensions_of(fields) == settled


def test_the_key_of_this_client_is_answered() -> None:
    """Sec-WebSocket-Accept is computed anew; the other fields are as recorded."""
    again = answer(asked(), recorded(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))
    assert again is not None
    lines = again.head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
    assert f"Sec-WebSocket-Accept: {ACCEPT}".encode() in lines
    assert lines[-4:] == [b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"", b""]
    assert b"another key" not in again.head


@pytest.mark.parametrize(("offers", "chosen"), [("chat, v2", True), ("chat", False), (None, False)])
def test_the_recorded_subprotocol_if_it_is_offered(offers: str | None, chosen: bool) -> None:
    """A client that does not offer a subprotocol must not be given one (RFC 6455 §4.2.2)."""
    fields = [("Sec-WebSocket-Protocol", offers)] if offers else []
    again = answer(asked(*fields), recorded(("Sec-WebSocket-Protocol", "v2")))
    assert again is not None
    assert (b"Sec-WebSocket-Protocol: v2\r\n" in again.head) is chosen


DEFLATED = recorded(("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover"))


@pytest.mark.parametrize(
    ("offer", "compression"),
    [
        (None, None),
        ("x-other", None),
        ("permessage-deflate; nonsense", None),
        ("permessage-deflate", Compression(True)),
        ("permessage-deflate; client_max_window_bits", Compression(True)),
        ("permessage-deflate; server_max_window_bits=10", Compression(True, False, 10)),
        ("permessage-deflate; nonsense, permessage-deflate", Compression(True)),
        ("permessage-deflate; client_no_context_takeover", Compression(True, True)),
    ],
)
def test_compression_if_recorded_and_offered(
    offer: str | None, compression: Compression | None
) -> None:
    """Compression is what this client offers, as far as it was recorded (RFC 7692 §5)."""
    fields = [("Sec-WebSocket-Extensions", offer)] if offer else []
    again = answer(asked(*fields), DEFLATED)
    assert again is not None
    assert again.compression == compression
    assert (b"Sec-WebSocket-Extensions" in again.head) is (compression is not None)


def test_no_compression_unless_recorded() -> None:
    """A conversation that was not compressed is not when it is replayed."""
    again = answer(asked(("Sec-WebSocket-Extensions", "permessage-deflate")), recorded())
    assert again is not None
    assert again.compression is None


@pytest.mark.parametrize(("key", "version"), [("short", "13"), ("", "13"), (KEY, "8"), ("é", "13")])
def test_what_is_no_handshake(key: str, version: str) -> None:
    """Without a key of 16 bytes and version 13 there is no answer (RFC 6455 §4.2.1)."""
    assert answer(asked(key=key, version=version), recorded()) is None
