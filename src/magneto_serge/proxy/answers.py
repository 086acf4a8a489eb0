"""What we say ourselves: problem details (RFC 9457), and recordings as bytes for a client.

A recording is encoded once, for the case that nearly always comes up (HTTP/1.1, connection kept),
and kept with it. What the origin's framing was decides the framing of a replay: chunked stays
chunked, in the pieces in which it came; a length is made true; a body delimited by the
connection's end still is.
"""

from __future__ import annotations

import msgspec

from magneto_serge.messages import (
    Body,
    Failure,
    FailureKind,
    FieldLine,
    FileBody,
    Interaction,
    Response,
    body_size,
)
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.shelf import Recording
from magneto_serge.wire.events import Framing
from magneto_serge.wire.fields import NEVER_NOMINATED, connection_options, first
from magneto_serge.wire.serialize import chunk, last_chunk, response_head

# Status and one word for each way in which an origin can fail us (RFC 9110 §15.6.3, §15.6.5).
FAILURE_STATUS = {FailureKind.TIMEOUT: 504}
_FAILURE_TITLES = {
    FailureKind.DNS: "The origin's name could not be resolved",
    FailureKind.REFUSED: "The origin refused the connection",
    FailureKind.UNREACHABLE: "The origin could not be reached",
    FailureKind.TIMEOUT: "The origin did not answer in time",
    FailureKind.TLS: "No TLS connection to the origin could be made",
    FailureKind.RESET: "The origin broke the connection off",
    FailureKind.TRUNCATED: "The origin closed the connection before its answer was complete",
    FailureKind.BAD_RESPONSE: "The origin's answer is not valid HTTP",
    FailureKind.UPSTREAM_PROXY: "The upstream proxy refused or failed",
    FailureKind.CLIENT_CLOSED: "The client went away",
}
_TYPE = "https://magneto-serge.dev/problems/"


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    close: bool,
    head_only: bool = False,
    fields: bytes = b"",
    **members: object,
) -> bytes:
    """Return a whole ``application/problem+json`` response.

    ``kind`` names the problem in its ``type``; ``fields`` is ready field lines; ``members`` are
    the extension members of the document.
    """
    document = {"type": _TYPE + kind, "title": title, "status": status, "detail": detail}
    body = msgspec.json.format(msgspec.json.encode({**document, **members}), indent=2) + b"\n"
    head = (
        b"HTTP/1.1 %d %b\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n%b"
        b"Connection: %b\r\n\r\n"
        % (
            status,
            _phrase(status),
            len(body),
            fields,
            b"close" if close else b"keep-alive",
        )
    )
    return head if head_only else head + body


def _phrase(status: int) -> bytes:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""


def failure_answer(failure: Failure, *, close: bool, head_only: bool) -> bytes:
    """Return the 502 or 504 for an origin that failed before it answered."""
    return problem(
        FAILURE_STATUS.get(failure.kind, 502),
        failure.kind.value,
        _FAILURE_TITLES[failure.kind],
        failure.detail,
        close=close,
        head_only=head_only,
    )


def miss_answer(miss: Miss, *, close: bool, head_only: bool) -> bytes:
    """Return the 502 that explains what replay has refused."""
    return problem(
        502,
        "replay-miss",
        "No recording matches this request",
        miss.reason,
        close=close,
        head_only=head_only,
        method=miss.method,
        url=miss.url,
        remedy=miss.remedy,
        nearest=miss.nearest,
    )


class Framed(msgspec.Struct):
    """A recording as a message for one kind of client connection, its parts still apart.

    ``interim`` holds the interim responses, ``head`` the final head (or, where the origin failed
    before it answered, our whole answer for it), ``tail`` what ends the body. ``chunked``: pieces
    of ``body`` go out as chunks. ``close``: the connection ends with it. ``cut``: it breaks off as
    the origin did.
    """

    interim: bytes
    head: bytes
    body: Body = b""
    chunked: bool = False
    tail: bytes = b""
    close: bool = False
    cut: FailureKind | None = None


def framed(interaction: Interaction, *, version: str, keep_alive: bool) -> Framed:
    """Return the interaction's response for a client of this version.

    ``keep_alive``: whether the connection may live on after it.
    """
    response, failure = interaction.response, interaction.failure
    head_only = interaction.request.method == "HEAD"
    interim = b""
    if version == "HTTP/1.1":
        interim = b"".join(
            response_head(early.status, early.reason.encode("latin-1"), early.headers.raw)
            for early in interaction.informational
        )
    if response is None:
        failure = failure or Failure(FailureKind.RESET)
        whole = failure_answer(failure, close=not keep_alive, head_only=head_only)
        return Framed(interim, whole, close=not keep_alive)
    cut = None if failure is None else failure.kind
    return _framed_response(response, interim, head_only, version, keep_alive, cut)


