"""Secrets in texts: bodies, request targets, values of fields.

All of it works on bytes: every rule is about ASCII, and the charsets that the Web uses keep ASCII
as it is, so a body need not be decoded, and no charset can be a wrong one. What is looked for:

* members of JSON by name, also where JSON is text in JSON, in the events of a stream, in a script;
* ``name=value`` by name: queries, forms, cookies, environment files;
* elements of XML, ``input`` and ``meta`` of HTML, parts of multipart forms, by name;
* userinfo in URLs; tokens by their shape; placeholders that are there already.

Each rule runs through the text once and never far back: what it looks for is bounded, or ends at
characters that it cannot contain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

import msgspec

from .finds import Find
from .names import Meaning
from .names import is_meant as is_secret
from .placeholders import Look, found_in, is_placeholder, look_of
from .shapes import BOT, JWT, OTHERS, PEM, PREFIXED, TELEGRAM, kind_of, prefix_of

Says = Callable[[str], Meaning]
"""What a name says of its value, users' own names included."""

_MEMBER = re.compile(
    rb'"([A-Za-z_$@][A-Za-z0-9_.\-$ ]{1,63})"\s*+:\s*+'
    rb'(?:"((?:[^"\\]|\\.)*+)"|(-?[0-9][0-9.]*+)(?=[\s,}\]]|\Z))',
    re.DOTALL,
)
_ESCAPED_MEMBER = re.compile(
    rb'\\"([A-Za-z_$@][A-Za-z0-9_.\-$ ]{1,63})\\+"\s*+:\s*+\\+"([^"\\]*+)\\'
)
_MEMBER_LIST = re.compile(
    rb'"([A-Za-z_][A-Za-z0-9_.\-$]{1,63})"\s*+:\s*+\[\s*+("(?:[^"\\]|\\.)*+"(?:\s*+,\s*+"(?:[^"\\]|\\.)*+")*+)'
)
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ITEM = re.compile(
    rb"(?<![A-Za-z0-9_.\-%\[\]])([A-Za-z_][A-Za-z0-9_.\-%\[\]]{0,63})(=|%3[Dd])([^&\s\"'<>\\;,]++)"
)
_ELEMENT = re.compile(
    rb"<(?:[\w.-]{1,32}:)?([A-Za-z_][\w.-]{1,63})(?:\s[^<>]{0,512})?>([^<>]{1,65536}+)</"
)
_INPUT = re.compile(rb"<(?:input|meta)\b([^<>]{1,2048}+)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""(?<![\w-])(name|id|value|content)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE
)
_PART = re.compile(
    rb'name="([^"\r\n]{1,64})"(?!; ?filename)[^\r\n]{0,256}\r\n(?:[^\r\n]{1,1024}\r\n){0,8}\r\n'
)
_USERINFO = re.compile(rb"://([^/\s\"'<>@:\\?#]{0,256}+)(?::([^/\s\"'<>@\\?#]{0,512}+))?@")
_SCHEME = re.compile(rb"(?i:bearer|basic|token|bot|apikey|negotiate)\s+(?=\S)")


def in_text(text: bytes, says: Says) -> Iterator[Find]:
    """Yield what every rule finds, in no order; finds may overlap."""
    yield from by_look(text)
    if b'"' in text:
        yield from _members(text, says)
    if b"=" in text or b"%3" in text:
        yield from _items(text, says)
    if b"</" in text:
        yield from _elements(text, says)
    if b"<" in text:
        yield from _inputs(text, says)
    if b'name="' in text:
        yield from _parts(text, says)
    if b"@" in text:
        yield from _userinfo(text)


def by_look(text: bytes) -> Iterator[Find]:
    """Yield what its own bytes give away: tokens of services, placeholders."""
    yield from by_shape(text)
    yield from placeholders_in(text)


def is_meant(says: Meaning, value: bytes) -> bool:
    """Tell whether a value is a secret by its name, or a placeholder in the place of one."""
    return says is not Meaning.NOTHING and (
        is_secret(says, value) or is_placeholder(value) or prefix_of(value) != b""
    )


def placeholders_in(text: bytes) -> Iterator[Find]:
    """Yield the placeholders that a text holds."""
    for start, end in found_in(text):
        yield Find(start, end, text[start:end], "placeholder")


def by_shape(text: bytes) -> Iterator[Find]:
    """Yield what looks like the token of a service, wherever it stands."""
    for found in PREFIXED.finditer(text):
        yield Find(*found.span(), found[0], kind_of(prefix_of(found[0])))
    if b"eyJ" in text:
        for found in JWT.finditer(text):
            yield Find(*found.span(), found[0], "JWT", look=Look.JWT)
    if b"PRIVATE KEY" in text:
        yield from _private_keys(text)
    for kind, sign, expression in OTHERS:
        if sign in text:
            for found in expression.finditer(text):
                yield Find(*found.span(1), found[1], kind)
    for found in TELEGRAM.finditer(text):
        bot = BOT.search(text, max(0, found.start() - 14), found.start())
        if bot is not None:
            start, end = bot.start(1), found.end()
            yield Find(start, end, text[start:end], "Telegram bot token")


def _private_keys(text: bytes) -> Iterator[Find]:
    for found in PEM.finditer(text):
        start, end = found.span(2)
        inside = found[2]
        start += len(inside) - len(inside.lstrip(b"\\rn\r\n "))
        end -= len(inside) - len(_without_end(inside))
        if start < end:
            yield Find(start, end, text[start:end], "private key", look=Look.BASE64)


