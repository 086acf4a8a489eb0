"""A cassette's requests as a Python program, for Requests or for HTTPX.

Every value stands as a literal, so nothing of a recording is ever code. What the client computes
itself (``Host``, the framing) is left to it. HTTPX sends field lines as they are listed; Requests
has a mapping, in which repeats are joined (RFC 9110 §5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from magneto_serge.messages import Interaction, Request

from .outgoing import CLIENTS_OWN, as_text, body_bytes, numbered, remark_losses
from .remarks import Remark, Remarks

_LOST = (Remark.TRAILERS, Remark.TARGET)
_DOCSTRING = '"""Made by magneto export. Masked secrets stand as they are in the cassette."""\n\n'
_REQUESTS = f"""\
{_DOCSTRING}import requests

session = requests.Session()
session.headers.clear()
"""
_HTTPX = f"""\
{_DOCSTRING}import httpx

client = httpx.Client(timeout=60)
"""
_SHOW = "print(response.status_code, response.reason_phrase)\n"


def write_requests(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write a program that uses Requests; raises OSError."""
    out.write(_REQUESTS.encode())
    for number, interaction in enumerate(numbered(interactions, remarks), 1):
        remark_losses(interaction, _LOST, remarks)
        request = interaction.request
        lines = [
            f"    {request.method!r},",
            f"    {request.url!r},",
            *_literal("headers", _mapping(request, remarks)),
            *_literal("data", body_bytes(request.body)),
            "    allow_redirects=False,",
            "    timeout=60,",
        ]
        text = "\n".join(["response = session.request(", *lines, ")"])
        out.write(f"\n# {number}\n{text}\n{_SHOW.replace('_phrase', '')}".encode())


def write_httpx(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write a program that uses HTTPX; raises OSError."""
    out.write(_HTTPX.encode())
    for number, interaction in enumerate(numbered(interactions, remarks), 1):
        remark_losses(interaction, _LOST, remarks)
        request = interaction.request
        lines = [
            f"        {request.method!r},",
            f"        {request.url!r},",
            *_literal("headers", [*_lines(request)], indent=8),
            *_literal("content", body_bytes(request.body), indent=8),
        ]
        text = "\n".join(["response = client.send(", "    httpx.Request(", *lines, "    )", ")"])
        out.write(f"\n# {number}\n{text}\n{_SHOW}".encode())


def _literal(name: str, value: object, indent: int = 4) -> list[str]:
    """Return an argument's lines, none for an empty one; collections have a line for each item."""
    pad = " " * indent
    if not value:
        return []
    if isinstance(value, dict):
        items = [f"{pad}    {key!r}: {held!r}," for key, held in value.items()]
        return [f"{pad}{name}={{", *items, f"{pad}}},"]
    if isinstance(value, list):
        return [f"{pad}{name}=[", *(f"{pad}    {each!r}," for each in value), f"{pad}],"]
    return [f"{pad}{name}={value!r},"]


def _lines(request: Request) -> list[tuple[str, str] | tuple[bytes, bytes]]:
    return [
        (as_text(name), as_text(value)) if value.isascii() else (name, value)
        for name, value in request.headers.raw
        if name.lower() not in CLIENTS_OWN
    ]


def _mapping(request: Request, remarks: Remarks) -> dict[str, str]:
    found: dict[str, str] = {}
    spelt: dict[bytes, str] = {}
    for name, value in request.headers.raw:
        if name.lower() in CLIENTS_OWN:
            continue
        key = spelt.setdefault(name.lower(), as_text(name))
        if key in found:
            remarks.add(Remark.FIELD_REPEATS, key)
            separator = "; " if name.lower() == b"cookie" else ", "  # RFC 6265 §5.4
            found[key] += separator + as_text(value)
        else:
            found[key] = as_text(value)
    return found
