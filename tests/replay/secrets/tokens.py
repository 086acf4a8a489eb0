"""Tokens for tests: made up, in the shape of real ones, and never written down whole.

Whole ones would be found by the secret scanners of those who keep this repository.
"""

from __future__ import annotations

import random
import re
import string

from magneto_serge.replay.secrets.shapes import Shape

_CLASS = re.compile(r"\[([^\]]+)\](?:\{(\d+)(?:,\d+)?\})?|\\(.)|(.)")
_ALPHABETS = (string.ascii_uppercase, string.ascii_lowercase, string.digits)


def example(prefix: str, shape: Shape, rng: random.Random) -> bytes:
    """Return a token with this prefix: the shortest that its rule takes, and a little more."""
    made = prefix
    for klass, count, escaped, literal in _CLASS.findall(shape.rest):
        if klass:
            alphabet = "".join(each for each in _ALPHABETS if _within(each, klass))
            made += "".join(rng.choices(alphabet, k=int(count or 1)))
        else:
            made += escaped or literal
    return made.encode()


def _within(alphabet: str, klass: str) -> bool:
    spelled = f"{alphabet[0]}-{alphabet[-1]}"
    return spelled in klass


def _mixed(length: int) -> bytes:
    return (b"a1B2c3D4" * 20)[:length]


OTHERS: dict[str, tuple[bytes, bytes]] = {
    "Telegram bot token": (
        b"/bot123456789:%s/sendMessage" % _mixed(35),
        b"123456789:" + _mixed(35),
    ),
    "Slack webhook": (b"/services/T0001ABCD/B0001ABCD/%s" % _mixed(24), _mixed(24)),
    "Discord webhook": (b"/api/webhooks/123456789012345678/%s" % _mixed(68), _mixed(68)),
    "Discord token": (
        b"Bot M%s.%s.%s" % (_mixed(23), _mixed(6), _mixed(27)),
        b"M%s.%s.%s" % (_mixed(23), _mixed(6), _mixed(27)),
    ),
    "Mailchimp key": (b"0123abcd" * 4 + b"-us12 ", b"0123abcd" * 4 + b"-us12"),
    "Terraform token": (
        b"%s.atlasv1.%s" % (_mixed(14), _mixed(67)),
        b"%s.atlasv1.%s" % (_mixed(14), _mixed(67)),
    ),
    "Airtable token": (
        b"pat%s.%s" % (_mixed(14), b"0123abcd" * 8),
        b"pat%s.%s" % (_mixed(14), b"0123abcd" * 8),
    ),
    "Azure storage key": (
        b"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=%s==" % _mixed(86),
        _mixed(86) + b"==",
    ),
    "JWT": (
        b"x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl, y",
        b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ),
    "private key": (
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/\nabc=\n-----END RSA PRIVATE KEY-----\n",
        b"MIIEabc+/\nabc=",
    ),
}
