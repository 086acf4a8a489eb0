"""What the WebSocket benchmark says: streams of frames that are ready to be sent, and handshakes.

The n-th message of a connection is known beforehand, and so are its frames: masked as a client
sends it, and as the origin sends it back. Client and origin therefore send slices of a stream that
exists, and compare what comes with the other stream, to the byte; parsing frames is left to the
programs under test. Messages are JSON of which 64 in a row differ.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket

RING = 64  # messages that differ
CHUNK = 262_144  # bytes that are sent, or received, at once at most

CLOSE = b"\x88\x02\x03\xe8"  # 1000, as a server sends it
MASKED_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(range(16))).decode()}\r\n"
)


class Stream:
    """The frames of messages of ``size`` bytes (at least 64), repeated; ``masked``: a client's.

    ``frame`` is the length of one frame, ``round`` that of all 64; ``data`` may be sliced at any
    place below ``round`` for up to ``CHUNK`` bytes.
    """

    def __init__(self, size: int, *, masked: bool) -> None:
        frames = [_frame(_message(size, number), number, masked) for number in range(RING)]
        self.frame = len(frames[0])
        self.round = self.frame * RING
        self.data = b"".join(frames) * (CHUNK // self.round + 2)
        self.view = memoryview(self.data)


def _message(size: int, number: int) -> bytes:
    start = json.dumps({"id": number + 100, "kind": "tick", "text": ""})
    fill = hashlib.shake_128(bytes((number,))).hexdigest(size)
    return f"{start[:-2]}{fill[: size - len(start)]}{start[-2:]}".encode()


def _frame(message: bytes, number: int, masked: bool) -> bytes:
    size = len(message)
    bit = 0x80 if masked else 0
    short = bytes((0x81, bit | size)) if size < 126 else None
    head = short or bytes((0x81, bit | 126)) + size.to_bytes(2, "big")
    if not masked:
        return head + message
    key = hashlib.shake_128(bytes((number, 1))).digest(4)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(message, "big") ^ mask).to_bytes(size, "big")


def accepted(head: bytes) -> bytes:
    """Return the answer to the handshake ``head`` (RFC 6455 §4.2.2)."""
    start = head.lower().index(b"sec-websocket-key:") + len(b"sec-websocket-key:")
    key = head[start : head.index(b"\r\n", start)].strip().decode()
    accept = base64.b64encode(hashlib.sha1(f"{key}{_MAGIC}".encode()).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


def connect(port: int, target: str) -> tuple[socket.socket, bytes]:
    """Open a WebSocket; return its socket, and what came after the handshake.

    Raises ConnectionError where it is refused.
    """
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{_HANDSHAKE}\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        data = client.recv(65_536)
        received += data
        if not data:
            break
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        client.close()
        raise ConnectionError(f"The handshake was answered with {head[:60]!r}")
    return client, rest
