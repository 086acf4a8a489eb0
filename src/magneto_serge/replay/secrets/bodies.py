"""A body as its secrets are looked for, and as it is put together again without them.

Its content coding is undone, and done again afterwards, so that what is stored decodes as before.
What follows from its length follows: ``Content-Length``, the pieces of a stream, the digests that
fields hold, which would be hashes of the secret otherwise.

A binary body may count its own bytes (protobuf, an archive, a font), so nothing in it changes its
length, and only tokens with a shape of their own and secrets seen before are looked for.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum

from magneto_serge.codings import Coding, CodingName, coding_of, decode, encode
from magneto_serge.messages import FieldLine, Headers

LARGEST = 64 * 1024 * 1024  # bytes of decoded content that are looked at; a bomb ends here
_SNIFFED = 4096  # bytes

_CODINGS: dict[CodingName, Coding] = {
    "gzip": Coding("gzip", 6),
    "deflate": Coding("deflate", 6),
    "br": Coding("br", 5),
    "zstd": Coding("zstd", 3),
}
_MEDIA = re.compile(rb"\s*(?:image/(?!svg)|audio/|video/|font/)", re.IGNORECASE)
_BINARY = re.compile(
    rb"\s*application/(?:octet-stream|pdf|zip|gzip|wasm|(?:x-)?protobuf|grpc(?!-web-text)"
    rb"|(?:vnd\.)?msgpack|x-msgpack|cbor|x-tar|x-7z|x-bzip2|java-archive|vnd\.ms-|vnd\.openxml)",
    re.IGNORECASE,
)
_WIDE = re.compile(rb"charset\s*=\s*\"?(utf-?(?:16|32)(?:-?[lb]e)?)", re.IGNORECASE)
_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Nature(IntEnum):
    """What a body is, as its type says."""

    TEXT = 0
    BINARY = 1
    MEDIA = 2


class Form:
    """What a header section says of the body below it; made once for each section."""

    __slots__ = ("coding", "is_plain", "nature", "wide")

    def __init__(self, headers: Headers) -> None:
        self.coding: CodingName | None = coding_of(headers)
        self.nature = Nature.TEXT
        self.wide: str | None = None
        for name, value in headers.raw:
            if name.lower() == b"content-type":
                if _MEDIA.match(value):
                    self.nature = Nature.MEDIA
                elif _BINARY.match(value):
                    self.nature = Nature.BINARY
                elif found := _WIDE.search(value):
                    self.wide = found[1].decode()
        # Text as it stands, unless there is a NUL in it.
        self.is_plain = self.coding is None and self.nature is Nature.TEXT


class Opened:
    """A body without its codings: ``content`` is ASCII-compatible text, or binary.

    ``changed`` puts it together again.
    """

    __slots__ = ("_form", "_undone", "_wide", "content", "nature")

    def __init__(self, form: Form, body: bytes) -> None:
        self._form = form
        self._undone = False
        self._wide: str | None = None
        self.content = body
        self.nature = form.nature
        if form.coding is not None:
            decoded = decode(form.coding, body, LARGEST)
            if decoded is None:
                self.nature = Nature.BINARY
                return
            self.content, self._undone = decoded, True
        if self.nature is Nature.TEXT and b"\0" in self.content[:_SNIFFED]:
            self._read_wide()

    def _read_wide(self) -> None:
        """Text in 16 or 32 bits is read as such; other text does not contain NUL."""
        marked = next((name for mark, name in _MARKS if self.content.startswith(mark)), None)
        wide = self._form.wide or marked
        if wide is not None:
            try:
                text = self.content.decode(wide).encode()
            except (UnicodeError, LookupError):
                pass
            else:
                if text.decode().encode(wide) == self.content:
                    self.content, self._wide = text, wide
                    return
        self.nature = Nature.BINARY

    def closed(self, content: bytes) -> bytes:
        """Return the body with other content, in the codings that it had."""
        if self._wide is not None:
            content = content.decode().encode(self._wide)
        if self._undone and self._form.coding is not None:
            return encode(content, _CODINGS[self._form.coding])
        return content

    @property
    def coded(self) -> bool:
        """Whether places in ``content`` are other places in the body."""
        return self._undone or self._wide is not None


Edit = tuple[int, int, int]
"""A replacement: begin, end, and the length of what stands there now."""


def pieces(
    chunks: Sequence[tuple[int, float]], edits: Iterable[Edit], before: int, after: int
) -> tuple[tuple[int, float], ...]:
    """Return the pieces of a stream for a body that has become ``after`` bytes long.

    Each edit moves the ends of the pieces behind it; an end inside of what was replaced moves
    behind it. Where ``edits`` cannot say (the body is coded) all ends move in proportion.
    """
    if not chunks:
        return ()
    ends = _moved_ends(chunks, sorted(edits)) or _scaled_ends(chunks, before, after)
    ends[-1] = after
    made, start = [], 0
    for (_, moment), end in zip(chunks, ends, strict=True):
        if end > start:
            made.append((end - start, moment))
            start = end
    return tuple(made)


def _moved_ends(chunks: Sequence[tuple[int, float]], edits: Sequence[Edit]) -> list[int]:
    if not edits:
        return []
    ends, end, shift, at = [], 0, 0, 0
    for size, _ in chunks:
        end += size
        while at < len(edits) and edits[at][1] <= end:
            shift += edits[at][2] - (edits[at][1] - edits[at][0])
            at += 1
        inside = at < len(edits) and edits[at][0] < end
        ends.append(edits[at][0] + shift + edits[at][2] if inside else end + shift)
    return ends


def _scaled_ends(chunks: Sequence[tuple[int, float]], before: int, after: int) -> list[int]:
    ends, end = [], 0
    for size, _ in chunks:
        end += size
        ends.append(end * after // max(before, 1))
    return ends


_MEASURES = frozenset(
    (b"content-length", b"content-md5", b"digest", b"content-digest", b"repr-digest")
)
_ALGORITHMS = {b"sha-256": "sha256", b"sha-512": "sha512", b"md5": "md5", b"sha": "sha1"}
_DIGEST = re.compile(rb"([A-Za-z0-9-]+)=:?([A-Za-z0-9+/]+={0,2}):?")


def measured(headers: Headers, grown: int, body: bytes | None) -> Headers:
    """Return the header section with length and digests true for a body that has changed.

    The length is moved by the ``grown`` bytes, not set: an origin that broke off had promised more
    than it sent. Digests that cannot be made (an algorithm of their own, a body in a side file)
    go: they would tell something of what was there before.
    """
    lines: list[FieldLine] = []
    for name, value in headers.raw:
        lower = name.lower()
        if lower not in _MEASURES:
            lines.append((name, value))
        elif lower == b"content-length":
            lines.append((name, b"%d" % (int(value) + grown) if value.isdigit() else value))
        elif body is not None and (digest := _digest(lower, value, body)) is not None:
            lines.append((name, digest))
    return Headers(lines)


def _digest(lower: bytes, value: bytes, body: bytes) -> bytes | None:
    if lower == b"content-md5":
        return _hashed("md5", body)

    def anew(found: re.Match[bytes]) -> bytes:
        told = found[0]
        made = _hashed(_ALGORITHMS[found[1].lower()], body)
        return told.replace(found[2], made)

    if any(each[1].lower() not in _ALGORITHMS for each in _DIGEST.finditer(value)):
        return None
    return _DIGEST.sub(anew, value)


def _hashed(algorithm: str, body: bytes) -> bytes:
    import hashlib

    make: Callable[..., hashlib._Hash] = getattr(hashlib, algorithm)
    return b64encode(make(body, usedforsecurity=False).digest())
