"""Both ends of a WebSocket, byte by byte, with the proxy between them.

A :class:`Pair` is a client's socket and, while it records, the socket that the origin has accepted,
both in the hands of the test: what is sent at one end is read at the other, exactly. In replay
there is only the client's.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magneto_serge import Cassette, MagnetoProxy
from magneto_serge.messages import Conversation

from .bytestream import ByteStream, StreamEnded
from .exchange import PATIENCE
from .wire_client import WireClient

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
DEFLATE = "permessage-deflate"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    form: int = 0,
) -> bytes:
    """Write a frame, right or wrong; ``form`` 126 or 127 forces a longer length field."""
    size = len(payload)
    form = form or (size if size < 126 else 126 if size < 65_536 else 127)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode, (0x80 if masked else 0) | form])
    if form > 125:
        head += struct.pack("!H" if form == 126 else "!Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    stream = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    mixed = (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")
    return head + key + mixed


def close(code: int, reason: str | bytes = "", *, masked: bool = True) -> bytes:
    """Write a Close frame."""
    said = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, struct.pack("!H", code) + said, masked=masked)


def read_frame(stream: ByteStream) -> tuple[int, bytes]:
    """Read one frame; returns its first octet and its payload, unmasked."""
    head, second = stream.exactly(2)
    size = second & 127
    if size > 125:
        size = int.from_bytes(stream.exactly(2 if size == 126 else 8), "big")
    key = stream.exactly(4) if second & 128 else b"\0\0\0\0"
    payload = stream.exactly(size)
    return head, bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)) if any(
        key
    ) else payload


class Origin:
    """A listening socket that answers handshakes as it is told."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def accept(self, fields: str = "") -> WireClient:
        """Take a connection, read its handshake and answer with 101."""
        accepted, _ = self.socket.accept()
        accepted.settimeout(PATIENCE)
        end = WireClient.__new__(WireClient)
        end.socket, end.stream = accepted, ByteStream(accepted)
        head = end.stream.until(b"\r\n\r\n").decode("latin-1").lower()
        key = head.split("sec-websocket-key: ")[1].split("\r\n")[0]
        asked = next(line for line in head.split("\r\n") if line.startswith("sec-websocket-key"))
        assert key == asked.partition(": ")[2] == KEY.lower()
        digest = hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer += f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n{fields}\r\n"
        return end.send(answer.encode())


class Pair:
    """The ``client`` and, except in replay, the ``server`` end."""

    def __init__(self, client: WireClient, server: WireClient | None) -> None:
        self.client = client
        self._server = server

    @property
    def server(self) -> WireClient:
        """The origin's end."""
        assert self._server is not None
        return self._server

    def end(self) -> None:
        """Cut off what is still open."""
        self.client.close()
        if self._server is not None:
            self._server.close()

    def to_server(self, data: bytes) -> None:
        """Send bytes as the client; they arrive as they are."""
        self.client.send(data)
        assert self.server.stream.exactly(len(data)) == data

    def to_client(self, data: bytes) -> None:
        """Send bytes as the server; they arrive as they are."""
        self.server.send(data)
        assert self.client.stream.exactly(len(data)) == data

    def hears(self) -> tuple[int, bytes]:
        """Read a frame as the client."""
        return read_frame(self.client.stream)

    def is_over(self) -> bool:
        """Whether the proxy closes the client's connection now, without a further byte."""
        try:
            return self.client.stream.to_end() == b""
        except (ConnectionResetError, StreamEnded):
            return True


def ask(proxy: MagnetoProxy, url: str, path: str = "/", fields: str = "") -> WireClient:
    """Connect to the proxy and ask for a WebSocket, absolute-form."""
    host = url.removeprefix("http://")
    lines = f"Host: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}"
    lines += f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    client = WireClient((proxy.host, proxy.port))
    return client.send(f"GET {url}{path} HTTP/1.1\r\n{lines}\r\n".encode())


class Stage:
    """A proxy and an origin: ``with stage.recorded() as pair``, then ``with stage.replayed()``."""

    def __init__(self, proxy: MagnetoProxy) -> None:
        self.proxy, self.origin = proxy, Origin()
        self.path: Path | None = None

    def open(self, path: str = "/", *, offer: str = "", accept: str = "") -> Pair:
        """Open a WebSocket through the proxy; ``offer`` and ``accept`` are field lines."""
        client = ask(self.proxy, self.origin.url, path, offer)
        server = self.origin.accept(accept)
        assert client.head().status == 101
        return Pair(client, server)

    @contextmanager
    def recorded(self, *, offer: str = "", accept: str = "") -> Iterator[Pair]:
        """Record a conversation; the cassette is there at the end, and the origin is gone."""
        self.proxy.use("tape", "record")
        pair = self.open(offer=offer, accept=accept)
        try:
            yield pair
        finally:
            pair.end()
        self.save()

    def save(self) -> None:
        """End the recording, and the origin."""
        self.path = self.proxy.stop_recording()
        self.origin.socket.close()

    def conversations(self) -> list[Conversation]:
        """Read the cassette, every field and every body of it."""
        assert self.path is not None
        with Cassette.open(self.path, verify=True) as cassette:
            found = [each.websocket for each in cassette]
        assert None not in found
        return [each for each in found if each is not None]

    def said(self) -> list[tuple[str, str, bytes]]:
        """Return who said what in the only conversation: sender, kind, payload."""
        (only,) = self.conversations()
        return [(each.sender, each.kind, _bytes(each.data)) for each in only.messages]

    def how_it_ended(self) -> tuple[int, str, str] | None:
        """Return code, reason and side of the only conversation's end."""
        (only,) = self.conversations()
        return only.close and (only.close.code, only.close.reason, only.close.by)

    @contextmanager
    def replayed(self, *, path: str = "/", offer: str = "") -> Iterator[Pair]:
        """Open a WebSocket of the cassette."""
        if self.proxy.cassette_name is None:
            self.proxy.use("tape", "replay")
        client = ask(self.proxy, self.origin.url, path, offer)
        head = client.head()
        assert head.status == 101
        pair = Pair(client, None)
        try:
            yield pair
        finally:
            pair.end()


def _bytes(data: object) -> bytes:
    return data if isinstance(data, bytes) else data.path.read_bytes()  # type: ignore[attr-defined]
