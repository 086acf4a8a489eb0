"""Secrets, hidden on the screen: what ``show`` prints may end up in a ticket or a screen shot.

This is about display alone. What a cassette may hold is decided when it is recorded
(``replay/redaction.py``), and is narrower: here a false alarm costs a ``--reveal``, there it would
change what is replayed. Names decide, never values; a name counts in any of its spellings
(``api-key``, ``api_key``, ``apiKey``). The ends of a long secret stay, to tell two apart.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

import msgspec

from magneto_serge.replay.redaction import MASK

_HIDDEN = "****"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET = re.compile(
    r"(?:^|[-_.])(?:authorization|cookie2?|token|secret|passw(?:or)?d|passphrase|session(?:[-_]?id)?"
    r"|sid|jwt|otp|pin|signature|credentials?|apikey)(?:$|[-_.])"
    r"|(?:api|access|private|subscription|secret|auth|account|shared|functions)[-_.]?key"
)
_HARMLESS = re.compile(
    r"token[-_]type|page[-_]?token|next[-_]?token|access-control-|signature-input"
)
_SECRET_IN_QUERY = frozenset({"key", "sig", "auth", "pass", "pwd"})
_JSON_STRING = re.compile(r'("(?:[^"\\]|\\.)*")(?:(\s*:\s*)("(?:[^"\\]|\\.)*"))?')


def is_secret_name(name: str) -> bool:
    """Tell whether a field, item or member of this name holds a secret."""
    plain = _CAMEL.sub("_", name).lower()
    return bool(_SECRET.search(plain)) and not _HARMLESS.search(plain)


def mask(secret: str) -> str:
    """Hide the middle; up to four characters stay at either end, none of a short secret."""
    if secret in ("", MASK):
        return secret
    shown = min(4, len(secret) // 8)
    return secret[:shown] + _HIDDEN + secret[len(secret) - shown :]


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
    return mask_query(value) if lower in ("location", "referer", "content-location") else value


def _mask_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return name + equals + mask(value) if equals else mask(pair)


def mask_query(url: str) -> str:
    """Return a URL or request target with the secret items of its query hidden."""
    path, mark, query = url.partition("?")
    return path + mark + mask_form(query)


def mask_form(form: str) -> str:
    """Return ``application/x-www-form-urlencoded`` text with its secret items hidden."""
    return "&".join(_mask_item(item) for item in form.split("&"))


def _mask_item(item: str) -> str:
    name, equals, value = item.partition("=")
    plain = unquote_plus(name)
    if equals and (plain.lower() in _SECRET_IN_QUERY or is_secret_name(plain)):
        return f"{name}={mask(value)}"
    return item


def mask_json(text: str) -> str:
    """Return JSON text with the string values of secret members hidden; all else as it is."""
    return _JSON_STRING.sub(_mask_member, text)


def _mask_member(found: re.Match[str]) -> str:
    # Every string is consumed in turn, so a match never begins inside one.
    name, colon, value = found.groups()
    if value is None or not is_secret_name(msgspec.json.decode(name)):
        return found[0]
    hidden = msgspec.json.encode(mask(msgspec.json.decode(value))).decode()
    return f"{name}{colon}{hidden}"
