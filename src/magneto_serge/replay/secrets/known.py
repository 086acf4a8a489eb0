"""The placeholders that a cassette holds already, so that numbering goes on after them.

Nothing tells but the cassette itself: it is read once, when a recording that adds to it meets its
first secret. What has no placeholder is passed over by a search for the few texts that are in all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from magneto_serge.messages import Body, FileBody, Headers, Interaction

from .bodies import Form, Opened
from .placeholders import highest_in
from .report import contents

_OVERLAP = 1024  # bytes: the longest placeholder, and more
_MARKS = (b"REDACTED-", b"UkVEQUNURUQt", b"5ec2e700-", b"eyJhbGciOiJIUzI1NiIsImtpZCI6IlJFREFDVEVE")
_BEFORE, _LONGEST = 32, 256  # bytes of a placeholder before its mark, and from there on
_NUMBER = re.compile(rb"(?<![0-9.])9999([0-9]{6})(?![0-9.])")


def highest_number(interactions: Iterable[Interaction]) -> int:
    """Return the highest number of a placeholder in a cassette; 0 where there is none."""
    return max((highest_of(text) for each in interactions for text in _texts(each)), default=0)


def highest_of(text: bytes) -> int:
    """Return the highest number in a text, numbers in JSON included."""
    highest = 0
    if b"9999" in text:
        highest = max((int(found[1]) for found in _NUMBER.finditer(text)), default=0)
    for mark in _MARKS:
        at = text.find(mark)
        while at >= 0:
            highest = max(highest, highest_in(text[max(0, at - _BEFORE) : at + _LONGEST]))
            at = text.find(mark, at + len(mark))
    return highest


def _texts(interaction: Interaction) -> Iterator[bytes]:
    yield interaction.request.target.encode(errors="surrogatepass")
    if interaction.failure is not None:
        yield interaction.failure.detail.encode(errors="surrogatepass")
    messages = (interaction.request, interaction.response, *interaction.informational)
    for message in messages:
        if message is not None:
            yield from (value for _, value in (*message.headers.raw, *message.trailers.raw))
            yield from _contents(message.headers, message.body)
    if interaction.websocket is not None:
        for said in interaction.websocket.messages:
            yield from _contents(Headers(), said.data)


def highest_in_file(body: FileBody, headers: Headers) -> int:
    """Return the highest number in a side file; 0 where there is none. Raises OSError."""
    return max(map(highest_of, _blocks(body, headers)), default=0)


def _contents(headers: Headers, body: Body) -> Iterator[bytes]:
    if isinstance(body, FileBody):
        yield from _blocks(body, headers)
    elif body:
        yield Opened(Form(headers), body).content


def _blocks(body: FileBody, headers: Headers) -> Iterator[bytes]:
    tail = b""
    for data in contents(body, Form(headers)):
        yield tail + data
        tail = (tail + data)[-_OVERLAP:]
