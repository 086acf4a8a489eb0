"""The ways in which a client can reach an origin through the proxy, as one thing to a test.

``absolute``: absolute-form to the proxy. ``tunnel``: CONNECT with plain HTTP inside. ``tls``:
CONNECT with TLS inside. ``reverse``: the proxy is the server. A test that holds for all of them is
written once, over :class:`Door`.
"""

from __future__ import annotations

import ssl
import time
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from magneto_serge import MagnetoProxy

from .exchange import PATIENCE
from .origin import Origin
from .wire_client import Answer, WireClient

KINDS = ("absolute", "tunnel", "tls", "reverse")


class Door:
    """One way in: ``open`` gives a connection, ``request`` writes a request fit for it."""

    def __init__(self, kind: str, proxy: MagnetoProxy, origin: Origin) -> None:
        self.kind, self.proxy, self.origin = kind, proxy, origin
        self.authority = origin.authority
        self.host = urlsplit(proxy.url).netloc if kind == "reverse" else self.authority

    @cached_property
    def context(self) -> ssl.SSLContext:
        """What a client of the proxy trusts; reading the system's authorities takes its time."""
        return self.proxy.ssl_context()

    def open(self) -> WireClient:
        """Connect, up to where requests can be sent."""
        client = WireClient((self.proxy.host, self.proxy.port))
        if self.kind in ("tunnel", "tls"):
            client.tunnel(self.authority)
        if self.kind == "tls":
            client.start_tls(self.context, self.origin.name)
        return client

    def request(
        self,
        path: str,
        method: str = "GET",
        fields: str = "",
        body: bytes = b"",
        *,
        version: str = "HTTP/1.1",
    ) -> bytes:
        """Write a request; ``fields`` are whole lines. Framing is the caller's business."""
        target = f"http://{self.authority}{path}" if self.kind == "absolute" else path
        head = f"{method} {target} {version}\r\nHost: {self.host}\r\n{fields}\r\n"
        return head.encode() + body

    def sized(self, path: str, method: str, body: bytes, fields: str = "") -> bytes:
        """Write a request with a Content-Length."""
        return self.request(path, method, f"{fields}Content-Length: {len(body)}\r\n", body)

    def ask(self, path: str, method: str = "GET", fields: str = "", body: bytes = b"") -> Answer:
        """Ask one thing on a connection of its own."""
        with self.open() as client:
            return client.ask(self.request(path, method, fields, body), method)

    @property
    def target_prefix(self) -> str:
        """What stands before the path in a request line."""
        return f"http://{self.authority}" if self.kind == "absolute" else ""


class Take:
    """Recording, then replaying with the origin gone: ``with take.recording(): ...``."""

    def __init__(self, proxy: MagnetoProxy, *origins: Origin, name: str = "take") -> None:
        self.proxy, self.origins, self.name = proxy, origins, name
        self.path: Path | None = None

    def record(self) -> None:
        """Begin to record."""
        self.proxy.start_recording(self.name)

    def settle(self, count: int) -> None:
        """Wait until so many exchanges are recorded: a client may be done before its answer is."""
        deadline = time.monotonic() + PATIENCE
        changed = self.origins[0].changed
        while self.proxy.stats.recorded < count:
            assert time.monotonic() < deadline, f"{self.proxy.stats.recorded} of {count} recorded"
            with changed:
                changed.wait(0.01)

    def replay(self) -> None:
        """End the recording, stop the origins, begin to replay."""
        self.path = self.proxy.stop_recording()
        assert self.path is not None, "nothing was recorded"
        for origin in self.origins:
            origin.stop()
        self.proxy.replay(self.name)
