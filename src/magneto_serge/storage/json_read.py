"""Read a version "2" JSON cassette (docs/cassette-format.md).

One typed pass of msgspec over the file checks every name and type and says where it is wrong; then
each interaction is turned into the value that the rest of the program knows. The second step has
only what types cannot say: URLs, the forms of a body, side files, and what belongs together.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import UNSET

from magneto_serge.messages import (
    DEFAULT_PORTS,
    NO_HEADERS,
    Body,
    Failure,
    FieldLine,
    Headers,
    Interaction,
    Request,
    Response,
    body_size,
)

from .body_forms import BodyForm, StoredBody, check_form, form_bytes
from .faults import FieldError, decode_json, field_damaged
from .json_conversation import conversation_of, is_compressed
from .json_shapes import (
    EPOCH,
    StoredCassette,
    StoredFields,
    StoredInteraction,
    StoredRequest,
    StoredResponse,
    StoredText,
)
from .side_files import resolve

_MICROSECOND = timedelta(microseconds=1)
_LINES_KEPT = 10_000
_decoder = msgspec.json.Decoder(StoredCassette)


def read(path: Path, data: bytes, *, verify: bool = False) -> list[Interaction]:
    """Return the interactions of the cassette ``path``, whose content is ``data``.

    ``verify`` also reads the side files and compares their digests. Raises CassetteError naming
    the file, the place, the reason and the remedy.
    """
    reader = _Reader(path.parent, verify=verify)
    interactions = []
    with _collector_paused():
        for index, stored in enumerate(decode_json(path, data, _decoder).interactions):
            try:
                interactions.append(reader.interaction(stored))
            except FieldError as error:
                raise field_damaged(path, index, error) from error
    return interactions


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cycle collector from looking, over and over, at a growing heap without cycles.

    It takes half of the time to load 10,000 interactions otherwise.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    """Turns stored interactions into interactions; ``beside`` is the cassette's folder."""

    def __init__(self, beside: Path, *, verify: bool) -> None:
        self._beside = beside
        self._verify = verify
        self._lines: dict[tuple[StoredText, StoredText], FieldLine] = {}

    def interaction(self, stored: StoredInteraction) -> Interaction:
        """Convert one interaction; raises FieldError."""
        response = None
        if stored.response is not UNSET:
            response = self._response(stored.response, "response")
        failure = None
        if stored.failure is not UNSET:
            failure = Failure(stored.failure.kind, stored.failure.detail)
        _check_kind(stored)
        interaction = Interaction(
            self._request(stored.request),
            response,
            failure,
            tuple(
                self._response(each, f"informational[{index}]")
                for index, each in enumerate(stored.informational)
            ),
            seconds(stored.started),
            None if stored.first_byte_ms is UNSET else stored.first_byte_ms,
            stored.total_ms,
            fitted(stored.chunks, body_size(response.body)) if response else (),
            stored.peer,
            template=stored.template,
            uploaded=tuple(stored.uploaded),
        )
        if stored.kind == "websocket":
            interaction.websocket = conversation_of(
                stored.messages, stored.close, self._body, compressed=is_compressed(interaction)
            )
        return interaction

    def _request(self, stored: StoredRequest) -> Request:
        try:
            scheme, host, port, target = split_url(stored.url)
        except ValueError as error:
            raise FieldError("request.url", f"{stored.url!r} {error}") from error
        return Request(
            stored.method,
            scheme,
            host,
            port,
            (target or "/") if stored.target is UNSET else stored.target,
            self._fields(stored.headers, "request"),
            self._body(stored.body, "request"),
            stored.version,
            self._fields(stored.trailers, "request"),
        )

    def _response(self, stored: StoredResponse, where: str) -> Response:
        if not stored.reason.isascii():
            _check_latin1(stored.reason, f"{where}.reason")
        return Response(
            stored.status,
            stored.reason,
            self._fields(stored.headers, where),
            self._body(stored.body, where),
            stored.version,
            self._fields(stored.trailers, where),
        )

    def _fields(self, stored: StoredFields, where: str) -> Headers:
        if not stored:
            return NO_HEADERS
        lines = self._lines
        return Headers([lines.get(pair) or self._line(pair, where) for pair in stored])

    def _line(self, pair: tuple[StoredText, StoredText], where: str) -> FieldLine:
        """Return the field line, kept: most recur in every interaction."""
        try:
            line = (pair[0].encode(), pair[1].encode())
        except UnicodeEncodeError as error:
            reason = "has a 'latin-1' text with a character above U+00FF"
            raise FieldError(f"{where}.headers", reason) from error
        if len(self._lines) < _LINES_KEPT:
            self._lines[pair] = line
        return line

    def _body(self, form: StoredBody, where: str) -> Body:
        if isinstance(form, str):
            return form.encode()
        try:
            check_form(form)
            return self._side_file(form) or form_bytes(form)
        except FieldError as error:
            raise FieldError(f"{where}.{error.field}", error.reason) from error

    def _side_file(self, form: BodyForm) -> Body | None:
        if form.file is UNSET:
            return None
        return resolve(form.file, form.size, form.sha256, self._beside, verify=self._verify)


def split_url(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and target of an absolute http, https, ws or wss URL.

    The reverse of ``Request.url`` for a target in origin-form. Raises ValueError.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in DEFAULT_PORTS:
        raise ValueError("is not an http://, https://, ws:// or wss:// URL")
    authority, slash, path = rest.partition("/")
    host, colon, digits = authority.rpartition(":")
    if not colon or "]" in digits:
        host, digits = authority, ""
    if digits and not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"has the port {digits!r}, which is not a number")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or "?" in host or "#" in host:
        raise ValueError("needs a host, and a path after it")
    return scheme, host, int(digits) if digits else DEFAULT_PORTS[scheme], slash + path


def seconds(moment: datetime) -> float:
    """Return seconds since the epoch; a moment without a time zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return ((aware - EPOCH) // _MICROSECOND) / 1_000_000


def fitted(chunks: list[tuple[int, float]], size: int) -> tuple[tuple[int, float], ...]:
    """Return ``chunks`` with sizes that add up to ``size``.

    They do as recorded; a body that was edited by hand, or encoded again with another library, may
    have become longer or shorter: then the last piece takes the difference.
    """
    if not chunks or sum(piece for piece, _ in chunks) == size:
        return tuple(chunks)
    kept, left = [], size
    for piece, moment in chunks:
        kept.append((min(piece, left), moment))
        left -= kept[-1][0]
    kept[-1] = (kept[-1][0] + left, kept[-1][1])
    return tuple(each for each in kept if each[0])


def _check_latin1(reason: str, where: str) -> None:
    try:
        reason.encode("latin-1")
    except UnicodeEncodeError as error:
        raise FieldError(where, "has a character that is no byte (above U+00FF)") from error


def _check_kind(stored: StoredInteraction) -> None:
    if stored.kind == "http" and (stored.response is UNSET or stored.failure is not UNSET):
        raise FieldError("kind", "an 'http' interaction has a response and no failure")
    if stored.kind == "websocket":
        if stored.response is UNSET or stored.failure is not UNSET:
            raise FieldError("kind", "a 'websocket' interaction has a response and no failure")
    elif stored.messages or stored.close is not UNSET:
        raise FieldError("messages", f"belong to a 'websocket', not to kind '{stored.kind}'")
    if stored.kind == "failure" and stored.failure is UNSET:
        raise FieldError("kind", "a 'failure' interaction has a failure")
