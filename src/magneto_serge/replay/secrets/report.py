"""What looks like a secret in a recorded interaction, and where, for people.

The same rules as for replacing; placeholders are none, and neither are the masks of other tools
(``<TOKEN>``, ``****``, ``[FILTERED]``). A side file is read piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from magneto_serge.coding_streams import Decoder
from magneto_serge.messages import (
    Body,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)

from .bodies import Form, Nature, Opened
from .finder import Finder
from .finds import Find
from .placeholders import is_placeholder

_BLOCK = 1024 * 1024  # bytes
_OVERLAP = 64 * 1024  # bytes: the longest secret, with its name
_MASK = re.compile(
    rb"(?:%3[Cc]|<)[^<>]{1,60}(?:>|%3[Ee])|\[[A-Z_ -]+\]|\{\{.*\}\}|\$\{.*\}|%[A-Z_]+%|[*xX.-]{3,}"
    rb"|[A-Z_ -]*(?:FILTERED|REDACTED|SCRUBBED|MASKED|DUMMY|PLACEHOLDER|FAKE)[A-Z_ -]*"
)


class Finding(msgspec.Struct, frozen=True):
    """One secret: ``place`` says where (``response body``), ``name`` beside what; both are for
    people. ``value`` is the secret itself."""

    place: str
    kind: str
    name: str
    value: bytes


def findings(finder: Finder, interaction: Interaction) -> Iterator[Finding]:
    """Yield what looks like a secret; the same in the same place once. Raises OSError."""
    seen: set[Finding] = set()
    for finding in _findings(finder, interaction):
        if finding not in seen:
            seen.add(finding)
            yield finding


def _findings(finder: Finder, interaction: Interaction) -> Iterator[Finding]:
    target = interaction.request.target.encode(errors="surrogatepass")
    yield from _told("request URL", finder.in_target(target))
    yield from _in_message(finder, "request", interaction.request)
    for interim in interaction.informational:
        yield from _in_message(finder, "interim response", interim)
    if interaction.response is not None:
        yield from _in_message(finder, "response", interaction.response)
        reason = interaction.response.reason.encode(errors="surrogatepass")
        yield from _told("response reason", finder.in_target(reason))
    if interaction.failure is not None:
        detail = interaction.failure.detail.encode(errors="surrogatepass")
        yield from _told("failure", finder.in_target(detail))
    if interaction.websocket is not None:
        for number, said in enumerate(interaction.websocket.messages, 1):
            headers = Headers() if said.kind == "text" else _BINARY
            yield from _in_body(finder, f"message {number}", headers, said.data)


_BINARY = Headers.of(("content-type", "application/octet-stream"))


def _in_message(finder: Finder, which: str, message: Request | Response) -> Iterator[Finding]:
    for section, label in ((message.headers, "header"), (message.trailers, "trailer")):
        for name, value in section.raw:
            place = f"{which} {label} {name.decode('latin-1')}"
            yield from _told(place, finder.in_field(name, value))
    yield from _in_body(finder, f"{which} body", message.headers, message.body)


def _in_body(finder: Finder, place: str, headers: Headers, body: Body) -> Iterator[Finding]:
    form = Form(headers)
    if isinstance(body, FileBody):
        for window in _windows(body, form):
            yield from _told(place, _finds(finder, window, form.nature))
    elif body:
        opened = Opened(form, body)
        yield from _told(place, _finds(finder, opened.content, opened.nature))


def _finds(finder: Finder, content: bytes, nature: Nature) -> Iterable[Find]:
    if nature is Nature.TEXT:
        return finder.in_body(content)
    return finder.in_binary(content) if nature is Nature.BINARY else ()


def _told(place: str, finds: Iterable[Find]) -> Iterator[Finding]:
    for find in finds:
        if not (is_placeholder(find.value) or _MASK.fullmatch(find.value)):
            yield Finding(place, find.kind, find.name, find.value)


def _windows(body: FileBody, form: Form) -> Iterator[bytes]:
    held = b""
    for piece in contents(body, form):
        held += piece
        if len(held) >= _BLOCK:
            yield held
            held = held[-_OVERLAP:]
    yield held


def contents(body: FileBody, form: Form) -> Iterator[bytes]:
    """Yield the content of a side file without its coding, as far as it can be decoded.

    Raises OSError.
    """
    decoder = None if form.coding is None else Decoder(form.coding)
    with body.path.open("rb") as file:
        while data := file.read(_BLOCK):
            if decoder is None:
                yield data
                continue
            try:
                yield from decoder.feed(data)
            except ValueError:
                return
