"""How an exchange failed, told from what browsers, proxies and clients write of it."""

from __future__ import annotations

import re

from magneto_serge.messages import Failure, FailureKind

_SIGNS = (
    (FailureKind.DNS, r"name[_ ]not[_ ]resolved|ENOTFOUND|EAI_|getaddrinfo|not known|resolution"),
    (FailureKind.REFUSED, r"refused|ECONNREFUSED|Errno (61|111)\b|WinError 10061"),
    (FailureKind.TIMEOUT, r"timed?[_ -]?out|ETIMEDOUT|Errno (60|110)\b|WinError 10060"),
    (FailureKind.TLS, r"\btls\b|\bssl\b|cert|handshake"),
    (FailureKind.CLIENT_CLOSED, r"client (disconnected|closed)|abort"),
    (FailureKind.UNREACHABLE, r"unreachable|disconnected|EHOSTUNREACH|ENETUNREACH|\boffline"),
    (FailureKind.RESET, r"reset|closed|EPIPE|broken pipe|empty[_ ]response|ECONNRESET"),
    (FailureKind.TRUNCATED, r"incomplete|truncated|mismatch"),
    (FailureKind.BAD_RESPONSE, r"invalid|protocol|malformed|too[_ ]many[_ ]redirects"),
)
_PATTERNS = [(kind, re.compile(signs, re.IGNORECASE)) for kind, signs in _SIGNS]


def spelt(failure: Failure) -> str:
    """Return a failure in words that :func:`failure_of` takes for exactly this one."""
    kind = failure.kind.value
    return f"{kind}: {failure.detail}" if failure.detail else kind


def failure_of(detail: str) -> Failure:
    """Return the failure that ``detail`` describes; the origin was unreachable if nothing fits."""
    kind, _, rest = detail.partition(": ")
    if kind in set(FailureKind):
        return Failure(FailureKind(kind), rest)
    if detail == "server disconnected":  # mitmproxy
        return Failure(FailureKind.RESET, detail)
    kinds = (kind for kind, signs in _PATTERNS if signs.search(detail))
    return Failure(next(kinds, FailureKind.UNREACHABLE), detail)
