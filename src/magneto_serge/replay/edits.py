"""What a rewrite rule does to a message: its field lines, its body, its target.

Everything returns a new value and leaves what it was given as it is. Framing is nobody's to write:
``Content-Length`` and ``Transfer-Encoding`` are made anew by whoever sends the message, so rules
cannot name them, nor the fields that belong to one connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from magneto_serge.codings import coding_of, decode
from magneto_serge.errors import ConfigError
from magneto_serge.messages import FieldLine, Headers
from magneto_serge.replay.globs import pattern
from magneto_serge.replay.patterns import compile_regex

FieldEdit = Callable[[tuple[FieldLine, ...]], tuple[FieldLine, ...]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET = re.compile(r"/[!-~]*")
_FRAMING = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    )
)
# RFC 9530, and what came before it: they speak of the bytes that are no longer there.
_DIGESTS = frozenset((b"content-md5", b"digest", b"content-digest", b"repr-digest"))
_DECODED_LIMIT = 64 * 1024 * 1024  # bytes of content; a body that inflates further is left alone


# --- field lines --------------------------------------------------------------------------------


def field_name(text: str) -> str:
    """Return a field name; raises ConfigError for none, and for what is not a rule's."""
    if not _TOKEN.fullmatch(text):
        raise ConfigError(f"{text!r} is no name of a header field")
    if text.lower() in _FRAMING:
        raise ConfigError(f"{text} cannot be rewritten: framing and connections are ours")
    return text


def field_line(text: str) -> FieldLine:
    """Read ``Name: value``; raises ConfigError."""
    name, colon, value = text.partition(":")
    if not colon:
        raise ConfigError(f"{text!r}: expected NAME: VALUE")
    return field_pair(name.strip(), value.strip())


def field_pair(name: str, value: str) -> FieldLine:
    """Return a field line; raises ConfigError."""
    if _CONTROL.search(value):
        raise ConfigError(f"the value of {name} has a control character")
    return field_name(name).encode("ascii"), value.encode()


def setting(line: FieldLine) -> FieldEdit:
    """Return what puts ``line`` in the place of those of its name, or at the end."""
    lower = line[0].lower()

    def edit(fields: tuple[FieldLine, ...]) -> tuple[FieldLine, ...]:
        kept: list[FieldLine] = []
        missing = True
        for name, value in fields:
            if name.lower() != lower:
                kept.append((name, value))
            elif missing:
                kept.append((name, line[1]))  # its name as it was written
                missing = False
        return (*kept, line) if missing else tuple(kept)

    return edit


def adding(line: FieldLine) -> FieldEdit:
    """Return what puts ``line`` at the end."""
    return lambda fields: (*fields, line)


def removing(name: str) -> FieldEdit:
    """Return what takes all lines of a name off; ``*`` is a wildcard. Raises ConfigError."""
    field_name(name.replace("*", "x"))
    wanted = pattern(name.lower())

    def edit(fields: tuple[FieldLine, ...]) -> tuple[FieldLine, ...]:
        return tuple(
            line
            for line in fields
            if (lower := line[0].lower().decode("latin-1")) in _FRAMING
            or not wanted.fullmatch(lower)
        )

    return edit


# --- substitutions ------------------------------------------------------------------------------


class Substitution(NamedTuple):
    """Replaces every occurrence in bytes."""

    apply: Callable[[bytes], bytes]


def literal(find: str, replace: str) -> Substitution:
    """Return the substitution of a text, as UTF-8; raises ConfigError where it is empty."""
    if not find:
        raise ConfigError("there is nothing to look for")
    before, after = find.encode(), replace.encode()
    return Substitution(lambda data: data.replace(before, after))


def regular(find: str, replace: str) -> Substitution:
    r"""Return the substitution of an RE2 expression; ``\1`` is its first group.

    Raises ConfigError.
    """
    expression = compile_regex(find, "the pattern")
    after = replace.encode()
    for reference in re.finditer(r"\\(?:([0-9]{1,2})|.)", replace):
        if int(reference[1] or 0) > expression.groups:
            raise ConfigError(f"{replace!r}: {find!r} has no group {reference[1]}")
    try:
        expression.sub(after, b"")
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{replace!r} cannot be put in the place of {find!r}: {error}") from None
    return Substitution(lambda data: expression.sub(after, data))


def sed(text: str) -> Substitution | None:
    r"""Read ``s/REGEX/REPLACEMENT/`` with any delimiter; None where ``text`` is something else.

    The delimiter itself is written ``\/``. Raises ConfigError.
    """
    if len(text) < 2 or text[0] != "s" or text[1].isalnum() or text[1] in " \\":
        return None
    mark = text[1]
    parts = re.split(rf"(?<!\\){re.escape(mark)}", text[2:])
    if len(parts) != 3 or parts[2]:
        raise ConfigError(f"{text!r}: expected s{mark}REGEX{mark}REPLACEMENT{mark}")
    find, replace = (part.replace("\\" + mark, mark) for part in parts[:2])
    return regular(find, replace)


def new_target(target: str, substitutions: Iterable[Substitution]) -> str | None:
    """Return a request target with another path; None where that would be no target."""
    path, mark, query = target.partition("?")
    data = path.encode()
    for each in substitutions:
        data = each.apply(data)
    changed = data.decode("utf-8", "replace")
    return changed + mark + query if _TARGET.fullmatch(changed) and "?" not in changed else None


def new_content(
    headers: Headers, body: bytes, substitutions: Iterable[Substitution]
) -> tuple[Headers, bytes] | None:
    """Return header section and body after ``substitutions``; None where nothing is changed.

    A content-coded body is changed decoded and stays so. Raises ValueError, which says why, where
    the body cannot be looked into.
    """
    content: bytes | None = body
    declared = headers.get("content-encoding")
    if declared and declared.strip().lower() != "identity":
        coding = coding_of(headers)
        content = None if coding is None else decode(coding, body, _DECODED_LIMIT)
        if content is None:
            raise ValueError(f"its content coding {declared!r} cannot be undone")
    assert content is not None  # noqa: S101 - either as it came, or decoded
    changed = content
    for each in substitutions:
        changed = each.apply(changed)
    if changed == content:
        return None
    dropped = _DIGESTS if content is body else _DIGESTS | {b"content-encoding"}
    kept = (line for line in headers.raw if line[0].lower() not in dropped)
    return with_length(Headers(kept), len(changed)), changed


def with_length(headers: Headers, length: int) -> Headers:
    """Return the section with a true ``Content-Length``, where it has one."""
    if "content-length" not in headers:
        return headers
    return Headers(setting((b"Content-Length", b"%d" % length))(headers.raw))
