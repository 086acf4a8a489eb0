"""Write a version "2" JSON cassette, one interaction at a time.

The layout is for people and for diffs: always the same order of keys, one field on a line, each
field line of a header section on one line, and nothing written that says nothing (empty bodies,
absent trailers). Memory is bounded by the largest single interaction. How faithful a body's form
must be is decided here, because it depends on the whole message:

* ``EXACT``: the bytes as they came. With ``exact_bodies``; for a 206 (a range of the encoded
  bytes, RFC 9110 §14); under a digest field, whose value would no longer hold; for a body that
  broke off.
* ``REPRODUCIBLE``: decoded only where the encoder's parameters are found that give the same bytes
  again. For requests, whose bytes are compared on replay, and for streams, whose chunk sizes count
  encoded bytes.
* ``DECODED``: shown as text, and encoded again on load; the bytes may differ, the content not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timedelta
from enum import Enum, auto
from functools import lru_cache
from typing import BinaryIO

import msgspec

from magneto_serge._version import __version__
from magneto_serge.codings import coding_of, decode, find
from magneto_serge.messages import (
    Body,
    Conversation,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)

from .body_forms import Member, base64_form, form_text, readable_form
from .body_rules import BodyRules
from .json_conversation import MessageWriter, close_text, is_compressed
from .json_shapes import EPOCH, VERSION
from .side_files import SideFiles

_DIGEST_FIELD = re.compile(
    rb"content-md5|digest|content-digest|repr-digest|x-goog-hash|x-amz-checksum-.*", re.IGNORECASE
)
_FIELDS_KEPT = 4096  # rendered field lines remembered: most recur in every interaction
_SECTIONS_KEPT = 256  # and whole sections
STREAMED_MS = 20.0  # a body whose pieces came within this time is no stream that anybody watches
_DECODED_RATIO = 4  # decoded content may be this many times memory_limit (a bomb is more)

_json = msgspec.json.Encoder().encode

FIRST = b"\n    "  # before the first interaction
_NEXT = b",\n    "  # and before each other one
_PIECE = 1024 * 1024  # bytes copied at a time


_MESSAGES = b"\0"  # stands for the messages of a conversation: JSON text never has it


class Fidelity(Enum):
    """What a stored body owes to the bytes received."""

    EXACT = auto()
    REPRODUCIBLE = auto()
    DECODED = auto()


class JsonWriter:
    """Writes a cassette to ``out``: :meth:`add` or :meth:`add_text` each interaction, then
    :meth:`close`. All raise OSError as ``out`` does."""

    def __init__(
        self,
        out: BinaryIO,
        *,
        name: str,
        recorded_at: float,
        rules: BodyRules,
        files: SideFiles,
    ) -> None:
        self._out = out
        self._rules = rules
        self._files = files
        self._separator = FIRST
        self._field_lines: dict[FieldLine, bytes] = {}
        self._sections: defaultdict[bytes, dict[tuple[FieldLine, ...], bytes]]
        self._sections = defaultdict(dict)  # by their indent
        out.write(b'{\n  "version": %s,\n  "name": %s,\n' % (_json(VERSION), _json(name)))
        if not rules.stable:
            by = _json(f"magneto-serge {__version__}")
            moment = timestamp(recorded_at)
            out.write(b'  "recorded_at": "%s",\n  "recorded_by": %s,\n' % (moment, by))
        out.write(b'  "interactions": [')

    def add(self, interaction: Interaction) -> None:
        """Write one interaction."""
        if self._rules.stable:
            from .stable import stable  # it needs email.utils, which takes its time

            interaction = stable(interaction)
        text = self._interaction(interaction)
        if interaction.websocket is None:
            self._write(text)
        else:
            self._write_conversation(text, interaction, interaction.websocket)

    def _write_conversation(
        self, text: bytes, interaction: Interaction, conversation: Conversation
    ) -> None:
        """Write an interaction around its messages, and them one by one."""
        before, _, after = text.partition(_MESSAGES)
        self._write(before)
        timed = not self._rules.stable
        messages = MessageWriter(self._large, timed=timed, compressed=is_compressed(interaction))
        for piece in messages.texts(conversation):
            self._out.write(piece)
        self._out.write(after)

    def add_text(self, text: msgspec.Raw) -> None:
        """Write one interaction as the text that it was in an older version "2" file."""
        view = memoryview(text)
        self._files.note_mentions(view)
        self._write(view)

    def add_rendered(self, texts: BinaryIO) -> None:
        """Write the interactions that another writer with the same rules has written to ``texts``,
        from where that stands to its end."""
        self._out.write(self._separator)
        while piece := texts.read(_PIECE):
            self._out.write(piece)
        self._separator = _NEXT

    def close(self) -> None:
        """Write the end of the file; ``out`` stays open."""
        self._out.write(b"]\n}\n" if self._separator == FIRST else b"\n  ]\n}\n")

    def _write(self, text: bytes | memoryview) -> None:
        self._out.write(self._separator)
        self._out.write(text)
        self._separator = _NEXT

    def _interaction(self, x: Interaction) -> bytes:
        kind = "http" if x.failure is None else "failure"
        members = [(b"kind", _json(kind if x.websocket is None else "websocket"))]
        members.append((b"request", self._request(x.request)))
        if x.informational:
            members.append((b"informational", self._informational(x.informational)))
        if x.response is not None:
            members.append((b"response", self._response(x.response, _owed(x), b"      ")))
        if x.websocket is not None:
            members.append((b"messages", _MESSAGES))
            if x.websocket.close is not None:
                ended = close_text(x.websocket.close, timed=not self._rules.stable)
                members.append((b"close", ended))
        if x.failure is not None:
            failure = {"kind": x.failure.kind, "detail": x.failure.detail}
            members.append((b"failure", msgspec.json.format(_json(failure), indent=0)))
        if not self._rules.stable:
            members.append((b"started", b'"' + timestamp(x.started) + b'"'))
        if x.first_byte_ms is not None:
            members.append((b"first_byte_ms", _milliseconds(x.first_byte_ms)))
        if not self._rules.stable:
            members.append((b"total_ms", _milliseconds(x.total_ms)))
        if x.chunks:
            members.append((b"chunks", _chunks(x.chunks)))
        if x.peer:
            members.append((b"peer", _json(x.peer)))
        if x.uploaded:
            members.append((b"uploaded", msgspec.json.format(_json(x.uploaded), indent=0)))
        if x.template:
            members.append((b"template", b"true"))
        return _object(members, b"    ")

    def _request(self, request: Request) -> bytes:
        members = [(b"method", _json(request.method)), *_location(request)]
        members.append((b"version", _json(request.version)))
        self._parts(members, request, Fidelity.REPRODUCIBLE, b"        ")
        return _object(members, b"      ")

    def _response(self, response: Response, owed: Fidelity, indent: bytes) -> bytes:
        members = [(b"status", b"%d" % response.status), (b"reason", _json(response.reason))]
        members.append((b"version", _json(response.version)))
        owed = Fidelity.EXACT if response.status == 206 else owed
        self._parts(members, response, owed, indent + b"  ")
        return _object(members, indent)

    def _informational(self, responses: tuple[Response, ...]) -> bytes:
        texts = [self._response(each, Fidelity.EXACT, b"        ") for each in responses]
        return b"[\n        " + b",\n        ".join(texts) + b"\n      ]"

    def _parts(
        self, members: list[Member], message: Request | Response, owed: Fidelity, indent: bytes
    ) -> None:
        members.append((b"headers", self._fields(message.headers, indent)))
        if message.body if isinstance(message.body, bytes) else message.body.size:
            form = self._body(message.body, message, owed)
            members.append((b"body", form_text(form, indent)))
        if message.trailers.raw:
            members.append((b"trailers", self._fields(message.trailers, indent)))

    def _fields(self, headers: Headers, indent: bytes) -> bytes:
        if not headers.raw:
            return b"[]"
        kept = self._sections[indent]
        text = kept.get(headers.raw)
        if text is None:
            inner = b"\n" + indent + b"  "
            lines = (b"," + inner).join(map(self._field, headers.raw))
            text = b"[" + inner + lines + b"\n" + indent + b"]"
            if len(kept) >= _SECTIONS_KEPT:
                kept.clear()
            kept[headers.raw] = text
        return text

    def _field(self, line: FieldLine) -> bytes:
        text = self._field_lines.get(line)
        if text is None:
            text = b"[" + _field_json(line[0]) + b", " + _field_json(line[1]) + b"]"
            if len(self._field_lines) >= _FIELDS_KEPT:
                self._field_lines.clear()
            self._field_lines[line] = text
        return text

    def _body(self, body: Body, message: Request | Response, owed: Fidelity) -> list[Member]:
        large = self._large(body)
        if large is not None or isinstance(body, FileBody):
            return large or []
        return (
            self._decoded_form(body, message, owed)
            or readable_form(body, message.headers)
            or base64_form(body)
        )

    def _large(self, body: Body) -> list[Member] | None:
        """Return the form of a body that is in a side file, or too large to be anywhere else."""
        if isinstance(body, bytes) and len(body) > self._rules.memory_limit:
            body = self._files.spill(body)
        if not isinstance(body, FileBody):
            return None
        members = [(b"file", _json(self._files.reference(body)))]
        return [*members, (b"size", b"%d" % body.size), (b"sha256", _json(body.sha256))]

    def _decoded_form(
        self, body: bytes, message: Request | Response, owed: Fidelity
    ) -> list[Member] | None:
        name = coding_of(message.headers)
        if name is None or owed is Fidelity.EXACT or self._rules.exact or _has_digest(message):
            return None
        content = decode(name, body, self._rules.memory_limit * _DECODED_RATIO)
        form = None if content is None else readable_form(content, message.headers)
        if content is None or form is None:
            return None
        coding = find(name, body, content)
        if coding is None and owed is Fidelity.REPRODUCIBLE:
            return None
        if coding is not None and self._rules.stable and owed is Fidelity.DECODED:
            coding = msgspec.structs.replace(coding, mtime=0)  # of a gzip header: when it was made
        shown = _json(name) if coding is None else msgspec.json.format(_json(coding), indent=0)
        return [*form, (b"encoding", shown)]


def timestamp(seconds: float) -> bytes:
    """Return seconds since the epoch as ISO 8601 in UTC with milliseconds."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return b"%b.%03dZ" % (_second(whole), thousandths)


