"""Secrets, hidden on the screen: what ``show`` prints may end up in a ticket or a screen shot.

This is about display alone. What a cassette may hold is decided when it is recorded, by the same
rules (``replay/secrets``), but more narrowly: here a false alarm costs a ``--reveal``, there it
would change what is replayed. So a name that is only likely to be a secret's is enough here, but
for those that mean something else most of the time. The ends of a long secret stay, to tell two
apart; placeholders stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import msgspec

if TYPE_CHECKING:
    from magneto_serge.replay.secrets.finder import Finder
    from magneto_serge.replay.secrets.finds import Find

_HIDDEN = "****"
_MOSTLY_OTHERWISE = re.compile(r"(?:.*_)?(?:key|code|state|nonce|auth|pass|ticket|tokens)")
_SECRET_IN_QUERY = frozenset({"key", "sig", "auth", "pass", "pwd"})
_JSON_STRING = re.compile(r'("(?:[^"\\]|\\.)*")(?:(\s*:\s*)("(?:[^"\\]|\\.)*"))?')


@cache
def _finder() -> Finder:
    from magneto_serge.replay.secrets.finder import Finder

    return Finder()


def is_secret_name(name: str) -> bool:
    """Tell whether a field, item or member of this name holds a secret."""
    from magneto_serge.replay.secrets.names import Meaning, meaning, plain

    says = meaning(name)
    if says is Meaning.LIKELY:
        return _MOSTLY_OTHERWISE.fullmatch(plain(name)) is None
    return says is not Meaning.NOTHING


def _hidden(text: str, find: Callable[[bytes], Sequence[Find]]) -> str:
    """Return a text with what the rules of redaction find in it hidden."""
    from magneto_serge.replay.secrets.finds import replaced

    data = text.encode(errors="surrogatepass")
    finds = find(data)
    return replaced(data, finds, _mask_find).decode(errors="replace") if finds else text


def _mask_find(find: Find) -> bytes:
    from magneto_serge.replay.secrets.placeholders import Look, is_placeholder

    if find.look is Look.NUMBER and not is_placeholder(find.value):
        return b'"' + _HIDDEN.encode() + b'"'
    masked = mask(find.value.decode(errors="replace"))
    return msgspec.json.encode(masked)[1:-1]  # it may stand in JSON


def mask(secret: str) -> str:
    """Hide the middle; up to four characters stay at either end, none of a short secret."""
    if not secret or _HIDDEN in secret or _is_placeholder(secret):
        return secret
    shown = min(4, len(secret) // 8)
    return secret[:shown] + _HIDDEN + secret[len(secret) - shown :]


def _is_placeholder(value: str) -> bool:
    from magneto_serge.replay.secrets.placeholders import is_placeholder

    return is_placeholder(value.encode(errors="replace"))


def mask_field(name: str, value: str) -> str:
    """Return a header field's value with what is secret in it hidden."""
    lower = name.lower()
    if lower == "set-cookie":  # RFC 6265 §4.1: name=value, then attributes, which are no secret
        cookie, semicolon, attributes = value.partition(";")
        return _mask_pair(cookie) + semicolon + attributes
    if lower == "cookie":
        return "; ".join(_mask_pair(pair) for pair in value.split("; "))
    if lower.endswith("authorization"):
        scheme, space, credentials = value.partition(" ")
        return scheme + space + mask(credentials) if space else mask(value)
    if is_secret_name(name):
        return mask(value)
    if lower in ("location", "referer", "content-location"):
        return mask_query(value)
    return _hidden(value, _finder().in_target)


def _mask_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return name + equals + mask(value) if equals else mask(pair)


def mask_query(url: str) -> str:
    """Return a URL or request target with the secret items of its query hidden."""
    path, mark, query = _hidden(url, _finder().in_target).partition("?")
    return path + mark + _mask_items(query)


def mask_form(form: str) -> str:
    """Return ``application/x-www-form-urlencoded`` text with its secret items hidden."""
    return _mask_items(_hidden(form, _finder().in_body))


def _mask_items(form: str) -> str:
    return "&".join(_mask_item(item) for item in form.split("&"))


def _mask_item(item: str) -> str:
    name, equals, value = item.partition("=")
    plain = unquote_plus(name)
    if equals and (plain.lower() in _SECRET_IN_QUERY or is_secret_name(plain)):
        return f"{name}={mask(value)}"
    return item


def mask_json(text: str) -> str:
    """Return JSON text with the string values of secret members hidden; all else as it is."""
    return _JSON_STRING.sub(_mask_member, _hidden(text, _finder().in_body))


def _mask_member(found: re.Match[str]) -> str:
    # Every string is consumed in turn, so a match never begins inside one.
    name, colon, value = found.groups()
    if value is None or not is_secret_name(msgspec.json.decode(name)):
        return found[0]
    hidden = msgspec.json.encode(mask(msgspec.json.decode(value))).decode()
    return f"{name}{colon}{hidden}"
