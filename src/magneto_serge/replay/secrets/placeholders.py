"""What stands in a secret's place: numbered, and of the secret's shape where that matters.

Nothing of a secret is in its placeholder but what anybody may know: the prefix of a service's
tokens, and that it was a JWT, a UUID, a number. The forms, for the first secret of a cassette:

* ``REDACTED-1``; with a service's prefix ``ghp_REDACTED-1``;
* a JWT (RFC 7519) that decodes, with ``REDACTED-1`` as its subject, not expired before 2100;
* a UUID, ``5ec2e700-0000-4000-8000-000000000001``;
* ``Basic`` credentials (RFC 7617) and the inside of a PEM file: base64 that decodes;
* a number in JSON, ``9999000001``;
* in a binary body the plain form, filled with ``-`` up to the length of what it replaces.

All are made of characters that need no escaping wherever a secret may stand, and no real secret
looks like one of them. :data:`ANY` finds them all.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from enum import StrEnum

from .shapes import PREFIXES, UUID, prefix_of

MARKER = b"REDACTED"
"""What stands for every secret and every placeholder in a neutral request."""


class Look(StrEnum):
    """The form of a placeholder."""

    PLAIN = "plain"
    JWT = "jwt"
    UUID = "uuid"
    BASE64 = "base64"
    BASIC = "basic"
    NUMBER = "number"


def _encoded(claims: bytes) -> bytes:
    return urlsafe_b64encode(claims).rstrip(b"=")


_JWT_HEAD = _encoded(b'{"alg":"HS256","kid":"REDACTED","typ":"JWT"}') + b"."
_JWT_SUBJECT = b'{"sub":"'  # 8 bytes; with what follows, base64 cannot be cut here
_JWT_TIMES = b'","iat":0,"exp":4102444800}'  # 2100-01-01
_UUID_HEAD = b"5ec2e700-0000-4000-8000-"
_NUMBER_HEAD = b"9999"
_BASE64_HEAD = b"UkVEQUNURUQt"  # b64encode(b"REDACTED-"): 9 bytes are 12 characters exactly

_PLAIN = (
    rb"(?:" + b"|".join(re.escape(each.encode()) for each in PREFIXES) + rb")?REDACTED-\d{1,9}-*"
)
ANY = re.compile(
    b"|".join(
        (
            _PLAIN,
            re.escape(_JWT_HEAD) + rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
            _UUID_HEAD + rb"\d{12}",
            _BASE64_HEAD + rb"[A-Za-z0-9+/]+={0,2}",
        )
    )
)
_ALONE = re.compile(rb"(?:" + ANY.pattern + rb"|REDACTED|" + _NUMBER_HEAD + rb"\d{6,9})")
_DIGITS = re.compile(rb"REDACTED-(\d{1,9})")

LIKELY = r"REDACTED-[0-9]|UkVEQUNURUQt|5ec2e700-0000-4000-8000"
"""In RE2's syntax: where it does not match, there is no placeholder."""


def is_placeholder(value: bytes) -> bool:
    """Tell whether a whole value is one; the mask of older versions, without a number, counts."""
    return _ALONE.fullmatch(value) is not None


def look_of(value: bytes) -> Look:
    """Return the form that keeps the shape of a secret, as far as its own bytes tell."""
    if value.startswith(b"eyJ") and value.count(b".") in (2, 4):
        return Look.JWT
    return Look.UUID if UUID.fullmatch(value) else Look.PLAIN


def placeholder(number: int, look: Look = Look.PLAIN, secret: bytes = b"") -> bytes:
    """Return the placeholder of that number; ``secret`` is asked for its service's prefix only."""
    plain = b"%s-%d" % (MARKER, number)
    match look:
        case Look.JWT:
            return _JWT_HEAD + _encoded(_JWT_SUBJECT + plain + _JWT_TIMES) + b"." + _encoded(plain)
        case Look.UUID:
            return b"%s%012d" % (_UUID_HEAD, number)
        case Look.BASE64:
            return b64encode(plain)
        case Look.BASIC:
            return b64encode(plain + b":" + plain)
        case Look.NUMBER:
            return b"%s%06d" % (_NUMBER_HEAD, number)
        case Look.PLAIN:
            return prefix_of(secret) + plain


def filled(value: bytes, length: int) -> bytes:
    """Return a plain placeholder as long as what it replaces in a body whose lengths count."""
    return value.ljust(length, b"-")[:length]


def number_of(value: bytes) -> int:
    """Return the number of a placeholder; 0 where it has none."""
    if value.startswith(_UUID_HEAD):
        return int(value[len(_UUID_HEAD) :])
    if value.startswith(_NUMBER_HEAD):
        return int(value[len(_NUMBER_HEAD) :])
    if value.startswith(_JWT_HEAD):
        value = _decoded(value.rpartition(b".")[2].replace(b"-", b"+").replace(b"_", b"/"))
    elif value.startswith(_BASE64_HEAD):
        value = _decoded(value)
    found = _DIGITS.search(value)
    return 0 if found is None else int(found[1])


_MARKS = (b"REDACTED-", _BASE64_HEAD, _UUID_HEAD, _JWT_HEAD)
_LONGEST_PREFIX = max(map(len, PREFIXES))


def found_in(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where placeholders begin and end.

    They are looked for by what all have in them, which is some hundred times quicker than
    :data:`ANY`; those inside of a JWT are not told apart from it.
    """
    for mark in _MARKS:
        at = text.find(mark)
        while at >= 0:
            start = at - len(_prefix_before(text, at)) if mark is _MARKS[0] else at
            found = ANY.match(text, start)
            if found is not None:
                yield found.span()
            at = text.find(mark, at + len(mark))


def _prefix_before(text: bytes, at: int) -> bytes:
    before = text[max(0, at - _LONGEST_PREFIX) : at]
    return next((each for each in _ENCODED_PREFIXES if before.endswith(each)), b"")


_ENCODED_PREFIXES = tuple(each.encode() for each in PREFIXES)


def highest_in(text: bytes) -> int:
    """Return the highest number of a placeholder in ``text``; 0 where there is none."""
    return max((number_of(text[start:end]) for start, end in found_in(text)), default=0)


def canonical(value: bytes) -> bytes:
    """Return a placeholder as it stands in texts, without what fills it up in a binary body."""
    return value.rstrip(b"-") if value.endswith(b"-") and b"REDACTED-" in value else value


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return b""
