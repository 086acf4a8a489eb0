"""What a client is told that is not served: one value for each reason, in problem details.

A refusal says what is wrong and what to do next. Misses and failures of origins are not refusals:
they are answers, and ``answers`` has them.
"""

from __future__ import annotations

from typing import NamedTuple

from magneto_serge.proxy.answers import problem


class Refusal(NamedTuple):
    """An error response of ours; ``kind`` names the problem in its ``type``.

    ``fields`` is ready field lines.
    """

    status: int
    kind: str
    title: str
    detail: str
    fields: bytes = b""

    def answer(self, *, close: bool = True, head_only: bool = False) -> bytes:
        """Return the whole response."""
        return problem(
            self.status,
            self.kind,
            self.title,
            self.detail,
            close=close,
            head_only=head_only,
            fields=self.fields,
        )


NO_HANDSHAKE = Refusal(
    400,
    "no-websocket-handshake",
    "This request opens no WebSocket",
    "What was recorded here is a WebSocket: send Sec-WebSocket-Version 13 and a key of 16 bytes"
    " (RFC 6455 §4.1)",
)
UNAUTHORIZED = Refusal(
    407,
    "proxy-authentication",
    "This proxy asks for credentials",
    "Send Proxy-Authorization: Basic with the proxy's user and password",
    b'Proxy-Authenticate: Basic realm="magneto"\r\n',
)

TOO_MANY = Refusal(
    503, "too-many-connections", "Too many connections", "The setting max_connections says how many"
)

TOO_SLOW = Refusal(
    408, "request-timeout", "The request took too long", "The setting header_timeout says how long"
)


def malformed(status: int, error: Exception) -> Refusal:
    """Return what a request gets that is not valid HTTP."""
    return Refusal(status, "malformed-request", "This request is not valid HTTP", str(error))


def no_space(error: OSError) -> Refusal:
    """Return what a body gets for which the disk has no room."""
    return Refusal(
        507,
        "no-space-for-body",
        "The request body could not be kept for matching",
        f"It is larger than memory_limit, and its temporary file failed: {error}",
    )


def session_over(user: str | None) -> Refusal:
    """Return what a client gets whose session is over: no other one may serve it."""
    return Refusal(
        502,
        "no-such-session",
        "The session that this client names is over",
        f"The proxy's URL names the session {user!r}, which has been finished, or was never "
        "opened: a client of an earlier session is still sending",
    )


def origin_form(host: str, port: int) -> Refusal:
    """Return what a request gets that was sent to the proxy as if it were an origin."""
    return Refusal(
        400,
        "not-a-proxy-request",
        "This is a proxy",
        f"Use it as one: curl --proxy http://{host}:{port} URL, or set HTTP_PROXY. "
        "To serve one origin at this port, start with --reverse URL",
    )