_LINE_END = re.compile(rb"(?:\\+[rn]|[\r\n ])+\Z")


def _without_end(inside: bytes) -> bytes:
    tail = _LINE_END.search(inside, max(0, len(inside) - 16))
    return inside if tail is None else inside[: tail.start()]


def named(start: int, raw: bytes, value: bytes, name: str, kind: str) -> Find:
    """Return the find of a value that its name gave away, in the form that suits it.

    Of a private key and of ``Bearer TOKEN`` only the secret is meant.
    """
    end = start + len(raw)
    prefix = prefix_of(value)
    if prefix:
        return Find(start, end, value, kind_of(prefix), name)
    if b"PRIVATE KEY-----" in raw:
        inner = next(_private_keys(raw), None)
        if inner is not None and inner.value:
            return inner._replace(start=start + inner.start, end=start + inner.end, name=name)
    scheme = _SCHEME.match(raw)
    if scheme is not None and scheme.end() < len(raw):
        start, value = start + scheme.end(), value[scheme.end() :]
        if scheme[0][:5].lower() == b"basic":
            return Find(start, end, value, kind, name, Look.BASIC)
    return Find(start, end, value, kind, name, look_of(value))


def _members(text: bytes, says: Says) -> Iterator[Find]:
    for found in _MEMBER.finditer(text):
        name = found[1].decode()
        meaning = says(name)
        if not meaning:
            continue
        if found[3] is not None:
            yield from _number(found, name, meaning)
            continue
        value = _unescaped(found[2])
        if is_meant(meaning, value):
            yield named(found.start(2), found[2], value, name, "member")
    if b'\\"' in text:
        for found in _ESCAPED_MEMBER.finditer(text):
            name = found[1].decode()
            if is_meant(says(name), found[2]):
                yield named(found.start(2), found[2], found[2], name, "member")
    if b"[" in text:
        for found in _MEMBER_LIST.finditer(text):
            name = found[1].decode()
            if says(name):
                yield from _listed(found, name)


def _number(found: re.Match[bytes], name: str, meaning: Meaning) -> Iterator[Find]:
    digits = found[3]
    if meaning in (Meaning.CERTAIN, Meaning.DIGITS) and digits.isdigit() and len(digits) > 2:
        yield Find(*found.span(3), digits, "member", name, Look.NUMBER)


def _listed(found: re.Match[bytes], name: str) -> Iterator[Find]:
    """Several secrets under one name; sentences are none (``"password": ["is too short"]``)."""
    for each in _STRING.finditer(found[2]):
        value = _unescaped(each[1])
        if is_meant(Meaning.LIKELY, value):
            yield named(found.start(2) + each.start(1), each[1], value, name, "member")


def _unescaped(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw
    try:
        text: str = msgspec.json.decode(b'"' + raw + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw
    return text.encode(errors="surrogatepass")


def _items(text: bytes, says: Says) -> Iterator[Find]:
    for found in _ITEM.finditer(text):
        raw = found[1]
        name = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("latin-1")
        meaning = says(_innermost(name))
        if not meaning:
            continue
        value = unescaped_item(found[3])
        if is_meant(meaning, value):
            yield named(found.start(3), found[3], value, name, "item")


def _innermost(name: str) -> str:
    """Return the name that counts: of ``user[password]`` the last one."""
    if "[" not in name:
        return name
    return name.rstrip("[]").rpartition("[")[2]


def unescaped_item(raw: bytes) -> bytes:
    """Return the value of a query or form item without its percent-encoding."""
    return unquote_to_bytes(raw.replace(b"+", b" ")) if b"%" in raw or b"+" in raw else raw


def _elements(text: bytes, says: Says) -> Iterator[Find]:
    for found in _ELEMENT.finditer(text):
        name = found[1].decode("latin-1")
        meaning = says(name)
        if meaning:
            value = found[2].strip()
            start = found.start(2) + len(found[2]) - len(found[2].lstrip())
            if is_meant(meaning, value):
                yield named(start, value, value, name, "element")


def _inputs(text: bytes, says: Says) -> Iterator[Find]:
    for found in _INPUT.finditer(text):
        attributes = {each[1].lower(): each for each in _ATTRIBUTE.finditer(found[1])}
        name = attributes.get(b"name") or attributes.get(b"id")
        value = attributes.get(b"value") or attributes.get(b"content")
        if name is None or value is None:
            continue
        label = (name[2] or name[3] or b"").decode("latin-1")
        group = 2 if value[2] is not None else 3
        if is_meant(says(_innermost(label)), value[group]):
            yield named(
                found.start(1) + value.start(group), value[group], value[group], label, "input"
            )


def _parts(text: bytes, says: Says) -> Iterator[Find]:
    """RFC 7578 §4.2: a part ends where a line begins with two dashes and the boundary."""
    for found in _PART.finditer(text):
        name = found[1].decode("latin-1")
        meaning = says(_innermost(name))
        if not meaning:
            continue
        start = found.end()
        end = text.find(b"\r\n--", start)
        value = text[start : len(text) if end < 0 else end]
        if is_meant(meaning, value):
            yield named(start, value, value, name, "part")


def _userinfo(text: bytes) -> Iterator[Find]:
    """RFC 3986 §3.2.1: ``user:password@``. A lone user is a token if it looks like one."""
    for found in _USERINFO.finditer(text):
        group = 1 if found[2] is None else 2
        value = unquote_to_bytes(found[group])
        if value and (group == 2 or is_meant(Meaning.LIKELY, value) or prefix_of(value)):
            yield Find(*found.span(group), value, "userinfo", look=look_of(value))
