"""A cassette's requests as a shell script of curl commands.

Everything stands in single quotes, so that no shell reads anything in it; bytes that are no text
are handed to curl through base64. What curl would add of its own (``User-Agent``, ``Accept``,
``Content-Type``) is taken off where the recording has none, what it computes itself (``Host``, the
framing) is left to it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import BinaryIO

from magneto_serge.messages import Interaction, Request

from .outgoing import CLIENTS_OWN, body_bytes, numbered, remark_losses
from .remarks import Remark, Remarks

_HEAD = b"#!/bin/sh\n# Made by magneto export. Masked secrets stand as they are in the cassette.\n"
_LOST = (Remark.TRAILERS,)
_CURLS_OWN = (b"user-agent", b"accept")


def write(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write the script; raises OSError."""
    out.write(_HEAD)
    for number, interaction in enumerate(numbered(interactions, remarks), 1):
        remark_losses(interaction, _LOST, remarks)
        out.write(b"\n# %d: %b\n" % (number, _outcome(interaction)))
        out.write(_command(interaction.request))


def _outcome(interaction: Interaction) -> bytes:
    """Return what came of it, on one line without anything that ends a comment."""
    response, failure = interaction.response, interaction.failure
    said = f"{response.status} {response.reason}" if response else str(failure and failure.kind)
    return said.encode("ascii", "replace").replace(b"\n", b" ").replace(b"\r", b" ").strip()


def _command(request: Request) -> bytes:
    body = body_bytes(request.body)
    options = [b"--silent --show-error --globoff --path-as-is --http1.1"]
    if request.method == "HEAD" and not body:
        options.append(b"--head")
    elif (request.method, bool(body)) not in (("GET", False), ("POST", True)):
        options.append(b"--request " + _quoted(request.method.encode()))
    if request.target == "*":
        options.append(b"--request-target '*'")
    options += [b"--header " + _quoted(line) for line in _headers(request, has_body=bool(body))]
    before = b""
    if body and (b"\0" in body or _is_binary(body)):
        before = b"printf %s " + _quoted(b64encode(body)) + b" | base64 -d | "
        options.append(b"--data-binary @-")
    elif body:
        options.append(b"--data-raw " + _quoted(body))
    options.append(_quoted(request.url.encode("utf-8", "surrogateescape")))
    return before + b"curl " + b" \\\n  ".join(options) + b"\n"


def _is_binary(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _headers(request: Request, *, has_body: bool) -> list[bytes]:
    lines = [
        name + b": " + value if value else name + b";"  # how curl is told that it is empty
        for name, value in request.headers.raw
        if name.lower() not in CLIENTS_OWN or _names_another_host(request, name, value)
    ]
    names = {name.lower() for name, _ in request.headers.raw}
    taken_off = [name for name in _CURLS_OWN if name not in names]
    if has_body and b"content-type" not in names:
        taken_off.append(b"content-type")
    return lines + [name + b":" for name in taken_off]


def _names_another_host(request: Request, name: bytes, value: bytes) -> bool:
    return name.lower() == b"host" and value.lower() != request.authority.encode()


def _quoted(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"'\\''") + b"'"
