"""Credentials that never reach the disk, unless asked.

What a *request* carries only to be let in is masked before anything is written, the journal
included: the fields below, and query items of well-known names. The default match key does not
look at header fields, so masking them never turns a hit into a miss; masked query items match
because both sides are masked the same way. The scheme of an ``Authorization`` value stays, for
readers. Response bodies and Set-Cookie are kept as they came: they are what replay is for.
"""

from __future__ import annotations

import re

import msgspec

from magneto_serge.messages import FieldLine, Headers, Interaction, Request

MASK = "REDACTED"

# What VCR.py's documentation, cassetter's defaults and the big APIs call their credentials.
SECRET_FIELDS = frozenset(
    (
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"x-api-key",
        b"api-key",
        b"apikey",
        b"x-apikey",
        b"x-auth-token",
        b"x-access-token",
        b"x-csrf-token",
        b"x-goog-api-key",
        b"x-amz-security-token",
        b"x-vault-token",
        b"x-gitlab-token",
        b"private-token",
        b"x-shopify-access-token",
        b"ocp-apim-subscription-key",
    )
)

# Only names that mean nothing else, and Google's key by its shape: masking `key=` or `token=` for
# everybody would make requests equal that are not (`?key=1`, `?token=page2`).
_SECRET_QUERY = re.compile(
    r"((?:^|&)(?:access_token|api_?key|api-key|auth_token|client_secret|password"
    r"|x-amz-credential|x-amz-security-token|x-amz-signature)=)[^&#]+"
    r"|((?:^|&)key=)AIza[0-9A-Za-z_-]{35}",
    re.IGNORECASE,
)


def mask_target(target: str) -> str:
    """Return a request target with the values of secret query items masked."""
    path, mark, query = target.partition("?")
    return target if not mark else path + mark + _SECRET_QUERY.sub(_masked, query)


def _masked(match: re.Match[str]) -> str:
    return (match[1] or match[2]) + MASK


def mask_field(line: FieldLine) -> FieldLine:
    """Return the field line, its value masked where its name says that it is a credential."""
    name, value = line
    lower = name.lower()
    if lower not in SECRET_FIELDS:
        return line
    if lower.endswith(b"authorization"):
        scheme, space, _ = value.partition(b" ")
        return (name, scheme + space + MASK.encode()) if space else (name, MASK.encode())
    return (name, MASK.encode())


def redact_request(request: Request) -> Request:
    """Return the request with its credentials masked; the same object where it has none."""
    headers = Headers(mask_field(line) for line in request.headers.raw)
    trailers = Headers(mask_field(line) for line in request.trailers.raw)
    target = mask_target(request.target)
    masked = msgspec.structs.replace(request, headers=headers, trailers=trailers, target=target)
    return request if masked == request else masked


# What a client says to its proxy is no part of what it said to the origin (RFC 9110 §11.7.2).
_PROXY_FIELDS = frozenset((b"proxy-connection", b"proxy-authorization"))


def without_proxy_fields(interaction: Interaction) -> Interaction:
    """Return the interaction without what the client said to the proxy alone."""
    raw = interaction.request.headers.raw
    kept = tuple(line for line in raw if line[0].lower() not in _PROXY_FIELDS)
    if len(kept) == len(raw):
        return interaction
    request = msgspec.structs.replace(interaction.request, headers=Headers(kept))
    return msgspec.structs.replace(interaction, request=request)


def redact(interaction: Interaction) -> Interaction:
    """Return the interaction as it may be written to disk."""
    interaction = without_proxy_fields(interaction)
    request = redact_request(interaction.request)
    if request is interaction.request:
        return interaction
    return msgspec.structs.replace(interaction, request=request)