def _framed_response(
    response: Response,
    interim: bytes,
    head_only: bool,
    version: str,
    keep_alive: bool,
    cut: FailureKind | None,
) -> Framed:
    body = response.body if body_size(response.body) else b""
    fields = response.headers.raw
    bodiless = head_only or response.status in (204, 304)
    framing = _recorded_framing(response)
    if framing is Framing.CHUNKED and version != "HTTP/1.1":
        framing = Framing.CLOSE
    close = not keep_alive or cut is not None or (framing is Framing.CLOSE and not bodiless)
    connection = b"close" if close else b"keep-alive" if version != "HTTP/1.1" else b""
    head = response_head(
        response.status,
        response.reason.encode("latin-1"),
        fields,
        nominated=_nominated(fields),
        # A cut body's length is what was promised, not what came; that of a bodiless response
        # describes another one (RFC 9110 §8.6).
        framing=None if bodiless or (cut and framing is Framing.LENGTH) else framing,
        length=body_size(body),
        connection=connection,
    )
    if bodiless:
        return Framed(interim, head, close=close, cut=cut)
    chunked = framing is Framing.CHUNKED
    tail = last_chunk(response.trailers.raw) if chunked and cut is None else b""
    return Framed(interim, head, body, chunked, tail, close, cut)


class Encoded(msgspec.Struct):
    """A recording as bytes, ready to be written as fast as a client takes it.

    ``head`` holds everything up to the body and, where the body is small, the body too;
    ``pieces`` is what follows; ``file`` streams after it; ``tail`` comes last. ``close`` and
    ``cut`` are those of `Framed`. ``whole``: there is nothing but ``head``, and nothing ends.
    """

    head: bytes
    pieces: tuple[bytes, ...] = ()
    file: FileBody | None = None
    tail: bytes = b""
    close: bool = False
    cut: FailureKind | None = None
    size: int = 0
    whole: bool = False


_JOIN_BELOW = 65_536  # bytes: one write beats saving a copy up to about here


def encode(interaction: Interaction, *, version: str, keep_alive: bool) -> Encoded:
    """Return the interaction's response for a client of this version, as `framed` does."""
    parts = framed(interaction, version=version, keep_alive=keep_alive)
    head, body, tail = parts.interim + parts.head, parts.body, parts.tail
    size = body_size(body)
    if isinstance(body, FileBody):
        if parts.chunked:
            head += b"%x\r\n" % size
            tail = b"\r\n" + tail
        return Encoded(head, (), body, tail, parts.close, parts.cut, size)
    pieces = _chunked(body, interaction.chunks) if parts.chunked else (body,)
    if size < _JOIN_BELOW:
        return Encoded(
            b"".join((head, *pieces, tail)),
            close=parts.close,
            cut=parts.cut,
            size=size,
            whole=not parts.close and parts.cut is None,
        )
    return Encoded(head, pieces, None, tail, parts.close, parts.cut, size)


def encoded_once(recording: Recording, version: str, *, keep_alive: bool) -> Encoded:
    """Return a recording for a client of this version; kept with it for those that come up most."""
    if version != "HTTP/1.1" or not keep_alive:
        return encode(recording.interaction, version=version, keep_alive=keep_alive)
    encoded = recording.encoded
    if type(encoded) is not Encoded:
        encoded = encode(recording.interaction, version="HTTP/1.1", keep_alive=True)
        recording.encoded = encoded
    return encoded


def _chunked(body: bytes, chunks: tuple[tuple[int, float], ...]) -> tuple[bytes, ...]:
    if not body:
        return ()
    if len(chunks) < 2 or sum(size for size, _ in chunks) != len(body):
        # Not one piece: a large body goes out from where it lies, which may be a mapped cassette.
        return (b"%x\r\n" % len(body), body, b"\r\n")
    pieces = []
    start = 0
    for size, _ in chunks:
        if size:
            pieces.append(chunk(body[start : start + size]))
        start += size
    return tuple(pieces)


def _nominated(fields: tuple[FieldLine, ...]) -> frozenset[bytes]:
    options: set[bytes] = set()
    for name, value in fields:
        if name.lower() == b"connection":
            options |= connection_options(value)
    return frozenset(options - NEVER_NOMINATED)


def _recorded_framing(response: Response) -> Framing:
    fields = response.headers.raw
    coding = first(fields, b"transfer-encoding")
    if coding is not None and coding.strip(b" \t").lower() == b"chunked":
        return Framing.CHUNKED
    return Framing.CLOSE if first(fields, b"content-length") is None else Framing.LENGTH
