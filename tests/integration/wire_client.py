"""A client that sends exactly the bytes it is told to, and reports exactly what came back.

It speaks for the clients that no library plays: pipelined, slow, rude or of another century. The
socket blocks with a time limit, so a missing answer fails a test instead of hanging it.
"""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

from .bytestream import (
    ByteStream,
    FieldLines,
    StreamEnded,
    end_to_end,
    parse_field_lines,
    read_chunk,
    read_chunked,
    values,
)
from .exchange import PATIENCE


@dataclass
class Answer:
    """A response as it was on the wire; ``informational`` has the 1xx that came before it."""

    version: str
    status: int
    reason: bytes
    headers: FieldLines
    body: bytes = b""
    trailers: FieldLines = field(default_factory=list)
    chunk_sizes: list[int] = field(default_factory=list)
    informational: list[Answer] = field(default_factory=list)

    def values(self, name: str) -> list[bytes]:
        """Every value of ``name`` in order."""
        return values(self.headers, name.encode())

    @property
    def end_to_end(self) -> FieldLines:
        """The field lines that are not about this one connection."""
        return end_to_end(self.headers)

    @property
    def seen(self) -> tuple[object, ...]:
        """All that must be the same however the message was framed."""
        before = [(a.status, a.reason, a.headers) for a in self.informational]
        return (self.status, self.reason, self.end_to_end, self.body, self.trailers, before)

    @property
    def problem(self) -> dict[str, Any]:
        """The body as problem details (RFC 9457)."""
        assert self.values("content-type") == [b"application/problem+json"], self
        problem = json.loads(self.body)
        assert isinstance(problem, dict)
        assert problem["status"] == self.status
        return problem


class WireClient:
    """One connection to ``address``; ``received`` bytes are read as HTTP/1 by the methods."""

    def __init__(self, address: tuple[str, int], *, timeout: float = PATIENCE) -> None:
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = ByteStream(self.socket)

    def __enter__(self) -> WireClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, data: bytes) -> WireClient:
        """Send all of ``data``."""
        self.socket.sendall(data)
        return self

    def ask(self, data: bytes, method: str = "") -> Answer:
        """Send a whole request and read its answer; ``method`` is taken from the bytes."""
        self.send(data)
        return self.answer(method or data.split(b" ", 1)[0].decode("latin-1"))

    def tunnel(self, authority: str) -> WireClient:
        """Open a CONNECT tunnel (RFC 9110 §9.3.6)."""
        answer = self.ask(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        assert answer.status == 200, answer
        return self

    def start_tls(self, context: ssl.SSLContext, server_hostname: str | None) -> WireClient:
        """Become a TLS client on this connection; ``None`` sends no SNI."""
        # An end without close_notify is not an end (RFC 8446 §6.1): it must not pass for one.
        self.socket = context.wrap_socket(
            self.socket, server_hostname=server_hostname, suppress_ragged_eofs=False
        )
        self.stream = ByteStream(self.socket)
        return self

    def head(self) -> Answer:
        """Read one response head, 1xx or final."""
        block = self.stream.until(b"\r\n\r\n")
        status_line, _, fields = block[:-4].partition(b"\r\n")
        version, status, reason = [*status_line.split(b" ", 2), b""][:3]
        lines = parse_field_lines(fields) if fields else []
        return Answer(version.decode("latin-1"), int(status), reason, lines)

    def answer(self, method: str = "GET") -> Answer:
        """Read the 1xx responses and the final one, with its body (RFC 9112 §6.3)."""
        informational = []
        while (answer := self.head()).status < 200 and answer.status != 101:
            informational.append(answer)
        answer.informational = informational
        tunnelled = method == "CONNECT" and answer.status < 300
        if method != "HEAD" and answer.status not in (101, 204, 304) and not tunnelled:
            self.read_body(answer)
        return answer

    def read_body(self, answer: Answer) -> None:
        """Read the body that ``answer``'s head announces."""
        codings, lengths = answer.values("transfer-encoding"), answer.values("content-length")
        assert not (codings and lengths), "both framings: two parsers could differ"
        if codings == [b"chunked"]:
            chunked = read_chunked(self.stream)
            answer.body, answer.trailers = chunked.data, chunked.trailers
            answer.chunk_sizes = chunked.sizes
        elif lengths:
            assert len(lengths) == 1, answer
            answer.body = self.stream.exactly(int(lengths[0]))
        else:
            answer.body = self.stream.to_end()

    def piece(self) -> bytes:
        """Read the data of one chunk of a chunked body."""
        return read_chunk(self.stream)[0]

    def at_end(self) -> bool:
        """Whether the proxy closes now, without a further byte."""
        try:
            return self.stream.to_end() == b""
        except ConnectionResetError:
            return not self.stream.buffer

    def broken(self) -> bool:
        """Whether what is being read breaks off: a reset, or an end that comes too early."""
        try:
            self.answer()
        except (StreamEnded, ConnectionResetError, ssl.SSLError):
            return True
        return False
