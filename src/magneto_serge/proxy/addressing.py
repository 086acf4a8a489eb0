"""Which origin a request is for, and how it is addressed there (RFC 9112 §3.2, §3.3).

A connection is a proxy's (no origin: every request names its own, in absolute-form), an origin's in
reverse mode, or an origin's inside a tunnel. From that and a request head follow the origin, the
target to send it, the value of Host, and credentials that stood in the target.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote

from magneto_serge.errors import ClientProtocolError
from magneto_serge.messages import Headers, Request
from magneto_serge.proxy.dial import Origin
from magneto_serge.wire.events import RequestReceived
from magneto_serge.wire.fields import first
from magneto_serge.wire.targets import refuse_fragment

if TYPE_CHECKING:
    from magneto_serge.proxy.server import ProxyServer

_NOWHERE = Origin("", "", 0)


class Addressing:
    """How the requests of one connection find their origin.

    ``origin`` is the connection's own, None for a proxy's; ``destination`` is that of the last
    request read, and ``userinfo`` what stood before the authority in its target.
    """

    __slots__ = (
        "_from_target",
        "_host_field",
        "_host_of",
        "_in_tunnel",
        "_named",
        "_prefix",
        "_server",
        "destination",
        "origin",
        "userinfo",
    )

    def __init__(self, server: ProxyServer, origin: Origin | None, *, in_tunnel: bool) -> None:
        self.origin = origin
        self.destination = origin or _NOWHERE
        self._server = server
        self._in_tunnel = in_tunnel
        self.userinfo: str | None = None
        self._from_target = False
        self._named = _NOWHERE
        self._prefix = ""  # scheme, authority and slash of the last target that named an origin
        self._host_of = _NOWHERE
        self._host_field = b""

    def request_of(self, head: RequestReceived) -> Request | None:
        """Return the request as its origin sees it, without a body; None where none is named.

        Raises ClientProtocolError for a target that is malformed or not for this connection.
        """
        target = head.target
        origin = self.origin
        self.userinfo = None
        self._from_target = True
        if "#" in target:
            refuse_fragment(target)
        if target[0] == "/":
            if origin is None:
                return None
            self._from_target = not self._in_tunnel
        elif origin is None and self._prefix and target.startswith(self._prefix):
            # The authority of the last request, to the letter: a client keeps to its origins.
            origin = self._named
            target = target[len(self._prefix) - 1 :]
        elif target != "*":
            absolute = self._server.absolute_target(target)
            named = absolute.origin
            if origin is not None and named != origin:
                raise ClientProtocolError(
                    f"This connection serves {origin.scheme}://{origin.authority} only", 421
                )
            self.userinfo = absolute.userinfo
            if absolute.userinfo is None and target.endswith(absolute.target):
                self._named = named
                self._prefix = target[: len(target) - len(absolute.target) + 1]
            origin, target = named, absolute.target
            if head.method == "OPTIONS" and head.target.count("/") == 2 and "?" not in target:
                target = "*"  # RFC 9112 §3.2.4: an empty path in a proxied OPTIONS
        elif origin is None:
            return None
        elif target == "*" and head.method != "OPTIONS":
            raise ClientProtocolError("The target * belongs to OPTIONS (RFC 9112 §3.2.4)")
        else:
            self._from_target = not self._in_tunnel
        self.destination = origin
        section = head.section
        return Request(
            head.method,
            origin.scheme,
            origin.host,
            origin.port,
            target,
            Headers(head.fields) if section is None else section.headers,
            b"",
            head.version,
        )

    def host_field(self, head: RequestReceived) -> bytes:
        """Return the value of Host towards the origin.

        In a tunnel it is the client's; elsewhere it comes from the target (RFC 9112 §3.2.2) or,
        in reverse mode, from the upstream's URL.
        """
        if not self._from_target:
            received = first(head.fields, b"host")
            if received:
                return received
        destination = self.destination
        if destination is not self._host_of:
            self._host_of = destination
            self._host_field = destination.host_field
        return self._host_field

    def extra_fields(self, request: Request) -> bytes:
        """Return field lines to add: userinfo in the target becomes Basic credentials.

        RFC 9110 §4.2.4 bars userinfo from the wire; RFC 7617 is what it has always meant.
        """
        if not self.userinfo or "authorization" in request.headers:
            return b""
        credentials = unquote(self.userinfo).encode()
        if b":" not in credentials:
            credentials += b":"
        return b"Authorization: Basic " + b64encode(credentials) + b"\r\n"
