"""What exporters have in common: bodies as bytes and as content, fields as text, what gets lost.

Text of field lines is Latin-1, one character for each byte, so that an import gives the bytes back.
What a format has no place for is remarked by kind, for each interaction that has it:
:func:`remark_losses` with the kinds that the format does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from magneto_serge.codings import Coding, coding_of, decode, encode
from magneto_serge.messages import Body, FileBody, Headers, Interaction, Request, Response

from .normal import phrase
from .remarks import Remark, Remarks

_DECODED_LIMIT = 256 * 1024 * 1024  # bytes
FRAMING = frozenset((b"content-length", b"transfer-encoding"))
# What a client writes itself, or what belongs to the one connection that it was on.
CLIENTS_OWN = FRAMING | {b"host", b"connection", b"keep-alive", b"proxy-connection", b"upgrade"}


def body_bytes(body: Body) -> bytes:
    """Return a body, wherever it is kept; raises OSError where its file cannot be read."""
    return body.path.read_bytes() if isinstance(body, FileBody) else body


def content_of(message: Request | Response, remarks: Remarks) -> bytes:
    """Return the body without its content coding, or as it is where that cannot be undone.

    Remarks where encoding the content again would not give the same bytes.
    """
    body = body_bytes(message.body)
    coding = coding_of(message.headers)
    content = decode(coding, body, _DECODED_LIMIT) if coding and body else None
    if coding is None or content is None:
        return body
    if encode(content, Coding(coding)) != body:
        remarks.add(Remark.CODED_BYTES)
    return content


def as_text(value: bytes) -> str:
    """Return the bytes of a field line as text, one character for each."""
    return value.decode("latin-1")


def lines_of(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield field lines as text."""
    return ((as_text(name), as_text(value)) for name, value in headers.raw)


def grouped(headers: Headers, remarks: Remarks) -> dict[str, list[str]]:
    """Return the values of each name, for formats that have mappings.

    Remarks where repeats were not one after the other, or names differ in case alone.
    """
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for name, value in lines_of(headers):
        found.setdefault(name, []).append(value)
        if not names or names[-1] != name:
            names.append(name)
    if len(names) != len(found):
        remarks.add(Remark.FIELD_ORDER)
    return found


def whole_text(content: bytes) -> str | None:
    """Return content that is UTF-8 without control characters as text; None for other content."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    controls = set(text) & _CONTROLS
    return None if controls else text


_CONTROLS = frozenset(map(chr, [*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0xFEFF]))


# --- what gets lost -----------------------------------------------------------------------------


def _messages(interaction: Interaction) -> list[Request | Response]:
    response = interaction.response
    return [interaction.request] if response is None else [interaction.request, response]


_LOSSES: dict[Remark, Callable[[Interaction], object]] = {
    Remark.TIMES: lambda each: each.started or each.total_ms,
    Remark.PIECES: lambda each: each.chunks,
    Remark.INTERIM: lambda each: each.informational,
    Remark.PEER: lambda each: each.peer,
    Remark.TRAILERS: lambda each: any(message.trailers.raw for message in _messages(each)),
    Remark.VERSION: lambda each: any(m.version != "HTTP/1.1" for m in _messages(each)),
    Remark.TARGET: lambda each: each.request.target == "*",
    Remark.REASON: lambda each: (
        each.response is not None and each.response.reason != phrase(each.response.status)
    ),
    Remark.FIELDS: lambda each: any(
        name.lower() not in CLIENTS_OWN for name, _ in each.request.headers.raw
    ),
    Remark.FRAMES: lambda each: (
        each.websocket and any(m.fragments or m.compressed for m in each.websocket.messages)
    ),
}


def remark_losses(interaction: Interaction, kinds: Iterable[Remark], remarks: Remarks) -> None:
    """Remark each of ``kinds`` that the interaction has something of."""
    for kind in kinds:
        if _LOSSES[kind](interaction):
            remarks.add(kind)


def numbered(interactions: Sequence[Interaction], remarks: Remarks) -> Iterator[Interaction]:
    """Yield the interactions; remarks have the number of the current one as their place."""
    for number, interaction in enumerate(interactions, 1):
        remarks.place = f"interaction {number}"
        yield interaction
    remarks.place = ""


def answered(interactions: Sequence[Interaction], remarks: Remarks) -> Iterator[Interaction]:
    """Yield those with a response that is not the beginning of a WebSocket; remark the others."""
    for interaction in numbered(interactions, remarks):
        if interaction.response is None:
            remarks.add(Remark.FAILURE)
        elif interaction.response.status < 200:
            remarks.add(Remark.CONVERSATION)
        else:
            if interaction.failure is not None:
                remarks.add(Remark.BROKEN_OFF)
            yield interaction
