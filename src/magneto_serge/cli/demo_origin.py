"""The origin of the demonstration: a small real server, over HTTP and over HTTPS, on loopback.

It answers with what is awkward to record: compressed JSON, binary data, a stream that arrives in
pieces, repeated fields, an error. Nothing here knows about the proxy. The standard library serves
it, so that what is shown does not rest on our own code at both ends.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

CATALOGUE = {
    "title": "Greatest hits",
    "tracks": [{"n": n, "name": f"Track {n}"} for n in range(40)],
}
PIECES, PAUSE = 5, 0.03  # of the stream; seconds
CUSTOMER = "4711-c0ffee"  # a secret: no cassette has it


def _noise(size: int) -> bytes:
    """Return ``size`` bytes that do not compress and are the same each time."""
    blocks = (hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(size // 32))
    return b"".join(blocks)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "DemoOrigin/1.0"
    disable_nagle_algorithm = True  # head and body are two writes

    def do_GET(self) -> None:
        """Answer one of a few paths."""
        if self.path == "/catalogue.json":
            self._send(
                gzip.compress(json.dumps(CATALOGUE).encode(), mtime=0),
                ("Content-Type", "application/json"),
                ("Content-Encoding", "gzip"),
            )
        elif self.path == "/cover.png":
            self._send(b"\x89PNG\r\n\x1a\n" + _noise(65_536), ("Content-Type", "image/png"))
        elif self.path == "/live":
            self._stream()
        else:
            self._send(b"no such page\n", ("Content-Type", "text/plain"), status=404)

    def do_POST(self) -> None:
        """Take an order; each of its two cookies has a field line of its own."""
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(
            json.dumps({"order": order, "accepted": True}).encode(),
            ("Content-Type", "application/json"),
            ("Set-Cookie", "basket=empty; Path=/"),
            ("Set-Cookie", f"customer={CUSTOMER}; Path=/; HttpOnly"),
            status=201,
        )

    def _send(self, body: bytes, *fields: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(PIECES):
            time.sleep(PAUSE)
            event = f"data: piece {number + 1} of {PIECES}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the demonstration says what happens."""


class DemoOrigin:
    """Two servers, while the context lasts; ``http`` and ``https`` are their URLs."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Answers) for _ in range(2)]
        plain, secure = self._servers
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        self.ports = (plain.server_port, secure.server_port)
        self.http = f"http://127.0.0.1:{plain.server_port}"
        self.https = f"https://127.0.0.1:{secure.server_port}"

    def __enter__(self) -> DemoOrigin:
        for server in self._servers:
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