@lru_cache(16)
def _second(whole: int) -> bytes:
    return (EPOCH + timedelta(seconds=whole)).isoformat().removesuffix("+00:00").encode()


def _owed(interaction: Interaction) -> Fidelity:
    if interaction.failure is not None:
        return Fidelity.EXACT
    chunks = interaction.chunks  # in a stream, the pieces must stay what they were
    streamed = len(chunks) > 1 and chunks[-1][1] - chunks[0][1] > STREAMED_MS
    return Fidelity.REPRODUCIBLE if streamed else Fidelity.DECODED


def _has_digest(message: Request | Response) -> bool:
    fields = (*message.headers.raw, *message.trailers.raw)
    return any(_DIGEST_FIELD.fullmatch(name) for name, _ in fields)


def _location(request: Request) -> list[Member]:
    """Return the url, and the target where the url does not end in it (RFC 9112 §3.2)."""
    if request.target.startswith("/"):
        return [(b"url", _json(request.url))]
    origin = f"{request.scheme}://{request.authority}"
    return [(b"url", _json(origin)), (b"target", _json(request.target))]


def _object(members: list[Member], indent: bytes) -> bytes:
    start = b"\n" + indent
    inner = start + b'  "'
    fields = (b"," + inner).join([name + b'": ' + value for name, value in members])
    return b"{" + inner + fields + start + b"}"


def _field_json(value: bytes) -> bytes:
    try:
        return _json(value.decode())
    except UnicodeDecodeError:
        return b'{"latin-1": ' + _json(value.decode("latin-1")) + b"}"


def _milliseconds(value: float) -> bytes:
    rounded = round(float(value), 3)
    return b"%d" % rounded if rounded.is_integer() else repr(rounded).encode()


def _chunks(chunks: tuple[tuple[int, float], ...]) -> bytes:
    pieces = (b"[%d, %s]" % (size, _milliseconds(moment)) for size, moment in chunks)
    return b"[" + b", ".join(pieces) + b"]"
